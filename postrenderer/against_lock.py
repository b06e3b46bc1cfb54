"""Two lock files compared by what they mean: which containers would run as another user than before.

The rule is run under each of them. So a container whose UID a person wrote is never listed, nor one whose image the
user's own table knows, nor any on Windows or under restricted-v2, where the image's user does not count; and two
entries that differ in a digest alone say the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from postrenderer.claims import Claim, find_claims
from postrenderer.identity import Outcome, decide, extend_decision
from postrenderer.images.reference import ImageReference, normalize_reference, parse_reference
from postrenderer.images.resolve import resolve_identity
from postrenderer.lock import LockEntry, LockFile
from postrenderer.lock.lookup import find_entry
from postrenderer.model import Addition, Container, Identity, Image, Settings, Workload


@dataclass(frozen=True, slots=True)
class UserChange:
    """A container that runs as another user under the new lock file, or of which that is known no longer, or only now.

    `before` and `after` are UIDs, None where nobody knows. `replaced` is the reference whose entry in the old lock file
    this image has replaced; empty where it has an entry of its own. `reason` says why `after` is None or 0, or who says
    so.
    """

    workload: Workload
    container: Container
    before: int | None
    after: int | None
    reason: str
    replaced: str = ""
    claims: tuple[Claim, ...] = ()


def compare_workload(
    workload: Workload, locks: Locks, settings: Settings, further: Sequence[Addition] = ()
) -> Iterator[UserChange]:
    """Yield the containers of a workload that would run as another user, in order. `further` are plugins' additions."""
    before, after = (
        extend_decision(workload, decide(workload, identify, settings), further, settings).outcomes
        for identify in (locks.identify_before, locks.identify_after)
    )
    for one, other in zip(before, after, strict=True):
        old_uid, new_uid = _find_uid(one), _find_uid(other)
        if old_uid == new_uid or one.standing.user is not None or not one.effective.uid_applies:
            continue
        replaced = locks.find_replaced(other.container.image)
        yield UserChange(
            workload,
            other.container,
            old_uid,
            new_uid,
            other.identity.reason if new_uid is None else other.identity.source,
            replaced.reference if replaced else "",
            tuple(find_claims(workload, other.container)),
        )


def _find_uid(outcome: Outcome) -> int | None:
    """Whom a container runs as: whom its context names, else whom its image does."""
    uid = outcome.effective.uid
    return uid if uid is not None else outcome.identity.uid


class Locks:
    """Asks for images under the old lock file and under the new one, once for each image."""

    def __init__(
        self,
        old: LockFile,
        new: LockFile,
        settings: Settings,
        ask_plugins: Callable[[ImageReference], Identity | None],
    ) -> None:
        self._old, self._new = old, new
        self._settings = settings
        self._ask_plugins = ask_plugins
        self._before: dict[Image | None, Identity] = {}
        self._after: dict[Image | None, Identity] = {}

    def identify_before(self, image: Image | None) -> Identity:
        if image not in self._before:
            asked = self.find_replaced(image) or image
            self._before[image] = resolve_identity(asked, self._settings, self._ask_plugins, self._old)
        return self._before[image]

    def identify_after(self, image: Image | None) -> Identity:
        if image not in self._after:
            self._after[image] = resolve_identity(image, self._settings, self._ask_plugins, self._new)
        return self._after[image]

    def find_replaced(self, image: Image | None) -> Image | None:
        """The image whose place this one has taken, where the old file does not speak of it: `app:1.2` of `app:1.3`.

        It has the same repository, and an entry in the old file that is gone from the new one. Of several that do not
        say the same, it could be any.
        """
        if image is None or image.version is not None or find_entry(self._old, image) is not None:
            return None
        name = _get_name(image.reference)
        kept = {entry.key for entry in self._new.entries}
        gone = [entry for entry in self._old.entries if _get_name(entry.reference) == name and entry.key not in kept]
        if len({entry.uid for entry in gone}) != 1:
            return None
        return Image(_get_reference(gone[0]))


def _get_name(reference: str) -> tuple[str | None, str]:
    """An image's registry and repository."""
    normal = normalize_reference(parse_reference(reference))
    return normal.registry, normal.repository


def _get_reference(entry: LockEntry) -> str:
    return f"{entry.reference}@{entry.digest}" if entry.pinned else entry.reference
