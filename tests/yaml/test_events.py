"""libyaml's events: which parser runs, and what is refused before anything is looked at."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from postrenderer.yaml import BrokenYaml, YamlError, load_tree
from postrenderer.yaml.events import MAX_DEPTH, Parser, parse_events


def test_without_libyaml_nothing_is_parsed_and_a_line_says_what_to_install() -> None:
    blocked = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if "_ruamel_yaml" in name or name.endswith(".clib"):
            raise ImportError(name)
sys.meta_path.insert(0, Block())
from postrenderer.entry import main
sys.exit(main())
"""
    sandbox = "apiVersion: agents.x-k8s.io/v1alpha1\nkind: Sandbox\n"
    found = subprocess.run([sys.executable, "-c", blocked], input=sandbox, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (2, "")
    assert "standard input, document 1, line 1: libyaml is not in use" in found.stderr
    assert "ruamel.yaml[oldlibyaml]" in found.stderr


def test_libyaml_is_in_use() -> None:
    """The pure parser is 25 times slower, and refuses `a:<TAB>1`."""
    assert Parser.__name__ == "CParser"
    tree = load_tree("a:\t1")
    assert tree is not None
    assert tree.root.scalar("a") == 1


@pytest.mark.parametrize("text", ["", " \n", "# comment\n", "\n# comment"])
def test_no_document(text: str) -> None:
    assert load_tree(text) is None


@pytest.mark.parametrize("text", ["---", "---\n", "--- # c\n", "---\n...\n"])
def test_an_empty_document_is_null(text: str) -> None:
    tree = load_tree(text)
    assert tree is not None
    assert tree.root.value is None


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("a: [", "did not find expected node content", 1),
        ("a: 1\nb: }", "did not find expected node content", 2),
        ("a: 1\n\tb: 1", "found a tab character that violates indentation", 2),
        ("a: 'b", "found unexpected end of stream", 1),
        ("a: 1\nb: *x\n", "the alias *x has no anchor before it", 2),
        ("*x", "the alias *x has no anchor before it", 1),
        ("a: 1\n# \x00", "U+0000 is not allowed", 2),
        ("a: 1\nb: \x07", "U+0007 is not allowed", 2),
        ("a: 1\n--- {}\n", "several to a YAML parser", 2),
        ("a: 1\r---\rb: 1", "several to a YAML parser", 2),
        ("a: 1\n---b\nc: 1", "in its line 2 the marker `---` is glued", 3),
        ("%YAML 2.0\n---\na: 1", "incompatible YAML document", 1),
        ("a: {b: 'c':d}", "", 1),
        ("a: [b:c, {d:}]", "found unexpected ':'", 1),
    ],
)
def test_broken(text: str, message: str, line: int) -> None:
    """The message is one line, and names the line that it speaks of."""
    with pytest.raises(YamlError, match=r"\A[^\n]+\Z") as error:
        load_tree(text)
    assert message in error.value.message
    assert error.value.line == line or not message


@pytest.mark.parametrize(("left", "right"), [("[", "]"), ("{a: ", "}"), ("- ", ""), ("? ", "")])
def test_depth_is_limited(left: str, right: str) -> None:
    """Nothing here is recursive; but what reads the output may be."""
    count = MAX_DEPTH - (left == "? ")
    assert parse_events(left * count + "a" + right * count) is not None
    with pytest.raises(BrokenYaml, match="nested deeper than 512 levels"):
        parse_events(left * 100_000)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{a: redis:7}", "redis:7"),
        ("{a: http://x:80/y}", "http://x:80/y"),
        ("{a: b::c,d: e}", "b::c"),
        ("{'a':'b:c', d: e:f}", "b:c"),
        ("x: [a:b]\na: c:d", "c:d"),
        ('x: !<tag:example.org,2026:x> [a:b]\na: "c:d"', "c:d"),
        ("%TAG !e! tag:example.org,2026:\n---\nx: !e!y [a:b]\na: c", "c"),
    ],
)
def test_colons_inside_plain_scalars(text: str, value: str) -> None:
    """kubectl reads them in flow style as well; libyaml before 0.2.2 refuses them."""
    tree = load_tree(text)
    assert tree is not None
    assert tree.inner_colons
    assert tree.root.scalar("a") == value
    assert all("\ue000" not in str(getattr(event, "ctag", "")) for event in tree.events)


def test_colons_are_left_alone_where_their_stand_in_is_taken() -> None:
    with pytest.raises(BrokenYaml, match="found unexpected ':'"):
        load_tree("{a: b:c, d: \ue000}")


def test_pairs_of_escapes_in_json() -> None:
    """Python's json module writes an emoji so; JSON allows it, YAML does not."""
    assert load_tree('{"a": "\\ud83d\\ude80"}') is not None
    with pytest.raises(BrokenYaml):
        load_tree('a: "\\ud83d\\ude80"')
    with pytest.raises(BrokenYaml, match="write the character itself"):
        load_tree('{"a": &a "\\ud83d\\ude80", "b": *a}')


def test_positions_count_characters() -> None:
    tree = load_tree("\U0001f680: \U0001f680\nb: 1\n")
    assert tree is not None
    assert [(event.start_mark.index, event.start_mark.line) for event in tree.events[1:4]] == [(0, 0), (3, 0), (5, 1)]


@pytest.mark.parametrize(
    "unit",
    ["a: [b:c]\n", "a: [*x]\n", "- !a\n", "- |\n a\n", "- &a a\n- *a\n", '- "\\x41"\n', "? a\n", "[a:b],", "- ---\n"],
)
def test_hostile_texts_are_parsed_in_linear_time(unit: str) -> None:
    text = unit * (100_000 // len(unit))
    start = time.perf_counter()
    try:
        load_tree(text)
    except YamlError:
        pass
    assert time.perf_counter() - start < 10  # quadratic takes minutes
