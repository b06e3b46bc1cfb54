"""Which entry speaks of an image, and what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from postrenderer.images.reference import ImageReference, normalize_reference, parse_reference
from postrenderer.lock.entry import LockEntry, LockFile
from postrenderer.model import Identity
from postrenderer.outcome import escape

if TYPE_CHECKING:
    from postrenderer.model import Image


def look_up_lock(lock: LockFile, image: Image) -> Identity | None:
    """Whom `image` runs as by the lock file; None where the file does not speak of it.

    An entry fits its exact reference, or its digest where the image pins one. An image of kagent's whose version nobody
    stated fits none. Where platforms disagree, `uid` is None, and `reason` says so.
    """
    entry = find_entry(lock, image)
    return None if entry is None else make_identity(entry, lock.source)


def find_entry(lock: LockFile, image: Image) -> LockEntry | None:
    """The entry that speaks of an image."""
    if image.version is not None:
        return None
    reference = parse_reference(image.reference)
    if reference.digest is not None:
        return lock.by_digest.get(reference.digest)
    entries = lock.by_reference.get(format_reference(reference), [])
    floating = [entry for entry in entries if not entry.pinned]
    if floating:
        return floating[0]
    # Of several digests that others pin, nobody knows which one the tag means: they have to say the same.
    return entries[0] if len({_get_answer(entry) for entry in entries}) == 1 else None


def make_identity(entry: LockEntry, source: str) -> Identity:
    """An entry's answer."""
    if entry.uid is None:
        return Identity(None, reason=f"its platforms do not agree, says {source}: {entry.disagreement}")
    # An image's own text, which is shown on terminals.
    user = f"USER {escape(entry.text)}" if entry.text else "no USER"
    return Identity(entry.uid, entry.gid, entry.named, source=f"{source}: {user}")


def format_reference(reference: ImageReference) -> str:
    """A reference as entries have it: normalised, with the tag that is meant where none is written, and no digest."""
    normal = normalize_reference(reference)
    tag = normal.tag or (None if normal.digest else "latest")
    return f"{normal.registry}/{normal.repository}{f':{tag}' if tag else ''}"


def explain_absence(lock: LockFile, image: Image) -> str:
    """What to add to the reason why an image is unknown: that the file does not speak of it, and how it would."""
    if image.version is not None:
        return ""  # `images lock` passes over it, too
    reference = parse_reference(image.reference)
    if reference.digest is not None and format_reference(reference) in lock.by_reference:
        return f", and {lock.source} has it with another digest: bring the file up to date with `images lock`"
    return f", and {lock.source} has no entry for it: bring the file up to date with `images lock`"


def _get_answer(entry: LockEntry) -> tuple[int | None, int | None, bool]:
    return entry.uid, entry.gid, entry.named
