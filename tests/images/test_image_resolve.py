"""The order of the sources: the user's table, the lock file, plugins, the built-in table, `default-uid`, unknown."""

from __future__ import annotations

from dataclasses import replace

import pytest

from postrenderer.images import ImageReference, list_table, resolve_identity
from postrenderer.lock import LockFile
from postrenderer.model import Identity, Image, Settings
from tests.lock.support import make_entry

KAGENT = "cr.kagent.dev/kagent-dev/kagent"
APP = Image(f"{KAGENT}/app:0.9.4")
OTHER = Image("registry.example.com/team/app:1")
ROOT = Image(f"{KAGENT}/skills-init:0.9.0")
NEWER = Image(f"{KAGENT}/app:0.11.0")


def no_plugin(_: ImageReference) -> Identity | None:
    return None


def plugin_2000(_: ImageReference) -> Identity | None:
    return Identity(2000, source="a plugin")


def plugin_root(_: ImageReference) -> Identity | None:
    return Identity(0, source="a plugin")


def plugin_unsure(_: ImageReference) -> Identity | None:
    return Identity(None, reason="no idea")


def plugin_never(_: ImageReference) -> Identity | None:
    raise AssertionError("nobody should ask")


def test_the_users_table_comes_first() -> None:
    """Nobody else is asked, not even about an image that the table knows."""
    settings = Settings(image_uid=(("kagent-dev/kagent/app", 7777),))
    assert resolve_identity(APP, settings, plugin_never).uid == 7777


def test_the_users_table_counts_for_a_derived_image() -> None:
    settings = Settings(image_uid=(("kagent-dev/kagent/app", 7777),))
    assert resolve_identity(Image(f"{KAGENT}/app", "0.9"), settings, plugin_never).uid == 7777


def test_plugins_come_before_the_built_in_table() -> None:
    assert resolve_identity(APP, Settings(), plugin_2000) == Identity(2000, source="a plugin")


def test_a_plugin_is_given_the_reference_in_its_parts() -> None:
    asked: list[ImageReference] = []

    def ask(reference: ImageReference) -> Identity | None:
        asked.append(reference)
        return None

    resolve_identity(OTHER, Settings(), ask)
    assert asked == [ImageReference(OTHER.reference, "registry.example.com", "team/app", "1", None)]


@pytest.mark.parametrize("plugin", [no_plugin, plugin_unsure])
def test_a_plugin_that_does_not_know_leaves_the_question_to_the_table(plugin: object) -> None:
    assert callable(plugin)
    assert resolve_identity(APP, Settings(), plugin).uid == 1001


def test_a_plugin_that_finds_root_is_believed() -> None:
    """UID 0 is an answer, not the lack of one."""
    assert resolve_identity(APP, Settings(default_uid=5), plugin_root) == Identity(0, source="a plugin")


def test_the_default_is_for_unknown_images_only() -> None:
    settings = Settings(default_uid=5000)
    assert resolve_identity(OTHER, settings, no_plugin).uid == 5000
    assert resolve_identity(OTHER, settings, no_plugin).source == "default-uid 5000"
    assert resolve_identity(APP, settings, no_plugin).uid == 1001
    assert resolve_identity(OTHER, settings, plugin_2000).uid == 2000


def test_the_default_does_not_reach_an_image_known_as_root() -> None:
    """It would make it run as another user than it does."""
    found = resolve_identity(ROOT, Settings(default_uid=5000), no_plugin)
    assert (found.uid, found.reason) == (0, "its Dockerfile has no USER up to 0.9.0")


def test_the_default_keeps_what_else_is_known() -> None:
    """That an image is newer than the table can be reported all the same."""
    unknown = resolve_identity(NEWER, Settings(), no_plugin)
    assert unknown.newer_than_table
    assert resolve_identity(NEWER, Settings(default_uid=5), no_plugin) == replace(
        unknown, uid=5, source="default-uid 5"
    )


def test_unknown_has_a_reason() -> None:
    expected = Identity(None, reason="no row of the built-in table names it")
    assert resolve_identity(OTHER, Settings(), no_plugin) == expected


@pytest.mark.parametrize("image", [None, Image("")])
def test_an_image_that_is_missing_is_unknown(image: Image | None) -> None:
    """No source is asked about it, but the default is for it too."""
    assert resolve_identity(image, Settings(), plugin_never) == Identity(None, reason="it names no image")
    assert resolve_identity(image, Settings(default_uid=5), plugin_never).uid == 5


def test_a_stated_kagent_version_reaches_the_table() -> None:
    image = Image(f"{KAGENT}/app:latest")
    assert resolve_identity(image, Settings(), no_plugin).uid is None
    assert resolve_identity(image, Settings(kagent_version="0.10.0"), no_plugin).uid == 65532


def test_every_row_can_be_reached() -> None:
    """Each image of each row answers what the row says, at the row's first and last version."""
    for row in list_table():
        for image in row.images:
            for version in (row.since, row.until):
                reference = f"{row.project.registries[0]}/{image}:{version}{'-full' if row.full else ''}"
                found = resolve_identity(Image(reference), Settings(), no_plugin)
                assert (found.uid, found.gid, found.named) == (row.uid, row.gid, row.named), reference
                assert not found.by_name_only


class TestLock:
    LOCK = LockFile("l", (make_entry(OTHER.reference), make_entry(APP.reference, uid=5)))

    def test_the_users_table_comes_before_it(self) -> None:
        settings = Settings(image_uid=((OTHER.reference, 7777),))
        assert resolve_identity(OTHER, settings, plugin_never, self.LOCK).uid == 7777

    def test_it_comes_before_plugins_and_the_table(self) -> None:
        assert resolve_identity(OTHER, Settings(), plugin_never, self.LOCK).source == "l: USER 4242"
        assert resolve_identity(APP, Settings(), plugin_never, self.LOCK).uid == 5

    def test_the_others_are_asked_where_it_does_not_speak_of_an_image(self) -> None:
        empty = LockFile("l")
        assert resolve_identity(OTHER, Settings(), plugin_2000, empty).uid == 2000
        assert resolve_identity(APP, Settings(), no_plugin, empty).uid == 1001

    def test_root_and_disagreements_are_answers(self) -> None:
        for uid, disagreement in ((0, ""), (None, "x runs as 1, y as 2")):
            lock = LockFile("l", (make_entry(APP.reference, uid=uid, disagreement=disagreement),))
            assert resolve_identity(APP, Settings(), plugin_never, lock).uid == uid

    def test_absence_is_part_of_the_reason(self) -> None:
        found = resolve_identity(OTHER, Settings(), no_plugin, LockFile("l"))
        assert found.reason == (
            "no row of the built-in table names it, and l has no entry for it: "
            "bring the file up to date with `images lock`"
        )
        derived = Image(f"{KAGENT}/none", "0.9")
        assert "images lock" not in resolve_identity(derived, Settings(), no_plugin, LockFile("l")).reason
