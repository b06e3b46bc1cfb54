"""The user's own table: the setting `image-uid`, entries `IMAGE=UID`.

The image of an entry is a key: each of its parts that is given (registry, repository as path suffix, tag, digest) must
match. Of several entries that match, a digest beats a tag, a tag a registry, and a registry the longer path.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from postrenderer.images.reference import (
    ImageReference,
    has_path_suffix,
    normalize_reference,
    parse_reference,
)
from postrenderer.model import UID_MAX, Identity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from postrenderer.model import Image

_UID = re.compile("[1-9][0-9]{0,9}")
_KEY = re.compile(r"[^\s/:@=]+(:[0-9]+(?=/))?(/[^\s/:@=]+)*(:[^\s/:@=]+)?(@[^\s/@=]+:[^\s/:@=]+)?")
"""What can be a key, generously: a misspelt one matches nothing, but `app:` or `app 1` is surely a slip."""


def parse_image_uid(text: str) -> tuple[str, int]:
    """Read an entry `IMAGE=UID`; a `ValueError` says what is wrong and what is expected."""
    # The last `=`: the UID has none, whatever stands in front of it.
    image, equals, uid = text.rpartition("=")
    image, uid = image.strip(), uid.strip()
    if not equals or not image:
        raise ValueError(f"image-uid: {text!r} is not IMAGE=UID, such as registry.example.com/team/app=1001")
    if _KEY.fullmatch(image) is None:
        raise ValueError(
            f"image-uid: {image!r} is no image: write [REGISTRY/]REPOSITORY[:TAG][@DIGEST], such as team/app:1.2"
        )
    if _UID.fullmatch(uid) is None or int(uid) > UID_MAX:
        raise ValueError(f"image-uid: {uid!r} (for {image}) is no UID: write a number from 1 to {UID_MAX}")
    return image, int(uid)


def check_user_table(entries: Iterable[tuple[str, int]]) -> None:
    """Refuse (`ValueError`) one key with two UIDs, however it is spelt: entries of one level have no order."""
    seen: dict[tuple[str | None, ...], tuple[str, int]] = {}
    for text, uid in entries:
        other, first = seen.setdefault(_parts(_parse_key(text)), (text, uid))
        if first != uid:
            spelling = "" if other == text else f" (as {other!r} and {text!r})"
            raise ValueError(f"image-uid: {text!r} has two UIDs{spelling}, {first} and {uid}: keep one of them")


def look_up_user_table(entries: Iterable[tuple[str, int]], image: Image) -> Identity | None:
    """The answer of the entry that fits `image` best, or None where none fits.

    Of the same key given twice the later one counts, so that a higher level's entries are appended to a lower level's.
    """
    reference = parse_reference(image.reference)
    normal = normalize_reference(reference)
    tag = reference.tag or _assume_tag(image, reference)
    best: tuple[tuple[bool, bool, bool, int], str, int] | None = None
    for text, uid in entries:
        key = _parse_key(text)
        if _matches(key, normal, tag):
            rank = _rank(key)
            if best is None or rank >= best[0]:
                best = rank, text, uid
    return None if best is None else Identity(best[2], source=f"image-uid {best[1]}={best[2]}")


def _assume_tag(image: Image, reference: ImageReference) -> str | None:
    """The tag of a reference without one: Kubernetes pulls `latest`, unless a digest is given.

    A reference that kagent derives gets a tag only later, from a version that nobody stated here.
    """
    return None if reference.digest or image.version else "latest"


@lru_cache(maxsize=1024)
def _parse_key(text: str) -> ImageReference:
    """A key in its parts, written out only with a registry: `redis` is any redis, `docker.io/redis` the Hub's own."""
    key = parse_reference(text)
    return key if key.registry is None else normalize_reference(key)


def _parts(key: ImageReference) -> tuple[str | None, ...]:
    return key.registry, key.repository, key.tag, key.digest


def _matches(key: ImageReference, image: ImageReference, tag: str | None) -> bool:
    return (
        key.registry in (None, image.registry)
        and has_path_suffix(image.repository, key.repository)
        and key.tag in (None, tag)
        and key.digest in (None, image.digest)
    )


def _rank(key: ImageReference) -> tuple[bool, bool, bool, int]:
    return key.digest is not None, key.tag is not None, key.registry is not None, key.repository.count("/")
