"""Reading a tar archive forward, a header at a time, in bounded memory and time whatever it holds.

The standard library's `tarfile` is not used: its older patch releases, which this program runs on, loop or backtrack
for ever on headers made for it (CVE-2025-8194, CVE-2024-6232), and it reads extension headers of any size whole.
Formats: v7, ustar, GNU (long names, base-256 numbers) and pax, as Go's archive/tar reads them for containerd.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from postrenderer.registry.errors import RegistryError

Kind = Literal["file", "directory", "symlink", "hardlink", "other"]

BLOCK = 512
EXTENSION = 1024 * 1024
"""The largest extension header; Go's archive/tar has the same limit."""

_KINDS: dict[bytes, Kind] = {b"0": "file", b"\0": "file", b"7": "file", b"1": "hardlink", b"2": "symlink"}
_WITHOUT_DATA = b"123456"
"""Links, devices, directories, FIFOs: what their size field says, no data follows."""


@dataclass(frozen=True, slots=True)
class TarEntry:
    """One entry. Bytes that are no UTF-8 are kept by `surrogateescape`; `size` is that of the data that follows."""

    name: str
    kind: Kind
    size: int
    link: str = ""


class ByteStream:
    """Chunks as a stream to read and skip in."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._buffer = memoryview(b"")

    def read(self, count: int) -> bytes:
        """The next `count` bytes, fewer at the end only."""
        if count <= len(self._buffer):
            data, self._buffer = bytes(self._buffer[:count]), self._buffer[count:]
            return data
        parts = [bytes(self._buffer)]
        missing = count - len(self._buffer)
        self._buffer = memoryview(b"")
        while missing and self._fill():
            parts.append(bytes(self._buffer[:missing]))
            self._buffer = self._buffer[missing:]
            missing -= len(parts[-1])
        return b"".join(parts)

    def skip(self, count: int) -> bool:
        """Pass over `count` bytes; false where the stream ends before."""
        while count > len(self._buffer):
            count -= len(self._buffer)
            if not self._fill():
                return False
        self._buffer = self._buffer[count:]
        return True

    def _fill(self) -> bool:
        for chunk in self._chunks:
            if chunk:
                self._buffer = memoryview(chunk)
                return True
        self._buffer = memoryview(b"")
        return False


class TarReader:
    """Iterates over the entries of a stream. `RegistryError` where it is no tar archive, or ends too early.

    `spend` is called for every header, extension headers included, and may raise.
    """

    def __init__(self, stream: ByteStream, spend: Callable[[], None]) -> None:
        self._stream = stream
        self._spend = spend
        self._pending = 0
        """Bytes from here to the next header."""

    def __iter__(self) -> Iterator[TarEntry]:
        extended: dict[str, str] = {}
        while (header := self._read_header()) is not None:
            kind = header[156:157]
            size = _parse_number(header[124:136])
            if kind in (b"x", b"g", b"L", b"K"):
                self._begin_data(size)
                extended.update(_parse_extension(kind, self.read_content(EXTENSION)))
                continue
            yield self._make_entry(header, kind, size, extended)
            extended = {}

    def read_content(self, limit: int) -> bytes:
        """The data of the entry that was yielded last; `RegistryError` where it is longer than `limit`."""
        size = self._size
        if size > limit:
            raise RegistryError(
                f"a layer has a file of {size} bytes where {limit} are the most: it is not what it seems"
            )
        data = self._stream.read(size)
        self._pending -= len(data)
        if len(data) < size:
            raise _end_error()
        return data

    def drain(self) -> None:
        """Read what follows the archive's end, so that the layer's digest can be verified."""
        while self._stream.skip(BLOCK):
            pass

    def _read_header(self) -> bytes | None:
        self._spend()
        if not self._stream.skip(self._pending):
            raise _end_error()
        self._pending = 0
        header = self._stream.read(BLOCK)
        # Two blocks of zeros end an archive; one, or nothing at all, is what some tools leave.
        if not header or not header.strip(b"\0"):
            return None
        if len(header) < BLOCK:
            raise _end_error()
        _check_sum(header)
        return header

    def _make_entry(self, header: bytes, kind: bytes, size: int, extended: dict[str, str]) -> TarEntry:
        name = extended.get("path") or _read_name(header)
        link = extended.get("linkpath") or _decode(header[157:257])
        if "size" in extended:
            size = _parse_decimal(extended["size"])
        sparse = kind == b"S" or any(key.startswith("GNU.sparse.") for key in extended)
        name = extended.get("GNU.sparse.name", name)
        if kind == b"S":
            self._skip_sparse_map(header)
        self._begin_data(0 if kind in _WITHOUT_DATA else size)
        return TarEntry(name, "other" if sparse else _find_kind(kind, name), self._size, link)

    def _begin_data(self, size: int) -> None:
        self._size = size
        self._pending = size + -size % BLOCK

    def _skip_sparse_map(self, header: bytes) -> None:
        more = header[482]
        while more:
            self._spend()
            block = self._stream.read(BLOCK)
            if len(block) < BLOCK:
                raise _end_error()
            more = block[504]


def _find_kind(kind: bytes, name: str) -> Kind:
    # v7 archives have no type for directories: a trailing slash says it.
    if kind == b"5" or (kind in (b"0", b"\0") and name.endswith("/")):
        return "directory"
    return _KINDS.get(kind, "other")


def _read_name(header: bytes) -> str:
    name, prefix = _decode(header[:100]), _decode(header[345:500])
    # GNU's own format has times where ustar has the prefix: only `ustar\0` has one.
    return f"{prefix}/{name}" if prefix and header[257:263] == b"ustar\0" else name


def _decode(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _check_sum(header: bytes) -> None:
    stated = _parse_number(header[148:156])
    blank = header[:148] + b" " * 8 + header[156:]
    signed = sum(byte - 256 if byte > 127 else byte for byte in blank) if any(b > 127 for b in blank) else None
    if stated not in (sum(blank), signed):
        raise RegistryError("a layer is no tar archive, or a damaged one: push the image again")


def _parse_number(field: bytes) -> int:
    """Octal digits, or GNU's base 256 where the first bit is set. Negative sizes are refused."""
    if field[0] & 0x80:
        if field[0] & 0x40:
            raise _number_error()
        return int.from_bytes(bytes([field[0] & 0x3F]) + field[1:], "big")
    text = field.strip(b" \0")
    if not text:
        return 0
    if not text.isdigit() or b"8" in text or b"9" in text:
        raise _number_error()
    return int(text, 8)


def _parse_extension(kind: bytes, data: bytes) -> dict[str, str]:
    if kind == b"L":
        return {"path": _decode(data)}
    if kind == b"K":
        return {"linkpath": _decode(data)}
    # Global headers are not obeyed: neither does containerd.
    return dict(_parse_records(data)) if kind == b"x" else {}


def _parse_records(data: bytes) -> Iterator[tuple[str, str]]:
    """The records `LENGTH KEY=VALUE\\n` of a pax header, in one pass."""
    at = 0
    while at < len(data):
        space = data.find(b" ", at, at + 20)
        length = _parse_decimal(data[at:space].decode("latin-1")) if space > at else 0
        record = data[space + 1 : at + length]
        if not record.endswith(b"\n") or at + length > len(data):
            raise _number_error()
        key, _, value = record[:-1].partition(b"=")
        yield key.decode("utf-8", "surrogateescape"), value.decode("utf-8", "surrogateescape")
        at += length


def _parse_decimal(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 20:
        raise _number_error()
    return int(text)


def _number_error() -> RegistryError:
    return RegistryError("a layer has a header that cannot be read: push the image again")


def _end_error() -> RegistryError:
    return RegistryError("a layer ends in the middle of a file: pull it again, or push it again")
