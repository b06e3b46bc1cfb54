"""Files as input and output: what a path stands for, and writing that leaves the old or the new, never half."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from postrenderer.descriptors import read_all, write_all
from postrenderer.model import Refused
from postrenderer.outcome import escape
from postrenderer.stream import Buffer

SUFFIXES = (".yaml", ".yml", ".json")
Pieces = list["Buffer | memoryview"]

_BINARY: int = getattr(os, "O_BINARY", 0)
_STANDARD = {"/dev/stdout": 1, "/dev/stderr": 2, "/dev/fd/1": 1, "/dev/fd/2": 2}


@contextmanager
def _naming(path: str, what: str) -> Iterator[None]:
    """Turn what the system says into a sentence that names the path as the user wrote it."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        folder = os.path.dirname(os.path.realpath(path))
        if error.errno == errno.ENOENT and what == "written" and not os.path.isdir(folder):
            reason = f"the folder {folder} does not exist: create it first"
        raise Refused(escape(f"{path}: cannot be {what}: {reason}")) from None
    except ValueError as error:  # a NUL in the name
        raise Refused(escape(f"{path}: cannot be {what}: {error}")) from None


def find_files(path: str) -> Iterator[str]:
    """The file itself, or a directory's YAML and JSON files, recursively and in order; hidden ones are left out."""
    if not os.path.isdir(path):
        yield path
        return
    with _naming(path, "read"):
        for directory, directories, names in os.walk(path, onerror=_raise):
            directories[:] = sorted(name for name in directories if not name.startswith("."))
            for name in sorted(names):
                file = os.path.join(directory, name)
                if name.lower().endswith(SUFFIXES) and not name.startswith(".") and not _is_special(file):
                    yield file


def _raise(error: OSError) -> None:
    raise error


def _is_special(path: str) -> bool:
    # A FIFO in a directory would block for ever. A link that leads nowhere is no special file, but an error.
    return os.path.exists(path) and not os.path.isfile(path)


def read_file(path: str, limit: int) -> bytearray:
    """Read a file, to one byte more than `limit` at most."""
    with _naming(path, "read"):
        descriptor = os.open(path, os.O_RDONLY | _BINARY)
        try:
            return read_all(descriptor, limit)
        finally:
            os.close(descriptor)


def is_same_file(one: str, other: str) -> bool:
    """Tell whether two paths lead to one file (or would, where it does not exist)."""
    try:
        return os.path.samefile(one, other)
    except (OSError, ValueError):
        return os.path.realpath(one) == os.path.realpath(other)


def write_file(path: str, pieces: Pieces) -> None:
    """Write a file: at once by renaming, or through where it is no regular file (a device, a FIFO).

    Where `path` is a link, the file that it leads to is replaced. The mode of an existing file stays.
    """
    write_files([(path, pieces)])


def write_files(files: Iterable[tuple[str, Pieces]]) -> None:
    """Write several files: none is replaced before all are written in full next to their places."""
    staged: list[tuple[str, str, str]] = []
    try:
        for path, pieces in files:
            with _naming(path, "written"):
                if _is_written_through(path):
                    _write_through(path, pieces)
                else:
                    _stage(path, pieces, staged)
        while staged:
            path, temporary, target = staged[0]
            with _naming(path, "written"):
                os.replace(temporary, target)
            del staged[0]
    finally:
        for _, temporary, _ in staged:
            os.unlink(temporary)


def _is_written_through(path: str) -> bool:
    try:
        return path in _STANDARD or not stat.S_ISREG(os.stat(path).st_mode)
    except FileNotFoundError:
        return False


def _write_through(path: str, pieces: Pieces) -> None:
    if path in _STANDARD:  # opened anew, a file behind it would be written from its start again
        write_all(_STANDARD[path], pieces)
        return
    if os.path.isdir(path):
        raise Refused(f"{path}: is a directory: name a file")
    descriptor = os.open(path, os.O_WRONLY | _BINARY)
    try:
        write_all(descriptor, pieces)
    finally:
        os.close(descriptor)


def _stage(path: str, pieces: Pieces, staged: list[tuple[str, str, str]]) -> None:
    """Write a temporary file next to the file that `path` leads to, with that file's mode and owner."""
    target = os.path.realpath(path)
    old = os.stat(target) if os.path.exists(target) else None
    if old is not None and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, "it is read-only")
    descriptor, temporary = _create_temporary(os.path.dirname(target), 0o666 if old is None else 0o600)
    staged.append((path, temporary, target))
    try:
        if old is not None and hasattr(os, "fchmod"):
            _keep_owner(descriptor, old)
            os.fchmod(descriptor, stat.S_IMODE(old.st_mode))
        write_all(descriptor, pieces)
    finally:
        os.close(descriptor)


def _keep_owner(descriptor: int, old: os.stat_result) -> None:
    new = os.fstat(descriptor)
    if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
        try:
            os.fchown(descriptor, old.st_uid, old.st_gid)
        except OSError:
            pass  # only root can give a file away


def _create_temporary(folder: str, mode: int) -> tuple[int, str]:
    # tempfile costs as much start-up as all of this program's own modules.
    number = 0
    while True:
        temporary = os.path.join(folder, f".sandbox-postrenderer.{os.getpid()}.{number}")
        try:
            return os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, mode), temporary
        except FileExistsError:
            number += 1
