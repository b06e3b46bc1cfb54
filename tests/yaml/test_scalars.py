"""Scalars as `kubectl` reads them, and as everybody does."""

from __future__ import annotations

import json

import pytest
import yaml

from postrenderer.yaml.scalars import Value, read_scalar, write_scalar


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("Null", None),
        ("nULL", "nULL"),
        ("true", True),
        ("Yes", True),
        ("ON", True),
        ("y", True),
        ("N", False),
        ("off", False),
        ("tRUE", "tRUE"),
        ("1001", 1001),
        ("+1", 1),
        ("-1", -1),
        ("0", 0),
        ("-0", 0),
        ("00", 0),
        ("0x3E9", 1001),
        ("-0x10", -16),
        ("0b11", 3),
        ("017", 15),
        ("0o17", 15),
        ("08", 8),
        ("1_000", 1000),
        ("1e3", 1000),
        ("1000.0", 1000),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e400", "1e400"),
        ("190:20:30", "190:20:30"),
        ("2026-01-01", "2026-01-01"),
        ("0x", "0x"),
        ("+", "+"),
        (".", "."),
        ("1" * 5000, "1" * 5000),
        ("text", "text"),
    ],
)
def test_plain(text: str, value: Value) -> None:
    read = read_scalar(text, plain=True, tag=None)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("plain", "tag", "value"),
    [
        (False, None, "1"),
        (False, "tag:yaml.org,2002:int", 1),
        (True, "tag:yaml.org,2002:str", "1"),
        (False, "!", "1"),
        (True, "!mine", "1"),
        (True, "tag:yaml.org,2002:int", 1),
    ],
)
def test_tags_and_quotes(plain: bool, tag: str | None, value: Value) -> None:
    assert read_scalar("1", plain=plain, tag=tag) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (False, "false"),
        (1001, "1001"),
        ("Always", "Always"),
        ("a/b.c-d", "a/b.c-d"),
        ("yes", '"yes"'),
        ("N", '"N"'),
        ("null", '"null"'),
        ("1", '"1"'),
        (".5", '".5"'),
        (".inf", '".inf"'),
        ("-a", '"-a"'),
        ("", '""'),
        ("a b", '"a b"'),
        ("a:b", '"a:b"'),
        ("a\n\tb", '"a\\n\\tb"'),
        ("\U0001f680", '"\U0001f680"'),
        ("\x7f\x85\u2028\ufeff", '"\\u007f\\u0085\\u2028\\ufeff"'),
    ],
)
def test_written_for_every_reader(value: bool | int | str, text: str) -> None:
    """JSON reads what is in quotes, YAML 1.1 all of it; a character beyond U+FFFF is no pair of escapes."""
    assert write_scalar(value) == text
    assert yaml.safe_load(text) == value
    if text.startswith('"'):
        assert json.loads(text) == value
