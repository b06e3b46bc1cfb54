"""References: what is a registry, a repository, a tag, a digest, and that nothing is too odd to be compared."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postrenderer.images.reference import has_path_suffix, normalize_reference, parse_reference

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "registry", "repository", "tag", "digest"),
    [
        pytest.param("redis", None, "redis", None, None, id="a bare name has no registry"),
        pytest.param("redis:7", None, "redis", "7", None, id="what follows the colon is a tag"),
        pytest.param("team/app:1.2", None, "team/app", "1.2", None, id="a path without dot or port is no registry"),
        pytest.param("kagent-dev/kagent/app", None, "kagent-dev/kagent/app", None, None, id="nor is a longer one"),
        pytest.param("ghcr.io/x/y:1", "ghcr.io", "x/y", "1", None, id="a dot makes a registry"),
        pytest.param("registry:5000/x", "registry:5000", "x", None, None, id="so does a port, which is no tag"),
        pytest.param("localhost/x", "localhost", "x", None, None, id="so does the name localhost"),
        pytest.param("localhost:5000/x:1", "localhost:5000", "x", "1", None, id="a port and a tag"),
        pytest.param("localhost", None, "localhost", None, None, id="localhost alone is a repository"),
        pytest.param("my.app", None, "my.app", None, None, id="a dot in a name alone makes no registry"),
        pytest.param(f"x/y@{DIGEST}", None, "x/y", None, DIGEST, id="a digest, whose colon is no tag"),
        pytest.param(f"r.io/x:1@{DIGEST}", "r.io", "x", "1", DIGEST, id="a tag and a digest"),
        pytest.param(f"r.io:5000/x@{DIGEST}", "r.io:5000", "x", None, DIGEST, id="a port and a digest"),
        pytest.param("", None, "", None, None, id="empty"),
        pytest.param(" ", None, " ", None, None, id="a space stays"),
        pytest.param("app:", None, "app", None, None, id="an empty tag is none"),
        pytest.param("app@", None, "app", None, None, id="an empty digest is none"),
        pytest.param("Team/App", None, "Team/App", None, None, id="upper case stays"),
        pytest.param("größe/äpp", None, "größe/äpp", None, None, id="other letters stay"),
    ],
)
def test_parts(text: str, registry: str | None, repository: str, tag: str | None, digest: str | None) -> None:
    """Each part of a reference is found, and none is invented."""
    reference = parse_reference(text)
    assert (reference.registry, reference.repository, reference.tag, reference.digest) == (
        registry,
        repository,
        tag,
        digest,
    )
    assert reference.text == text


@given(st.text(alphabet=st.one_of(st.sampled_from("/:@.=-a1 \n"), st.characters())))
def test_nothing_is_refused(text: str) -> None:
    """Any text is a reference of some kind."""
    reference = parse_reference(text)
    assert reference.text == text
    assert normalize_reference(reference).registry


@pytest.mark.parametrize(
    "text", ["redis", "docker.io/redis", "library/redis", "docker.io/library/redis", "index.docker.io/library/redis"]
)
def test_docker_hub_has_many_spellings(text: str) -> None:
    """An image of Docker Hub is the same however it is spelt."""
    normal = normalize_reference(parse_reference(text))
    assert (normal.registry, normal.repository) == ("docker.io", "library/redis")


@pytest.mark.parametrize(
    ("text", "registry", "repository"),
    [
        ("team/app", "docker.io", "team/app"),
        ("ghcr.io/app", "ghcr.io", "app"),
        ("GHCR.io/app", "ghcr.io", "app"),
        ("localhost/app", "localhost", "app"),
    ],
)
def test_library_belongs_to_docker_hub_alone(text: str, registry: str, repository: str) -> None:
    """Only a name of one component at Docker Hub gets `library`; a host's name has no case."""
    normal = normalize_reference(parse_reference(text))
    assert (normal.registry, normal.repository) == (registry, repository)


@given(st.from_regex(r"[a-z./:@]{0,20}", fullmatch=True))
def test_normalising_twice_changes_nothing(text: str) -> None:
    """A normalised reference is its own normal form."""
    once = normalize_reference(parse_reference(text))
    assert normalize_reference(once) == once


@pytest.mark.parametrize(
    ("repository", "suffix", "expected"),
    [
        ("x/app", "app", True),
        ("app", "app", True),
        ("x/myapp", "app", False),
        ("a/b/c", "b/c", True),
        ("a/xb/c", "b/c", False),
        ("app", "x/app", False),
        ("app/x", "app", False),
        ("x/app ", "app", False),
    ],
)
def test_path_components_match_whole(repository: str, suffix: str, expected: bool) -> None:
    """`x/myapp` is not `app`."""
    assert has_path_suffix(repository, suffix) is expected


COMPONENT = st.from_regex(r"[a-z]{1,3}", fullmatch=True)


@given(st.lists(COMPONENT, min_size=1, max_size=4), st.lists(COMPONENT, min_size=1, max_size=4))
def test_a_suffix_is_one_of_whole_components(path: list[str], suffix: list[str]) -> None:
    """The comparison of texts is that of lists of components."""
    assert has_path_suffix("/".join(path), "/".join(suffix)) is (path[-len(suffix) :] == suffix)
