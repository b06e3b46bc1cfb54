"""How a document is written: its line breaks, its indent, its quotes. And new pairs, written in the same way."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from ruamel.yaml.events import MappingStartEvent

from postrenderer.yaml.events import Event
from postrenderer.yaml.scalars import quote, write_scalar
from postrenderer.yaml.tree import Tree


class Verbatim(NamedTuple):
    """A copy of another node of the document: its lines without indent (one, where it is not nested), its events."""

    lines: list[str]
    is_nested: bool
    events: list[Event]


New = dict[str, "New | Verbatim | bool | int | str | list[Any]"]
"""New pairs: key to value, or to further new pairs. A list, with whatever it holds, is written in flow style."""

_PLAIN_COLON = re.compile(r"[ \t]*:[ \t]*\Z")
_PLAIN_COMMA = re.compile(r"[ \t]*,[ \t]*\Z")


class FlowStyle(NamedTuple):
    """How a flow mapping is written. `indent` is the white space before each key where keys have lines of their own."""

    quote: str
    colon: str
    comma: str
    indent: str | None
    unit: str


def find_newline(text: str, near: int) -> str:
    """The line break that ends the line at `near`, else the document's first, else `\\n`."""
    at = text.find("\n", near)
    if at < 0:
        at = text.find("\n")
    return "\r\n" if at > 0 and text[at - 1] == "\r" else "\n"


def find_column(tree: Tree, mapping: int) -> int:
    """The column at which a block mapping's keys stand; that of its `?` where a key has one."""
    event = tree.events[mapping]
    if event.anchor is None and event.ctag is None:
        column: int = event.start_mark.column
        return column
    mark = tree.events[mapping + 1].start_mark  # `- &x\n  a: 1` begins at its anchor
    before = tree.text[mark.index - mark.column : mark.index].rstrip(" \t")
    return len(before) - 1 if before.endswith("?") else int(mark.column)


def find_step(tree: Tree) -> int:
    """By how much the document's first mapping inside another is indented; 2 where none is."""
    if tree.step is None:
        tree.step = _measure_step(tree)
    return tree.step


def _measure_step(tree: Tree) -> int:
    events = tree.events
    for index, event in enumerate(events):
        if event.__class__ is not MappingStartEvent or event.flow_style:
            continue
        for pairs in tree.mapping(index).pairs.values():
            value = pairs[0].value
            inner = events[value]
            if inner.__class__ is MappingStartEvent and not inner.flow_style:
                step = find_column(tree, value) - find_column(tree, index)
                if step > 0:
                    return step
    return 2


_INLINE = FlowStyle("", ": ", ", ", None, "")


def write_block(new: New, column: int, step: int) -> list[str]:
    """Write pairs in block style, a line each, without line breaks."""
    lines: list[str] = []
    for key, value in new.items():
        head = " " * column + write_scalar(key) + ":"
        if isinstance(value, dict):
            lines.append(head)
            lines.extend(write_block(value, column + step, step))
        elif isinstance(value, Verbatim) and value.is_nested:
            lines.append(head)
            lines.extend(indent_lines(value.lines, column + step))
        else:
            lines.append(f"{head} {write_inline(value)}")
    return lines


def write_inline(value: Verbatim | bool | int | str | list[Any]) -> str:
    """Write a value on one line."""
    if isinstance(value, list):
        return write_flow_value(value, _INLINE, "")
    return value.lines[0] if isinstance(value, Verbatim) else write_scalar(value)


def indent_lines(lines: list[str], column: int) -> list[str]:
    return [" " * column + line if line else line for line in lines]


def read_flow_style(tree: Tree, mapping: int, parent: int | None) -> FlowStyle:
    """Read the style of a flow mapping off its own pairs; an empty one takes its parent's, if that is flow style."""
    pairs = tree.own_pairs(mapping)
    if not pairs:
        if parent is not None and tree.events[parent].flow_style:
            return read_flow_style(tree, parent, None)._replace(indent=None)
        return FlowStyle("", ": ", ", ", None, "")
    last = pairs[-1]
    events, text = tree.events, tree.text
    style = getattr(events[last.key], "style", None) or ""
    quotes = style if style in ('"', "'") else ""
    colon = text[events[last.key].end_mark.index : events[last.value].start_mark.index]
    if not _PLAIN_COLON.match(colon) or (not quotes and colon.endswith(":")):
        colon = ": "
    comma = ", " if colon.endswith((" ", "\t")) else ","
    if len(pairs) > 1:
        before = tree.skip(pairs[-2].value) - 1
        between = text[events[before].end_mark.index : events[last.key].start_mark.index]
        if _PLAIN_COMMA.match(between):
            comma = between
    return FlowStyle(quotes, colon, comma, *_read_lines(tree, mapping, last.key))


def _read_lines(tree: Tree, mapping: int, last_key: int) -> tuple[str | None, str]:
    """The indent of keys that have lines of their own, and by how much they are indented against the closing brace."""
    text = tree.text
    key_at = tree.events[last_key].start_mark.index
    indent = text[text.rfind("\n", 0, key_at) + 1 : key_at]
    if indent.strip(" \t") or tree.events[last_key].start_mark.line == tree.events[mapping].start_mark.line:
        return None, ""
    close_at = tree.events[tree.ends[mapping]].start_mark.index
    outer = text[text.rfind("\n", 0, close_at) + 1 : close_at]
    unit = indent[len(outer) :] if not outer.strip(" \t") and indent.startswith(outer) else ""
    return indent, unit or "  "


def write_flow(new: New, style: FlowStyle, newline: str) -> list[str]:
    """Write pairs in flow style, without the commas between them."""
    return [
        _write_flow_key(key, style) + style.colon + write_flow_value(value, style, newline)
        for key, value in new.items()
    ]


def _write_flow_key(key: str, style: FlowStyle) -> str:
    if style.quote == '"':
        return quote(key)
    if style.quote == "'" and "'" not in key and "\n" not in key:
        return f"'{key}'"
    return write_scalar(key)


def write_flow_value(value: New | Verbatim | bool | int | str | list[Any], style: FlowStyle, newline: str) -> str:
    """Write a value in flow style: on lines of its own where its parent's pairs are, but for a list."""
    if isinstance(value, str) and style.quote == '"':
        return quote(value)
    if isinstance(value, list):
        inline = style._replace(indent=None)
        return "[" + style.comma.join(write_flow_value(entry, inline, newline) for entry in value) + "]"
    if not isinstance(value, dict):
        return write_inline(value)
    if style.indent is None:
        return "{" + style.comma.join(write_flow(value, style, newline)) + "}"
    inner = style._replace(indent=style.indent + style.unit)
    pairs = f",{newline}{inner.indent}".join(write_flow(value, inner, newline))
    return f"{{{newline}{inner.indent}{pairs}{newline}{style.indent}}}"
