"""A kernel's filter for programs that have no business with a network: to them, there are no sockets."""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
import sys

PR_SET_SECCOMP = 22
MODE_FILTER = 2
_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _FAIL = 0x7FFF0000, 0x00050000 | errno.EACCES
_NUMBER, _ARCHITECTURE = 0, 4
"""Where in the kernel's `seccomp_data` these are."""
_IO_URING_SETUP = 425
_X32 = 0x40000000
_SOCKETS = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
"""The kernel's number of a machine, and that of its call `socket`."""


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def make_filter() -> _Program | None:
    """The filter, for `prctl(PR_SET_SECCOMP, MODE_FILTER, ...)`; None where this program knows none for the machine.

    Every other machine's calls fail as well (a 64-bit kernel takes those of 32 bits), and so does io_uring, which
    opens sockets by another way.
    """
    known = _SOCKETS.get(platform.machine())
    if known is None or sys.platform != "linux" or sys.maxsize < 1 << 32:
        return None
    architecture, socket = known
    instructions = (
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_JUMP_EQUAL, 0, 5, architecture),
        (_LOAD, 0, 0, _NUMBER),
        (_JUMP_EQUAL, 3, 0, socket),
        (_JUMP_EQUAL, 2, 0, _IO_URING_SETUP),
        (_JUMP_AT_LEAST, 1, 0, _X32),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _FAIL),
    )
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions)
    return _Program(len(instructions), code)
