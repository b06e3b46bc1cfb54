"""What a lock file should hold, and what changes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from postrenderer.commands.images.wording import format_change, quote_kubelet, warn_about
from postrenderer.lock import LockEntry, LockFile
from postrenderer.lock.collect import want_image
from postrenderer.lock.plan import Change, compare_entries, make_plan, merge_entries
from tests.lock.support import DIGEST, OTHER_DIGEST, make_entry

APP = make_entry()
PINNED = make_entry("a.io/b:1", pinned=True)


def describe(before: list[LockEntry], after: list[LockEntry]) -> list[str]:
    return [format_change(change) for change in compare_entries(before, after)]


class TestPlan:
    def test_tells_what_is_there_what_is_missing_and_what_is_unused(self) -> None:
        wanted = [
            want_image("registry.example.com/team/app:1"),
            want_image(f"a.io/b:1@{OTHER_DIGEST}"),
            want_image("z"),
        ]
        plan = make_plan(LockFile("l", (APP, PINNED)), wanted)
        assert [each.image for each in plan.present] == [APP.reference]
        assert [each.image for each in plan.missing] == [f"a.io/b:1@{OTHER_DIGEST}", "docker.io/library/z:latest"]
        assert plan.unused == (PINNED,)

    def test_a_tag_and_its_pinned_digest_are_two(self) -> None:
        wanted = [want_image("a.io/b:1"), want_image(f"a.io/b:1@{DIGEST}")]
        plan = make_plan(LockFile("l", (PINNED,)), wanted)
        assert [each.image for each in plan.missing] == ["a.io/b:1"]

    def test_a_digest_alone_has_no_tag(self) -> None:
        assert want_image(f"redis@{DIGEST}").image == f"docker.io/library/redis@{DIGEST}"


class TestMerge:
    def test_a_confirmed_entry_stays_with_its_date(self) -> None:
        lock = LockFile("l", (APP,))
        assert merge_entries(lock, [replace(APP, date="2030-01-01", registry="mirror.io")], ()) == (APP,)

    def test_another_digest_is_new(self) -> None:
        new = replace(APP, date="2030-01-01", digest=OTHER_DIGEST)
        assert merge_entries(LockFile("l", (APP,)), [new], ()) == (new,)

    def test_entries_come_and_go_and_are_sorted(self) -> None:
        assert merge_entries(LockFile("l", (APP,)), [PINNED], ()) == (PINNED, APP)
        assert merge_entries(LockFile("l", (APP,)), [PINNED], {APP.key}) == (PINNED,)


class TestChanges:
    def test_nothing(self) -> None:
        assert describe([APP, PINNED], [PINNED, APP]) == []

    @pytest.mark.parametrize(
        ("values", "line"),
        [
            ({"uid": 65532, "digest": OTHER_DIGEST}, "4242 -> 65532"),
            ({"uid": 0}, "4242 -> root (0)"),
            ({"gid": 5}, "4242 (no known group) -> 4242 (group 5)"),
            ({"named": True}, "4242 (no known group) -> 4242 (no known group, named)"),
            ({"digest": OTHER_DIGEST}, "4242 as before, in another digest"),
            ({"text": "04242"}, "4242 as before, but USER 04242"),
            ({"uid": None, "disagreement": "x runs as 1, y as 2"}, "4242 -> platforms disagree (x runs as 1, y as 2)"),
        ],
    )
    def test_are_one_line_each(self, values: dict[str, object], line: str) -> None:
        changed = replace(APP, **values)  # type: ignore[arg-type]
        assert describe([APP, PINNED], [changed, PINNED]) == [f"registry.example.com/team/app:1  {line}"]

    def test_a_new_pinned_digest_is_a_change(self) -> None:
        """What an update robot does: one entry goes, one comes, and it is still the same image."""
        new = replace(PINNED, digest=OTHER_DIGEST, uid=1)
        assert describe([PINNED], [new]) == ["a.io/b:1  4242 -> 1"]
        floating = replace(new, pinned=False)
        assert describe([PINNED], [PINNED, floating]) == ["a.io/b:1  + 1"]
        assert describe([PINNED, floating], [floating]) == ["a.io/b:1  no longer used: removed"]

    def test_user_differs(self) -> None:
        assert Change(APP, replace(APP, uid=1)).user_differs
        assert not Change(APP, replace(APP, digest=OTHER_DIGEST, text="x")).user_differs
        assert Change(None, APP).user_differs


@pytest.mark.parametrize(
    ("text", "uid", "named", "says"),
    [
        ("", 0, False, "container has runAsNonRoot and image will run as root"),
        ("0:0", 0, False, "container has runAsNonRoot and image will run as root"),
        ("root", 0, True, "image has non-numeric user (root), cannot verify user is non-root"),
        ("python:staff", 1001, True, "image has non-numeric user (python), cannot verify user is non-root"),
        ("1001", 1001, False, ""),
    ],
)
def test_what_the_kubelet_would_say(text: str, uid: int, named: bool, says: str) -> None:
    assert quote_kubelet(text, uid, named).endswith(says)
    assert bool(quote_kubelet(text, uid, named)) == bool(says)


def test_what_an_engineer_is_warned_of() -> None:
    assert warn_about(APP) == ""
    assert "runs as root (no USER)" in warn_about(replace(APP, uid=0, text=""))
    assert "--platform" in warn_about(replace(APP, uid=None, disagreement="x runs as 1, y as 2"))
