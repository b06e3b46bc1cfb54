"""Settings in documents: the configuration file, a RuntimeIdentity, a ConfigMap. Errors name the place and the key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictInt, StrictStr, ValidationError

from postrenderer.images import parse_image_uid
from postrenderer.model import UID_MAX, Refused
from postrenderer.settings import BY_NAME, check_unlocked, parse_kagent_version, suggest_name
from postrenderer.yaml import Node, YamlError, load_tree

Place = Callable[[int], str]
Config = TypeVar("Config", bound="Rule")
Uid = Annotated[StrictInt, Field(ge=1, le=UID_MAX)]


def _check_version(value: Any) -> Any:
    # A version such as `0.10` is a number to YAML, and `0.1` once it is read: only quotes keep what was meant.
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        raise ValueError('write the version in quotes, such as "0.10": without them 0.10 is the number 0.1')
    return parse_kagent_version(value) if isinstance(value, str) else value


def _check_images(value: Any) -> Any:
    if isinstance(value, dict):
        for image in value:
            parse_image_uid(f"{image}=1")
    return value


class Rule(BaseModel):
    """What the rule should be. Each key is the option of the same name."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=lambda name: name.replace("_", "-"),
    )

    image_uid: Annotated[dict[StrictStr, Uid], BeforeValidator(_check_images)] | None = Field(
        None, description=BY_NAME["image-uid"].help
    )
    default_uid: Uid | None = Field(None, description=BY_NAME["default-uid"].help)
    unknown_image: Literal["skip", "nonroot", "fail"] | None = Field(None, description=BY_NAME["unknown-image"].help)
    override: Literal["fields", "objects"] | None = Field(None, description=BY_NAME["override"].help)
    levels: Literal["both", "container"] | None = Field(None, description=BY_NAME["levels"].help)
    kagent_version: Annotated[StrictStr, BeforeValidator(_check_version)] | None = Field(
        None, description=BY_NAME["kagent-version"].help
    )
    scc: Literal["none", "restricted-v2", "restricted-v3", "nonroot-v2"] | None = Field(
        None, description=BY_NAME["scc"].help
    )
    only_kind: list[StrictStr] | None = Field(None, description=BY_NAME["only-kind"].help)
    skip_kind: list[StrictStr] | None = Field(None, description=BY_NAME["skip-kind"].help)
    strict: StrictBool | None = Field(None, description=BY_NAME["strict"].help)
    honor_skip: StrictBool | None = Field(None, description=BY_NAME["honor-skip"].help)
    max_input: Annotated[StrictInt, Field(ge=1)] | None = Field(None, description=BY_NAME["max-input"].help)

    def to_values(self) -> dict[str, Any]:
        """The settings that are given, by field."""
        names = (setting.field for setting in BY_NAME.values())
        values = {name: value for name in names if (value := getattr(self, name, None)) is not None}
        if self.image_uid is not None:
            values["image_uid"] = tuple(self.image_uid.items())
        return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


class ConfigFile(Rule):
    """Settings of sandbox-postrenderer. Each key is the option of the same name."""

    model_config = ConfigDict(title="sandbox-postrenderer configuration")

    allow_empty: StrictBool | None = Field(None, description=BY_NAME["allow-empty"].help)


class RuntimeIdentitySpec(Rule):
    """What the rule should be, and what to do. Each key but `mode` is the option of the same name."""

    mode: Literal["render", "validate"] | None = Field(
        None,
        description="render adds what is missing (the default); validate adds nothing, and fails where something is.",
    )


class RuntimeIdentity(BaseModel):
    """Configures sandbox-postrenderer in a kustomization, or as a KRM function."""

    model_config = ConfigDict(extra="forbid", title="RuntimeIdentity")

    apiVersion: Literal["sandbox-postrenderer.io/v1"]  # noqa: N815  # Kubernetes' own spelling
    kind: Literal["RuntimeIdentity"]
    metadata: dict[str, Any]
    spec: RuntimeIdentitySpec | None = None
    argsOneLiner: str | None = Field(None, description="Options as on a command line, for kustomize's exec plugin.")  # noqa: N815
    argsFromFile: str | None = Field(None, description="A file of such options, one a line.")  # noqa: N815


