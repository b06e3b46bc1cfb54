"""Archives of charts, read as helm reads them: what cannot be read in one way only is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator

from postrenderer.model import Refused
from postrenderer.outcome import escape
from postrenderer.registry.compression import decompress
from postrenderer.registry.errors import RegistryError
from postrenderer.registry.tar import ByteStream, TarEntry, TarReader

SUFFIXES = (".tgz", ".tar.gz")
MAX_ARCHIVE = 100 * 1024**2
"""helm's own limit for an archive, unpacked. Here it is one for all archives of a chart together."""
MAX_ARCHIVES = 5
"""So deep may archives be inside archives."""
_SEPARATOR = re.compile(r"[/\\]")
_EXTENSIONS = (b"x", b"L", b"K")
_GNU = b"ustar  \0"
_USTAR = b"ustar\0"
_STAR = b"tar\0"


class _Reader(TarReader):
    """An archive without what Go's reader and this one would take for different names of one entry."""

    _has_extension = False

    def _read_header(self) -> bytes | None:
        header = super()._read_header()
        if header is None:
            return None
        kind = header[156:157]
        if self._has_extension and (kind in _EXTENSIONS or kind == b"g"):
            raise RegistryError("an entry has two headers with its name, and readers differ in which counts")
        self._has_extension = kind in _EXTENSIONS
        # Where ustar has the beginning of a name, GNU's format has times, and STAR's has them behind it.
        has_times = header.startswith(_GNU, 257) and any(header[345:500])
        if has_times or (header.startswith(_USTAR, 257) and header.startswith(_STAR, 508)):
            raise RegistryError("an entry has times where others have a part of the name: pack it without")
        return header


class ArchiveReader:
    """Reads the files of one name in a chart's archives, also in those inside of them."""

    def __init__(self, name: str, max_file: int) -> None:
        self._name = name
        self._max_file = max_file
        self._spent = 0

    def read(self, content: bytes, shown: str, depth: int = 1) -> Iterator[tuple[bytes, str]]:
        """Yield each such file's content, and where it stands.

        Raises `Refused` for an archive that is none, that unpacks outside, or without end.
        """
        if depth > MAX_ARCHIVES:
            raise Refused(f"{shown}: has archives inside archives, {MAX_ARCHIVES} deep: take them out")

        def spend(count: int) -> None:
            self._spent += count
            if self._spent > MAX_ARCHIVE:
                raise Refused(f"{shown}: unpacks to more than {MAX_ARCHIVE} bytes, with what was unpacked before it")

        archive = _Reader(ByteStream(decompress(iter([content]), spend)), lambda: None)
        try:
            for entry in archive:
                parts = self._check(entry, shown)
                if not parts or not entry.size:
                    continue
                inside = f"{shown}: {escape(entry.name)}"
                if parts[-1] == self._name:
                    yield archive.read_content(self._max_file), inside
                elif parts[-1].endswith(SUFFIXES) and "charts" in parts:
                    yield from self.read(archive.read_content(self._max_file), inside, depth + 1)
        except RegistryError as error:
            raise Refused(f"{shown}: cannot be unpacked: {error}") from None

    def _check(self, entry: TarEntry, shown: str) -> list[str]:
        """The parts of an entry's name, less those that stand for nothing; a backslash parts as well for helm."""
        parts = _SEPARATOR.split(entry.name)
        if parts[0] == "" or ".." in parts or entry.kind in ("symlink", "hardlink", "other"):
            raise Refused(f"{shown}: holds {entry.name!r}, which leads out of the chart, or is no file")
        if entry.size > self._max_file:
            raise Refused(f"{shown}: {entry.name!r} is larger than {self._max_file} bytes, which helm refuses as well")
        return [part for part in parts if part not in ("", ".")]
