"""Layers, decompressed as they come: gzip, zstd or neither, told apart by their first bytes as containerd does."""

from __future__ import annotations

import itertools
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from postrenderer.registry.errors import RegistryError, import_extra

OUTPUT = 256 * 1024
"""The most that one step decompresses: a bomb is stopped between steps."""

_GZIP = b"\x1f\x8b\x08"
_ZSTD = b"\x28\xb5\x2f\xfd"
_SKIPPABLE = b"\x2a\x4d\x18"
"""Bytes 2 to 4 of a zstd frame without content, which `zstd:chunked` layers may begin with."""


class _Decoder(Protocol):
    """What zlib's and zstd's decompressors have in common once their leftovers are kept in one place."""

    def decode(self, data: bytes) -> bytes: ...

    @property
    def eof(self) -> bool: ...

    @property
    def rest(self) -> bytes: ...


def decompress(chunks: Iterator[bytes], spend: Callable[[int], None]) -> Iterator[bytes]:
    """The content of a layer. `spend` is told of every piece before it is passed on, and may raise."""
    head, chunks = _peek(chunks, 4)
    make: Callable[[], _Decoder]
    if head.startswith(_GZIP):
        make = _Gzip
    elif head == _ZSTD or head[1:] == _SKIPPABLE:
        make = _Zstd
    else:
        return _count(chunks, spend)
    return _count(_decode(chunks, make), spend)


def _peek(chunks: Iterator[bytes], count: int) -> tuple[bytes, Iterator[bytes]]:
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= count:
            break
    return head[:count], itertools.chain([head], chunks)


def _count(chunks: Iterator[bytes], spend: Callable[[int], None]) -> Iterator[bytes]:
    for chunk in chunks:
        spend(len(chunk))
        yield chunk


def _decode(chunks: Iterator[bytes], make: Callable[[], _Decoder]) -> Iterator[bytes]:
    """Members and frames one after the other: eStargz and zstd:chunked layers have one for every file."""
    decoder = make()
    for chunk in chunks:
        data = chunk
        while data:
            if decoder.eof:
                decoder = make()
            output = _step(decoder, data)
            data = decoder.rest
            # Also an empty piece is passed on: thousands of empty members take time, and `spend` watches it.
            yield output
    if not decoder.eof:
        raise RegistryError("a layer ends in the middle of its compression: pull it again, or push it again")


def _step(decoder: _Decoder, data: bytes) -> bytes:
    try:
        return decoder.decode(data)
    except Exception as error:
        raise RegistryError(f"a layer cannot be decompressed ({type(error).__name__}): it is damaged") from error


class _Gzip:
    def __init__(self) -> None:
        self._object = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)

    def decode(self, data: bytes) -> bytes:
        return self._object.decompress(data, OUTPUT)

    @property
    def eof(self) -> bool:
        return self._object.eof

    @property
    def rest(self) -> bytes:
        return self._object.unused_data if self._object.eof else self._object.unconsumed_tail


class _Zstd:
    """The library keeps its own leftovers, and is asked for more with nothing until it wants input."""

    def __init__(self) -> None:
        module: Any = import_extra("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
        # 128 MiB, which is also where the command line program stops: a frame may ask for 2 GiB of memory.
        window = {module.DecompressionParameter.window_log_max: 27}
        self._object = module.ZstdDecompressor(options=window)
        self._waiting = False

    def decode(self, data: bytes) -> bytes:
        output: bytes = self._object.decompress(b"" if self._waiting else data, OUTPUT)
        self._waiting = not self._object.eof and not self._object.needs_input
        self._kept = data
        return output

    @property
    def eof(self) -> bool:
        return bool(self._object.eof)

    @property
    def rest(self) -> bytes:
        if self._object.eof:
            return bytes(self._object.unused_data)
        return self._kept if self._waiting else b""
