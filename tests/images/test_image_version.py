"""Versions: what is one, and that they stand in the order in which they were released."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postrenderer.images.version import Version, begins_with_version, parse_version, split_full

IN_ORDER = [
    "0.6.99",
    "0.7.0-alpha1",
    "0.7.0",
    "0.9.0-rc1",
    "0.9.0",
    "0.9.4",
    "0.9.10",
    "0.9.999999999",
    "0.9",
    "0.10.0-alpha1",
    "0.10.0-alpha12",
    "0.10.0-beta1",
    "0.10.0-beta2",
    "0.10.0-beta10",
    "0.10.0-rc1",
    "0.10.0-rc3",
    "0.10.0",
    "0.10.1-beta1",
    "0.10.1",
    "0.10",
    "0.11.0-beta1",
    "1.0.0",
    "1.0",
    "10.0.0",
]
VERSIONS = st.builds(
    Version,
    st.integers(0, 20),
    st.integers(0, 20),
    st.sampled_from([0, 1, 2, 10, 10**9]),
    st.just(3),
    st.just(0),
) | st.builds(
    Version, st.integers(0, 20), st.integers(0, 20), st.integers(0, 20), st.integers(0, 2), st.integers(0, 20)
)


def read(text: str) -> Version:
    version = parse_version(text)
    assert version is not None, text
    return version


def test_order() -> None:
    """alpha < beta < rc < release, numbers as numbers, a line after all that belongs to it."""
    shuffled = random.Random(1).sample(IN_ORDER, len(IN_ORDER))
    assert sorted(shuffled, key=read) == IN_ORDER


def test_beta10_is_later_than_beta2() -> None:
    """Semantic versions say the opposite."""
    assert read("0.10.0-beta10") > read("0.10.0-beta2")


@pytest.mark.parametrize("text", IN_ORDER)
def test_a_leading_v_is_allowed_and_a_version_prints_as_it_was_written(text: str) -> None:
    assert str(read(text)) == text
    assert read(f"v{text}") == read(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("latest", id="a name"),
        pytest.param("1", id="a number"),
        pytest.param("0.9.4-ubi", id="another suffix"),
        pytest.param("0.9.4-beta", id="a stage without a number"),
        pytest.param("0.9.4-beta.1", id="a stage in another spelling"),
        pytest.param("0.9.4-beta1-ubi", id="two suffixes"),
        pytest.param("0.9.4-dev1", id="an unknown stage"),
        pytest.param("0.9.4-full", id="full is no part of a version"),
        pytest.param("0.9-beta1", id="a line has no prereleases"),
        pytest.param("0.9.4.1", id="four numbers"),
        pytest.param("0.9.", id="a missing number"),
        pytest.param("0.9.04", id="a leading zero"),
        pytest.param("vv0.9.4", id="two v"),
        pytest.param("V0.9.4", id="a capital V"),
        pytest.param("0.9.4\n", id="a line break"),
        pytest.param(" 0.9.4", id="a space"),
        pytest.param("0.9.\u0664", id="a digit that is not ASCII"),
        pytest.param("0.9.4+build", id="build metadata"),
        pytest.param("0.9." + "1" * 5000, id="more digits than int() takes"),
    ],
)
def test_everything_else_is_no_version(text: str) -> None:
    assert parse_version(text) is None


@given(st.text(alphabet=st.one_of(st.sampled_from("v0123456789.-albetrc"), st.characters())))
def test_any_text_can_be_asked(text: str) -> None:
    version = parse_version(text)
    assert version is None or str(version) == text.removeprefix("v")


@given(VERSIONS, VERSIONS, VERSIONS)
def test_the_order_is_total(a: Version, b: Version, c: Version) -> None:
    """Of two versions exactly one relation holds, and it carries over."""
    assert [a < b, a == b, a > b].count(True) == 1
    if a <= b <= c:
        assert a <= c


@given(VERSIONS)
def test_what_is_printed_can_be_read(version: Version) -> None:
    assert read(str(version)) == version


@given(VERSIONS, VERSIONS)
def test_up_to_a_line_compares_major_and_minor_alone(version: Version, other: Version) -> None:
    """`<= 0.10` is "up to 0.10": prereleases of 0.10 are in, those of 0.11 are out."""
    line = read(f"{other.major}.{other.minor}")
    assert (version <= line) is ((version.major, version.minor) <= (other.major, other.minor))


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("0.9.4", ("0.9.4", False)),
        ("0.10.0-beta2-full", ("0.10.0-beta2", True)),
        ("0.9-full", ("0.9", True)),
        ("latest-full", ("latest", True)),
        ("-full", ("", True)),
        ("full", ("full", False)),
        ("0.9.4-full-full", ("0.9.4-full", True)),
        ("0.9.4-fuller", ("0.9.4-fuller", False)),
    ],
)
def test_full_is_taken_off_the_end_once(tag: str, expected: tuple[str, bool]) -> None:
    assert split_full(tag) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.9.4-ubi", True),
        ("v0.9.4.1", True),
        ("0.9.4-12-gabcdef1", True),
        ("latest", False),
        ("latest-main", False),
        ("20250101", False),
        ("v20250101-v0.5.5-3-gabcdef1", False),
        ("1234567", False),
        ("", False),
    ],
)
def test_a_version_that_cannot_be_compared_is_told_from_none(text: str, expected: bool) -> None:
    assert begins_with_version(text) is expected
