"""The editor by itself: any pairs into any document. What the corpus shows of whole resources is not repeated here."""

from __future__ import annotations

from typing import Any

import pytest

from postrenderer.yaml import Insertion, YamlError, insert_pairs, load_tree
from postrenderer.yaml.edits import Edit, Plan
from postrenderer.yaml.verify import verify_edit


def insert(text: str, *insertions: tuple[tuple[str | int, ...], str, bool | int | str | list[Any]]) -> str:
    tree = load_tree(text)
    assert tree is not None
    inserted = insert_pairs(tree, [Insertion(*insertion) for insertion in insertions])
    if inserted.edits is not None:
        pieces, at = [], 0
        for edit in inserted.edits:
            pieces += [text[at : edit.start], edit.text]
            at = edit.end
        assert "".join([*pieces, text[at:]]) == inserted.text, "the edits are not what was done"
    return inserted.text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a: 1\n", "a: 1\nx: true\n"),
        ("a: 1", "a: 1\nx: true"),
        ("--- # c\na: 1\n", "--- # c\na: 1\nx: true\n"),
        ("  a: 1\n", "  a: 1\n  x: true\n"),
        ("a:\n", "a:\nx: true\n"),
        ("a: # c\n  # d\n", "a: # c\n  # d\nx: true\n"),
        ("a:\n# d\n", "a:\nx: true\n# d\n"),
        ("a: 1\r\nb: 2\r\n", "a: 1\r\nb: 2\r\nx: true\r\n"),
        ("a: 1\n\n\n", "a: 1\nx: true\n\n\n"),
        ("a: [\n]\n", "a: [\n]\nx: true\n"),
        ("a:\n- b\n- \n", "a:\n- b\n- \nx: true\n"),
        ("a:\n- &b\n", "a:\n- &b\nx: true\n"),
        ("a: &b !!str\n", "a: &b !!str\nx: true\n"),
        ("? a\n", "? a\nx: true\n"),
        ("? a\n# c\n\n", "? a\nx: true\n# c\n\n"),
        ("? a\n: - b\n", "? a\n: - b\nx: true\n"),
        ("&m\n? a\n: b\n", "&m\n? a\n: b\nx: true\n"),
        ("!!map\na: 1\n", "!!map\na: 1\nx: true\n"),
        ("--- &m\na: 1\n...\n", "--- &m\na: 1\nx: true\n...\n"),
        ("{}", "{x: true}"),
        ("{ }", "{x: true }"),
        ("&m {}", "&m {x: true}"),
        ("{? [a] : b}", "{? [a] : b, x: true}"),
        ("{? {a: b}}", "{? {a: b}, x: true}"),
        ("? [a]\n: b\n", "? [a]\n: b\nx: true\n"),
        ("a: b\n? [a]\n: |\n  b", "a: b\nx: true\n? [a]\n: |\n  b"),
        ("? [a]\n: |\n  b", "x: true\n? [a]\n: |\n  b"),
        ("{a}", "{a, x: true}"),
        ("{a: }", "{a: , x: true}"),
        ("{a: 1, }", "{a: 1, x: true, }"),
        ("{'a': 1}", "{'a': 1, 'x': true}"),
        ('{"a":1}', '{"a":1,"x":true}'),
        ('{"a": 1}', '{"a": 1, "x": true}'),
        ("{a: 1,\n b: 2}", "{a: 1,\n b: 2,\n x: true}"),
        ("{\n  a: 1 # c\n}", "{\n  a: 1, # c\n  x: true\n}"),
        ("{\n  a: 1 # c\n  , # d\n}", "{\n  a: 1 # c\n  , # d\n  x: true,\n}"),
        ("{\r\n  a: 1\r\n}", "{\r\n  a: 1,\r\n  x: true\r\n}"),
        ("x:\n", "x: true\n"),
        ("x: null # c\n", "x: true # c\n"),
        ("x: ~\n", "x: true\n"),
        ("x:\n  null\n", "x:\n  true\n"),
        ("? x\n", "? x\n: true\n"),
        ("? x\n:\n", "? x\n: true\n"),
        ("{x}", "{x: true}"),
        ("{x: }", "{x: true}"),
        ("{x:\n}", "{x: true\n}"),
        ('{"x":null}', '{"x":true}'),
    ],
)
def test_one_pair(before: str, after: str) -> None:
    assert insert(before, ((), "x", True)) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a:\n  b: 1\n", "a:\n  b: 1\n  x:\n    k: 1\n"),
        ("a:\n", "a:\n  x:\n    k: 1\n"),
        ("a: null\n", "a:\n  x:\n    k: 1\n"),
        ("a: # c\n", "a: # c\n  x:\n    k: 1\n"),
        ("b: 1\n", "b: 1\na:\n  x:\n    k: 1\n"),
        ("a: {}\n", "a: {x: {k: 1}}\n"),
        ("b:\n    c:\n        d: 1\n", "b:\n    c:\n        d: 1\na:\n    x:\n        k: 1\n"),
        ("- 1\n", None),
    ],
)
def test_missing_mappings_are_made(before: str, after: str | None) -> None:
    if after is None:
        with pytest.raises((YamlError, AssertionError, KeyError)):
            insert(before, (("a", "x"), "k", 1))
    else:
        assert insert(before, (("a", "x"), "k", 1)) == after


