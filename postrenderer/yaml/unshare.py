"""Write out what is shared and stands in the way of an insertion: aliases, anchored and merged values.

Adding to a shared value would change every place that reads it. So the place at hand gets a copy of its own, as text,
and the rest of the document stays as it is. A document that was treated so is reported as re-emitted.
"""

from __future__ import annotations

import io
import re
from copy import copy
from typing import NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
    StreamStartEvent,
)

from postrenderer.yaml.edits import (
    Copied,
    Edit,
    Plan,
    Target,
    apply_edits,
    erase_with_blanks,
    insert_lines,
    plan_target,
)
from postrenderer.yaml.errors import YamlError
from postrenderer.yaml.events import Event
from postrenderer.yaml.scalars import read_scalar
from postrenderer.yaml.style import Verbatim, find_column, find_newline, find_step, indent_lines
from postrenderer.yaml.tree import Tree, load_tree
from postrenderer.yaml.verify import verify_edit

Path = tuple[str | int, ...]
MAX_COPY = 10_000
"""How many events one copy may have."""
MAX_GROWTH = 1_000_000
"""How many characters all copies together may have."""
_MAX_ROUNDS = 100
_TOO_MUCH = "too much stands behind aliases on the way to what is to be added: write it out by hand"


_PLAIN_IN_FLOW = re.compile(r"[\w./ -]*\Z")


class _Step(NamedTuple):
    """One node on a path: its index as written (an alias stays one), its key's index if it has one, its parent."""

    node: int
    key: int | None
    parent: int


class _Merged(NamedTuple):
    """A value that a mapping has only through a merge key."""

    mapping: int
    parent: int | None
    key: str
    source: int


def write_out(tree: Tree, paths: list[Path]) -> tuple[Tree, list[int]]:
    """Write out whatever is shared on the paths. Returns the new tree and the lines (from 1) of what was written out.

    Raises `YamlError` where a copy would be too large, or where it could not be told apart.
    """
    lines: list[int] = []
    limit = len(tree.text) + MAX_GROWTH
    for _ in range(_MAX_ROUNDS):
        groups = _plan_round(tree, paths, limit - len(tree.text))
        if not groups:
            return tree, lines
        _refuse_ambiguous_anchors(tree)
        lines.extend(tree.line(group[0].at) for group in groups)
        plans = [plan for group in groups for plan in group]
        text = apply_edits(tree.text, [edit for plan in plans for edit in plan.edits])
        verify_edit(tree, plans, text)
        loaded = load_tree(text)
        assert loaded is not None
        tree = loaded
    raise YamlError(_TOO_MUCH)


def _plan_round(tree: Tree, paths: list[Path], room: int) -> list[list[Plan]]:
    """Plan how to write out the first shared thing on each path, as far as these are apart from each other."""
    groups: list[list[Plan]] = []
    taken: set[int] = set()
    for path in paths:
        found = _plan_next(tree, path)
        if found is None or not taken.isdisjoint(plan.at for plan in found):
            continue
        taken.update(plan.at for plan in found)
        groups.append(found)
        room -= sum(len(edit.text) for plan in found for edit in plan.edits)
        if room < 0:
            raise YamlError(_TOO_MUCH, tree.line(found[0].at))
    return groups


def _plan_next(tree: Tree, path: Path) -> list[Plan] | None:
    """Plan how to write out the first shared thing on a path; None where there is none."""
    index, parent = 0, None
    for key in path:
        if isinstance(key, int):
            step = _Step(tree.entries(index)[key], None, index)
        else:
            own = tree.own_pair(index, key)
            if own is None:
                source = tree.find_value(index, key)
                if source is None or tree.is_null(source):
                    return None
                return [_copy_merged(tree, _Merged(index, parent, key, source))]
            step = _Step(own.value, own.key, index)
        event = tree.events[step.node]
        if event.__class__ is AliasEvent:
            return [_replace_alias(tree, step, tree.follow(step.node))]
        if event.anchor is not None:
            reader = tree.first_readers.get(step.node)
            if reader is not None:
                return _move_anchor(tree, step.node, reader)
        if tree.is_null(step.node) or (not tree.is_mapping(step.node) and isinstance(key, str) and key == path[-1]):
            return None
        parent, index = index if isinstance(key, str) else parent, step.node
    return None


def _copy_merged(tree: Tree, merged: _Merged) -> Plan:
    value = _copy(tree, merged.source, in_flow=tree.events[merged.mapping].flow_style)
    return plan_target(tree, Target(merged.mapping, None, merged.parent, {merged.key: value}))


def _replace_alias(tree: Tree, step: _Step, source: int, anchor: str | None = None) -> Plan:
    """Put a copy of `source` in the place of an alias; with `anchor`, the copy is what later aliases refer to."""
    text, events = tree.text, tree.events
    alias = events[step.node]
    start, end = alias.start_mark.index, alias.end_mark.index
    value = _copy(tree, source, in_flow=events[step.parent].flow_style)
    mark = f"&{anchor}" if anchor else ""
    meaning = value.events
    if anchor:
        first = copy(meaning[0])
        first.anchor = anchor
        meaning = [first, *meaning[1:]]
    newline = find_newline(text, start)
    if not value.is_nested:
        edits = [Edit(start, end, f"{mark} {value.lines[0]}".lstrip())]
    elif step.key is not None:
        column = find_column(tree, step.parent)
        lines = indent_lines(value.lines, column + find_step(tree))
        kept = [Edit(start, end, mark)] if mark else erase_with_blanks(text, start, end)
        edits = [*kept, insert_lines(text, end, lines, column + 1, newline)]
    else:
        column = alias.start_mark.column
        lines = indent_lines(value.lines, column)
        if mark:
            edits = [Edit(start, end, mark), insert_lines(text, end, lines, column, newline)]
        else:
            edits = [Edit(start, end, newline.join([lines[0].lstrip(), *lines[1:]]))]
    return Plan(edits, step.node, 1, Copied(meaning))


