"""What hosts call that look for a program in a place of their own: a launcher of this very installation.

Not a link to the command: `python -m postrenderer` has none, and a launcher works with an interpreter's path that has
blanks, off PATH.
"""

from __future__ import annotations

import os
import shlex
import sys

from postrenderer.files import write_file

_UV_CACHE = ("archive-v", "builds-v", "environments-v")

# `-c` and not `-m`: both put the current directory, here the chart's or the kustomization's, on the module path, and
# this can take it out.
_LAUNCHER = """\
#!/bin/sh
exec {python} -c 'import sys; sys.path[:] = [p for p in sys.path if p]
from postrenderer.entry import main
sys.exit(main())' "$@"
"""
_MARK = b"from postrenderer.entry import main\n"


def write_launcher(path: str) -> None:
    """Write the launcher; what stands there already is replaced at once."""
    write_file(path, [os.fsencode(_LAUNCHER.format(python=shlex.quote(sys.executable)))])
    os.chmod(path, 0o755)  # noqa: S103  # the host runs it as whoever calls the host


def is_launcher(content: bytes | bytearray) -> bool:
    """Tell whether a file's content is a launcher of ours, of whichever version."""
    return _MARK in content


def is_short_lived(executable: str) -> bool:
    """Tell whether the interpreter will vanish: `pipx run` and `uvx` keep theirs in a cache, wherever that is."""
    parts = os.path.normpath(executable).split(os.sep)
    return (".cache" in parts and "pipx" in parts) or any(part.startswith(_UV_CACHE) for part in parts)