def test_several_places_at_once() -> None:
    """What belongs deeper comes first where several things are added at one place."""
    before = "a:\n  b:\n    c: 1\n"
    after = "a:\n  b:\n    c: 1\n    z: 3\n  w: 2\nx: 1\n"
    assert insert(before, ((), "x", 1), (("a",), "w", 2), (("a", "b"), "z", 3)) == after
    assert insert(before, (("a", "b"), "z", 3), (("a",), "w", 2), ((), "x", 1)) == after


def test_a_null_that_ends_a_mapping_which_grows_as_well() -> None:
    """The null's own pairs come before its mapping's new ones, whatever the order in which they are asked for."""
    before = "a:\n  b: ~\n"
    after = "a:\n  b:\n    x: 1\n  w: 2\n"
    assert insert(before, (("a",), "w", 2), (("a", "b"), "x", 1)) == after
    assert insert("a:\n  ? b\n", (("a",), "w", 2), (("a", "b"), "x", 1)) == "a:\n  ? b\n  :\n    x: 1\n  w: 2\n"


def test_comments_keep_their_neighbours() -> None:
    """A comment that is indented more than what is added belongs to what stands before it."""
    before = "a:\n  b:\n    c: 1\n    # of c\n  # of b\n# of a\n"
    assert insert(before, (("a",), "x", 1)) == "a:\n  b:\n    c: 1\n    # of c\n  x: 1\n  # of b\n# of a\n"
    assert insert(before, ((), "x", 1)) == "a:\n  b:\n    c: 1\n    # of c\n  # of b\nx: 1\n# of a\n"
    assert insert("a:\n  b: 1\n  # c", ((), "x", 1)) == "a:\n  b: 1\n  # c\nx: 1"
    assert insert("a:\n  b: |\n    c\n  # c\n", ((), "x", 1)) == "a:\n  b: |\n    c\n  # c\nx: 1\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a: 1\n", 'a: 1\nx: [z, 1, true, "no", {k: "a b", l: []}]\n'),
        ("x:\n", 'x: [z, 1, true, "no", {k: "a b", l: []}]\n'),
        ("{a: 1}\n", '{a: 1, x: [z, 1, true, "no", {k: "a b", l: []}]}\n'),
        ('{"a":1}\n', '{"a":1,"x":["z",1,true,"no",{"k":"a b","l":[]}]}\n'),
        (
            '{\n  "a": 1\n}\n',
            '{\n  "a": 1,\n  "x": ["z", 1, true, "no", {"k": "a b", "l": []}]\n}\n',
        ),
    ],
)
def test_a_list_is_one_line(before: str, after: str) -> None:
    assert insert(before, ((), "x", ["z", 1, True, "no", {"k": "a b", "l": []}])) == after


@pytest.mark.parametrize(
    "after",
    [
        "a: 1\nx: [y, z]\n",
        "a: 1\nx: [y, {k: 1}, z]\n",
        "a: 1\nx: [y, {k: 2}]\n",
        "a: 1\nx: &a [y, {k: 1}]\n",
        "a: 1\nx: y\n",
    ],
)
def test_another_list_than_meant_is_noticed(after: str) -> None:
    tree = load_tree("a: 1\n")
    assert tree is not None
    with pytest.raises(YamlError, match="leaves no place"):
        verify_edit(tree, [Plan([], tree.ends[0], 0, {"x": ["y", {"k": 1}]})], after)


