from __future__ import annotations

import gzip
import itertools
import struct

import pytest

from postrenderer.registry.compression import OUTPUT, decompress
from postrenderer.registry.errors import RegistryError
from tests.registry.support import compress_zstd

TEXT = bytes(range(256)) * 5000


def unpack(data: bytes, size: int = 1000, most: int = 10**9) -> bytes:
    seen = 0

    def spend(count: int) -> None:
        nonlocal seen
        seen += count
        assert count <= max(OUTPUT, size)
        if seen > most:
            raise RegistryError("too much")

    chunks = (data[at : at + size] for at in range(0, len(data), size))
    return b"".join(decompress(chunks, spend))


SKIPPABLE = struct.pack("<II", 0x184D2A53, 5) + b"hello"
PACKED = {
    "none": TEXT,
    "gzip": gzip.compress(TEXT),
    "gzip in members": b"".join(gzip.compress(TEXT[at : at + 9999]) for at in range(0, len(TEXT), 9999)),
    "gzip with an empty member": gzip.compress(b"") + gzip.compress(TEXT) + gzip.compress(b""),
    "zstd": compress_zstd(TEXT),
    "zstd in frames": b"".join(compress_zstd(TEXT[at : at + 9999]) for at in range(0, len(TEXT), 9999)),
    "zstd with skippable frames": SKIPPABLE + compress_zstd(TEXT) + SKIPPABLE,
}


@pytest.mark.parametrize(("name", "size"), list(itertools.product(PACKED, [1, 3, 1000, 10**7])))
def test_decompress(name: str, size: int) -> None:
    assert unpack(PACKED[name], size) == TEXT


@pytest.mark.parametrize("data", [b"", b"a", b"\x1f\x8b"])
def test_short_content_is_as_it_is(data: bytes) -> None:
    assert unpack(data) == data


@pytest.mark.parametrize("pack", [gzip.compress, compress_zstd])
def test_bomb_is_stopped_between_steps(pack: object) -> None:
    with pytest.raises(RegistryError, match="too much"):
        unpack(pack(bytes(50_000_000)), most=1_000_000)  # type: ignore[operator]


@pytest.mark.parametrize("name", ["gzip", "zstd"])
def test_truncated(name: str) -> None:
    with pytest.raises(RegistryError, match="middle of its compression"):
        unpack(PACKED[name][:-10])


@pytest.mark.parametrize("name", ["gzip", "zstd"])
def test_damaged(name: str) -> None:
    data = PACKED[name]
    with pytest.raises(RegistryError, match="cannot be decompressed"):
        unpack(data[:4] + b"\xff" * 40 + data[44:])
    with pytest.raises(RegistryError, match="cannot be decompressed"):
        unpack(data + b"garbage")


def test_zstd_window_is_bounded() -> None:
    # A frame header that asks for a window of 2 GiB (exponent 21, RFC 8878 3.1.1.1.2).
    with pytest.raises(RegistryError, match="cannot be decompressed"):
        unpack(b"\x28\xb5\x2f\xfd\x00" + bytes([21 << 3]) + b"\x01\x00\x00")
