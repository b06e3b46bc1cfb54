"""Where a run begins. A stream without candidates is copied here, at the bare interpreter's speed; `cli` does the rest.

Imports nothing but what the interpreter has loaded or built in: the libraries that the rest needs cost ten times what a
copy does.
"""

from __future__ import annotations

import errno
import gc
import os
import sys

from postrenderer.descriptors import read_all, write_all
from postrenderer.hosts.contract import HELM_4_ARGUMENTS, HELM_4_EMPTY, NOTHING_FOUND, RESOURCE_LIST
from postrenderer.kinds import NAMES

_MAX_INPUT = 256 * 1024 * 1024
_PREFIX = "SANDBOX_POSTRENDERER_"
_COMPLETION = "_SANDBOX_POSTRENDERER_COMPLETE"


def main() -> int:
    """The console script: the exit code of `sandbox-postrenderer ARGUMENTS`."""
    try:
        return _run(sys.argv[1:])
    except KeyboardInterrupt:  # while libraries are imported; later, `cli` says so in the report, too
        return 130


def _run(arguments: list[str]) -> int:
    data = None
    if _is_plain_call(arguments):
        try:
            data = read_all(0, _MAX_INPUT)
        except OSError:
            pass  # a closed input: `cli` meets it again and says so
        else:
            if _is_plain(data):
                return _copy(data, with_comment=bool(arguments))
    gc.disable()  # nothing here makes cycles, and the collector walks a million events for nothing
    from postrenderer.cli import main as run

    code = run(arguments, data)
    gc.freeze()  # nor is there anything to collect at the interpreter's end
    return code


def _is_plain_call(arguments: list[str]) -> bool:
    """Tell whether nothing is asked for but the rendering of a pipe with the built-in settings."""
    if arguments and arguments != HELM_4_ARGUMENTS:
        return False
    return not any(name.startswith((_PREFIX, _COMPLETION)) for name in os.environ) and not os.isatty(0)


def _is_plain(data: bytearray) -> bool:
    """Tell whether a stream is small enough, surely UTF-8, without a candidate, and for no KRM function."""
    if len(data) > _MAX_INPUT or 0 in data[:4] or data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return False
    if data.find(RESOURCE_LIST) >= 0:
        return False
    if data.find(NAMES[0].encode()) < 0:  # a test holds every name to contain the first
        return True
    from postrenderer.stream import find_candidates

    return next(find_candidates(data, NAMES), None) is None


def _copy(data: bytearray, *, with_comment: bool) -> int:
    if with_comment and (not data or data.isspace()):
        data += HELM_4_EMPTY
    try:
        write_all(1, [data])
    except BrokenPipeError:
        return 141
    except OSError as error:
        problem = "is closed" if error.errno == errno.EBADF else f"cannot be written: {error.strerror}"
        _tell(f"error: standard output {problem}")
        return 2
    _tell(NOTHING_FOUND)
    return 0


def _tell(line: str) -> None:
    try:
        os.write(2, f"sandbox-postrenderer: {line}\n".encode())
    except OSError:
        pass  # nobody listens