def read_config(text: str, source: str, locked: tuple[str, ...] = ()) -> dict[str, Any]:
    """Read a configuration file's text into settings by field.

    Raises `Refused` for a file that is not valid, and for a setting that an operator has locked.
    """
    try:
        tree = load_tree(text)
    except YamlError as error:
        message = error.message
        if message.startswith("what looks like one document is several"):
            message = "a configuration file is one document: take the others out"
        raise Refused(f"{source}, line {error.line}: {message}") from None
    if tree is None or tree.is_null(0):
        return {}
    return read_mapping(tree.root, ConfigFile, lambda line: f"{source}, line {line}", locked).to_values()


def read_mapping(root: Node, model: type[Config], place: Place, locked: tuple[str, ...] = ()) -> Config:
    """Read a mapping of settings. Raises `Refused` for what the model does not accept, and for what is locked.

    `place` says where a line is, for messages; a stream that a host has made has no line worth telling.
    """
    try:
        if not root.is_mapping:
            raise YamlError("must be a mapping of settings, such as `default-uid: 1001`", root.line)
        lines = _check_keys(root, model, locked)
        return model.model_validate({key: _to_plain(value, key) for key, value in root.items()})
    except YamlError as error:
        raise Refused(f"{place(error.line)}: {error.message}") from None
    except ValidationError as error:
        raise Refused(_explain(error, place, root, lines)) from None


def _check_keys(root: Node, model: type[Rule], locked: tuple[str, ...]) -> dict[str, int]:
    """The line of each key. Raises `YamlError` for a key that is no setting, or locked."""
    names = [field.alias or name for name, field in model.model_fields.items()]
    lines: dict[str, int] = {}
    for key in root.tree.keys(root.index):
        pair = root.tree.own_pair(root.index, key)
        lines[key] = root.tree.line(pair.key) if pair else root.line
        if key not in names:
            raise YamlError(f"{key or repr(key)} is no setting; {suggest_name(key, names)}", lines[key])
        try:
            check_unlocked(key, locked)
        except ValueError as error:
            raise YamlError(str(error), lines[key]) from None
    return lines


def _to_plain(node: Node, key: str, *, nested: bool = False) -> Any:
    if node.is_scalar:
        return node.value
    if nested:  # nothing is nested deeper; and so a bomb of aliases is never written out
        raise YamlError(f"{key}: must hold single values, but is nested deeper", node.line)
    if node.is_mapping:
        return {name: _to_plain(value, key, nested=True) for name, value in node.items()}
    return [_to_plain(entry, key, nested=True) for entry in node.entries()]


_WANTED = {
    "bool_type": "write true or false, without quotes",
    "int_type": "write a number, without quotes",
    "string_type": "write a string, in quotes where it looks like a number",
    "list_type": "write a list, such as [Sandbox]",
    "dict_type": "write a mapping of images to UIDs, such as {{team/app: 1001}}",
    "greater_than_equal": "write a number from {ge} on",
    "less_than_equal": "write a number up to {le}",
    "literal_error": "write {expected}",
}


def _explain(error: ValidationError, place: Place, root: Node, lines: Mapping[str, int]) -> str:
    """Say in one line for each mistake where it is and what to write instead."""
    return "\n".join(_explain_one(details, place, root, lines) for details in error.errors(include_url=False))


def _explain_one(details: Any, place: Place, root: Node, lines: Mapping[str, int]) -> str:
    key, *rest = [str(part) for part in details["loc"] if part != "[key]"]
    value = root.get(key)
    line = lines.get(key, 1)
    if rest and value is not None and value.is_mapping:
        pair = root.tree.own_pair(value.index, rest[0])
        line = root.tree.line(pair.key) if pair else line
        key = f"{key}, {rest[0]}"
    wanted = _WANTED.get(details["type"])
    if wanted is None:
        message = details["msg"].removeprefix("Value error, ").removeprefix("image-uid: ")
        return f"{place(line)}: {key}: {message}"
    return f"{place(line)}: {key}: {wanted.format(**details.get('ctx', {}))} (not {details['input']!r})"
