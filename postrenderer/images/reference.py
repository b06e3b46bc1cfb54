"""Image references: the text of a container's `image`, taken apart."""

from __future__ import annotations

from dataclasses import dataclass

DOCKER_HUB = "docker.io"


@dataclass(frozen=True, slots=True)
class ImageReference:
    """A reference in its parts. A part that was not written is None; `repository` is the path without the registry."""

    text: str
    registry: str | None
    repository: str
    tag: str | None
    digest: str | None


def parse_reference(text: str) -> ImageReference:
    """Take `[REGISTRY/]REPOSITORY[:TAG][@DIGEST]` apart; what is no reference comes back as a repository, as it is.

    It never raises: the API server and the container runtime judge references, this program only compares them.
    """
    name, _, digest = text.partition("@")
    # The colon of `localhost:5000/app` belongs to a port: only what follows the last `/` can hold a tag.
    start = name.rfind("/") + 1
    last, _, tag = name[start:].partition(":")
    registry, repository = _split_registry(name[:start] + last)
    return ImageReference(text, registry, repository, tag or None, digest or None)


def _split_registry(name: str) -> tuple[str | None, str]:
    """Docker's rule: the first of several components is a registry if it has a `.` or a `:` or is `localhost`."""
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return first, rest
    return None, name


def normalize_reference(reference: ImageReference) -> ImageReference:
    """Write out what Docker Hub leaves out: `redis`, `index.docker.io/redis` and `docker.io/library/redis` are one."""
    registry = (reference.registry or DOCKER_HUB).lower()
    repository = reference.repository
    if registry == "index.docker.io":
        registry = DOCKER_HUB
    if registry == DOCKER_HUB and "/" not in repository:
        repository = f"library/{repository}"
    return ImageReference(reference.text, registry, repository, reference.tag, reference.digest)


def has_path_suffix(repository: str, suffix: str) -> bool:
    """Whether `repository` ends in the path `suffix`, component by component: `x/myapp` does not end in `app`."""
    return repository == suffix or repository.endswith(f"/{suffix}")
