"""The stream as bytes: encodings, candidates, the borders of documents, and streams joined to one."""

from __future__ import annotations

import time
from collections.abc import Iterable

import pytest

from postrenderer.model import Refused
from postrenderer.stream import (
    find_candidates,
    find_documents,
    find_encoding_problem,
    has_marker,
    join_streams,
)
from tests.support import check_noop, run

NAMES = ("Sandbox", "SandboxAgent", "SandboxTemplate")
TEXT = "kind: Sandbox\n"


def find(data: bytes, names: Iterable[str] = NAMES) -> list[str]:
    """The names found, as they stand in the data, up to the line's end."""
    return [data[hit:].split(b"\n")[0].decode() for hit in find_candidates(data, names)]


def split(data: str | bytes) -> list[tuple[int, int, str]]:
    """The documents with a candidate: number, first line, text."""
    raw = data.encode() if isinstance(data, str) else data
    documents = find_documents(raw, find_candidates(raw, NAMES))
    return [(item.number, item.line, raw[item.start : item.end].decode()) for item in documents]


# Encodings


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        ("utf-16", "UTF-16"),
        ("utf-16-le", "UTF-16"),
        ("utf-16-be", "UTF-16"),
        ("utf-32", "UTF-32"),
        ("utf-32-le", "UTF-32"),
        ("utf-32-be", "UTF-32"),
    ],
)
def test_other_encodings_are_refused(encoding: str, name: str) -> None:
    """With a byte order mark, or by the NUL among the first four bytes that any ASCII character brings."""
    data = TEXT.encode(encoding)
    assert find_encoding_problem(data) == name
    with pytest.raises(Refused, match=f"standard input: is {name}; convert it to UTF-8"):
        run(data)


@pytest.mark.parametrize("data", [b"", b"a", b"\xef\xbb\xbfkind: x", b"\xff", b"abcd\x00"])
def test_everything_else_is_taken_for_utf_8(data: bytes) -> None:
    """What is wrong further down matters only in a candidate."""
    check_noop(data)


def test_too_large_is_refused() -> None:
    with pytest.raises(Refused, match="standard input: larger than 4 bytes; raise the limit with --max-input BYTES"):
        run(b"12345", max_input=4)
    assert run(b"1234", max_input=4).additions == 0


# Candidates


@pytest.mark.parametrize(
    "text",
    [
        "kind: Sandbox",
        "kind: Sandbox\r\n",
        "kind:    Sandbox # c",
        'kind: "Sandbox"',
        "kind: 'Sandbox'",
        '"kind": Sandbox',
        "'kind' : Sandbox",
        '{"kind":"Sandbox"}',
        '{"kind"\n:\n"Sandbox"}',
        "{kind: Sandbox, a: b}",
        "kind:\tSandbox",
        "kind:\n  Sandbox",
        "kind: # the kind\n  Sandbox",
        "kind: # a kind: this\n  Sandbox",
        "kind: !!str Sandbox",
        "kind: ! Sandbox",
        "kind: &kind Sandbox",
        "kind: &kind !!str Sandbox",
        "kind: &a&b Sandbox",
        "kind: >-\n  Sandbox",
        "kind: |\n  Sandbox",
        "kind: |2-\n  Sandbox",
        "? kind\n: Sandbox",
        "? kind # c\n: Sandbox",
        "? kind\n# c\n:\n  Sandbox",
        "- kind: Sandbox",
        "a:\n  kind: Sandbox",
    ],
)
def test_candidate(text: str) -> None:
    """A kind's name as the value of `kind`, in all ways to write that."""
    assert len(find(text.encode())) == 1


@pytest.mark.parametrize(
    "text",
    [
        "kind: Pod",
        "kind: Sandboxes",
        "kind: Sandbox-2",
        "kind: Sandbox.x",
        "kind: MySandbox",
        "kind: a Sandbox",
        "kinds: Sandbox",
        "mykind: Sandbox",
        "my_kind: Sandbox",
        "my2kind: Sandbox",
        "name: Sandbox",
        "kind Sandbox",
        "kind: x\nname: Sandbox",
        "kind:" + " " * 300 + "Sandbox",
        "Kind: Sandbox",
        "",
    ],
)
def test_no_candidate(text: str) -> None:
    assert find(text.encode()) == []


def test_lists_and_longer_names() -> None:
    data = b"kind: SandboxList\nkind: SandboxAgent\nkind: SandboxAgentList\nkind: SandboxTemplateX\n"
    assert find(data) == ["SandboxList", "SandboxAgent", "SandboxAgentList"]


