"""Files as input and output: what a path stands for, and writing that leaves the old or the new, never half."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator

from postrenderer.descriptors import read_all, write_all
from postrenderer.model import Refused
from postrenderer.stream import Buffer

SUFFIXES = (".yaml", ".yml", ".json")


def find_files(path: str) -> Iterator[str]:
    """The file itself, or a directory's YAML and JSON files, recursively and in order; hidden ones are left out."""
    if not os.path.isdir(path):
        yield path
        return
    for directory, directories, names in os.walk(path, onerror=_raise):
        directories[:] = sorted(name for name in directories if not name.startswith("."))
        for name in sorted(names):
            if name.endswith(SUFFIXES) and not name.startswith("."):
                yield os.path.join(directory, name)


def _raise(error: OSError) -> None:
    raise error


def read_file(path: str, limit: int) -> bytearray:
    """Read a file, to one byte more than `limit` at most."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        return read_all(descriptor, limit)
    finally:
        os.close(descriptor)


def write_file(path: str, pieces: list[Buffer | memoryview]) -> None:
    """Write a file: at once by renaming, or through where it is no regular file (a device, a FIFO).

    Where `path` is a link, the file that it leads to is replaced. The mode of an existing file stays.
    """
    path = os.path.realpath(path)
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        mode = None
    if mode is not None and not stat.S_ISREG(mode):
        _write_through(path, pieces)
        return
    directory, name = os.path.split(path)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{name}.", dir=directory)
    try:
        try:
            write_all(descriptor, pieces)
            if hasattr(os, "fchmod"):
                os.fchmod(descriptor, stat.S_IMODE(mode) if mode is not None else 0o666 & ~_get_umask())
        finally:
            os.close(descriptor)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _write_through(path: str, pieces: list[Buffer | memoryview]) -> None:
    if os.path.isdir(path):
        raise Refused(f"{path}: is a directory, not a file")
    descriptor = os.open(path, os.O_WRONLY)
    try:
        write_all(descriptor, pieces)
    finally:
        os.close(descriptor)


def _get_umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask
