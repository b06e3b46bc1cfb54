"""What a lock file holds, as values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

VERSION = 1
"""The version of the file's format. A reader refuses another."""


@dataclass(frozen=True, slots=True)
class LockEntry:
    """Whom one image runs as, and when and from where that was learned.

    `reference` is normalised and has no digest; it has no tag only where the manifests pin a digest alone. `uid` is
    None where platforms disagree (`disagreement` says how), `gid` also where it is not known. `text` is the image's
    `USER`. `pinned`: the manifests name `digest`, so that it is not a tag's that can move.
    """

    reference: str
    digest: str
    uid: int | None
    gid: int | None
    named: bool
    text: str
    registry: str
    date: str
    pinned: bool = False
    disagreement: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """What there is one entry for: a reference, or a reference pinned to a digest."""
        return self.reference, self.digest if self.pinned else ""

    def says_the_same(self, other: LockEntry) -> bool:
        """Whether both differ at most in when and from where they were learned."""
        return self == replace(other, registry=self.registry, date=self.date)


@dataclass(frozen=True)
class LockFile:
    """The entries of a lock file in order. `source` is its name in messages."""

    source: str
    entries: tuple[LockEntry, ...] = ()

    @cached_property
    def by_reference(self) -> dict[str, list[LockEntry]]:
        found: dict[str, list[LockEntry]] = {}
        for entry in self.entries:
            found.setdefault(entry.reference, []).append(entry)
        return found

    @cached_property
    def by_digest(self) -> dict[str, LockEntry]:
        return {entry.digest: entry for entry in self.entries}
