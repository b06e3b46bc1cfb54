"""The table as data: what a row must have, and that no two rows claim the same image."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

import postrenderer.images.table as module
from postrenderer.images.table import list_table, read_table
from postrenderer.images.version import parse_version

TEXT = Path(module.__file__).with_name("table.json").read_text("utf-8")


def changed_row(**changes: Any) -> str:
    """The table with one row, changed; a value of `...` takes the key away."""
    data = json.loads(TEXT)
    row = {**data["rows"][0], **changes}
    data["rows"] = [{key: value for key, value in row.items() if value is not ...}]
    return json.dumps(data)


def test_the_rows() -> None:
    """The table is the one of the documentation, row by row."""
    assert [
        (
            ", ".join(image.rpartition("/")[2] for image in row.images),
            f"{row.since} to {row.until}{' -full' if row.full else ''}",
            f"{row.uid}:{row.gid}" if row.gid is not None else str(row.uid),
            row.user,
            row.named,
        )
        for row in list_table()
    ] == [
        ("app, kagent-adk", "0.7.0 to 0.10.0-beta1", "1001:1001", "python", True),
        ("app, kagent-adk", "0.10.0-beta2 to 0.10", "65532:65532", "65532:65532", False),
        ("app, kagent-adk", "0.10.0-beta2 to 0.10 -full", "1001:1001", "python", True),
        ("golang-adk", "0.8.0 to 0.10", "65532:65532", "65532:65532", False),
        ("golang-adk", "0.9.0 to 0.10 -full", "1001:1001", "1001:1001", False),
        ("skills-init", "0.7.0 to 0.9.0", "0:0", None, False),
        ("skills-init", "0.9.1 to 0.10", "1001:1001", "${PYTHON_UID}:${PYTHON_GID}", False),
        ("python-runtime-sandbox", "0.1.0 to 0.5", "1000", "1000", False),
        ("sandboxd", "0.5.5 to 0.5", "1000", "1000", False),
    ]


def test_every_row_has_the_types_it_says() -> None:
    """JSON would let `"1001"` and `1` pass where a number and a truth are meant."""
    for row in list_table():
        assert type(row.uid) is int
        assert row.gid is None or type(row.gid) is int
        assert type(row.full) is bool
        assert type(row.named) is bool


def test_every_source_was_read_at_a_version_that_its_row_covers() -> None:
    """A source is a Dockerfile at a tag, and the tag is one of those that the row is about."""
    for row in list_table():
        assert row.sources
        for source in row.sources:
            tag, _, path = source.removeprefix(f"{row.project.repository}/blob/").partition("/")
            version = parse_version(tag)
            assert version is not None
            assert row.covers(version), source
            assert path.rpartition("/")[2].startswith("Dockerfile")


def test_a_named_user_is_one_with_a_name() -> None:
    """`named` and the text of `USER` agree: a number or a variable that holds one is no name."""
    for row in list_table():
        assert row.named is (row.user is not None and row.user[0].isalpha())


def test_rows_do_not_overlap() -> None:
    """No version of an image is claimed twice."""
    for one, other in combinations(list_table(), 2):
        if set(one.images) & set(other.images) and one.full == other.full:
            assert one.until < other.since or other.until < one.since


def test_images_do_not_shadow_each_other() -> None:
    """No image is a path suffix of another, so that the order of the rows does not matter."""
    images = {image for row in list_table() for image in row.images}
    assert not [pair for pair in combinations(sorted(images), 2) if pair[0].endswith(f"/{pair[1]}")]


def test_registries() -> None:
    """Where the projects publish."""
    assert {row.project.name: row.project.registries for row in list_table()} == {
        "kagent": ("cr.kagent.dev", "ghcr.io"),
        "agent-sandbox": ("registry.k8s.io", "us-central1-docker.pkg.dev/k8s-staging-images"),
    }


def test_the_table_is_read_once() -> None:
    assert list_table() is list_table()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"sources": ...}, "row 1 .*kagent-dev/kagent/app.* has no source", id="no source"),
        pytest.param({"sources": []}, "has no source", id="an empty list of sources"),
        pytest.param({"sources": ["the Dockerfile"]}, "no file at a tag", id="a source that nobody can follow"),
        pytest.param(
            {"sources": ["https://github.com/kagent-dev/kagent/blob/main/python/Dockerfile"]},
            "no file at a tag",
            id="a source that moves",
        ),
        pytest.param({"uid": ...}, "other keys", id="no UID"),
        pytest.param({"untill": "0.10"}, "other keys", id="a misspelt key"),
        pytest.param({"project": "other"}, "unknown project 'other'", id="an unknown project"),
        pytest.param({"since": "early"}, "no range of versions: since 'early'", id="no version"),
        pytest.param({"until": "later"}, "no range of versions", id="no end"),
        pytest.param({"since": "0.11.0"}, "no range of versions", id="an empty range"),
        pytest.param({"uid": 0}, "contradicts itself", id="root with a user"),
        pytest.param({"user": None}, "contradicts itself", id="a user without USER"),
        pytest.param({"images": ..., "sources": ...}, r"row 1 \(no image\)", id="no image"),
    ],
)
def test_a_row_that_cannot_be_believed_does_not_load(changes: dict[str, Any], message: str) -> None:
    """Above all one without a source; the error names the row."""
    with pytest.raises(ValueError, match=message):
        read_table(changed_row(**changes))


def test_an_unchanged_row_loads() -> None:
    """The helper of the test above breaks nothing by itself."""
    assert read_table(changed_row()) == list_table()[:1]


def test_a_row_may_be_about_one_version() -> None:
    (row,) = read_table(changed_row(since="0.9.4", until="0.9.4"))
    assert row.since == row.until
