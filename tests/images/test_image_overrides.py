"""The user's own table: how an entry is read, what it matches, which one wins."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postrenderer.images.overrides import check_user_table, look_up_user_table, parse_image_uid
from postrenderer.model import Identity, Image

A = "sha256:" + "a" * 64
B = "sha256:" + "b" * 64


def answer(reference: str, *keys: str) -> str | None:
    """The key that answers for `reference`; UIDs are the keys' numbers."""
    found = look_up_user_table([(key, number) for number, key in enumerate(keys, start=1)], Image(reference))
    return None if found is None or found.uid is None else keys[found.uid - 1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("redis=999", ("redis", 999)),
        ("team/app:1.2=1", ("team/app:1.2", 1)),
        ("localhost:5000/x=2147483647", ("localhost:5000/x", 2147483647)),
        (f"r.io:5000/x:1@{A}=7", (f"r.io:5000/x:1@{A}", 7)),
        (f"x@{A}=7", (f"x@{A}", 7)),
        (" redis = 999 ", ("redis", 999)),
    ],
)
def test_entries(text: str, expected: tuple[str, int]) -> None:
    """An entry is an image and a UID."""
    assert parse_image_uid(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'' is not IMAGE=UID, such as"),
        ("redis", "'redis' is not IMAGE=UID"),
        ("=999", "'=999' is not IMAGE=UID"),
        ("redis=", "'' .for redis. is no UID: write a number from 1 to 2147483647"),
        ("redis=0", "'0' .for redis. is no UID"),
        ("redis=-1", "'-1' .for redis. is no UID"),
        ("redis=+1", "no UID"),
        ("redis=1_000", "no UID"),
        ("redis=0x10", "no UID"),
        ("redis=017", "no UID"),
        ("redis=1.0", "no UID"),
        ("redis=True", "no UID"),
        ("redis=\u0661", "no UID"),
        ("redis=redis", "no UID"),
        ("redis=2147483648", "no UID"),
        ("redis=" + "9" * 5000, "no UID"),
        ("a=b=1", "'a=b' is no image: write"),
        ("my app=1", "'my app' is no image"),
        ("app:=1", "'app:' is no image"),
        ("app@=1", "'app@' is no image"),
        ("app@abc=1", "'app@abc' is no image"),
        ("/app=1", "'/app' is no image"),
        ("app/=1", "'app/' is no image"),
        ("a//b=1", "'a//b' is no image"),
        ("https://r.io/app=1", "is no image"),
        ("a:1/b:2:3=1", "is no image"),
    ],
)
def test_what_is_no_entry_is_refused_with_advice(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_image_uid(text)


@given(st.text())
def test_an_entry_is_read_or_refused(text: str) -> None:
    """Nothing else happens, whatever the text."""
    try:
        _, uid = parse_image_uid(text)
    except ValueError:
        return
    assert 1 <= uid <= 2147483647


@pytest.mark.parametrize(
    ("key", "reference", "expected"),
    [
        pytest.param("app", "r.io/team/app:1", True, id="a path suffix, any registry, any tag"),
        pytest.param("app", "app", True, id="the whole path"),
        pytest.param("app", "x/myapp", False, id="components match whole"),
        pytest.param("team/app", "r.io/team/app", True, id="two components"),
        pytest.param("team/app", "r.io/steam/app", False, id="two components, whole"),
        pytest.param("team/app", "app", False, id="a longer key"),
        pytest.param("r.io/app", "r.io/app", True, id="the registry"),
        pytest.param("r.io/app", "R.io/app", True, id="the registry's name has no case"),
        pytest.param("r.io/app", "q.io/app", False, id="another registry"),
        pytest.param("r.io/app", "app", False, id="no registry is Docker Hub"),
        pytest.param("r.io/app", "r.io/team/app", True, id="a path suffix behind a registry"),
        pytest.param("r.io/app", "q.io/r.io/app", False, id="a registry is no path"),
        pytest.param("localhost:5000/x", "localhost:5000/x:1", True, id="a registry with a port"),
        pytest.param("localhost:5000/x", "localhost/x:1", False, id="another port"),
        pytest.param("kagent-dev/kagent/app", "cr.kagent.dev/kagent-dev/kagent/app:0.9.4", True, id="kagent's"),
        pytest.param("app:1.2", "r.io/app:1.2", True, id="the tag"),
        pytest.param("app:1.2", "r.io/app:1.3", False, id="another tag"),
        pytest.param("app:1.2", f"r.io/app:1.2@{A}", True, id="the tag beside a digest"),
        pytest.param("app:1.2", f"r.io/app@{A}", False, id="a digest alone has no tag"),
        pytest.param("app:latest", f"r.io/app@{A}", False, id="nor is it latest"),
        pytest.param("app:latest", "r.io/app", True, id="no tag is latest"),
        pytest.param("app:1.2", "r.io/app", False, id="and no other"),
        pytest.param(f"app@{A}", f"r.io/app:1@{A}", True, id="the digest"),
        pytest.param(f"app@{A}", f"r.io/app:1@{B}", False, id="another digest"),
        pytest.param(f"app@{A}", "r.io/app:1", False, id="no digest"),
        pytest.param(f"app:1@{A}", f"r.io/app:2@{A}", False, id="every part given must match"),
        pytest.param("redis", "docker.io/library/redis", True, id="redis is Docker Hub's"),
        pytest.param("redis", "redis:7", True, id="however that is spelt"),
        pytest.param("redis", "index.docker.io/library/redis", True, id="in any way"),
        pytest.param("docker.io/library/redis", "redis", True, id="and the other way round"),
        pytest.param("docker.io/redis", "redis", True, id="with half of it"),
        pytest.param("docker.io/redis", "library/redis", True, id="with the other half"),
        pytest.param("index.docker.io/redis", "docker.io/redis", True, id="with an old name"),
        pytest.param("library/redis", "redis", True, id="library alone"),
        pytest.param("docker.io/redis", "bitnami/redis", False, id="but not another's redis"),
        pytest.param("redis", "quay.io/bitnami/redis", True, id="which redis alone does mean"),
        pytest.param("App", "app", False, id="case counts"),
        pytest.param("app", "", False, id="no image"),
    ],
)
def test_every_part_given_must_match(key: str, reference: str, expected: bool) -> None:
    """Registry, repository as path suffix, tag, digest."""
    assert answer(reference, key) == (key if expected else None)


WINNERS = [
    # Of each list the first wins: digest beats tag beats registry beats the longer path.
    ["r.io/team/app:1@" + A, "team/app:1@" + A, "app:1@" + A, "r.io/app@" + A, "team/app@" + A, "app@" + A],
    ["app@" + A, "r.io/team/app:1", "team/app:1", "app:1", "r.io/team/app", "r.io/app", "team/app", "app"],
    ["app:1", "r.io/x/team/app"],
    ["r.io/app", "x/team/app"],
    ["x/team/app", "team/app", "app"],
]


@pytest.mark.parametrize("keys", WINNERS)
def test_precedence(keys: list[str]) -> None:
    """The most particular entry counts, wherever it stands."""
    reference = f"r.io/x/team/app:1@{A}"
    while len(keys) > 1:
        for order in permutations(keys[:4]):
            assert answer(reference, *order) == keys[0]
        assert answer(reference, *keys) == keys[0]
        assert answer(reference, *reversed(keys)) == keys[0]
        keys = keys[1:]


def test_the_later_of_two_same_keys_counts() -> None:
    """So that a higher level's entries, appended to a lower level's, replace them."""
    entries = [("redis", 1), ("docker.io/redis", 2), ("docker.io/library/redis", 3)]
    assert look_up_user_table(entries, Image("redis")) == Identity(3, source="image-uid docker.io/library/redis=3")
    assert look_up_user_table(reversed(entries), Image("redis")) == Identity(2, source="image-uid docker.io/redis=2")


def test_no_entries_no_answer() -> None:
    assert look_up_user_table((), Image("redis")) is None


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("kagent-dev/kagent/app", True),
        ("cr.kagent.dev/kagent-dev/kagent/app", True),
        ("app", True),
        ("kagent-dev/kagent/app:0.9", False),
        ("kagent-dev/kagent/app:latest", False),
        (f"kagent-dev/kagent/app@{A}", False),
    ],
)
def test_a_derived_image_has_neither_tag_nor_digest(key: str, expected: bool) -> None:
    """`kagent-dev/kagent/app=7777` counts for a SandboxAgent too; keys with a tag or a digest do not match it."""
    image = Image("cr.kagent.dev/kagent-dev/kagent/app", version="0.9")
    found = look_up_user_table([(key, 7777)], image)
    assert found == (Identity(7777, source=f"image-uid {key}=7777") if expected else None)


