"""Patterns as gobwas/glob reads them without separators, in as many steps as there are characters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postrenderer.hosts.argocd.globs import MAX_LENGTH, matches, parse_pattern


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("*.yaml", "a.yaml", True),
        ("*.yaml", "sub/g.yaml", True),
        ("*.yaml", "a.yml", False),
        ("a?.yaml", "ab.yaml", True),
        ("a?.yaml", "a.yaml", False),
        ("**/x", "a/b/x", True),
        ("{a,b*}.json", "a.json", True),
        ("{a,b*}.json", "bcd.json", True),
        ("{a,b*}.json", "c.json", False),
        ("{a,{b,c}d}", "cd", True),
        ("{a,{b,c}d}", "bd", True),
        ("{a,{b,c}d}", "ad", False),
        ("x{,y}", "x", True),
        ("[a-c]x", "bx", True),
        ("[a-c]x", "dx", False),
        ("[!a-c]x", "dx", True),
        ("[abc]", "b", True),
        ("[!abc]", "b", False),
        ("[{,]", "{", True),
        ("\\*", "*", True),
        ("\\*", "a", False),
        ("\\{a,b\\}", "{a,b}", True),
        ("sub", "sub/x", False),
        ("", "", True),
        ("", "a", False),
        ("*", "", True),
        ("a*b*c", "aXbXbXc", True),
        ("a*b*c", "aXbXbX", False),
    ],
)
def test_patterns(pattern: str, name: str, expected: bool) -> None:
    assert matches(parse_pattern(pattern), name) is expected


@pytest.mark.parametrize("pattern", ["[a", "{a,b", "{a,{b}", "{a,b}" * 10, "x" * (MAX_LENGTH + 1), "["])
def test_what_is_no_pattern(pattern: str) -> None:
    with pytest.raises(ValueError, match="has a|has more|is longer"):
        parse_pattern(pattern)


def test_nothing_backtracks() -> None:
    """`re` needs longer than the universe for this."""
    assert not matches(parse_pattern("*a" * 500 + "b"), "a" * 4000)


@given(st.text("ab*?", max_size=8), st.text("ab", max_size=8))
def test_stars_and_questions_are_those_of_a_shell(pattern: str, name: str) -> None:
    from fnmatch import fnmatchcase

    assert matches(parse_pattern(pattern), name) is fnmatchcase(name, pattern)