def test_list_entries() -> None:
    before = "a:\n- b: 1\n-   c: 2\n- {d: 3}\n- ~\n"
    after = "a:\n- b: 1\n  x: 0\n-   c: 2\n    x: 1\n- {d: 3, x: 2}\n- ~\n"
    assert insert(before, *(((("a", index), "x", index)) for index in range(3))) == after


def test_strings_are_quoted_as_the_document_quotes() -> None:
    assert insert("a: 1\n", ((), "x", "yes")) == 'a: 1\nx: "yes"\n'
    assert insert('{"a": 1}', ((), "x", "Always")) == '{"a": 1, "x": "Always"}'
    assert insert("{'a': 1}", ((), "x", "Always")) == "{'a': 1, 'x': Always}"
    assert insert("{'a': 1}", ((), "it's", 1)) == "{'a': 1, \"it's\": 1}"


def test_an_empty_mapping_is_written_like_the_one_around_it() -> None:
    """Or JSON would be JSON no longer."""
    assert insert('{"a": {}}', (("a",), "x", 1)) == '{"a": {"x": 1}}'
    assert insert('{"a":[{}]}', (("a", 0), "x", 1)) == '{"a":[{"x":1}]}'
    assert insert('{"a":[[{}]]}', (("a", 0, 0), "x", "b")) == '{"a":[[{"x":"b"}]]}'
    assert insert("a: [{}]\n", (("a", 0), "x", 1)) == "a: [{x: 1}]\n"


def test_what_is_set_already_is_refused() -> None:
    with pytest.raises(YamlError, match="`a` is set already"):
        insert("a: 1\n", ((), "a", 2))


@pytest.mark.parametrize("line_break", ["\r", "\x85", "\u2028", "\u2029"])
def test_unusual_line_breaks(line_break: str) -> None:
    """libyaml takes them for line breaks; here a line ends with LF. Where that matters, the message names them."""
    assert insert(f"a: {{b: 1{line_break}}}\nc: 1\n", ((), "x", True)).endswith("\nx: true\n")
    with pytest.raises(YamlError, match="line breaks other than LF and CRLF") as error:
        insert(f"a:\n  b: 1{line_break}c: 1\n", (("a",), "x", True))
    assert error.value.line > 1


# The proof


@pytest.mark.parametrize(
    "after",
    [
        "a: {b: 1, c: 2}\n",
        "a: {b: 1, x: 2}\n",
        "a: {b: 1, x: true, w: 1}\n",
        "a: {b: 1, x: 'true'}\n",
        "a: {b: 1, x: !!bool true}\n",
        "a: {b: 1, x: &x true}\n",
        "a: {b: 1, x: 1}\n",
        "a: {b: 1, x: {}}\n",
        "a: {b: 1}\nx: true\n",
        "a: {b: '1', x: true}\n",
        "a: {b: &b 1, x: true}\n",
        "a: &a {b: 1, x: true}\n",
        "a: !!map {b: 1, x: true}\n",
        "a: [b, 1, x, true]\n",
        "a: {b: 1, x: true}\n---\na\n",
        "a: {b: 1, x: true\n",
        "a: {b: 1, x: true}\nb: *a\n",
        "a: {}\n",
        "",
    ],
)
def test_any_other_text_than_meant_is_noticed(after: str) -> None:
    tree = load_tree("a: {b: 1}\n")
    assert tree is not None
    plans = [Plan([Edit(9, 9, ", x: true")], tree.ends[2], 0, {"x": True})]
    verify_edit(tree, plans, "a: {b: 1, x: true}\n")
    with pytest.raises(YamlError, match="leaves no place where a line can be added without doubt"):
        verify_edit(tree, plans, after)


