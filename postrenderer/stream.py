"""A stream of documents as bytes: where a candidate stands, where documents begin and end. No YAML is parsed here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

Buffer = bytes | bytearray
BOM = b"\xef\xbb\xbf"

# Between a `kind` key and its value: quotes, blanks, comments, an anchor, a tag, a block scalar's header.
# `&\S+(?=\s)` and not `&\S+`: a run of ampersands would be matched in exponentially many ways.
_GAP = re.compile(rb"""["']?(?:\s|\#[^\n]*\n)*:(?:[\s"'>|+\-0-9]|&\S+(?=\s)|!\S*(?=\s)|\#[^\n]*\n)*""")
_GAP_BYTES = 256
_GAP_TRIES = 4
_BLANKS = re.compile(rb"[ \t\r\n]*")
_JSON_TOKEN = re.compile(
    rb"""[ \t\r\n,:]+|(?P<open>[{\[])|(?P<close>[}\]])|(?P<string>")|-?[0-9][0-9.eE+-]*|true|false|null"""
)
_JSON_CHARACTERS = re.compile(rb"[^\"\\\x00-\x1f]*")
_HELM_3_SOURCE = b"# Source: "
_HELM_4_SOURCE = b"postrenderer.helm.sh/postrender-filename"
_COMMENT_TEXT = re.compile(rb"[^\r\n]*[^\r\n\t ]")
_ANNOTATION_VALUE = re.compile(rb"""['"]?: ['"]?([^'"\r\n,}]+)""")


class Document:
    """A candidate: the bytes `start` to `end`, its number and its first line (from 1), and Helm's template."""

    __slots__ = ("end", "line", "number", "source", "start")

    def __init__(self, start: int, end: int, number: int, line: int, source: str) -> None:
        self.start = start
        self.end = end
        self.number = number
        self.line = line
        self.source = source


def find_encoding_problem(data: Buffer) -> str | None:
    """Name the encoding of a stream that is not UTF-8, by its byte order mark or a NUL among its first bytes."""
    head = bytes(data[:4])
    if head.startswith((b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")) or head.count(0) > 2:
        return "UTF-32"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or 0 in head:
        return "UTF-16"
    return None


def find_candidates(data: Buffer, names: Iterable[str]) -> Iterator[int]:
    """Yield, in order, where a name (or its `List`) stands as the value of a `kind` key, as far as bytes can tell."""
    ordered = sorted(names, key=len)
    stems = [name for i, name in enumerate(ordered) if not any(name.startswith(other) for other in ordered[:i])]
    tail = re.compile(b"(?:%s)(?:List)?(?![A-Za-z0-9_.-])" % b"|".join(re.escape(name.encode()) for name in ordered))
    if len(stems) == 1:
        hits: Iterable[int] = _find_all(data, stems[0].encode())
    else:
        hits = sorted(hit for stem in stems for hit in _find_all(data, stem.encode()))
    for hit in hits:
        if tail.match(data, hit) and _follows_kind(data, hit):
            yield hit


def _find_all(data: Buffer, what: bytes) -> Iterator[int]:
    hit = data.find(what)
    while hit >= 0:
        yield hit
        hit = data.find(what, hit + len(what))


def _follows_kind(data: Buffer, hit: int) -> bool:
    # The last `kind` before the name may stand in a comment (`kind: # the kind\n  Sandbox`), hence a few tries;
    # both bounds keep a hostile stream of `kindkindSandbox` linear.
    low = max(0, hit - _GAP_BYTES)
    end = hit
    for _ in range(_GAP_TRIES):
        key = data.rfind(b"kind", low, end)
        if key < 0:
            return False
        word = data[key - 1 : key]
        if _GAP.fullmatch(data, key + 4, hit) and not (word.isalnum() or word == b"_"):
            return True
        end = key
    return False


def find_documents(data: Buffer, candidates: Iterable[int]) -> Iterator[Document]:
    """Yield the documents in which the candidates stand.

    Their borders are lines that begin with `---` or `...`, and the ends of concatenated JSON values.
    """
    origin = len(BOM) if data.startswith(BOM) else 0
    number = 0
    line, counted = 1, 0
    hits = iter(candidates)
    hit = next(hits, None)
    previous = origin
    for start, end in _find_segments(data, origin):
        if hit is None:
            return
        if start == origin and end < len(data) and _find_content(data, start, end, directives=False) == end:
            previous = start  # comments, blanks and directives before the first marker are no document
            continue
        if hit >= end:
            number += _count_documents(data, start, end)
            previous = start
            continue
        for piece_start, piece_end in _split_segment(data, start, end):
            number += 1
            while hit is not None and hit < piece_start:
                hit = next(hits, None)  # in a comment between documents
            if hit is None or hit >= piece_end:
                continue
            first = piece_start
            if piece_start == start:
                first = _find_preamble(data, previous, start)
            line += data.count(b"\n", counted, first)
            counted = first
            yield Document(first, piece_end, number, line, _find_source(data, first, piece_end))
            while hit is not None and hit < piece_end:
                hit = next(hits, None)
        previous = start


def _find_segments(data: Buffer, origin: int) -> Iterator[tuple[int, int]]:
    start = origin
    for marker in _find_markers(data, b"---", origin, len(data)):
        if marker > start:
            yield start, marker
        start = marker
    yield start, len(data)


def _find_markers(data: Buffer, marker: bytes, start: int, end: int) -> Iterator[int]:
    """Yield where a line begins with the marker, followed by a blank or the end of the line."""
    if data.startswith(marker, start) and _ends_marker(data, start + 3):
        yield start
    needle = b"\n" + marker
    at = data.find(needle, start, end)
    while at >= 0:
        if _ends_marker(data, at + 4):
            yield at + 1
        at = data.find(needle, at + 4, end)


def _ends_marker(data: Buffer, at: int) -> bool:
    return data[at : at + 1] in (b"\n", b" ", b"\t", b"\r", b"")


def _split_segment(data: Buffer, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Cut what stands between two `---` at its `...` lines and between concatenated JSON values."""
    for marker in _find_markers(data, b"...", start, end):
        after = data.find(b"\n", marker, end) + 1
        if not after:
            break
        if _find_content(data, start, marker, directives=False) < marker:
            yield from _split_json(data, start, after)
        start = after
        if _find_content(data, after, end, directives=False) == end:
            return  # directives in there belong to the next document
    yield from _split_json(data, start, end)


def _count_documents(data: Buffer, start: int, end: int) -> int:
    if data.find(b"\n...", start, end) < 0 and data[start : start + 1] != b"{":
        return 1
    return sum(1 for _ in _split_segment(data, start, end))


def _split_json(data: Buffer, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Cut concatenated JSON values apart; text that is not JSON to the letter (YAML's flow style) stays whole."""
    at = _find_content(data, start, end)
    while data[at : at + 1] == b"{":
        after = _find_json_end(data, at, end)
        at = _skip_blanks(data, after, end)
        if after < 0 or data[at : at + 1] != b"{":
            break
        # The rest of the line on which a value ends, the line break included, belongs to it.
        cut = data.find(b"\n", after, at) + 1 or at
        yield start, cut
        start = cut
    yield start, end


def _find_json_end(data: Buffer, at: int, end: int) -> int:
    """Find the offset behind the JSON object that begins at `at`; -1 where there is none."""
    depth = 0
    while token := _JSON_TOKEN.match(data, at, end):
        at = token.end()
        if token.lastgroup == "open":
            depth += 1
        elif token.lastgroup == "close":
            depth -= 1
            if depth <= 0:
                return at
        elif token.lastgroup == "string":
            at = _find_string_end(data, at, end)
    return -1


def _find_string_end(data: Buffer, at: int, end: int) -> int:
    # A loop, since one expression over a string of many escapes keeps a state for each of them.
    while True:
        at = _JSON_CHARACTERS.match(data, at, end).end()  # type: ignore[union-attr]  # matches the empty string
        if data[at : at + 1] != b"\\":
            return at + 1 if data[at : at + 1] == b'"' else end
        at += 2


def _skip_blanks(data: Buffer, at: int, end: int) -> int:
    return _BLANKS.match(data, max(at, 0), end).end()  # type: ignore[union-attr]  # matches the empty string


def _find_content(data: Buffer, at: int, end: int, *, directives: bool = True) -> int:
    """Find the first byte that is no blank and in no comment, from a line's start on; `end` where there is none.

    Without `directives`, lines that begin with `%` are passed over as well.
    """
    while True:
        line_start = at
        at = _skip_blanks(data, at, end)
        head = data[at : at + 1]
        at_margin = at == line_start or data[at - 1 : at] == b"\n"
        if at >= end or not (head == b"#" or (head == b"%" and at_margin and not directives)):
            return min(at, end)
        at = (data.find(b"\n", at, end) + 1) or end


def _find_preamble(data: Buffer, low: int, start: int) -> int:
    """Find where the directives that belong to the document at `start` begin; `start` where it has none."""
    if start == low or b"%" not in data[max(low, start - 4096) : start]:
        return start
    first = low
    for marker in _find_markers(data, b"...", low, start):
        first = data.find(b"\n", marker, start) + 1
    return first if _find_content(data, first, start, directives=False) == start else start


def _find_source(data: Buffer, start: int, end: int) -> str:
    """The template that Helm says a document comes from: a comment in its first lines, or an annotation."""
    # Found as bytes first: a search by expression alone would take as long as all else here.
    source = None
    at = data.find(_HELM_3_SOURCE, start, min(end, start + 512))
    if at == start or (at > start and data[at - 1 : at] == b"\n"):
        source = _COMMENT_TEXT.match(data, at + len(_HELM_3_SOURCE), end)
    if source is None:
        at = data.find(_HELM_4_SOURCE, start, end)
        source = _ANNOTATION_VALUE.match(data, at + len(_HELM_4_SOURCE), end) if at >= 0 else None
    return source.group(source.lastindex or 0).decode("utf-8", "replace") if source else ""


def has_marker(data: Buffer) -> bool:
    """Tell whether a stream's first content is a document marker (or a directive, which needs one behind it)."""
    at = _find_content(data, len(BOM) if data.startswith(BOM) else 0, len(data))
    return data[at : at + 1] == b"%" or (data.startswith(b"---", at) and _ends_marker(data, at + 3))


def has_directive(data: Buffer) -> bool:
    """Tell whether a stream begins with a directive, such as `%YAML 1.1`."""
    at = _find_content(data, len(BOM) if data.startswith(BOM) else 0, len(data))
    return data[at : at + 1] == b"%"


def join_streams(streams: Iterable[tuple[Buffer, list[Buffer | memoryview]]]) -> list[Buffer | memoryview]:
    """Join streams, each as its input and the pieces of its output, with a marker only where the next input has none.

    A byte order mark is dropped from all but the first: in the middle of a stream no parser accepts it.
    """
    joined: list[Buffer | memoryview] = []
    for data, pieces in streams:
        if joined and data:
            if joined[-1][-1:] != b"\n":
                joined.append(b"\n")
            if not has_marker(data):
                joined.append(b"---\n")
            elif has_directive(data):  # which a document before it must not run into
                joined.append(b"...\n")
            if data.startswith(BOM):
                pieces = [pieces[0][len(BOM) :], *pieces[1:]]
        joined.extend(piece for piece in pieces if len(piece))
    return joined
