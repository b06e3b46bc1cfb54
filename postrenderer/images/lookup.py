"""Looking an image up in the built-in table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from postrenderer.images.reference import (
    ImageReference,
    has_path_suffix,
    normalize_reference,
    parse_reference,
)
from postrenderer.images.table import Row, list_table
from postrenderer.images.version import Version, begins_with_version, parse_version, split_full
from postrenderer.model import Identity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from postrenderer.model import Image


@dataclass(frozen=True, slots=True)
class _Claim:
    """What an image says about its version: `version` is None where it says nothing that helps, and `reason` why.

    `silent`: it names no version at all, so that a stated one does not contradict it. `pinned`: by digest alone.
    """

    version: Version | None
    full: bool = False
    reason: str = ""
    silent: bool = False
    pinned: bool = False
    stated: bool = False


def look_up_table(image: Image, kagent_version: str | None) -> Identity:
    """Whom `image` runs as by the built-in table; where it does not know, `uid` is None and `reason` says why.

    `kagent_version` stands in for the version that an image of kagent does not name itself.
    """
    reference = parse_reference(image.reference)
    repository, rows = _find_rows(reference.repository)
    if not rows:
        return Identity(None, reason="no row of the built-in table names it")
    claim = _read_claim(image, reference)
    if claim.silent and kagent_version is not None and rows[0].project.kagent_version:
        claim = _state_version(claim, kagent_version, rows)
    if claim.version is None:
        return Identity(None, reason=claim.reason)
    for row in rows:
        if row.full == claim.full and row.covers(claim.version):
            return _answer(row, repository, reference, claim)
    return _explain_miss(rows, claim.version, claim.full)


def _find_rows(repository: str) -> tuple[str, list[Row]]:
    """The rows about a repository, and the path by which they know it."""
    for row in list_table():
        for image in row.images:
            if has_path_suffix(repository, image):
                return image, [other for other in list_table() if image in other.images]
    return "", []


def _read_claim(image: Image, reference: ImageReference) -> _Claim:
    if reference.tag is not None:
        return _read_tag(reference.tag)
    if image.version is not None:
        version = parse_version(image.version)
        return _Claim(version, image.full, "" if version else f"`{image.version}` is no version that can be compared")
    if reference.digest is not None:
        return _Claim(None, reason="it is pinned by digest alone", silent=True, pinned=True)
    return _Claim(None, reason="it has no tag, and so names no version", silent=True)


def _read_tag(tag: str) -> _Claim:
    text, full = split_full(tag)
    version = parse_version(text)
    if version is not None:
        return _Claim(version, full)
    if begins_with_version(text):
        # Not silent: with a stated 0.9.4, a tag `0.10.0-ubi` would be taken for what it says that it is not.
        return _Claim(None, full, f"`{tag}` has a suffix that the table does not know")
    return _Claim(None, full, f"its tag `{tag}` names no version", silent=True)


def _state_version(claim: _Claim, kagent_version: str, rows: Sequence[Row]) -> _Claim:
    version = parse_version(kagent_version)
    if version is None:
        return replace(claim, reason=f"{claim.reason}, and kagent-version `{kagent_version}` is no version")
    if claim.pinned and any(row.full and row.covers(version) for row in rows):
        # The digest of `golang-adk:0.9.4` (65532) and that of `golang-adk:0.9.4-full` (1001) look alike.
        return replace(claim, reason=f"{claim.reason}, and version {version} has a `-full` image too")
    return replace(claim, version=version, stated=True)


def _answer(row: Row, repository: str, reference: ImageReference, claim: _Claim) -> Identity:
    version = f"{claim.version}-full" if claim.full else str(claim.version)
    stated = " by kagent-version" if claim.stated else ""
    user = f"USER {row.user}" if row.user else "no USER"
    return Identity(
        uid=row.uid,
        gid=row.gid,
        named=row.named,
        source=f"built-in table: {repository} {version}{stated}, {user}",
        reason=f"its Dockerfile has no USER up to {row.until}" if row.uid == 0 else "",
        by_name_only=not _is_canonical(row, repository, reference),
    )


def _is_canonical(row: Row, repository: str, reference: ImageReference) -> bool:
    """Whether the image comes from where its project publishes it, with nothing else in front of its name."""
    normal = normalize_reference(reference)
    return f"{normal.registry}/{normal.repository}" in [f"{prefix}/{repository}" for prefix in row.project.registries]


def _explain_miss(rows: Sequence[Row], version: Version, full: bool) -> Identity:
    first, last = min(row.since for row in rows), max(row.until for row in rows)
    if version > last:
        reason = f"version {version} is newer than the table, which ends with {last}"
        return Identity(None, reason=reason, newer_than_table=True)
    if version < first:
        return Identity(None, reason=f"version {version} is older than the table, which begins with {first}")
    kind = "a `-full` image of version" if full else "version"
    return Identity(None, reason=f"the table does not know {kind} {version}")
