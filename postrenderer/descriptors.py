"""File descriptors: the whole input in, the whole output out. Imports nothing but `os`, since every run needs it."""

from __future__ import annotations

import os

_CHUNK = 1 << 20


def read_all(descriptor: int, limit: int) -> bytearray:
    """Read to the end, or to one byte more than `limit`."""
    data = bytearray()
    while len(data) <= limit:
        try:
            chunk = os.read(descriptor, min(_CHUNK, limit + 1 - len(data)))
        except BlockingIOError:
            _wait(descriptor, to_write=False)
            continue
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
        view = view[_write_some(descriptor, view) :]


def _write_some(descriptor: int, view: memoryview) -> int:
    try:
        return os.write(descriptor, view)
    except BlockingIOError:
        _wait(descriptor, to_write=True)
        return 0


def _wait(descriptor: int, *, to_write: bool) -> None:
    # A parent such as Node.js leaves its pipes in non-blocking mode, and a child shares that mode.
    import select

    select.select([] if to_write else [descriptor], [descriptor] if to_write else [], [])
