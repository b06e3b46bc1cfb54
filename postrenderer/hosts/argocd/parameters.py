"""The parameters of an application: what it may ask for, and how each is read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, StrictStr, ValidationError

from postrenderer.hosts.argocd.request import check_api_version, check_name, check_version
from postrenderer.model import Refused
from postrenderer.settings import BY_NAME, Setting, check_unlocked, parse_flag, suggest_name

Shape = Literal["string", "array", "map"]
TOOLS = ("helm", "kustomize", "directory")
MAX_ITEM = 64 * 1024


class Given(BaseModel):
    """A parameter as Argo CD hands it over: `ApplicationSourcePluginParameter` of its API."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: StrictStr
    string: StrictStr | None = None
    array: list[StrictStr] | None = None
    map: dict[StrictStr, StrictStr] | None = None

    @property
    def shape(self) -> Shape | None:
        """Which of the three it is; None where it says nothing."""
        shapes: tuple[Shape, ...] = ("string", "array", "map")
        return next((shape for shape in shapes if getattr(self, shape) is not None), None)


@dataclass(frozen=True, slots=True)
class Known:
    """A parameter that an application may give: which tool it is for, its shape, what it is, and how it is read."""

    name: str
    tool: str
    shape: Shape
    title: str
    help: str
    read: Callable[[str], Any] = str


def _read_tool(text: str) -> str:
    if text not in TOOLS:
        raise ValueError(f"takes one of {', '.join(TOOLS)}")
    return text


def _read_flag(text: str) -> bool:
    try:
        return parse_flag(text)
    except ValueError:
        raise ValueError("takes true or false") from None


KNOWN: tuple[Known, ...] = (
    Known(
        "tool",
        "",
        "string",
        "Tool",
        "helm, kustomize or directory; found out by itself where it is left out.",
        _read_tool,
    ),
    Known(
        "values-files",
        "helm",
        "array",
        "Values files",
        "Files with values, from the chart's directory or, after a /, the repository's.",
    ),
    Known("values", "helm", "string", "Values", "Values as YAML. They stand above the files."),
    Known(
        "helm-parameters",
        "helm",
        "map",
        "Parameters",
        "Values by name, as --set takes them. They stand above all other values.",
    ),
    Known(
        "helm-string-parameters",
        "helm",
        "map",
        "String parameters",
        "Values by name that stay strings, as --set-string takes them.",
    ),
    Known(
        "helm-file-parameters",
        "helm",
        "map",
        "File parameters",
        "Files by name whose content is the value, as --set-file takes them.",
    ),
    Known(
        "release-name",
        "helm",
        "string",
        "Release name",
        "The release's name; the application's where it is left out.",
        check_name,
    ),
    Known("skip-crds", "helm", "string", "Skip CRDs", "Leave the chart's crds/ out.", _read_flag),
    Known("skip-tests", "helm", "string", "Skip tests", "Leave the chart's tests out.", _read_flag),
    Known(
        "skip-schema-validation",
        "helm",
        "string",
        "Skip the schema",
        "Do not hold the values against the chart's schema.",
        _read_flag,
    ),
    Known(
        "kube-version",
        "helm",
        "string",
        "Kubernetes version",
        "The version that the chart is rendered for; the cluster's where it is left out.",
        check_version,
    ),
    Known(
        "api-versions",
        "helm",
        "array",
        "API versions",
        "The API versions that the chart is rendered for; the cluster's where they are left out.",
        check_api_version,
    ),
    Known("recurse", "directory", "string", "Recurse", "Take the directories below as well.", _read_flag),
    Known("include", "directory", "string", "Include", "A pattern; only the files that it matches are taken."),
    Known("exclude", "directory", "string", "Exclude", "A pattern; the files that it matches are left out."),
)
BY_KNOWN_NAME: Mapping[str, Known] = {known.name: known for known in KNOWN}


@dataclass(frozen=True, slots=True)
class Parameters:
    """What an application asks for. `settings` are those of the rule, by field."""

    tool: str | None = None
    values_files: tuple[str, ...] = ()
    values: str | None = None
    helm_parameters: Mapping[str, str] = field(default_factory=dict)
    helm_string_parameters: Mapping[str, str] = field(default_factory=dict)
    helm_file_parameters: Mapping[str, str] = field(default_factory=dict)
    release_name: str | None = None
    skip_crds: bool = False
    skip_tests: bool = False
    skip_schema_validation: bool = False
    kube_version: str | None = None
    api_versions: tuple[str, ...] = ()
    recurse: bool = False
    include: str = ""
    exclude: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)


