"""Changes as a unified diff. A hunk never crosses a document's border: a neighbour may be a Secret."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator

from postrenderer.model import Change

_CONTEXT = 3
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_WINDOW = 64
"""How far ahead a line is looked for: more lines than one place's additions have."""
_BORDER = re.compile(rb"---[ \t]*(?:[ \t]#[^\n]*)?\r?\n")
_COLORS = {"@": "\033[36m", "+": "\033[32m", "-": "\033[31m"}
_RESET = "\033[0m"
NO_NEWLINE = "\\ No newline at end of file\n"
STANDARD_INPUT = "stdin"


def format_diff(changes: Iterable[Change], data: bytes | bytearray, path: str | None) -> Iterator[str]:
    """Yield the lines of a unified diff of an input, each with its line break. `path` is None for standard input."""
    shift = 0
    for number, change in enumerate(changes):
        if number == 0:
            name = STANDARD_INPUT if path is None else normalize_path(path)
            yield f"--- {quote_name(f'a/{name}')}\n"
            yield f"+++ {quote_name(f'b/{name}')}\n"
        before, after = _LINE.findall(change.before), _LINE.findall(change.after)
        border = _find_border(change, data)
        yield from _format_document(before + border, after + border, change.line - 1, shift)
        shift += len(after) - len(before)


def normalize_path(path: str) -> str:
    """A path as `patch -p1` and `git apply` accept it: below the current directory, or else below `/`."""
    normal = os.path.normpath(path)
    if normal.startswith(os.pardir):
        normal = os.path.abspath(path)
    return os.path.splitdrive(normal)[1].replace(os.sep, "/").lstrip("/")


def quote_name(name: str) -> str:
    """Write a name as git does: in quotes where it has special characters, a tab behind it where it has blanks."""
    if name.isprintable() and not set(name) & {'"', "\\"}:
        return f"{name}\t" if " " in name else name
    octets = name.encode("utf-8", "surrogateescape")
    return '"' + "".join(_quote_octet(octet) for octet in octets) + '"'


def _quote_octet(octet: int) -> str:
    char = chr(octet)
    if char in '"\\':
        return f"\\{char}"
    return char if 0x20 <= octet < 0x7F else f"\\{octet:03o}"


def _find_border(change: Change, data: bytes | bytearray) -> list[str]:
    """The marker line behind a document, unless it holds content; the only line of a neighbour that is shown.

    Without a line behind an insertion, `patch` and `git apply` take it for the end of the file.
    """
    end = change.start + len(change.before.encode())
    border = _BORDER.match(data, end) if change.before.endswith("\n") else None
    return [border[0].decode("utf-8", "surrogateescape")] if border else []


def _format_document(before: list[str], after: list[str], first: int, shift: int) -> Iterator[str]:
    lines = _compare(before, after)
    old, new = first, first + shift
    at = 0
    for start, end in _find_hunks(lines):
        old += sum(mark != "+" for mark, _ in lines[at:start])
        new += sum(mark != "-" for mark, _ in lines[at:start])
        hunk = lines[start:end]
        old_count = sum(mark != "+" for mark, _ in hunk)
        new_count = sum(mark != "-" for mark, _ in hunk)
        yield f"@@ -{_format_range(old, old_count)} +{_format_range(new, new_count)} @@\n"
        for mark, text in hunk:
            yield f"{mark}{text}" if text.endswith("\n") else f"{mark}{text}\n{NO_NEWLINE}"
        old, new, at = old + old_count, new + new_count, end


def _format_range(skipped: int, count: int) -> str:
    start = skipped + 1 if count else skipped
    return str(start) if count == 1 else f"{start},{count}"


def _find_hunks(lines: list[tuple[str, str]]) -> Iterator[tuple[int, int]]:
    """Yield where the hunks begin and end: the changes, those together that share context, with the context."""
    changed = [index for index, (mark, _) in enumerate(lines) if mark != " "]
    start = end = None
    for index in changed:
        if start is None or end is None or index - end > _CONTEXT:
            if start is not None and end is not None:
                yield start, end
            start = max(0, index - _CONTEXT)
        end = min(len(lines), index + 1 + _CONTEXT)
    if start is not None and end is not None:
        yield start, end


def _compare(before: list[str], after: list[str]) -> list[tuple[str, str]]:
    """The lines of both texts in order, each marked as a diff marks it.

    Linear, since almost every change is an insertion; difflib is quadratic where lines are alike, and takes minutes for
    a List of some thousand pods.
    """
    lines: list[tuple[str, str]] = []
    at = 0
    removed: list[tuple[str, str]] = []
    for index, line in enumerate(before):
        found = _find_line(before, index, after, at)
        if found is None:
            removed.append(("-", line))
            continue
        lines += removed
        removed = []
        lines += [("+", inserted) for inserted in after[at:found]]
        lines.append((" ", line))
        at = found + 1
    lines += removed
    lines += [("+", inserted) for inserted in after[at:]]
    return lines


def _find_line(before: list[str], index: int, after: list[str], at: int) -> int | None:
    """Find a line's counterpart at or behind `at`: the next line's too, where there is such a place."""
    line = before[index]
    following = before[index + 1 : index + 2]
    first = None
    for found in range(at, min(at + _WINDOW, len(after))):
        if after[found] == line:
            if found == at or after[found + 1 : found + 2] == following:
                return found
            first = found if first is None else first
    return first


def colorize(line: str) -> str:
    """Colour a diff's line as people expect it; its line break stays outside."""
    color = _COLORS.get(line[:1])
    if color is None or line.startswith(("+++ ", "--- ")):
        return line
    text = line.rstrip("\r\n")
    return f"{color}{text}{_RESET}{line[len(text) :]}"
