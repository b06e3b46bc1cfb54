"""The configuration file: what it accepts, and errors that name file, line, key and what to write."""

from __future__ import annotations

import time
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from postrenderer.config import ConfigFile, read_config
from postrenderer.model import Capabilities, Refused, Settings
from postrenderer.options import read_settings
from postrenderer.settings import BY_NAME, SETTINGS

QUOTES = (
    'c.yaml, line 1: kagent-version: write the version in quotes, such as "0.10": without them 0.10 is the number 0.1'
)
BOTH = """\
c.yaml, line 1: default-uid: write a number from 1 on (not 0)
c.yaml, line 2: strict: write true or false, without quotes (not 'x')"""


def read(text: str, *locked: str) -> dict[str, Any]:
    return read_config(text, "c.yaml", locked)


def check_refused(text: str, message: str, *locked: str) -> None:
    with pytest.raises(Refused) as found:
        read(text, *locked)
    assert found.value.message == message


def test_all_settings() -> None:
    text = """\
# Ours
image-uid:
  registry.example.com:5000/team/app: 1001
  "team/x@sha256:abc": 65532
default-uid: 7
unknown-image: nonroot
override: objects
levels: container
kagent-version: "0.10"
scc: nonroot-v2
only-kind: [Sandbox]
skip-kind: [SandboxAgent.kagent.dev]
strict: yes      # as kubectl reads it
honor-skip: off
max-input: 1000
"""
    assert read(text) == {
        "image_uid": (("registry.example.com:5000/team/app", 1001), ("team/x@sha256:abc", 65532)),
        "default_uid": 7,
        "unknown_image": "nonroot",
        "override": "objects",
        "levels": "container",
        "kagent_version": "0.10",
        "scc": "nonroot-v2",
        "only_kind": ("Sandbox",),
        "skip_kind": ("SandboxAgent.kagent.dev",),
        "strict": True,
        "honor_skip": False,
        "max_input": 1000,
    }


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "---\n", "null", "{}", "default-uid:\n", "default-uid: ~\nstrict: null\n"]
)
def test_what_says_nothing(text: str) -> None:
    assert read(text) == {}


def test_what_yaml_offers() -> None:
    assert read('{"default-uid": 1001}') == {"default_uid": 1001}
    assert read("default-uid: 0x3e9\n") == {"default_uid": 1001}
    assert read("skip-kind: &k [Sandbox]\nonly-kind: *k\n") == {"skip_kind": ("Sandbox",), "only_kind": ("Sandbox",)}
    assert read("--- # c\r\nstrict: true\r\n...\r\n") == {"strict": True}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\n", "c.yaml, line 1: must be a mapping of settings, such as `default-uid: 1001`"),
        ("\n- a\n", "c.yaml, line 2: must be a mapping of settings, such as `default-uid: 1001`"),
        ("strict: true\ndefalt-uid: 1\n", "c.yaml, line 2: defalt-uid is no setting; did you mean default-uid?"),
        ("default_uid: 1\n", "c.yaml, line 1: default_uid is no setting; did you mean default-uid?"),
        ("zzz: 1\n", f"c.yaml, line 1: zzz is no setting; there are {', '.join(BY_NAME)}"),
        ("\ndefault-uid: 0\n", "c.yaml, line 2: default-uid: write a number from 1 on (not 0)"),
        ("default-uid: 2147483648", "c.yaml, line 1: default-uid: write a number up to 2147483647 (not 2147483648)"),
        ("default-uid: '5'", "c.yaml, line 1: default-uid: write a number, without quotes (not '5')"),
        ("default-uid: 5.5", "c.yaml, line 1: default-uid: write a number, without quotes (not 5.5)"),
        ("default-uid: true", "c.yaml, line 1: default-uid: write a number, without quotes (not True)"),
        ("default-uid: [1]", "c.yaml, line 1: default-uid: write a number, without quotes (not [1])"),
        ("strict: 'true'", "c.yaml, line 1: strict: write true or false, without quotes (not 'true')"),
        ("strict: 1", "c.yaml, line 1: strict: write true or false, without quotes (not 1)"),
        ("levels: pod", "c.yaml, line 1: levels: write 'both' or 'container' (not 'pod')"),
        (
            "kagent-version: 0.10",
            QUOTES,
        ),
        (
            "kagent-version: new",
            "c.yaml, line 1: kagent-version: 'new' is no version of kagent: write 0.9, 0.9.4 or 0.10.0-beta2",
        ),
        ("only-kind: Sandbox", "c.yaml, line 1: only-kind: write a list, such as [Sandbox] (not 'Sandbox')"),
        (
            "only-kind:\n- 1\n",
            "c.yaml, line 1: only-kind: write a string, in quotes where it looks like a number (not 1)",
        ),
        (
            "image-uid: [a=1]",
            "c.yaml, line 1: image-uid: write a mapping of images to UIDs, such as {team/app: 1001} (not ['a=1'])",
        ),
        (
            "image-uid:\n  a: 1\n  team/b: 0\n",
            "c.yaml, line 3: image-uid, team/b: write a number from 1 on (not 0)",
        ),
        (
            "image-uid:\n  a: root\n",
            "c.yaml, line 2: image-uid, a: write a number, without quotes (not 'root')",
        ),
        ("image-uid: {a: {b: 1}}", "c.yaml, line 1: image-uid: must hold single values, but is nested deeper"),
        (
            "default-uid: 0\nstrict: x\n",
            BOTH,
        ),
    ],
)
def test_errors(text: str, message: str) -> None:
    check_refused(text, message)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("strict: true\nstrict: false\n", "c.yaml, line 2: the key `strict` stands twice"),
        ("image-uid:\n  a: 1\n  a: 2\n", "c.yaml, line 3: the key `a` stands twice"),
        ("a: [\n", "c.yaml, line "),
        ("strict: *x\n", "c.yaml, line 1: the alias \\*x has no anchor"),
        ("strict: true\n---\nstrict: false\n", "c.yaml, line "),
        ("image-uid: {'app 1': 5}", "c.yaml, line 1: image-uid: 'app 1' is no image"),
        ("\tstrict: true\n", "c.yaml, line 1: "),
    ],
)
def test_broken_yaml(text: str, words: str) -> None:
    with pytest.raises(Refused, match=words):
        read(text)


