"""`diff`: what `render` would change, as a unified diff."""

from __future__ import annotations

from typing import Any

import click

from postrenderer.console import wants_color, write_output
from postrenderer.options import common_options
from postrenderer.outcome import DONE, POLICY
from postrenderer.session import open_session


@click.command(name="diff")
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option("--exit-code", is_flag=True, help="Exit with 1 where something would be added.")
@common_options
def command(files: tuple[str, ...], exit_code: bool, **options: Any) -> int:
    """Show what `render` would add, as a unified diff.

    Reads the FILEs, or standard input. A FILE may be a directory: its YAML and JSON files, recursively.
    """
    from postrenderer.output.diff import colorize, format_diff

    with open_session(options) as session:
        inputs = session.read_inputs(files, with_directories=True)
        lines = [
            line
            for item, result in session.render(inputs, keep_changes=True)
            for line in format_diff(result.changes, item.data, item.path)
        ]
        session.check_policies()
        session.write_report()
        if wants_color(1):
            lines = [colorize(line) for line in lines]
        write_output([line.encode("utf-8", "surrogateescape") for line in lines])
        session.print_findings()
    return POLICY if exit_code and lines else DONE
