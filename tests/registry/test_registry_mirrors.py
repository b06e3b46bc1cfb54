from __future__ import annotations

import pytest

from postrenderer.images.reference import normalize_reference, parse_reference
from postrenderer.registry.errors import RegistryError
from postrenderer.registry.mirrors import check_reference, find_endpoint, parse_mirror, parse_plain_http


def find(image: str, *mirrors: str, plain: str = "") -> tuple[str, str]:
    reference = normalize_reference(parse_reference(image))
    check_reference(reference)
    endpoint = find_endpoint(reference, [parse_mirror(each) for each in mirrors], frozenset(plain.split()))
    return endpoint.base, endpoint.login


@pytest.mark.parametrize(
    ("image", "mirrors", "base", "login"),
    [
        ("redis", (), "https://registry-1.docker.io/v2/library/redis", "docker.io"),
        ("team/app:1", (), "https://registry-1.docker.io/v2/team/app", "docker.io"),
        ("index.docker.io/redis", (), "https://registry-1.docker.io/v2/library/redis", "docker.io"),
        ("registry-1.docker.io/team/app", (), "https://registry-1.docker.io/v2/team/app", "docker.io"),
        ("GHCR.io/a/b", (), "https://ghcr.io/v2/a/b", "ghcr.io"),
        ("localhost:5000/a", (), "https://localhost:5000/v2/a", "localhost:5000"),
        ("redis", ("docker.io=m.example:5000",), "https://m.example:5000/v2/library/redis", "m.example:5000"),
        ("redis", ("index.docker.io=m.example/hub",), "https://m.example/v2/hub/library/redis", "m.example"),
        ("redis", ("docker.io/library=m.example/hub",), "https://m.example/v2/hub/redis", "m.example"),
        ("a/b", ("docker.io/library=m.example/hub",), "https://registry-1.docker.io/v2/a/b", "docker.io"),
        ("ghcr.io/ab/c", ("ghcr.io/a=m.example",), "https://ghcr.io/v2/ab/c", "ghcr.io"),
        ("ghcr.io/a/b", ("ghcr.io/a/b=m.example/x/y",), "https://m.example/v2/x/y", "m.example"),
        ("ghcr.io/a/b", ("ghcr.io=one.example", "ghcr.io/a=two.example"), "https://two.example/v2/b", "two.example"),
        ("ghcr.io/a/b", ("ghcr.io/a=two.example", "ghcr.io=one.example"), "https://two.example/v2/b", "two.example"),
        ("ghcr.io/a", ("ghcr.io=one.example", "ghcr.io=two.example"), "https://two.example/v2/a", "two.example"),
        ("m.example/a", ("m.example=docker.io/team",), "https://registry-1.docker.io/v2/team/a", "docker.io"),
    ],
)
def test_endpoint(image: str, mirrors: tuple[str, ...], base: str, login: str) -> None:
    assert find(image, *mirrors) == (base, login)


def test_plain_http_for_named_hosts_only() -> None:
    assert find("localhost:5000/a", plain="localhost:5000")[0] == "http://localhost:5000/v2/a"
    assert find("localhost:5001/a", plain="localhost:5000 localhost")[0] == "https://localhost:5001/v2/a"
    assert find("redis", "docker.io=localhost:5000", plain="localhost:5000")[0].startswith("http://")


@pytest.mark.parametrize(
    "text", ["", "docker.io", "=a", "a=", "https://a=b", "a=https://b", "a=b/C", "a=b c", "a=b/../c", "a=b?c"]
)
def test_mirror_that_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="is not FROM=TO"):
        parse_mirror(text)


def test_plain_http_host() -> None:
    assert parse_plain_http(" LOCALHOST:5000 ") == "localhost:5000"
    assert parse_plain_http("[::1]:5000") == "[::1]:5000"
    with pytest.raises(ValueError, match="is no HOST"):
        parse_plain_http("http://localhost")


@pytest.mark.parametrize(
    "image",
    [
        "",
        "UPPER/case",
        "a/../b",
        "a/b?c=d",
        "a/b#c",
        "a b",
        "a\nb",
        "a%2fb",
        "x.y@evil/a",
        "user:pw@ghcr.io/a",
        "ghcr.io/a:tag with space",
        "ghcr.io/a:../x",
        "ghcr.io/a@sha256:short",
        "ghcr.io/a@../../x",
        "ghcr.io:99999999/a",
        "-a.b/c",
        "a//b",
    ],
)
def test_reference_that_is_none(image: str) -> None:
    with pytest.raises(RegistryError) as caught:
        find(image)
    assert caught.value.message.isprintable()