def _move_anchor(tree: Tree, index: int, reader: int) -> list[Plan]:
    """Let the first alias that reads an anchored value become its definition, so that the value can be added to."""
    event = tree.events[index]
    found = re.compile(rf"&{re.escape(event.anchor)}[ \t]*").search(tree.text, event.start_mark.index)
    assert found is not None
    start, end = found.span()
    if tree.text[end : end + 1] in ("\r", "\n", "#", ""):
        end = start + 1 + len(event.anchor)
        while tree.text[start - 1 : start] in (" ", "\t"):
            start -= 1
    bare = copy(event)
    bare.anchor = None
    return [
        Plan([Edit(start, end, "")], index, 1, Copied([bare])),
        _replace_alias(tree, _find_step(tree, reader), index, event.anchor),
    ]


def _find_step(tree: Tree, index: int) -> _Step:
    """Find the collection around a node, and the node's key if that is a mapping."""
    parent = index
    while tree.ends.get(parent, -1) < index:  # a collection that begins before a node either ends there or is around
        parent -= 1
    if not tree.is_mapping(parent):
        return _Step(index, None, parent)
    pair = next((pair for pair in tree.own_pairs(parent) if pair.value == index), None)
    if pair is None:
        raise YamlError("an alias that is a key stands for something to be added to: write it out", tree.line(index))
    return _Step(index, pair.key, parent)


def _copy(tree: Tree, source: int, *, in_flow: bool) -> Verbatim:
    """Copy a node as text, without anchors. Aliases in it stay aliases."""
    events = tree.events[source : tree.skip(source)]
    if len(events) > MAX_COPY:
        raise YamlError("what an alias stands for is too large to be copied: write it out by hand", tree.line(source))
    is_nested = not in_flow and getattr(events[0], "flow_style", True) is False
    bare = _make_bare(events, in_flow=not is_nested)
    return Verbatim(_emit(bare).split("\n") if is_nested else [_emit_flow(bare)], is_nested, bare)


def _refuse_ambiguous_anchors(tree: Tree) -> None:
    seen: dict[str, int] = {}
    for index, event in enumerate(tree.events):
        anchor = getattr(event, "anchor", None)
        if anchor is None or event.__class__ is AliasEvent:
            continue
        if anchor in seen:
            raise YamlError(
                f"the anchor &{anchor} is defined twice (lines {tree.line(seen[anchor])} and {tree.line(index)}), "
                "so what an alias stands for cannot be written out: give it two names",
                tree.line(index),
            )
        seen[anchor] = index


def _make_bare(events: list[Event], *, in_flow: bool) -> list[Event]:
    """Copy events without their anchors, and so that they can be written in the place at hand."""
    bare = []
    depth = int(in_flow)  # of flow collections, around the place and in the copy
    for event in events:
        kind = event.__class__
        new = event
        if kind is MappingStartEvent or kind is SequenceStartEvent:
            new = copy(event)
            new.anchor = None
            new.flow_style = depth > 0 or bool(event.flow_style)
            depth += int(new.flow_style)
        elif kind is MappingEndEvent or kind is SequenceEndEvent:
            depth -= int(depth > in_flow)
        elif kind is ScalarEvent:
            new = copy(event)
            new.anchor = None
            if event.implicit[0]:
                _make_writable(new, in_flow=depth > 0)
        bare.append(new)
    return bare


def _make_writable(plain: Event, *, in_flow: bool) -> None:
    """Change a plain scalar that libyaml would not write in plain style, and mean the same."""
    if not plain.value:
        plain.value = "null"  # nothing is no value in flow style
    elif isinstance(read_scalar(plain.value, plain=True, tag=None), str) and (
        max(plain.value) > "\uffff" or (in_flow and not _PLAIN_IN_FLOW.match(plain.value))
    ):
        plain.implicit = (False, True)


def _emit_flow(events: list[Event]) -> str:
    """Write a node as it can stand inside a flow collection (`null` by itself would be written `null\\n...`)."""
    around = SequenceStartEvent(None, None, implicit=True, flow_style=True), SequenceEndEvent()
    return _emit([around[0], *events, around[1]])[1:-1]


def _emit(events: list[Event]) -> str:
    stream = io.StringIO()
    emitter = YAML(typ="safe", pure=False).Emitter(stream, width=1 << 30, allow_unicode=True, indent=2)
    for event in [StreamStartEvent(), DocumentStartEvent(explicit=False), *events, DocumentEndEvent(explicit=False)]:
        emitter.emit(event)
    emitter.emit(StreamEndEvent())
    return stream.getvalue().removesuffix("...\n").removesuffix("\n")