# Values that are shared


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a: &a {b: 1}\nc: *a\n", "a: &a {b: 1}\nc: {b: 1, x: 1}\n"),
        ("a: &a\n  b: 1\nc: *a # d\n", "a: &a\n  b: 1\nc: # d\n  b: 1\n  x: 1\n"),
        ("a: &a null\nc: *a\n", "a: &a null\nc:\n  x: 1\n"),
        ("c: &c {b: 1}\na: *c\n", "c: {b: 1, x: 1}\na: &c {b: 1}\n"),
        ("c: &c\na: *c\n", "c:\n  x: 1\na: &c null\n"),
        ("c: &c # d\n  b: 1\na: [*c, *c]\n", "c: # d\n  b: 1\n  x: 1\na: [&c {b: 1}, *c]\n"),
        ("c: &c\n  b: 1\na:\n- *c\n- *c", "c:\n  b: 1\n  x: 1\na:\n- &c\n  b: 1\n- *c"),
        ("a: &a\n  c: {b: 1}\n<<: *a\n", "a: &a\n  c: {b: 1}\n<<: *a\nc: {b: 1, x: 1}\n"),
        (
            "a: &a {c: &c {b: &b 1, d: *b}}\n<<: *a\n",
            "a: &a {c: &c {b: &b 1, d: *b}}\n<<: *a\nc: {b: 1, d: *b, x: 1}\n",
        ),
        ("a: &a {}\nc: *a\n", "a: &a {}\nc: {x: 1}\n"),
        ("a: &a\n  t: |+\n    b\n\nc: *a\nd: 1\n", "a: &a\n  t: |+\n    b\n\nc:\n  t: |+\n    b\n\n  x: 1\nd: 1\n"),
        ("a: &a {t: x}\nc: &c *a\n", None),
        ("a: &a\n  b: 1\r\nc: *a\r\n", "a: &a\n  b: 1\r\nc:\r\n  b: 1\r\n  x: 1\r\n"),
    ],
)
def test_shared_values_are_written_out(before: str, after: str | None) -> None:
    """Whoever else reads them reads what he read before."""
    if after is None:
        with pytest.raises(YamlError):
            insert(before, (("c",), "x", 1))
    else:
        assert insert(before, (("c",), "x", 1)) == after


def test_anchors_nobody_reads_are_left_alone() -> None:
    assert insert("c: &c {b: &b 1}\na: *b\n", (("c",), "x", 1)) == "c: &c {b: &b 1, x: 1}\na: *b\n"


def test_many_readers_are_written_out_in_one_go() -> None:
    """A round parses the whole document: a round for each would take a minute here."""
    text = "a: &a {b: 1}\nc:\n" + "- {d: *a}\n" * 500
    after = insert(text, *((("c", index, "d"), "x", 1) for index in range(500)))
    assert after == "a: &a {b: 1}\nc:\n" + "- {d: {b: 1, x: 1}}\n" * 500


def test_many_anchors_are_moved_in_one_go() -> None:
    text = "c:\n" + "".join(f"- {{d: &a{i} {{b: 1}}, e: *a{i}}}\n" for i in range(500))
    after = insert(text, *((("c", index, "d"), "x", 1) for index in range(500)))
    assert after == "c:\n" + "".join(f"- {{d: {{b: 1, x: 1}}, e: &a{i} {{b: 1}}}}\n" for i in range(500))


def test_copies_are_limited() -> None:
    """Or a document of some kilobytes could ask for gigabytes."""
    big = "a: &a [" + "1," * 20_000 + "1]\nc: &c {b: *a}\nd: {a: *c}\n"
    assert insert(big, (("d", "a"), "x", 1)).endswith("d: {a: {b: *a, x: 1}}\n")
    with pytest.raises(YamlError, match="too large to be copied"):
        insert("a: &a {b: [" + "1," * 20_000 + "1]}\nc: *a\n", (("c",), "x", 1))
    many = "a: &a {b: '" + "x" * 10_000 + "'}\nc: [" + "*a," * 1_000 + "]\n"
    with pytest.raises(YamlError, match="too much stands behind aliases"):
        insert(many, *((("c", index), "x", 1) for index in range(1_000)))


def test_anchors_of_one_name_are_refused() -> None:
    with pytest.raises(YamlError, match=r"the anchor &a is defined twice \(lines 1 and 2\)") as error:
        insert("a: &a {b: 1}\nd: &a {b: 2}\nc: *a\n", (("c",), "x", 1))
    assert error.value.line == 2


def test_an_alias_as_a_key_is_refused() -> None:
    with pytest.raises(YamlError):
        insert("c: &c {b: 1}\n*c : 1\n", (("c",), "x", 1))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("l: [a: b]\n", "l: [{a: b, c: 1}]\n"),
        ("l: [x, a: b, y]\n", "l: [x, {a: b, c: 1}, y]\n"),
        ('l: [ "a" : b # c\n ]\n', 'l: [ {"a" : b, "c" : 1} # c\n ]\n'),
    ],
)
def test_a_pair_without_braces_gets_them(before: str, after: str) -> None:
    """`[a: b]` is a list of one mapping, written without its braces."""
    tree = load_tree(before)
    assert tree is not None
    where = 1 if "x" in before else 0
    assert insert_pairs(tree, [Insertion(("l", where), "c", 1)]).text == after
