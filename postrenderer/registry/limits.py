"""What one image may cost. All numbers are here, so that a hostile registry or image meets each of them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from postrenderer.registry.errors import RegistryError

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that resolving one image may take. Sizes are bytes."""

    manifest: int = 4 * MIB
    """A manifest or index: what the distribution specification asks registries to accept at least."""
    config: int = 8 * MIB
    """An image configuration: its history and labels grow, its user does not."""
    token: int = MIB
    """A token server's answer."""
    user_file: int = MIB
    """`/etc/passwd` or `/etc/group`."""
    compressed: int = 2 * GIB
    """All bodies that are read, together."""
    decompressed: int = 8 * GIB
    """All layers that are read, decompressed, together."""
    entries: int = 2_000_000
    """Entries of all layers that are read, extension headers included."""
    layers: int = 512
    """Layers of one image; Docker itself stops at 127."""
    manifests: int = 128
    """Manifests that an index may name, attestations included."""
    links: int = 16
    """Symbolic and hard links that are followed to one file."""
    requests: int = 1024
    redirects: int = 5
    """Redirects of one request."""
    retries: int = 3
    """Repetitions of one request that the registry puts off (429, and 503 with `Retry-After`)."""
    retry_seconds: float = 30
    """The longest single wait before a repetition; a registry that asks for more is not waited for."""
    connect_seconds: float = 10
    read_seconds: float = 30
    """How long a connection may be silent."""
    seconds: float = 300
    """The whole image."""


@dataclass(slots=True)
class Budget:
    """What resolving one image has taken so far; every `spend_` raises `RegistryError` where a limit is passed."""

    limits: Limits
    requests: int = 0
    bytes: int = 0
    """Bytes of response bodies that were read, as they came (compressed)."""
    decompressed: int = 0
    entries: int = 0
    deadline: float = field(init=False)

    def __post_init__(self) -> None:
        self.deadline = time.monotonic() + self.limits.seconds

    def spend_request(self) -> None:
        self.requests += 1
        _hold(self.requests, self.limits.requests, "requests")
        self.check_time()

    def spend_bytes(self, count: int) -> None:
        self.bytes += count
        _hold(self.bytes, self.limits.compressed, "bytes to download")
        self.check_time()

    def spend_decompressed(self, count: int) -> None:
        self.decompressed += count
        _hold(self.decompressed, self.limits.decompressed, "bytes of decompressed layers")
        self.check_time()

    def spend_entry(self) -> None:
        self.entries += 1
        _hold(self.entries, self.limits.entries, "files in its layers")

    def check_time(self) -> None:
        if time.monotonic() > self.deadline:
            raise time_error(self.limits)


def time_error(limits: Limits) -> RegistryError:
    """The one message for both ways in which time runs out."""
    return RegistryError(f"took longer than {limits.seconds:g} seconds: try again, or state its user with --image-uid")


def _hold(value: int, limit: int, what: str) -> None:
    if value > limit:
        raise RegistryError(f"has more than {limit} {what}: state its user with --image-uid instead")
