"""What holds of any output, looked at with other eyes than the program's own: PyYAML's events and values."""

from __future__ import annotations

import re
from typing import Any

import yaml

from postrenderer.pipeline import Result
from tests.support import ADDED_KEYS, NULLS, run

_NULL = re.compile(
    rb"[ \t]*(?:&\w+|!!null)?(?:[ \t]*\b(?:null|Null|NULL)\b|[ \t]*~)|[ \t]*(?:&\w+|!!null)(?=[ \t]*[\r\n#])"
)


class _TextLoader(yaml.SafeLoader):
    """Merge keys are carried out, and every scalar is its text: PyYAML reads numbers otherwise than Kubernetes."""


_TextLoader.yaml_implicit_resolvers = {
    "<": [("tag:yaml.org,2002:merge", yaml.SafeLoader.yaml_implicit_resolvers["<"][0][1])]
}


def _construct_text(loader: yaml.SafeLoader, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return None if node.style is None and node.value in NULLS else loader.construct_scalar(node)


for _tag in (None, *(f"tag:yaml.org,2002:{name}" for name in ("str", "bool", "int", "float", "null", "map", "seq"))):
    _TextLoader.add_constructor(_tag, _construct_text)


def load_values(text: str) -> list[Any]:
    return list(yaml.load_all(without_tabs(text), _TextLoader))


def without_tabs(text: str) -> str:
    """PyYAML refuses a tab between tokens, which libyaml and kubectl accept."""
    return text.replace("\t", " ")


def check_result(data: bytes, **settings: Any) -> Result:
    """Post-render, and hold the output against the input in every way there is."""
    result = run(data, **settings)
    output = b"".join(result.pieces)
    written_out = any(finding.id == "re-emitted" for finding in result.findings)
    before, after = data.decode("utf-8-sig"), output.decode("utf-8-sig")
    expected = load_values(before)
    apply_findings(expected, result)
    assert load_values(after) == expected
    if not written_out:
        check_bytes(data, output)
        check_events(before, after)
    again = run(output, **settings)
    assert b"".join(again.pieces) == output, "a second run changes something"
    assert again.additions == 0
    return result


def check_bytes(before: bytes, after: bytes) -> None:
    """The input's bytes come out in order, except nulls that may have given way to a mapping."""
    rest = iter(after)
    if all(byte in rest for byte in before):
        return
    rest = iter(after)
    assert all(byte in rest for byte in _NULL.sub(b"", before)), "something of the input is missing"


def apply_findings(documents: list[Any], result: Result, *, typed: bool = False) -> None:
    """Carry out on plain values what the findings say was added; as text, unless the values are `typed`."""
    for finding in result.findings:
        if finding.id != "identity-defaulted":
            continue
        assert finding.document is not None
        place = documents[finding.document - 1]
        for step in finding.path:
            if isinstance(step, str) and place.get(step, "") in NULLS:
                place[step] = {}
            elif isinstance(step, str):
                place[step] = dict(place[step]) if isinstance(place[step], dict) else list(place[step])
            else:
                place[step] = dict(place[step])
            place = place[step]
        assert place.get(finding.field, "") in NULLS
        place[finding.field] = finding.value if typed else str(finding.value).lower()


def describe(event: yaml.Event) -> tuple[Any, ...]:
    details = (getattr(event, name, None) for name in ("anchor", "tag", "value", "implicit"))
    return (type(event).__name__, *details)


def check_events(before: str, after: str) -> None:
    """The input's events come out in order; what is added are keys and values of the rule."""
    added: list[yaml.Event] = []
    outcome = iter(yaml.parse(without_tabs(after), yaml.SafeLoader))
    for event in yaml.parse(without_tabs(before), yaml.SafeLoader):
        if isinstance(event, yaml.DocumentStartEvent | yaml.DocumentEndEvent):
            continue
        if isinstance(event, yaml.ScalarEvent) and event.value in NULLS:
            continue  # may have given way to a mapping
        for found in outcome:
            if describe(found) == describe(event):
                break
            added.append(found)
        else:
            raise AssertionError(f"{event} is missing")
    added += outcome
    for event in added:
        if isinstance(event, yaml.ScalarEvent) and event.value not in NULLS:
            assert event.value in ADDED_KEYS or event.value == "true" or event.value.isdigit(), event
            assert event.anchor is None
            assert event.tag is None
