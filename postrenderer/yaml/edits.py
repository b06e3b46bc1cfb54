"""Plan where new pairs go: at which offset of the text, and before which event, so that the result can be verified."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from ruamel.yaml.events import ScalarEvent

from postrenderer.yaml.events import Event
from postrenderer.yaml.style import (
    New,
    find_column,
    find_newline,
    find_step,
    read_flow_style,
    write_block,
    write_flow,
    write_flow_value,
    write_inline,
)
from postrenderer.yaml.tree import Pair, Tree

_FLOW_GAP = re.compile(r"[ \t\r\n]*")
_COMMENT_LINE = re.compile(r"([ \t]*)#[^\n]*(?:\n|\Z)")
_COMMENT = re.compile(r"[ \t]*(?:#[^\r\n]*)?(?=[\r\n]|\Z)")


class Edit(NamedTuple):
    """Replace `text[start:end]`. Where several insert at one offset, those of deeper mappings come first."""

    start: int
    end: int
    text: str
    depth: int = 0


class Target(NamedTuple):
    """Where something new belongs: pairs into an existing mapping, or a value in the place of an explicit null.

    `owner` is the null's pair, `parent` the mapping around; `new` is a single value only in the place of a null.
    """

    node: int
    owner: Pair | None
    parent: int | None
    new: New | bool | int | str | list[Any]


class Copied(NamedTuple):
    """The events of another node, as its copy has them."""

    events: list[Event]


class Plan(NamedTuple):
    """Edits of the text, and what they mean: before the event `at`, `skip` events give way to what is new.

    New pairs form a mapping of their own where they are `wrapped`; a copy's events stand for themselves.
    """

    edits: list[Edit]
    at: int
    skip: int
    new: New | Copied | bool | int | str | list[Any]
    wrapped: bool = False


def plan_target(tree: Tree, target: Target) -> Plan:
    """Plan the edits for the pairs of one target."""
    if target.owner is not None:
        return Plan(_fill_null(tree, target, target.owner), target.node, 1, target.new, isinstance(target.new, dict))
    assert isinstance(target.new, dict)
    if tree.events[target.node].flow_style:
        return Plan(_extend_flow(tree, target, target.new), tree.ends[target.node], 0, target.new)
    return _extend_block(tree, target.node, target.new)


def find_last(tree: Tree, index: int) -> int:
    """The last event of a node in block style that has an extent: ends of block collections swallow comments."""
    at = tree.ends.get(index, index)
    while not _has_extent(tree, at):
        at -= 1
    return at


def _has_extent(tree: Tree, at: int) -> bool:
    event = tree.events[at]
    start = event.start_mark.index
    if event.end_mark.index > start:
        return True
    # `? key` without a value has its null where the next token begins, which may be lines further down.
    return event.__class__ is ScalarEvent and tree.text[start - 1 : start] in (":", "-")


def _extend_block(tree: Tree, index: int, new: New) -> Plan:
    column = find_column(tree, index)
    lines = write_block(new, column, find_step(tree))
    last = tree.events[find_last(tree, index)]
    if not _is_block_scalar(last) or tree.text[last.end_mark.index - 1] in ("\n", "\r"):
        return Plan([_append_lines(tree, last, lines, column)], tree.ends[index], 0, new)
    # A final line break would become part of the scalar's value: put the pairs before the one that it ends.
    *others, last_pair = tree.own_pairs(index)
    if others:
        before = tree.events[find_last(tree, others[-1].value)]
        return Plan([_append_lines(tree, before, lines, column)], last_pair.key, 0, new)
    key_at = tree.events[last_pair.key].start_mark.index
    key_at -= tree.events[last_pair.key].start_mark.column - column  # where its `?` stands, if it has one
    newline = find_newline(tree.text, key_at)
    inserted = newline.join([lines[0].lstrip(), *lines[1:], " " * column])
    return Plan([Edit(key_at, key_at, inserted, column)], last_pair.key, 0, new)


def _is_block_scalar(event: Event) -> bool:
    return event.__class__ is ScalarEvent and event.style in ("|", ">")


def _append_lines(tree: Tree, last: Event, lines: list[str], column: int) -> Edit:
    """Insert lines behind an event, whose line ends behind it."""
    text = tree.text
    at = last.end_mark.index
    newline = find_newline(text, last.start_mark.index)
    if _is_block_scalar(last):
        header = text[last.start_mark.index : text.find("\n", last.start_mark.index)]
        if "+" not in header.partition("#")[0]:
            at = _trim_blank_lines(text, at)
        line_start = at
    else:
        line_start = text.find("\n", at) + 1
    comment = _find_last_deeper_comment(text, line_start, column) if line_start else None
    if comment is None and _is_block_scalar(last):
        return Edit(at, at, "".join(line + newline for line in lines), column)
    return insert_lines(text, at if comment is None else comment, lines, column, newline)


def _find_last_deeper_comment(text: str, line_start: int, column: int) -> int | None:
    """Where the last of the comment lines begins that follow, and are indented as what stands before them."""
    last = None
    while (comment := _COMMENT_LINE.match(text, line_start)) and len(comment[1]) > column:
        last, line_start = line_start, comment.end()
    return last


def _trim_blank_lines(text: str, at: int) -> int:
    while text.endswith("\n\n", 0, at) or text.endswith("\n\r\n", 0, at):
        at -= 2 if text.endswith("\r\n", 0, at) else 1
    return at


def _extend_flow(tree: Tree, target: Target, new: New) -> list[Edit]:
    text, events = tree.text, tree.events
    start = events[target.node]
    style = read_flow_style(tree, target.node, target.parent)
    newline = find_newline(text, start.start_mark.index)
    pairs = write_flow(new, style, newline)
    if tree.ends[target.node] == target.node + 1:
        at = start.end_mark.index  # behind an anchor or a tag, the brace is the last of it
        return [Edit(at, at, style.comma.join(pairs))]
    at = events[tree.ends[target.node] - 1].end_mark.index
    first = events[target.node + 1].start_mark.index
    if text[start.start_mark.index : first].strip() == "" and text[first : first + 1] != "{":
        # `[a: b]`: a pair without braces, which get their place with the second pair.
        return [Edit(first, first, "{"), Edit(at, at, style.comma + style.comma.join(pairs) + "}")]
    comma_at = _find_comma(text, at)
    if style.indent is None:
        return [Edit(at, at, style.comma + style.comma.join(pairs))]
    lines = "".join(f"{newline}{style.indent}{pair}," for pair in pairs)
    if comma_at is None:
        lines = lines[:-1]
    behind = at if comma_at is None else comma_at + 1
    comment = _COMMENT.match(text, behind)
    edits = [] if comma_at is not None else [Edit(at, at, ",")]
    place = comment.end() if comment else behind
    return [*edits, Edit(place, place, lines)]


def _find_comma(text: str, at: int) -> int | None:
    """The offset of a trailing comma, comments and line breaks before it passed over."""
    while True:
        at = _FLOW_GAP.match(text, at).end()  # type: ignore[union-attr]  # matches the empty string
        if text[at : at + 1] != "#":
            return at if text[at : at + 1] == "," else None
        at = text.find("\n", at)
        if at < 0:
            return None


def _fill_null(tree: Tree, target: Target, owner: Pair) -> list[Edit]:
    """Replace a null by a mapping: nested lines under the key in block style, braces in flow style."""
    assert target.parent is not None
    text, events = tree.text, tree.events
    null = events[owner.value]
    key_end = events[owner.key].end_mark.index
    start, end = null.start_mark.index, null.end_mark.index
    has_colon = ":" in text[key_end : max(start, key_end)]
    if events[target.parent].flow_style:
        style = read_flow_style(tree, target.parent, None)
        written = write_flow_value(target.new, style, find_newline(text, key_end))
        if not has_colon:
            written = style.colon + written
        elif start == end:
            start = end = _find_end_of_colon(text, key_end, start)
            written = written if text[start - 1 : start] in (" ", "\t") else " " + written
        return [Edit(start, end, written)]
    column = find_column(tree, target.parent)
    step = find_step(tree)
    newline = find_newline(text, key_end)
    if not isinstance(target.new, dict):
        written = write_inline(target.new)
        if not has_colon:  # `? key` without a value
            return [Edit(key_end, key_end, f"{newline}{' ' * column}: {written}")]
        return [Edit(start, end, written if start < end else " " + written)]
    line_start = text.rfind("\n", 0, start) + 1
    if start < end and line_start > key_end and not text[line_start:start].strip(" \t"):
        # The null has a line of its own, perhaps below a comment: the first new pair takes its place.
        own = write_block(target.new, start - line_start, step)
        return [Edit(start, end, newline.join([own[0].lstrip(), *own[1:]]))]
    lines = write_block(target.new, column + step, step)
    if not has_colon:  # then libyaml's position of the null is that of whatever comes next
        return [insert_lines(text, key_end, [" " * column + ":", *lines], column + step, newline)]
    return [*erase_with_blanks(text, start, end), insert_lines(text, end, lines, column + step, newline)]


def _find_end_of_colon(text: str, key_end: int, null: int) -> int:
    """Where a value belongs whose null is empty: behind its colon, if what follows has a line of its own."""
    colon = text.find(":", key_end, null) + 1
    return colon if "\n" in text[colon:null] and not text[key_end : colon - 1].strip() else null


def erase_with_blanks(text: str, start: int, end: int) -> list[Edit]:
    """Take something out together with the blanks before it."""
    if start == end:
        return []
    while text[start - 1 : start] in (" ", "\t"):
        start -= 1
    return [Edit(start, end, "")]


def insert_lines(text: str, at: int, lines: list[str], depth: int, newline: str) -> Edit:
    """Insert lines below the line at `at`; its comment stays with it, a missing final line break stays missing."""
    end = text.find("\n", at)
    if end < 0:
        return Edit(len(text), len(text), "".join(newline + line for line in lines), depth)
    return Edit(end + 1, end + 1, "".join(line + newline for line in lines), depth)


def apply_edits(text: str, edits: list[Edit]) -> str:
    """Apply edits that do not overlap."""
    pieces: list[str] = []
    at = 0
    for edit in sort_edits(edits):
        pieces.append(text[at : edit.start])
        pieces.append(edit.text)
        at = edit.end
    pieces.append(text[at:])
    return "".join(pieces)


def sort_edits(edits: list[Edit]) -> list[Edit]:
    return sorted(edits, key=lambda edit: (edit.start, -edit.depth))
