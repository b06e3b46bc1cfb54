"""A document as nodes: aliases and merge keys followed, null absent, wrong shapes named."""

from __future__ import annotations

import time

import pytest

from postrenderer.yaml import Node, YamlError, load_tree
from postrenderer.yaml.tree import MAX_MERGES


def load(text: str) -> Node:
    tree = load_tree(text)
    assert tree is not None
    return tree.root


def test_looking_up() -> None:
    root = load("a: {b: [{c: 1}, 2]}\n'd': text\n")
    assert root.scalar("d") == "text"
    assert root.scalar("a") is None
    assert [entry.path for entry in root.sequence("a", "b")] == ["a.b[0]", "a.b[1]"]
    first, second = root.sequence("a", "b")
    assert first.scalar("c") == 1
    assert second.value == 2
    assert root.mapping("a", "b2") is None
    assert root.sequence("a", "b2", "c") == []
    assert [(key, node.line) for key, node in root.items()] == [("a", 1), ("d", 2)]


@pytest.mark.parametrize("null", ["", "~", "null", "Null", "NULL", "!!null ''", "&a null"])
def test_null_is_absent(null: str) -> None:
    root = load(f"a: {null}\n")
    assert root.get("a") is None
    assert root.mapping("a", "b") is None
    assert root.sequence("a") == []
    assert root.items() == []


@pytest.mark.parametrize("value", ["'null'", '"~"', "''", "nUll", "!!str null", "{}", "[]", "0", "false"])
def test_these_are_not_null(value: str) -> None:
    assert load(f"a: {value}\n").get("a") is not None


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("a: text", "`a` must be a mapping, but is a single value", 1),
        ("a:\n  - b", "`a` must be a mapping, but is a list", 2),
        ("text", "`the document` must be a mapping, but is a single value", 1),
        ("null", "`the document` must be a mapping, but is null", 1),
        ("a: {}\na: {}", "the key `a` stands twice (lines 1 and 2): keep one", 2),
        ("a: {}\nb: 1\n'a':\n\"a\": 1", "the key `a` stands twice (lines 1 and 3): keep one", 3),
        ("a: &x [*x]\nb: 1", "`a` must be a mapping, but is a list", 1),
    ],
)
def test_wrong_shapes(text: str, message: str, line: int) -> None:
    with pytest.raises(YamlError) as error:
        load(text).mapping("a")
    assert (error.value.message, error.value.line) == (message, line)


@pytest.mark.parametrize(
    ("text", "found"), [("a: {}", "a mapping"), ("a: b", "a single value"), ("a: [{b: 1}]", "a list")]
)
def test_other_wrong_shapes(text: str, found: str) -> None:
    node = load(text).get("a")
    assert node is not None
    for wanted, look in (
        ("a list", node.entries),
        ("a scalar", lambda: node.value),
        ("a mapping", lambda: node.get("x")),
    ):
        if wanted.removeprefix("a ") in found.replace("single value", "scalar"):
            look()
            continue
        with pytest.raises(YamlError, match=f"`a` must be {wanted}, but is {found}"):
            look()


def test_a_null_entry_is_named() -> None:
    second = load("a: [{}, ~]").sequence("a")[1]
    with pytest.raises(YamlError, match=r"`a\[1\]` must be a mapping, but is null"):
        second.get("b")


def test_duplicates_beside_the_path_are_nobodys_concern() -> None:
    assert load("a: 1\na: 2\nb: {c: 3}").scalar("b", "c") == 3


# Aliases


def test_aliases_are_followed() -> None:
    root = load("x: &x {a: &a 1, b: *a}\ny: *x\n*a : z\n")
    assert root.scalar("y", "b") == 1
    assert root.scalar("1") == "z"


def test_the_last_anchor_of_a_name_counts() -> None:
    root = load("x: &x 1\ny: *x\nz: &x 2\nw: *x\n")
    assert (root.scalar("y"), root.scalar("w")) == (1, 2)


def test_an_alias_inside_itself_is_refused_where_it_is_looked_at() -> None:
    root = load("a: &a {b: *a, c: 1}")
    assert root.scalar("a", "c") == 1
    with pytest.raises(YamlError, match=r"the alias \*a stands inside what it refers to"):
        root.get("a").get("b")  # type: ignore[union-attr]


# Merge keys


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("<<: *x", 1),
        ("<<: [*y, *x]", 2),
        ("<<: [*x, *y]", 1),
        ("<<: *x\n  a: 3", 3),
        ("<<: {a: 4}", 4),
        ("<<: *z", 1),
        ("!!merge <<: *x", 1),
        ("<<: *x\n  <<: *y", 1),
        ("'<<': *x", None),
        ("<<: []", None),
        ("b: 1", None),
    ],
)
def test_merge_keys(text: str, value: int | None) -> None:
    """The own key wins, then the first source; a quoted `<<` is a key like any other."""
    root = load(f"x: &x {{a: 1}}\ny: &y {{a: 2}}\nz: &z {{<<: *x}}\nm:\n  {text}\n")
    assert root.scalar("m", "a") == value


def test_keys_that_come_by_merging() -> None:
    root = load("x: &x {a: 1, b: 2}\nm: {<<: [*x, {c: 3}], d: 4, b: 5}\n")
    items = {key: node.value for key, node in root.get("m").items()}  # type: ignore[union-attr]
    assert items == {"a": 1, "b": 5, "c": 3, "d": 4}


@pytest.mark.parametrize("value", ["1", "[1]", "[[]]", "[{a: 1}, x]", "", "null"])
def test_merging_what_is_no_mapping(value: str) -> None:
    with pytest.raises(YamlError, match="takes a mapping, or a list of mappings"):
        load(f"<<: {value}\n").get("a")


def test_a_merge_key_behind_the_same_key_is_refused() -> None:
    """go-yaml lets the later one win, YAML the mapping's own."""
    with pytest.raises(YamlError, match="is set here and again by the merge key in line 3") as error:
        load("x: &x {a: 1}\na: 2\n<<: *x\n").get("a")
    assert error.value.line == 2


def test_merge_keys_that_lead_far() -> None:
    """A chain is followed for a while; a bomb costs nothing."""
    chain = "x0: &x0 {a: 1}\n" + "".join(f"x{i}: &x{i} {{<<: *x{i - 1}}}\n" for i in range(1, 5_000))
    assert load(chain).scalar(f"x{MAX_MERGES}", "a") == 1
    with pytest.raises(YamlError, match=f"merge keys lead through more than {MAX_MERGES} mappings"):
        load(chain).scalar("x4999", "a")


def test_merge_bombs_are_defused() -> None:
    """Nine levels of nine; and a thousand mappings that merge a thousand each."""
    start = time.perf_counter()
    bomb = "x0: &x0 {a: 1}\n" + "".join(
        f"x{i}: &x{i} {{<<: [{', '.join([f'*x{i - 1}'] * 9)}]}}\n" for i in range(1, 90)
    )
    assert load(bomb).scalar("x89", "a") == 1
    assert load(bomb).scalar("x89", "b") is None
    wide = "x: &x {a: 1}\ny: &y {<<: [" + ", ".join(["*x"] * 1_000) + "]}\n" + "- {<<: *y}\n" * 0
    root = load(wide + "z:\n" + "- {<<: *y}\n" * 1_000)
    assert [entry.scalar("b") for entry in root.sequence("z")] == [None] * 1_000
    assert time.perf_counter() - start < 5
