"""Prove an edit: the edited text, parsed again, has the original's events plus exactly what was meant."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import (
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

from postrenderer.yaml.edits import Copied, Plan
from postrenderer.yaml.errors import YamlError
from postrenderer.yaml.events import Event, read_events
from postrenderer.yaml.scalars import read_scalar
from postrenderer.yaml.style import New, Verbatim
from postrenderer.yaml.tree import Tree

_UNUSUAL_BREAK = re.compile("\r(?!\n)|[\x85\u2028\u2029]")


_START_EVENTS: dict[type, type[Event]] = {dict: MappingStartEvent, list: SequenceStartEvent}


class _DiffersError(Exception):
    """The edited text has another event than expected."""


def verify_edit(tree: Tree, plans: list[Plan], text: str) -> None:
    """Raise `YamlError` unless `text` is the tree's document with the plans carried out, event for event."""
    try:
        _compare(
            tree.events, sorted(plans, key=lambda plan: plan.at), read_events(text, inner_colons=tree.inner_colons)
        )
    except (_DiffersError, YAMLError):
        line = tree.line(min(plan.at for plan in plans))
        advice = "write the mapping around this line in plain block style"
        if _UNUSUAL_BREAK.search(tree.text):
            advice = "it has line breaks other than LF and CRLF (CR, NEL, LS or PS): replace them"
        raise YamlError(
            f"the way this document is written leaves no place where a line can be added without doubt; {advice}", line
        ) from None


def _compare(events: list[Event], plans: list[Plan], next_event: Callable[[], Event]) -> None:
    _expect(StreamStartEvent, next_event)
    _expect(DocumentStartEvent, next_event)
    at = 0
    for plan in plans:
        _compare_events(events[at : plan.at], next_event)
        if isinstance(plan.new, Copied):
            _compare_events(plan.new.events, next_event)
        elif isinstance(plan.new, dict) and not plan.wrapped:
            _compare_pairs(plan.new, next_event)
        else:
            _compare_value(plan.new, next_event)
        at = plan.at + plan.skip
    _compare_events(events[at:], next_event)
    _expect(DocumentEndEvent, next_event)
    _expect(StreamEndEvent, next_event)


def _expect(kind: type[Event], next_event: Callable[[], Event]) -> None:
    if next_event().__class__ is not kind:
        raise _DiffersError


def _compare_events(expected: list[Event], next_event: Callable[[], Event]) -> None:
    # A loop without calls: it runs for every event of every candidate.
    for event in expected:
        found = next_event()
        kind = event.__class__
        if found.__class__ is not kind:
            raise _DiffersError
        if kind is ScalarEvent:
            if (
                found.value != event.value
                or found.implicit != event.implicit
                or found.ctag != event.ctag
                or found.anchor != event.anchor
            ):
                raise _DiffersError
        elif (
            kind is not MappingEndEvent
            and kind is not SequenceEndEvent
            and (found.anchor != event.anchor or getattr(found, "ctag", None) != getattr(event, "ctag", None))
        ):
            raise _DiffersError


def _compare_pairs(new: New, next_event: Callable[[], Event]) -> None:
    for key, value in new.items():
        _compare_value(key, next_event)
        _compare_value(value, next_event)


def _compare_value(value: Any, next_event: Callable[[], Event]) -> None:
    if isinstance(value, Verbatim):
        _compare_events(value.events, next_event)
        return
    event = next_event()
    wanted = _START_EVENTS.get(type(value), ScalarEvent)
    if event.__class__ is not wanted or event.anchor is not None or event.ctag is not None:
        raise _DiffersError
    if isinstance(value, dict):
        _compare_pairs(value, next_event)
        if next_event().__class__ is not MappingEndEvent:
            raise _DiffersError
    elif isinstance(value, list):
        for entry in value:
            _compare_value(entry, next_event)
        if next_event().__class__ is not SequenceEndEvent:
            raise _DiffersError
    elif not _reads_as(event, value):
        raise _DiffersError


def _reads_as(event: Event, value: bool | int | str) -> bool:
    read = read_scalar(event.value, plain=event.implicit[0], tag=None)
    return read == value and isinstance(read, bool) == isinstance(value, bool)
