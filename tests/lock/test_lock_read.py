"""Reading a lock file: what was written comes back; what is broken is named by file, line, key and remedy."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema.validators import Draft202012Validator

from postrenderer.lock import LockEntry, load_lock, read_lock
from postrenderer.lock.format import format_lock
from postrenderer.model import Refused
from tests.lock.support import DIGEST, OTHER_DIGEST, make_entry
from tests.support import ROOT

SCHEMA = json.loads((ROOT / "postrenderer" / "schemas" / "lock.json").read_text(encoding="utf-8"))
GOOD = format_lock([make_entry()])
UIDS = st.none() | st.integers(0, 2147483647)
ENTRIES = st.builds(
    make_entry,
    st.sampled_from(["a.b/c", "localhost:5000/x/y:1", "docker.io/library/redis:latest", "r.io/y:n", "[::1]:5/a:1e3"]),
    digest=st.sampled_from([DIGEST, OTHER_DIGEST]),
    uid=st.integers(0, 2147483647),
    gid=UIDS,
    named=st.booleans(),
    text=st.text(max_size=9)
    | st.sampled_from(["", "null", "1:1", "{a", "a # b", "a: b", "*a", "\x1b[2J", "\u2028", "~"]),
    registry=st.sampled_from(["r.io", "127.0.0.1:5000", "localhost"]),
    pinned=st.booleans(),
)


@given(st.lists(ENTRIES, unique_by=lambda entry: entry.key))
def test_what_is_written_comes_back(entries: list[LockEntry]) -> None:
    text = format_lock(entries)
    found = read_lock(text, "l").entries
    assert found == tuple(sorted(entries, key=lambda entry: entry.key))
    assert format_lock(reversed(found)) == text
    data = yaml.safe_load(text)
    Draft202012Validator(SCHEMA).validate(data)
    assert [image["user"]["text"] for image in data["images"]] == [entry.text for entry in found]


def test_it_is_a_pleasure_to_review() -> None:
    text = format_lock(
        [make_entry("b.io/b:2", uid=0, gid=0, text=""), make_entry("a.io/a:1", named=True, text="python")]
    )
    assert text.splitlines()[2:] == [
        "version: 1",
        "images:",
        "- reference: a.io/a:1",
        "  user: {uid: 4242, gid: null, named: true, text: python}",
        f'  seen: {{digest: {DIGEST}, registry: registry.example.com, date: "2026-01-31"}}',
        "- reference: b.io/b:2",
        '  user: {uid: 0, gid: 0, named: false, text: ""}',
        f'  seen: {{digest: {DIGEST}, registry: registry.example.com, date: "2026-01-31"}}',
    ]
    assert all(line.startswith("# ") for line in text.splitlines()[:2])


def test_a_file_without_images_comes_back() -> None:
    assert read_lock(format_lock([]), "l").entries == ()


def test_a_disagreement_has_no_uid() -> None:
    entry = make_entry(uid=None, disagreement="linux/amd64 runs as 1, linux/arm64 as 2")
    assert read_lock(format_lock([entry]), "l").entries == (entry,)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("version: 1", "version: 2", "line 3: version: is 2, and this program reads 1: update it"),
        ("version: 1", "version: true", "line 3: version: is True"),
        ("version: 1", "version:", "line 3: version: must not be null"),
        (
            "version: 1\n",
            "",
            "line 3: version: is missing: write the file anew with `sandbox-postrenderer images lock`",
        ),
        ("images:", "image:", "line 4: image: is no key of a lock file; here are version, images"),
        ("images:\n", "version: 1\nimages:\n", "the key `version` stands twice"),
        ("uid: 4242", "uid: '4242'", "line 6: registry.example.com/team/app:1, user, uid: must be a number"),
        ("uid: 4242", "uid: -1", "uid: must be a number from 0 to 2147483647, without quotes, or null (not -1)"),
        ("uid: 4242", "uid: true", "(not True)"),
        ("uid: 4242", "uid: [1]", "uid: must be a number"),
        ("uid: 4242", "uid: null", "line 6: registry.example.com/team/app:1, user: has either a uid or a disagreement"),
        ("uid: 4242, ", "", "user, uid: is missing"),
        ("named: false", "named: 'no'", "user, named: must be true or false, without quotes (not 'no')"),
        ("named: false", "name: false", "user, name: is no key of a lock file; here are uid, gid, named, text"),
        ('text: "4242"', "text: 4242", "user, text: must be a string, in quotes (not 4242)"),
        (DIGEST, "sha256:abc", "line 7: registry.example.com/team/app:1, seen, digest: must be sha256: and 64"),
        ('"2026-01-31"', "'31.1.'", "seen, date: must be a date such as 2026-01-31 (not '31.1.')"),
        (
            "reference: registry",
            "reference: a@b registry",
            "line 5: images, entry 1, reference: must be an image such as",
        ),
        ("- reference:", "- a: 1\n- reference:", "line 5: images, entry 1, a: is no key of a lock file"),
        ("- reference:", "- 1\n- reference:", "line 5: images, entry 1: must be a mapping of reference, user, seen"),
        ("- reference:", "-\n- reference:", "images, entry 1: must be a mapping"),
        ("  seen: {", "  seen: [", "line 7: "),
    ],
)
def test_what_is_broken_is_named(old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(Refused, match=re.escape(message)) as caught:
        read_lock(GOOD.replace(old, new, 1), "images.lock.yaml")
    assert caught.value.message.startswith("images.lock.yaml, line ")
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "l, line 1: is empty: write it with `sandbox-postrenderer images lock`"),
        ("# only a comment\n", "is empty"),
        ("[]", "l, line 1: is no lock file"),
        ("version: 1\nimages: {}\n", "l, line 2: `images` must be a list"),
        ("version: 1\nimages: null\n", "images: must not be null"),
        (GOOD.replace("images:\n", "images:\n<<<<<<< HEAD\n"), "line 5: is in the middle of a merge: take either side"),
        (
            GOOD + GOOD.partition("images:\n")[2],
            "line 8: registry.example.com/team/app:1 has an entry in line 5 already",
        ),
    ],
)
def test_what_is_no_lock_file_is_named(text: str, message: str) -> None:
    with pytest.raises(Refused, match=re.escape(message)):
        read_lock(text, "l")


def test_a_bomb_of_aliases_costs_nothing() -> None:
    levels = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
    with pytest.raises(Refused, match="a0: is no key"):
        read_lock(f"version: 1\nimages: []\na0: &a0 [x]\n{levels}", "l")


class TestLoad:
    def test_reads_a_file(self, tmp_path: Path) -> None:
        path = tmp_path / "l.yaml"
        path.write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
        assert load_lock(str(path)).entries == (make_entry(),)
        assert load_lock(str(path)).source == str(path)

    def test_says_what_cannot_be_read(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "l.yaml"
        with pytest.raises(Refused, match=r"l\.yaml: cannot be read: No such file"):
            load_lock(str(path))
        path.write_bytes(b"\xff")
        with pytest.raises(Refused, match="is not UTF-8"):
            load_lock(str(path))
        monkeypatch.setattr("postrenderer.lock.read.MAX_LOCK", 10)
        path.write_text(GOOD)
        with pytest.raises(Refused, match="larger than 10 bytes"):
            load_lock(str(path))
