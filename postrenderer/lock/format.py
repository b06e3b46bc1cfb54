"""Writing a lock file: sorted, two lines an image beside its name, so that a changed user is one changed line more.

`user` is what rendering makes use of, `seen` what proves it. The classes are the format's definition;
`scripts/generate_schemas.py` makes `postrenderer/schemas/lock.json` of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from postrenderer.lock.entry import VERSION, LockEntry
from postrenderer.lock.plan import sort_entries
from postrenderer.yaml.scalars import write_scalar

HEADER = """\
# Whom these images run as, as their registries say. Written by `sandbox-postrenderer images lock`; commit it, review
# its changes like code, and render with --image-lock. To learn what has changed: `images lock --update`.
"""

_PLAIN = re.compile(r"[a-z0-9][a-z0-9.-]*(?::[0-9]+)?/[A-Za-z0-9_./:-]*[A-Za-z0-9_]|sha(?:256|512):[0-9a-f]+")
"""What every reader takes for a string without quotes, though it holds a colon: an image, a digest."""


@dataclass(frozen=True)
class LockedUser:
    """Whom the image runs as: what rendering makes use of."""

    uid: int | None
    """The user's number; 0 is root, null: its platforms do not agree."""
    gid: int | None
    """The group's number; null where it is not known, or its platforms do not agree."""
    named: bool
    """Whether `USER` is a name, which the kubelet cannot tell from root."""
    text: str
    """The image's `USER`; empty where it has none."""
    disagreement: str = ""
    """Which platforms run as whom, where they do not agree."""


@dataclass(frozen=True)
class Seen:
    """When and from where that was learned."""

    digest: str
    """The digest of the manifest or index that the reference led to."""
    registry: str
    """The host that was asked: the registry's, or a mirror's."""
    date: str
    """The day (UTC) on which that digest and this user were first seen."""
    pinned: bool = False
    """Whether the manifests name this digest."""


@dataclass(frozen=True)
class LockedImage:
    """One image."""

    reference: str
    """The image with its registry and its tag, without a digest."""
    user: LockedUser
    seen: Seen


@dataclass(frozen=True)
class LockDocument:
    """Whom images run as, as their registries say. Written by `sandbox-postrenderer images lock`."""

    version: Literal[1]
    """The version of this format."""
    images: list[LockedImage]
    """The images, sorted by reference."""


def format_lock(entries: Iterable[LockEntry]) -> str:
    """The text of a lock file; the same entries give the same text."""
    blocks = "".join(_format_entry(entry) for entry in sort_entries(entries))
    return f"{HEADER}version: {VERSION}\nimages:{chr(10) if blocks else ' []' + chr(10)}{blocks}"


def _format_entry(entry: LockEntry) -> str:
    user: dict[str, bool | int | str | None] = {
        "uid": entry.uid,
        "gid": entry.gid,
        "named": entry.named,
        "text": entry.text,
    }
    if entry.disagreement:
        user["disagreement"] = entry.disagreement
    seen: dict[str, bool | int | str | None] = {"digest": entry.digest}
    if entry.pinned:
        seen["pinned"] = True
    seen |= {"registry": entry.registry, "date": entry.date}
    return (
        f"- reference: {_write(entry.reference)}\n  user: {{{_write_pairs(user)}}}\n  seen: {{{_write_pairs(seen)}}}\n"
    )


def _write_pairs(values: dict[str, bool | int | str | None]) -> str:
    return ", ".join(f"{key}: {_write(value)}" for key, value in values.items())


def _write(value: bool | int | str | None) -> str:
    if value is None:
        return "null"
    if isinstance(value, str) and _PLAIN.fullmatch(value):
        return value
    return write_scalar(value)