def test_a_bomb_of_aliases_costs_nothing() -> None:
    levels = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60)]
    text = "only-kind: &a0 [x, x]\nskip-kind:\n  - &b [*a0, *a0]\n"
    start = time.perf_counter()
    with pytest.raises(Refused, match="nested deeper"):
        read(text)
    bomb = "image-uid: {" + ", ".join(level.replace("[", "[ ") for level in levels) + "}\n"
    with pytest.raises(Refused, match="nested deeper|single value"):
        read(bomb)
    assert time.perf_counter() - start < 2


def test_locked() -> None:
    check_refused(
        "levels: both\nstrict: false\n",
        "c.yaml, line 2: strict is locked by the operator (--locked): take it out",
        "strict",
    )
    check_refused(
        "x: &x {strict: true}\n<<: *x\n", f"c.yaml, line 1: x is no setting; there are {', '.join(BY_NAME)}", "strict"
    )
    assert read("levels: both\n", "strict") == {"levels": "both"}


def test_a_locked_setting_cannot_come_by_a_merge_key() -> None:
    with pytest.raises(Refused, match="strict is locked"):
        read("<<: {strict: false}\n", "strict")


class TestFile:
    def test_encodings(self, tmp_path: Path) -> None:
        file = tmp_path / "c.yaml"
        file.write_bytes(b"\xef\xbb\xbfstrict: true\n")
        assert read_settings({"config": str(file)}, {}).strict
        file.write_bytes(b"strict: \xff\n")
        with pytest.raises(Refused, match=r"c\.yaml: is not UTF-8"):
            read_settings({"config": str(file)}, {})
        file.write_bytes(b"#" * (1 << 20) + b"\n")
        with pytest.raises(Refused, match="is larger than"):
            read_settings({"config": str(file)}, {})

    def test_the_option_stands_above_the_variable(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_text("default-uid: 1")
        (tmp_path / "b").write_text("default-uid: 2")
        environment = {"SANDBOX_POSTRENDERER_CONFIG": str(tmp_path / "a")}
        assert read_settings({}, environment).default_uid == 1
        assert read_settings({"config": str(tmp_path / "b")}, environment).default_uid == 2


class TestModel:
    def test_it_has_every_setting_and_nothing_else(self) -> None:
        assert {field.alias for field in ConfigFile.model_fields.values()} == set(BY_NAME)

    def test_no_capability_can_be_given_in_a_file(self) -> None:
        names = {field.name for field in fields(Capabilities)} | {"config", "plugin", "output", "in_place", "report"}
        assert not names & set(ConfigFile.model_fields)

    def test_choices_are_those_of_the_options(self) -> None:
        hints = get_type_hints(Settings)
        for setting in SETTINGS:
            if setting.choices:
                (own,) = (
                    part for part in get_args(ConfigFile.model_fields[setting.field].annotation) if get_args(part)
                )
                assert get_args(own) == setting.choices == get_args(hints[setting.field])
