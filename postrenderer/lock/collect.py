"""Which images workloads need, and who needs them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from postrenderer.images.reference import parse_reference
from postrenderer.lock.entry import LockEntry
from postrenderer.lock.lookup import format_reference
from postrenderer.model import Workload


@dataclass(frozen=True, slots=True)
class Wanted:
    """An image that the file should have an entry for. `digest` is empty where the manifests pin none."""

    reference: str
    digest: str = ""
    used_by: str = ""

    @property
    def key(self) -> tuple[str, str]:
        return self.reference, self.digest

    @property
    def image(self) -> str:
        """What a registry is asked for."""
        return f"{self.reference}@{self.digest}" if self.digest else self.reference


def want_image(text: str, used_by: str = "") -> Wanted:
    """What is wanted for an image as a manifest names it."""
    reference = parse_reference(text)
    return Wanted(format_reference(reference), reference.digest or "", used_by)


def want_entry(entry: LockEntry) -> Wanted:
    """What an entry was made for."""
    return Wanted(*entry.key)


@dataclass(frozen=True, slots=True)
class Collected:
    """The images of some workloads, each once, in order."""

    wanted: tuple[Wanted, ...]
    derived: tuple[tuple[str, str], ...]
    """References without a version, since nobody stated kagent's; with who uses them."""


def collect_images(workloads: Iterable[Workload]) -> Collected:
    """Collect the images of all containers."""
    wanted: dict[tuple[str, str], Wanted] = {}
    derived: dict[str, str] = {}
    for workload in workloads:
        used_by = f"{workload.resource.id} in {workload.resource.location.source}"
        for container in workload.containers:
            image = container.image
            if image is None:
                continue
            if image.version is not None:
                derived.setdefault(image.reference, used_by)
                continue
            each = want_image(image.reference.strip(), used_by)
            wanted.setdefault(each.key, each)
    return Collected(tuple(wanted.values()), tuple(derived.items()))
