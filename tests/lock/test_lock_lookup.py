"""Which entry speaks of an image: its exact reference, or its digest where the image pins one."""

from __future__ import annotations

import pytest

from postrenderer.lock import LockFile, look_up_lock
from postrenderer.lock.lookup import explain_absence
from postrenderer.model import Identity, Image
from tests.lock.support import DIGEST, OTHER_DIGEST, make_entry

REDIS = "docker.io/library/redis:latest"


def look_up(image: str, *entries: object) -> Identity | None:
    return look_up_lock(LockFile("l", entries), Image(image))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "image",
    [
        "redis",
        "redis:latest",
        "docker.io/redis",
        "index.docker.io/library/redis",
        f"redis@{DIGEST}",
        f"redis:7@{DIGEST}",
    ],
)
def test_it_fits(image: str) -> None:
    found = look_up(image, make_entry(REDIS, gid=7, named=True, text="redis"))
    assert found == Identity(4242, 7, named=True, source="l: USER redis")


@pytest.mark.parametrize(
    "image", ["redis:7", "team/redis", "quay.io/library/redis", f"redis@{OTHER_DIGEST}", f"redis:latest@{OTHER_DIGEST}"]
)
def test_it_does_not_fit(image: str) -> None:
    assert look_up(image, make_entry(REDIS)) is None


def test_a_digest_fits_wherever_the_image_was_mirrored_to() -> None:
    assert look_up(f"mirror.example.com/hub/redis:7@{DIGEST}", make_entry(REDIS)) is not None


def test_an_image_of_kagents_whose_version_nobody_stated_fits_nothing() -> None:
    entry = make_entry("cr.kagent.dev/kagent-dev/kagent/app:latest")
    image = Image("cr.kagent.dev/kagent-dev/kagent/app", version="0.9")
    assert look_up_lock(LockFile("l", (entry,)), image) is None
    assert explain_absence(LockFile("l", (entry,)), image) == ""
    assert look_up(image.reference, entry) is not None


def test_a_tags_own_entry_comes_before_those_that_are_pinned() -> None:
    pinned = make_entry(REDIS, uid=1, pinned=True)
    floating = make_entry(REDIS, uid=2, digest=OTHER_DIGEST)
    for entries in ((pinned, floating), (floating, pinned)):
        assert look_up("redis", *entries).uid == 2  # type: ignore[union-attr]
        assert look_up(f"redis@{DIGEST}", *entries).uid == 1  # type: ignore[union-attr]


def test_several_pinned_digests_have_to_agree() -> None:
    one, same = make_entry(REDIS, pinned=True), make_entry(REDIS, pinned=True, digest=OTHER_DIGEST)
    other = make_entry(REDIS, pinned=True, digest=OTHER_DIGEST, uid=5)
    assert look_up("redis", one, same).uid == 4242  # type: ignore[union-attr]
    assert look_up("redis", one, other) is None


def test_root_and_disagreements_are_answers() -> None:
    assert look_up("redis", make_entry(REDIS, uid=0, text="")) == Identity(0, source="l: no USER")
    found = look_up("redis", make_entry(REDIS, uid=None, disagreement="x runs as 1, y as 2"))
    assert found == Identity(None, reason="its platforms do not agree, says l: x runs as 1, y as 2")


def test_a_strangers_text_cannot_move_the_cursor() -> None:
    assert look_up("redis", make_entry(REDIS, text="\x1b[2J")).source == "l: USER \\x1b[2J"  # type: ignore[union-attr]


def test_absence_is_explained() -> None:
    lock = LockFile("l", (make_entry(REDIS),))
    assert "has no entry for it" in explain_absence(lock, Image("nginx"))
    assert "with another digest" in explain_absence(lock, Image(f"redis:latest@{OTHER_DIGEST}"))
