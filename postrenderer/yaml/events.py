"""libyaml's events of one document, with their positions.

Events and not nodes: composing loses where an alias stands. Aliases are never expanded.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from postrenderer.yaml.errors import BrokenYaml, YamlError

Event = Any  # ruamel.yaml's events are typed as Any themselves
MAX_DEPTH = 512
_SURROGATES = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")
_STAND_IN = "\ue000"
# A colon inside a plain scalar, between two characters that end none; tags and directives are passed over.
_INNER_COLON = re.compile(
    r"""^%[^\n]*|(?<![^\s,\[{])!\S*|(?<=[^\s,\[\]{}"'&*]):(?=[^\s,\[\]{}])""",
    re.MULTILINE,
)
_GLUED = re.compile(r"^---(?![-\s]|$)", re.MULTILINE)


def _find_parser() -> Any:
    """libyaml's parser, or a stand-in that refuses every text."""
    parser = YAML(typ="safe", pure=False).Parser
    # With the extra `libyaml` (clibz), ruamel.yaml 0.19 silently runs its pure parser: 25 times slower, and it refuses
    # `a:<TAB>1`, which kubectl accepts.
    return parser if parser is not None and parser.__name__ == "CParser" else _refuse_to_parse


def _refuse_to_parse(_text: str) -> Any:
    raise YamlError(
        "libyaml is not in use, though it was installed with this program: say pip install --force-reinstall "
        '"ruamel.yaml[oldlibyaml]>=0.19.1,<0.20"'
    )


Parser = _find_parser()


class Events(NamedTuple):
    """The events between a document's start and its end, and for each start of a collection the index of its end.

    `inner_colons`: libyaml reads the text only with stand-ins for the colons inside plain scalars.
    """

    events: list[Event]
    ends: dict[int, int]
    has_aliases: bool
    inner_colons: bool = False


def parse_events(text: str) -> Events | None:
    """Parse a text that holds one document; None where it holds none (only comments).

    Raises `BrokenYaml` for a text that libyaml refuses, and for one that holds several documents or is nested too deep.
    """
    try:
        return _collect(Parser(_replace_surrogates(text)))
    except MarkedYAMLError as error:
        if error.problem == "found unexpected ':'":
            events = _collect_with_inner_colons(text)
            if events is not None:
                return events
        mark = error.problem_mark or error.context_mark
        last_line = text.rstrip().count("\n") + 1  # libyaml puts the end of the text on a line of its own
        line = min(mark.line + 1, last_line) if mark else 1
        said = " ".join(part for part in (error.context, error.problem) if part)
        raise BrokenYaml(_explain(text, said), line) from None
    except YAMLError as error:
        position = getattr(error, "position", 0)
        character = getattr(error, "character", None)
        said = f"the character U+{character:04X} is not allowed in YAML" if isinstance(character, int) else str(error)
        raise BrokenYaml(said, text.count("\n", 0, position) + 1) from None


def _collect_with_inner_colons(text: str) -> Events | None:
    """Parse what libyaml before 0.2.2 refuses and kubectl reads: `{image: redis:7}`. None where that is not it."""
    if _STAND_IN in text:
        return None
    try:
        parsed = _collect(Parser(_replace_surrogates(_replace_inner_colons(text))))
    except YAMLError:
        return None
    if parsed is None:
        return None
    for event in parsed.events:
        _restore_inner_colons(event)
    return parsed._replace(inner_colons=True)


def _replace_inner_colons(text: str) -> str:
    return _INNER_COLON.sub(lambda found: _STAND_IN if found[0] == ":" else found[0], text)


def _restore_inner_colons(event: Event) -> None:
    if event.__class__ is ScalarEvent and _STAND_IN in event.value:
        event.value = event.value.replace(_STAND_IN, ":")


def _replace_surrogates(text: str) -> str:
    """Put a stand-in of the same length in the place of what JSON allows and no YAML parser reads.

    That is a character beyond U+FFFF as two escapes, `\\ud83d\\ude00`, as Python's json module writes it.
    """
    if "\\u" not in text or not text.lstrip().startswith("{"):
        return text
    return _SURROGATES.sub(r"\\ufffd\\ufffd", text)


def refuse_surrogates(text: str) -> None:
    """Raise `BrokenYaml` where a stand-in might be copied: JSON has no aliases, so this is neither JSON nor YAML."""
    if _replace_surrogates(text) != text:
        raise BrokenYaml("escapes like \\ud83d\\ude00 are JSON, but aliases are YAML: write the character itself")


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


def read_events(text: str, *, inner_colons: bool = False) -> Callable[[], Event]:
    """The function that returns a text's events one by one: what `parse_events` would keep, without keeping it."""
    if not inner_colons:
        next_event: Callable[[], Event] = Parser(_replace_surrogates(text)).get_event
        return next_event
    next_event = Parser(_replace_surrogates(_replace_inner_colons(text))).get_event

    def next_restored_event() -> Event:
        event = next_event()
        _restore_inner_colons(event)
        return event

    return next_restored_event
