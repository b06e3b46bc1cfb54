"""libyaml's events of one document, with their positions.

Events and not nodes: composing loses where an alias stands. Aliases are never expanded.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
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

from postrenderer.yaml.errors import BrokenYaml, YamlError

Event = Any  # ruamel.yaml's events are typed as Any themselves
MAX_DEPTH = 512
_GLUED = re.compile(r"^---(?![-\s]|$)", re.MULTILINE)


def _find_parser() -> Any:
    parser = YAML(typ="safe", pure=False).Parser
    if parser is None or parser.__name__ != "CParser":
        # With the extra `libyaml` (clibz), ruamel.yaml 0.19 silently runs its pure parser: 25 times slower, and it
        # refuses `a:<TAB>1`, which kubectl accepts.
        raise YamlError('libyaml is not in use; install "ruamel.yaml[oldlibyaml]>=0.19.1,<0.20"')
    return parser


Parser = _find_parser()


class Events(NamedTuple):
    """The events between a document's start and its end, and for each start of a collection the index of its end."""

    events: list[Event]
    ends: dict[int, int]
    has_aliases: bool


def parse_events(text: str) -> Events | None:
    """Parse a text that holds one document; None where it holds none (only comments).

    Raises `BrokenYaml` for a text that libyaml refuses, and for one that holds several documents or is nested too deep.
    """
    try:
        return _collect(Parser(text))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        said = " ".join(part for part in (error.context, error.problem) if part)
        raise BrokenYaml(_explain(text, said), line) from None
    except YAMLError as error:
        position = getattr(error, "position", 0)
        character = getattr(error, "character", None)
        said = f"the character U+{character:04X} is not allowed in YAML" if isinstance(character, int) else str(error)
        raise BrokenYaml(said, text.count("\n", 0, position) + 1) from None


def _explain(text: str, said: str) -> str:
    glued = _GLUED.search(text)
    if glued:
        line = text.count("\n", 0, glued.start()) + 1
        return f"{said}; in its line {line} the marker `---` is glued to what follows: put a line break behind it"
    return said


def _collect(parser: Any) -> Events | None:
    next_event = parser.get_event
    events: list[Event] = []
    append = events.append
    ends: dict[int, int] = {}
    open_starts: list[int] = []
    has_aliases = False
    documents = 0
    while True:
        event = next_event()
        kind = event.__class__
        if kind is ScalarEvent:
            append(event)
        elif kind is MappingStartEvent or kind is SequenceStartEvent:
            if len(open_starts) >= MAX_DEPTH:
                raise BrokenYaml(f"nested deeper than {MAX_DEPTH} levels", event.start_mark.line + 1)
            open_starts.append(len(events))
            append(event)
        elif kind is MappingEndEvent or kind is SequenceEndEvent:
            ends[open_starts.pop()] = len(events)
            append(event)
        elif kind is AliasEvent:
            has_aliases = True
            append(event)
        elif kind is DocumentStartEvent:
            documents += 1
            if documents > 1:
                raise BrokenYaml(
                    "what looks like one document is several to a YAML parser (a lone carriage return, or another "
                    "unusual line break, stands before a `---`); separate them with `---` on a line of its own",
                    event.start_mark.line + 1,
                )
        elif kind is StreamEndEvent:
            return Events(events, ends, has_aliases) if documents else None


def iterate_events(text: str) -> Any:
    """Yield the events between a document's start and its end, for a text that `parse_events` need not keep."""
    parser = Parser(text)
    next_event = parser.get_event
    while True:
        event = next_event()
        kind = event.__class__
        if kind is StreamEndEvent:
            return
        if kind is not StreamStartEvent and kind is not DocumentStartEvent and kind is not DocumentEndEvent:
            yield event