def test_names_that_contain_each_other() -> None:
    """A plugin's kind may end with the name of another."""
    names = ("Sandbox", "AgentSandbox", "AgentSandboxPool")
    data = b"kind: AgentSandbox\nkind: Sandbox\nkind: AgentSandboxPool\n"
    assert find(data, names) == ["AgentSandbox", "Sandbox", "AgentSandboxPool"]


@pytest.mark.parametrize(
    "unit",
    [
        b"kindkindSandbox",
        b"kind:&&&&&&&&&&",
        b"kind: #",
        b"kind:!!!!Sandbox",
        b"Sandbox",
        b"kind:\n#\nSandbox\n",
        b"kind:\t",
    ],
)
def test_hostile_streams_are_searched_in_linear_time(unit: bytes) -> None:
    data = unit * (200_000 // len(unit))
    start = time.perf_counter()
    list(find_candidates(data, NAMES))
    assert time.perf_counter() - start < 5  # quadratic takes minutes


# Borders


def test_the_only_document() -> None:
    assert split(TEXT) == [(1, 1, TEXT)]


@pytest.mark.parametrize(
    "start", ["", "---\n", "# comment\n---\n", "\n \n---\n", "%YAML 1.1\n---\n", "\n# c\n%TAG !a! b:\n---\n"]
)
def test_what_stands_before_the_first_marker_is_no_document(start: str) -> None:
    assert [number for number, _, _ in split(start + TEXT)] == [1]


def test_directives_belong_to_their_document() -> None:
    assert split("%YAML 1.1\n---\n" + TEXT) == [(1, 1, "%YAML 1.1\n---\n" + TEXT)]
    text = "%YAML 1.1\n# c\n\n---\n" + TEXT
    assert split("a: 1\n...\n" + text) == [(2, 3, text)]
    assert split(TEXT + "...\n" + text) == [(1, 1, TEXT + "...\n"), (2, 3, text)]


def test_a_percent_sign_is_not_always_a_directive() -> None:
    """Only `...` ends a document before its directives; here it is text of the document before."""
    assert split("a: |\n%YAML 1.1\n---\n" + TEXT) == [(2, 3, "---\n" + TEXT)]


@pytest.mark.parametrize("marker", ["---", "--- ", "---\t", "--- # c", "---\r", "--- !!map", "--- &a"])
def test_markers(marker: str) -> None:
    assert split(f"a: 1\n{marker}\n{TEXT}") == [(2, 2, f"{marker}\n{TEXT}")]


@pytest.mark.parametrize("line", [" ---", "----", "---x", "--", "a ---", "---#"])
def test_no_markers(line: str) -> None:
    assert split(f"a: 1\n{line}\n{TEXT}") == [(1, 1, f"a: 1\n{line}\n{TEXT}")]


def test_content_on_the_line_of_the_marker() -> None:
    assert split("a: 1\n--- {kind: Sandbox}\n---\n") == [(2, 2, "--- {kind: Sandbox}\n")]


def test_a_marker_at_the_end_of_the_stream() -> None:
    assert split(TEXT + "---") == [(1, 1, TEXT)]
    assert split(TEXT + "...") == [(1, 1, TEXT + "...")]


def test_markers_inside_block_scalars_end_them() -> None:
    """In every YAML context: a line that begins with the marker is one."""
    assert split("a: |\n---\n" + TEXT) == [(2, 2, "---\n" + TEXT)]


def test_byte_order_mark_belongs_to_no_document() -> None:
    assert split(b"\xef\xbb\xbf" + TEXT.encode()) == [(1, 1, TEXT)]
    assert split(b"\xef\xbb\xbf---\n" + TEXT.encode()) == [(1, 1, "---\n" + TEXT)]


def test_end_markers() -> None:
    """Comments between documents belong to none, and `...` on its own ends nothing."""
    text = f"{TEXT}...\n# kind: Sandbox\n...\n---\nb: 1\n...\n{TEXT}... # c\n{TEXT}"
    assert split(text) == [(1, 1, TEXT + "...\n"), (3, 8, TEXT + "... # c\n"), (4, 10, TEXT)]


def test_documents_without_candidates_are_counted() -> None:
    text = '{"a":1}{"b":2}\n---\nc: 1\n...\nd: 1\n...\n---\n' + TEXT
    assert split(text) == [(5, 7, "---\n" + TEXT)]


def test_a_candidate_in_a_comment_between_documents_is_none() -> None:
    """So the document behind it may be as broken as it likes."""
    assert split("# kind: Sandbox\n---\na: [\n") == []
    check_noop("a: 1\n...\n# kind: Sandbox\n---\na: [\n")


JSON = '{"kind": "Sandbox", "a": "}{\\"", "b": [{}, 1.5e-3, true, null]}'


@pytest.mark.parametrize("between", ["", "\n", " ", "\n\n", "\r\n", "\t"])
def test_concatenated_json(between: str) -> None:
    """The rest of the line on which a value ends belongs to it."""
    first, second = split(JSON + between + JSON)
    assert first[2] + second[2] == JSON + between + JSON
    assert second[2].lstrip() == JSON
    assert (first[0], second[0]) == (1, 2)


def test_flow_style_is_not_taken_for_json() -> None:
    """YAML's flow style stays whole: `{a: '}{'}` would be cut in its middle."""
    text = "{kind: Sandbox, a: '}{'}"
    assert split(text) == [(1, 1, text)]


@pytest.mark.parametrize(
    "text",
    ['{"kind": "Sandbox"', '{"kind": "Sandbox', '{"kind": "Sandbox\\', '{"kind": "Sandbox"}}', '{"kind": "Sandbox"}x{'],
)
def test_broken_json_stays_whole(text: str) -> None:
    assert split(text) == [(1, 1, text)]


@pytest.mark.parametrize(
    "unit", ['{"a":', '"\\"', '{"a":1}', "[{", "...\n", "---\n", "%\n---\n", "#\n", "...\n%\n", "---\r"]
)
def test_hostile_streams_are_split_in_linear_time(unit: str) -> None:
    data = (unit * (200_000 // len(unit)) + "\n" + TEXT).encode()
    start = time.perf_counter()
    list(find_documents(data, find_candidates(data, NAMES)))
    start_json = (TEXT + '{"a":"' + unit * (100_000 // len(unit))).encode()
    list(find_documents(start_json, find_candidates(start_json, NAMES)))
    assert time.perf_counter() - start < 5  # quadratic takes minutes


def test_only_candidates_are_yielded() -> None:
    text = f"a: 1\n---\n{TEXT}---\nb: 1\n---\n{TEXT}"
    assert [number for number, _, _ in split(text)] == [2, 4]


# Helm's names of templates


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("---\n# Source: a/templates/b.yaml\n" + TEXT, "a/templates/b.yaml"),
        ("---\n# Source: a/templates/b c.yaml  \r\n" + TEXT, "a/templates/b c.yaml"),
        (TEXT + "metadata:\n  annotations:\n    postrenderer.helm.sh/postrender-filename: 'a/b.yaml'\n", "a/b.yaml"),
        (TEXT + "metadata:\n  annotations:\n    postrenderer.helm.sh/postrender-filename: a/b.yaml\n", "a/b.yaml"),
        (TEXT + "# Source\n", ""),
        ("# Source: other\n---\n" + TEXT, ""),
    ],
)
def test_source(text: str, source: str) -> None:
    data = text.encode()
    (document,) = find_documents(data, find_candidates(data, NAMES))
    assert document.source == source


# Joining


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("---\na: 1\n", True),
        ("# c\n\n---", True),
        ("%YAML 1.1\n---\n", True),
        ("\ufeff--- {}", True),
        ("", False),
        ("a: 1\n---\n", False),
        ("---a", False),
        ("# ---\n", False),
        ("{}", False),
    ],
)
def test_has_marker(text: str, expected: bool) -> None:
    assert has_marker(text.encode()) is expected


@pytest.mark.parametrize(
    ("streams", "expected"),
    [
        ([], ""),
        (["a: 1\n"], "a: 1\n"),
        (["a: 1\n", "b: 1\n"], "a: 1\n---\nb: 1\n"),
        (["a: 1", "b: 1"], "a: 1\n---\nb: 1"),
        (["a: 1\n", "---\nb: 1\n"], "a: 1\n---\nb: 1\n"),
        (["a: 1\n", "# c\n---\nb: 1\n"], "a: 1\n# c\n---\nb: 1\n"),
        (["", "a: 1\n", "", "b: 1\n"], "a: 1\n---\nb: 1\n"),
        (["\ufeffa: 1\n", "\ufeffb: 1\n"], "\ufeffa: 1\n---\nb: 1\n"),
        (["{}", "{}"], "{}\n---\n{}"),
        (["a: 1\n", "%YAML 1.1\n---\nb: 1\n"], "a: 1\n...\n%YAML 1.1\n---\nb: 1\n"),
    ],
)
def test_join(streams: list[str], expected: str) -> None:
    """A marker only where the next input has none; a byte order mark only at the very beginning."""
    pairs = [(text.encode(), [memoryview(text.encode())]) for text in streams]
    assert b"".join(join_streams(pairs)).decode() == expected
