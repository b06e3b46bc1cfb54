"""The settings, once: name, values, help, and how each is read. Options, variables and documents follow from it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from postrenderer.images import check_user_table, parse_image_uid, parse_version
from postrenderer.model import UID_MAX, Refused, Settings

ENVIRONMENT_PREFIX = "SANDBOX_POSTRENDERER_"
_NUMBER = re.compile("[1-9][0-9]{0,17}", re.ASCII)


class Setting(NamedTuple):
    """A setting: its kebab-case name, the placeholder for its value, its help, and how text becomes its value.

    `parse` raises `ValueError` with what is accepted. `choices` is empty where it is no choice.
    """

    name: str
    metavar: str
    help: str
    parse: Callable[[str], Any]
    choices: tuple[str, ...] = ()
    is_flag: bool = False
    is_list: bool = False

    @property
    def field(self) -> str:
        return self.name.replace("-", "_")

    @property
    def variable(self) -> str:
        return ENVIRONMENT_PREFIX + self.field.upper()


def parse_uid(text: str) -> int:
    """Read a UID from 1 to 2147483647."""
    if not _NUMBER.fullmatch(text) or int(text) > UID_MAX:
        raise ValueError(f"{text!r} is no UID: write a number from 1 to {UID_MAX}")
    return int(text)


def parse_flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(f"{text!r} is neither `true` nor `false`: write one of them")
    return text == "true"


def parse_bytes(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{text!r} is no number of bytes: write one such as {256 * 1024 * 1024}")
    return int(text)


def parse_kagent_version(text: str) -> str:
    if parse_version(text) is None:
        raise ValueError(f"{text!r} is no version of kagent: write 0.9, 0.9.4 or 0.10.0-beta2")
    return text


def parse_kinds(text: str) -> tuple[str, ...]:
    return tuple(name for part in text.split(",") if (name := part.strip()))


def parse_image_uids(text: str) -> tuple[tuple[str, int], ...]:
    """Read entries `IMAGE=UID`, one a line or separated by commas."""
    lines = text.replace(",", "\n").splitlines()
    return tuple(parse_image_uid(line) for line in lines if line.strip())


def _choice(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(f"{text!r} is no value for it; {suggest_name(text, choices)}")
        return text

    return parse


def _make_choice(name: str, help: str, *choices: str) -> Setting:
    return Setting(name, "|".join(choices), help, _choice(*choices), choices)


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "image-uid",
        "IMAGE=UID",
        "The UID that an image runs as; repeatable. Every part that IMAGE gives (registry, repository, tag, digest) "
        "must match.",
        parse_image_uids,
        is_list=True,
    ),
    Setting("default-uid", "UID", "The UID for images that nobody knows. It can change who runs.", parse_uid),
    _make_choice(
        "unknown-image",
        "Containers whose image nobody knows: leave them alone, state runAsNonRoot only, or fail.",
        "skip",
        "nonroot",
        "fail",
    ),
    _make_choice(
        "override",
        "What a security context that is there already keeps out: its own fields, or everything.",
        "fields",
        "objects",
    ),
    _make_choice(
        "levels", "Where identities are stated: at pod and container level, or container only.", "both", "container"
    ),
    Setting(
        "kagent-version",
        "VERSION",
        "The version of kagent in the cluster; it decides a SandboxAgent's image (0.9 is assumed).",
        parse_kagent_version,
    ),
    _make_choice(
        "scc",
        "The OpenShift security context constraint that admits the pods.",
        "none",
        "restricted-v2",
        "restricted-v3",
        "nonroot-v2",
    ),
    Setting(
        "only-kind", "KIND", "Only resources of this kind (Kind or Kind.group); repeatable.", parse_kinds, is_list=True
    ),
    Setting(
        "skip-kind", "KIND", "No resources of this kind; repeatable, wins over --only-kind.", parse_kinds, is_list=True
    ),
    Setting(
        "strict",
        "true|false",
        "Fail (exit 1) unless every container ends with an identity.",
        parse_flag,
        is_flag=True,
    ),
    Setting(
        "honor-skip",
        "true|false",
        "Honour the annotation sandbox-postrenderer.io/skip.",
        parse_flag,
        is_flag=True,
    ),
    Setting("max-input", "BYTES", "The largest stream that is accepted.", parse_bytes),
    Setting(
        "allow-empty",
        "true|false",
        "Argo CD only: take an empty result for what it is. It deletes everything, where pruning is on.",
        parse_flag,
        is_flag=True,
    ),
)

BY_NAME: Mapping[str, Setting] = {setting.name: setting for setting in SETTINGS}
EVERYWHERE = tuple(name for name in BY_NAME if name != "allow-empty")
"""The settings that have an option in every command that renders."""
DEFAULTS = Settings()


def suggest_name(name: str, names: Iterable[str]) -> str:
    """The end of a message about an unknown name: the nearest right one, or all."""
    import difflib

    names = list(names)
    near = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"


def check_unlocked(name: str, locked: tuple[str, ...]) -> None:
    """Raise `ValueError` for a setting that only the operator gives."""
    if name in locked:
        raise ValueError(f"{name} is locked by the operator (--locked): take it out")


def merge_settings(lower: Settings, values: Mapping[str, Any], where: str) -> Settings:
    """Put a level's values (by field) above what lower levels say. `image_uid` is added to, all else is replaced.

    Raises `Refused` where one level gives one image two UIDs.
    """
    values = dict(values)
    if "image_uid" in values:
        own = tuple(values["image_uid"])
        try:
            check_user_table(own)
        except ValueError as error:
            raise Refused(f"{where}: {error}") from None
        values["image_uid"] = (*lower.image_uid, *own)
    return replace(lower, **values)


def read_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """Read the settings' variables; others with the prefix are ignored, since Kubernetes injects some of its own.

    (A Service called `sandbox-postrenderer-x` makes `SANDBOX_POSTRENDERER_X_SERVICE_HOST`.) Raises `Refused`.
    """
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        text = environment.get(setting.variable)
        if text is None:
            continue
        try:
            values[setting.field] = setting.parse(text)
        except ValueError as error:
            raise Refused(f"environment variable {setting.variable}: {error}") from None
    return values
