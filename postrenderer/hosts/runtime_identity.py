"""The document by which kustomize and kpt configure a run: a RuntimeIdentity, or a ConfigMap. Settings, and no more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from postrenderer.model import Finding, Path, Refused, ResourceId
from postrenderer.outcome import escape
from postrenderer.settings import BY_NAME, EVERYWHERE, check_unlocked, suggest_name
from postrenderer.wording import format_path, format_place, format_value
from postrenderer.yaml import Node, YamlError

API_VERSION = "sandbox-postrenderer.io/v1"
KIND = "RuntimeIdentity"
_ARGUMENTS = ("argsOneLiner", "argsFromFile")
_KEYS = ("apiVersion", "kind", "metadata", "spec", *_ARGUMENTS)

Mode = Literal["render", "validate"]
MODES: tuple[Mode, ...] = get_args(Mode)


@dataclass(frozen=True, slots=True)
class Function:
    """What a document asks for: its name in messages, what to do, and its settings by field."""

    name: str = KIND
    mode: Mode = "render"
    values: Mapping[str, Any] = field(default_factory=dict)


def get_function_name(node: Node) -> str:
    """What a configuration is called in messages."""
    return escape(f"{node.scalar('kind')}/{node.scalar('metadata', 'name') or '(no name)'}")


def read_function(node: Node, locked: tuple[str, ...] = (), *, with_arguments: bool = True) -> Function:
    """Read a RuntimeIdentity or a ConfigMap. Without `with_arguments`, nobody reads its argsOneLiner.

    Raises `Refused` for another kind, for what is no setting or has no valid value, and for a setting that is locked:
    in one line that names the resource and the key.
    """
    name = KIND
    try:
        api_version, kind = node.scalar("apiVersion"), node.scalar("kind")
        name = get_function_name(node)
        if (api_version, kind) == ("v1", "ConfigMap"):
            return _read_config_map(node, name, locked)
        if kind != KIND or api_version != API_VERSION:
            raise Refused(
                f"{name}: apiVersion {api_version} and kind {kind} are no configuration of this program: "
                f"write apiVersion: {API_VERSION} and kind: {KIND}, or a ConfigMap"
            )
        for key in node.list_keys():
            if key not in _KEYS:
                shown = escape(key) or repr(key)
                raise Refused(f"{name}: {shown} is no field of it; {suggest_name(key, _KEYS)} (settings stand in spec)")
            if key in _ARGUMENTS and not with_arguments:
                raise Refused(f"{name}: {key} is for kustomize's exec plugin; write the settings into spec")
        spec = node.get("spec")
        if spec is None:
            return Function(name)
        from postrenderer.config import RuntimeIdentitySpec, read_mapping  # pydantic, which takes its time

        read = read_mapping(spec, RuntimeIdentitySpec, lambda _line: f"{name}, spec", locked)
        return Function(name, read.mode or "render", read.to_values())
    except YamlError as error:
        raise Refused(f"{name}: {error.message}") from None


def strip_item(finding: Finding) -> Finding:
    """Take the way through a host's list out of a finding: no user has written `items[3].spec`."""
    if finding.path[:1] != ("items",):
        return finding
    item, path = finding.path[:2], finding.path[2:]
    message = finding.message.replace(f"{format_path(item)}.", "")
    return replace(finding, message=message, path=path)


def find_lacking(findings: Iterable[Finding]) -> list[str]:
    """Say for each resource what a rendering would add to it: what a validator fails for."""
    lacking: dict[tuple[str, ResourceId | None], dict[Path, list[str]]] = {}
    for finding in findings:
        if finding.id == "identity-defaulted":
            place = format_place(finding.source, finding.document, finding.resource, None)
            contexts = lacking.setdefault((place, finding.resource), {})
            contexts.setdefault(finding.path, []).append(f"{finding.field}: {format_value(finding.value)}")
    return [
        f"{place}: lacks {_describe_contexts(contexts)}; put a {KIND} under transformers:, or write this by hand"
        for (place, _), contexts in lacking.items()
    ]


def _describe_contexts(contexts: Mapping[Path, Sequence[str]]) -> str:
    return " and ".join(f"{' and '.join(fields)} in {format_path(path)}" for path, fields in contexts.items())


def _read_config_map(node: Node, name: str, locked: tuple[str, ...]) -> Function:
    mode: Mode = "render"
    values: dict[str, Any] = {}
    data = node.mapping("data")
    for key, value in data.items() if data is not None else ():
        try:
            text = _read_text(value)
            if key == "mode":
                mode = _read_mode(text)
                continue
            if key not in EVERYWHERE:
                raise ValueError(f"is no setting; {suggest_name(key, [*EVERYWHERE, 'mode'])}")
            check_unlocked(key, locked)
            values[BY_NAME[key].field] = BY_NAME[key].parse(text)
        except ValueError as error:
            raise Refused(f"{name}, data: {key}: {str(error).removeprefix(f'{key}: ')}") from None
    return Function(name, mode, values)


def _read_text(node: Node) -> str:
    """The text of a value. A ConfigMap's are strings; kpt also hands over numbers and booleans without quotes."""
    value = node.value
    return str(value).lower() if isinstance(value, bool) else str(value)


def _read_mode(text: str) -> Mode:
    if text in MODES:
        return text
    raise ValueError(f"{text!r} is no value for it; {suggest_name(text, MODES)}")
