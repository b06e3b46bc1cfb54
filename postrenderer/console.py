"""What people see: lines on standard error, lines on standard output, and whether they are coloured."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable

import click

from postrenderer.descriptors import write_all
from postrenderer.files import Pieces
from postrenderer.model import Refused
from postrenderer.outcome import escape

PROGRAM = "sandbox-postrenderer"


def say(message: str, color: str | None = None) -> None:
    """Write a line to standard error, in colour on a terminal."""
    if sys.stderr is None:
        return  # closed from the start
    line = escape(message)
    colored = color is not None and wants_color(2)
    try:
        click.echo(f"{PROGRAM}: {click.style(line, fg=color) if colored else line}", err=True, color=colored)
    except OSError:
        pass  # nobody listens


def say_error(message: str) -> None:
    """Say what ends a run; each line of the message is a line of its own."""
    for line in message.split("\n"):
        say(f"error: {line}", "red")


def warn_of_short_life() -> None:
    """Warn where a launcher is written for an interpreter that will be gone tomorrow."""
    from postrenderer.hosts.launcher import is_short_lived

    if is_short_lived(sys.executable):
        say(
            "warning: this interpreter is a temporary one and will vanish, and the plugin with it: install with pipx",
            "yellow",
        )


def wants_color(descriptor: int) -> bool:
    """Tell whether to colour: on a terminal that knows colours, unless `NO_COLOR` is set."""
    return os.isatty(descriptor) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def write_output(pieces: Pieces) -> None:
    """Write to standard output. Raises `Refused` where it cannot be written, `BrokenPipeError` where nobody reads."""
    try:
        write_all(1, pieces)
    except BrokenPipeError:
        raise
    except OSError as error:
        reason = "is closed" if error.errno == errno.EBADF else f"cannot be written: {error.strerror}"
        raise Refused(f"standard output {reason}") from None


def write_lines(lines: Iterable[str]) -> None:
    """Write lines, each without its line break, to standard output."""
    write_output([f"{line}\n".encode("utf-8", "surrogateescape") for line in lines])
