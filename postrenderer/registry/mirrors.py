"""Where an image is asked for: its own registry or a mirror, by HTTPS or, for hosts that were named, plain HTTP."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from postrenderer.images.reference import DOCKER_HUB, ImageReference
from postrenderer.registry.errors import RegistryError, quote_text

DOCKER_HUB_HOST = "registry-1.docker.io"
"""Where the registry that is called `docker.io` answers."""

_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
_COMPONENT = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_PATH = rf"{_COMPONENT}(?:/{_COMPONENT})*"
_IS_HOST = re.compile(_HOST)
_IS_PATH = re.compile(_PATH)
_IS_TAG = re.compile("[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_IS_DIGEST = re.compile("sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_IS_PLACE = re.compile(rf"(?P<host>{_HOST})(?:/(?P<path>{_PATH}))?")


@dataclass(frozen=True, slots=True)
class Mirror:
    """Images below `from_host/from_path` are asked for below `to_host/to_path`. Paths may be empty."""

    from_host: str
    from_path: str
    to_host: str
    to_path: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A repository as a registry serves it. `login` is the name under which `docker login` knows the registry."""

    scheme: str
    host: str
    repository: str
    login: str

    @property
    def base(self) -> str:
        return f"{self.scheme}://{self.host}/v2/{self.repository}"


def parse_mirror(text: str) -> Mirror:
    """Read `FROM=TO`, both `HOST[:PORT][/PATH]`; a `ValueError` says what is wrong and what is expected."""
    source, equals, target = text.strip().partition("=")
    places = [_IS_PLACE.fullmatch(place.strip()) for place in (source, target)]
    if not equals or places[0] is None or places[1] is None:
        raise ValueError(
            f"registry-mirror: {quote_text(text)} is not FROM=TO, such as docker.io=mirror.example.com/hub "
            "(without https://; for plain HTTP name the host with --plain-http)"
        )
    host = _normalize_host(places[0]["host"])
    return Mirror(host, places[0]["path"] or "", places[1]["host"].lower(), places[1]["path"] or "")


def parse_plain_http(text: str) -> str:
    """Read `HOST[:PORT]` of a registry that speaks plain HTTP; a `ValueError` says what is wrong."""
    if _IS_HOST.fullmatch(text.strip()) is None:
        raise ValueError(f"plain-http: {quote_text(text)} is no HOST[:PORT], such as localhost:5000")
    return text.strip().lower()


def check_reference(reference: ImageReference) -> None:
    """Refuse what is no image reference by the distribution specification, before it becomes part of a URL."""
    shown = quote_text(reference.text)
    if reference.registry is None or _IS_HOST.fullmatch(reference.registry) is None:
        raise RegistryError(f"{shown} names no registry host that could be asked")
    if _IS_PATH.fullmatch(reference.repository) is None:
        raise RegistryError(f"{shown} is no image reference: its repository has to be lower case letters, digits, ._-/")
    if reference.tag is not None and _IS_TAG.fullmatch(reference.tag) is None:
        raise RegistryError(f"{shown} is no image reference: its tag is not one")
    if reference.digest is not None and not is_digest(reference.digest):
        raise RegistryError(f"{shown} is no image reference: its digest is not sha256: with 64 hexadecimal digits")


def is_digest(text: str) -> bool:
    """Whether `text` is a digest of one of the two algorithms that the image specification registers."""
    return _IS_DIGEST.fullmatch(text) is not None


def find_endpoint(reference: ImageReference, mirrors: Sequence[Mirror], plain_http: frozenset[str]) -> Endpoint:
    """Where a checked, normalised reference is asked for. Of several mirrors that fit, the longest `from_path` counts.

    A mirror stands in the registry's place: where it does not have the image, nobody else is asked.
    """
    host, repository = reference.registry or DOCKER_HUB, reference.repository
    fitting = [mirror for mirror in mirrors if mirror.from_host == host and _is_below(repository, mirror.from_path)]
    if fitting:
        # Of two with the same path the later one: options that come later override.
        mirror = max(reversed(fitting), key=lambda each: len(each.from_path))
        rest = repository[len(mirror.from_path) :].strip("/")
        host, repository = mirror.to_host, "/".join(part for part in (mirror.to_path, rest) if part)
    login = _normalize_host(host)
    host = DOCKER_HUB_HOST if login == DOCKER_HUB else host
    return Endpoint("http" if host in plain_http else "https", host, repository, login)


def _normalize_host(host: str) -> str:
    host = host.lower()
    return DOCKER_HUB if host in ("index.docker.io", DOCKER_HUB_HOST) else host


def _is_below(repository: str, path: str) -> bool:
    return not path or repository == path or repository.startswith(f"{path}/")
