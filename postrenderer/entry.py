"""Where a run begins. A stream without candidates is copied here, at the bare interpreter's speed; `cli` does the rest.

Imports nothing but `sys` and `os`: the libraries that the rest needs cost ten times what a copy does.
"""

from __future__ import annotations

import os
import sys

from postrenderer.descriptors import read_all, write_all
from postrenderer.kinds import NAMES

HOST_ARGUMENTS = ["--host", "helm4"]
"""What Helm 4's plugin.yaml passes."""

EMPTY_COMMENT = b"# nothing was rendered\n"
"""Helm 4 takes an empty output for an error, also where its input was empty."""

NOTHING_FOUND = "no SandboxAgent, Sandbox or SandboxTemplate in the input: copied as it is"

_MAX_INPUT = 256 * 1024 * 1024
_PREFIX = "SANDBOX_POSTRENDERER_"


def main() -> int:
    """The console script: the exit code of `sandbox-postrenderer ARGUMENTS`."""
    arguments = sys.argv[1:]
    data = None
    if (not arguments or arguments == HOST_ARGUMENTS) and not any(name.startswith(_PREFIX) for name in os.environ):
        try:
            data = None if os.isatty(0) else read_all(0, _MAX_INPUT)
            if data is not None and _is_plain(data):
                return _copy(data, with_comment=bool(arguments))
        except KeyboardInterrupt:
            return 130
        except BrokenPipeError:
            return 141
        except OSError:
            pass  # a closed input, a full disk: `cli` meets it again and says so
    from postrenderer.cli import main as run

    return run(arguments, data)


def _is_plain(data: bytearray) -> bool:
    """Tell whether a stream is small enough, surely UTF-8, and without a candidate."""
    if len(data) > _MAX_INPUT or 0 in data[:4] or data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return False
    if data.find(NAMES[0].encode()) < 0:  # a test holds every name to contain the first
        return True
    from postrenderer.stream import find_candidates

    return next(find_candidates(data, NAMES), None) is None


def _copy(data: bytearray, *, with_comment: bool) -> int:
    if with_comment and not data.strip():
        data = data + EMPTY_COMMENT
    write_all(1, [data])
    try:
        os.write(2, f"sandbox-postrenderer: {NOTHING_FOUND}\n".encode())
    except OSError:
        pass  # nobody listens
    return 0
