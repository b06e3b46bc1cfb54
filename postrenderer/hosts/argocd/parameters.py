"""The parameters of an application: what it may ask for, and how each is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from postrenderer.hosts.argocd.request import check_api_version, check_name, check_version
from postrenderer.model import Refused
from postrenderer.settings import BY_NAME, Setting, check_unlocked, parse_flag, suggest_name

if TYPE_CHECKING:
    from postrenderer.hosts.argocd.given import Given, Shape

TOOLS = ("helm", "kustomize", "directory")


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
    if text.strip() in ("", "null"):
        return Parameters()
    from postrenderer.hosts.argocd.given import read_given

    values: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    for given in read_given(text):
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
            return tuple(entry for pair in given.map.items() if pair[1] for entry in setting.parse("=".join(pair)))
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
    from postrenderer.hosts.argocd.given import describe

    assert given.shape is not None
    return describe(getattr(given, given.shape))
