"""File descriptors: the whole input in, the whole output out. Imports nothing but `os`, since every run needs it."""

from __future__ import annotations

import os

_CHUNK = 1 << 20


def read_all(descriptor: int, limit: int) -> bytearray:
    """Read to the end, or to one byte more than `limit`."""
    data = bytearray()
    while len(data) <= limit:
        chunk = os.read(descriptor, min(_CHUNK, limit + 1 - len(data)))
        if not chunk:
            break
        data += chunk
    return data


def write_all(descriptor: int, pieces: list[bytes | bytearray | memoryview]) -> None:
    """Write pieces in order: small ones together, large ones as they are."""
    pending = bytearray()
    for piece in pieces:
        if len(piece) < _CHUNK:
            pending += piece
            if len(pending) < _CHUNK:
                continue
            piece = b""
        _write(descriptor, pending)
        pending = bytearray()
        _write(descriptor, piece)
    _write(descriptor, pending)


def _write(descriptor: int, data: bytes | bytearray | memoryview) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
