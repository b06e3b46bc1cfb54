"""Changes as a unified diff. A hunk never crosses a document's border: a neighbour may be a Secret."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator

from postrenderer.model import Change

_CONTEXT = 3
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_HUNK = re.compile(r"@@ -(\d+)((?:,\d+)?) \+(\d+)((?:,\d+)?) @@")
NO_NEWLINE = "\\ No newline at end of file\n"


def format_diff(changes: Iterable[Change], name: str) -> Iterator[str]:
    """Yield the lines of a unified diff of one input, each with its line break."""
    shift = 0
    for number, change in enumerate(changes):
        if number == 0:
            yield f"--- a/{name}\n"
            yield f"+++ b/{name}\n"
        before, after = _LINE.findall(change.before), _LINE.findall(change.after)
        yield from _format_document(before, after, change.line - 1, shift)
        shift += len(after) - len(before)


def _format_document(before: list[str], after: list[str], first: int, shift: int) -> Iterator[str]:
    # difflib alone is quadratic where a document is long; the ends that are the same cost nothing this way.
    head = _count_common(before, after, min(len(before), len(after)))
    tail = _count_common(before[::-1], after[::-1], min(len(before), len(after)) - head)
    start = max(0, head - _CONTEXT)
    old = before[start : len(before) - max(0, tail - _CONTEXT)]
    new = after[start : len(after) - max(0, tail - _CONTEXT)]
    for line in list(difflib.unified_diff(old, new, n=_CONTEXT))[2:]:
        hunk = _HUNK.match(line)
        if hunk:
            old_line, new_line = int(hunk[1]) + first + start, int(hunk[3]) + first + start + shift
            yield f"@@ -{old_line}{hunk[2]} +{new_line}{hunk[4]} @@\n"
        elif line.endswith("\n"):
            yield line
        else:
            yield line + "\n"
            yield NO_NEWLINE


def _count_common(one: list[str], other: list[str], limit: int) -> int:
    count = 0
    while count < limit and one[count] == other[count]:
        count += 1
    return count


def get_color(line: str) -> str | None:
    """The colour that people expect of a diff's line."""
    if line.startswith("@@"):
        return "cyan"
    return {"+": "green", "-": "red"}.get(line[:1])