def read_parameters(text: str, locked: tuple[str, ...] = ()) -> Parameters:
    """Read `ARGOCD_APP_PARAMETERS`, which can also be empty, or `null`.

    Raises `Refused`, in one line that names the parameter, what it got and what it takes.
    """
    values: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    for given in _read_given(text):
        known, setting = BY_KNOWN_NAME.get(given.name), BY_NAME.get(given.name)
        name = (known or setting or given).name.replace("-", "_")
        if name in values or name in settings:
            raise Refused(f"parameter {given.name}: is given twice: keep one")
        if given.shape is None:
            continue
        if known is not None:
            values[name] = _read_known(given, known)
        elif setting is not None:
            settings[name] = _read_setting(given, setting, locked)
        else:
            raise Refused(
                f"parameter {given.name!r} is none of this plugin; "
                f"{suggest_name(given.name, [*BY_KNOWN_NAME, *BY_NAME])}"
            )
    return Parameters(**values, settings=settings)


def _read_given(text: str) -> list[Given]:
    if not text.strip():
        return []
    where = "ARGOCD_APP_PARAMETERS"
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        raise Refused(f"{where}: is no JSON: Argo CD writes a list of parameters there") from None
    if read is None:
        return []
    if not isinstance(read, list):
        raise Refused(f"{where}: takes a list of parameters, and got {_describe(read)}")
    found = []
    for each in read:
        name = each.get("name") if isinstance(each, dict) else None
        try:
            found.append(Given.model_validate(each))
        except ValidationError as error:
            details = error.errors(include_url=False)[0]
            part = ".".join(map(str, details["loc"])) or "it"
            raise Refused(
                f"parameter {name!r}: {part} got {_describe(details['input'])}; a parameter has a name and one of "
                "string, array (of strings) and map (of strings)"
            ) from None
        if sum(value is not None for value in (found[-1].string, found[-1].array, found[-1].map)) > 1:
            raise Refused(f"parameter {name!r}: has more than one of string, array and map: keep one")
        _check_text(found[-1])
    return found


def _check_text(given: Given) -> None:
    """Refuse what no process takes as an argument, and what would make a message of many lines."""
    texts = [given.name, given.string or "", *(given.array or ()), *(given.map or ()), *(given.map or {}).values()]
    for text in texts:
        if "\0" in text or any(0xD800 <= ord(char) <= 0xDFFF for char in text):
            raise Refused(f"parameter {given.name!r}: holds a character that no text has")
    for key in (*(given.map or ()), *(given.array or ())):
        if not key.isprintable() or len(key) > MAX_ITEM:
            raise Refused(
                f"parameter {given.name!r}: {key[:80]!r} has characters that cannot be printed, or is too long"
            )


def _read_known(given: Given, known: Known) -> Any:
    if given.shape != known.shape:
        raise Refused(f"parameter {known.name}: got {_describe_given(given)}; it takes {_SHAPES[known.shape]}")
    try:
        if given.string is not None:
            return known.read(given.string)
        if given.array is not None:
            return tuple(known.read(entry) for entry in given.array)
        return dict(given.map or {})
    except ValueError as error:
        raise Refused(f"parameter {known.name}: got {_describe_given(given)}; it {error}") from None


def _read_setting(given: Given, setting: Setting, locked: tuple[str, ...]) -> Any:
    try:
        check_unlocked(setting.name, locked)
        if given.map is not None and setting.name == "image-uid":
            return tuple(entry for pair in given.map.items() for entry in setting.parse("=".join(pair)))
        if given.array is not None and setting.is_list:
            return tuple(entry for text in given.array for entry in setting.parse(text))
        if given.string is None:
            shapes = "a string, an array or a map" if setting.name == "image-uid" else "a string or an array"
            raise Refused(
                f"parameter {setting.name}: got {_describe_given(given)}; it takes "
                f"{shapes if setting.is_list else 'a string'}"
            )
        return setting.parse(given.string)
    except ValueError as error:
        raise Refused(f"parameter {setting.name}: {str(error).removeprefix(f'{setting.name}: ')}") from None


_SHAPES = {"string": "a string", "array": "an array of strings", "map": "a map of strings"}


def _describe_given(given: Given) -> str:
    assert given.shape is not None
    return _describe(getattr(given, given.shape))


def _describe(value: Any) -> str:
    """Say what was given, in a few words."""
    kinds = {dict: "a map", list: "an array", bool: "a boolean", int: "a number", float: "a number"}
    if value is None:
        return "nothing"
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else value[:60] + "...")
    return kinds.get(type(value), "something else")
