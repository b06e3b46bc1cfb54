"""How far a run is: on a terminal one line that is rewritten, else a line for each image."""

from __future__ import annotations

import os
import shutil

import click

from postrenderer.console import say
from postrenderer.outcome import escape


class Progress:
    """Counts images on standard error."""

    def __init__(self, count: int, *, quiet: bool) -> None:
        self._count = count
        self._done = 0
        self._quiet = quiet or not count
        self._rewrites = not self._quiet and os.isatty(2) and os.environ.get("TERM") != "dumb"
        if self._rewrites:
            self._show(f"[0/{count}] asking registries")

    def advance(self, reference: str, outcome: str) -> None:
        """Say that one more image is done."""
        self._done += 1
        line = f"[{self._done}/{self._count}] {reference}  {outcome}"
        if self._rewrites:
            self._show(line)
        elif not self._quiet:
            say(line)

    def finish(self) -> None:
        """Leave no half line behind."""
        if self._rewrites:
            self._show("")

    @staticmethod
    def _show(line: str) -> None:
        width = max(shutil.get_terminal_size().columns - 1, 1)
        try:
            click.echo(f"\r\x1b[K{escape(line)[:width]}", err=True, nl=False)
        except OSError:
            pass  # nobody listens
