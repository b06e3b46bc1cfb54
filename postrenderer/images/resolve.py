"""Asking the sources of image identities one after the other."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from postrenderer.images.lookup import look_up_table
from postrenderer.images.overrides import look_up_user_table
from postrenderer.images.reference import ImageReference, parse_reference
from postrenderer.model import Identity, Image

if TYPE_CHECKING:
    from collections.abc import Callable

    from postrenderer.lock import LockFile
    from postrenderer.model import Settings


def resolve_identity(
    image: Image | None,
    settings: Settings,
    ask_plugins: Callable[[ImageReference], Identity | None],
    lock: LockFile | None = None,
) -> Identity:
    """Whom `image` runs as: the user's table, the lock file, plugins, the built-in table, `default-uid`.

    The first that answers is believed; where none does, it is unknown, with a reason. Root (UID 0) is an answer as
    well: `default-uid` is for images that nobody knows, and must not make one run as another user than it does. `image`
    is None where a container names none.
    """
    known = _ask_sources(image, settings, ask_plugins, lock)
    if known.uid is None and settings.default_uid is not None:
        # The rest stays: that an image is newer than the table is worth a report all the same.
        return replace(known, uid=settings.default_uid, source=f"default-uid {settings.default_uid}")
    return known


def _ask_sources(
    image: Image | None,
    settings: Settings,
    ask_plugins: Callable[[ImageReference], Identity | None],
    lock: LockFile | None,
) -> Identity:
    if image is None or not image.reference:
        return Identity(None, reason="it names no image")
    stated = look_up_user_table(settings.image_uid, image)
    if stated is not None:
        return stated
    if lock is not None:
        from postrenderer.lock import look_up_lock  # only a run with a lock file needs it

        locked = look_up_lock(lock, image)
        if locked is not None:  # also where platforms disagree: whoever names one user knows less
            return locked
    answer = ask_plugins(parse_reference(image.reference))
    if answer is not None and answer.uid is not None:
        return answer
    known = look_up_table(image, settings.kagent_version)
    if lock is None or known.uid is not None:
        return known
    from postrenderer.lock.lookup import explain_absence

    return replace(known, reason=known.reason + explain_absence(lock, image))