@pytest.mark.parametrize(
    "entries",
    [
        [],
        [("redis", 1), ("redis", 1)],
        [("redis", 1), ("redis:7", 2)],
        [("redis", 1), ("docker.io/redis", 2)],
        [("app", 1), ("team/app", 2), ("r.io/app", 3), (f"app@{A}", 4), (f"app@{B}", 5)],
    ],
)
def test_different_keys_may_have_different_uids(entries: list[tuple[str, int]]) -> None:
    """And the same key may stand twice, if it says the same."""
    check_user_table(entries)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([("redis", 1), ("redis", 2)], "image-uid: 'redis' has two UIDs, 1 and 2"),
        ([("app:1", 1), ("x", 2), ("app:1", 3)], "'app:1' has two UIDs, 1 and 3"),
        (
            [("docker.io/redis", 1), ("index.docker.io/library/redis", 2)],
            "two UIDs .as 'docker.io/redis' and 'index.docker.io/library/redis'., 1 and 2",
        ),
        ([("R.io/app", 1), ("r.io/app", 2)], "two UIDs"),
    ],
)
def test_one_key_with_two_uids_is_an_error(entries: list[tuple[str, int]], message: str) -> None:
    """However the key is spelt."""
    with pytest.raises(ValueError, match=message):
        check_user_table(entries)


PARTS = st.tuples(
    st.sampled_from(["", "r.io/", "docker.io/"]),
    st.sampled_from(["app", "team/app", "library/app", "x/team/app"]),
    st.sampled_from(["", ":1", ":2"]),
    st.sampled_from(["", f"@{A}", f"@{B}"]),
).map("".join)


@given(PARTS, st.lists(PARTS, max_size=6))
def test_the_order_of_entries_does_not_matter(reference: str, keys: list[str]) -> None:
    """Where no key has two UIDs, one answer only is possible."""
    entries = [(key, number) for number, key in enumerate(keys, start=1)]
    try:
        check_user_table(entries)
    except ValueError:
        return
    image = Image(reference)
    assert look_up_user_table(entries, image) == look_up_user_table(reversed(entries), image)
