"""`diff`: what `render` would change, as a unified diff; or what a new lock file changes, as a report."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

import click

from postrenderer.console import say, wants_color, write_output
from postrenderer.options import common_options
from postrenderer.outcome import DONE, POLICY, escape
from postrenderer.session import Input, Session, open_session

if TYPE_CHECKING:
    from postrenderer.against_lock import UserChange


@click.command(name="diff")
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option("--exit-code", is_flag=True, help="Exit with 1 where something would be added, or run as another user.")
@click.option(
    "--against-lock",
    metavar="OLD",
    help="Say instead which containers would run as another user than under the lock file OLD, and whose files their "
    "persistent volumes hold. Needs --image-lock, the new one.",
)
@common_options
def command(files: tuple[str, ...], exit_code: bool, against_lock: str | None, **options: Any) -> int:
    """Show what `render` would add, as a unified diff.

    Reads the FILEs, or standard input. A FILE may be a directory: its YAML and JSON files, recursively.
    """
    with open_session(options) as session:
        inputs = session.read_inputs(files, with_directories=True)
        if against_lock is None:
            differs = _show_additions(session, inputs)
        else:
            differs = _show_users(session, inputs, against_lock)
    return POLICY if exit_code and differs else DONE


def _show_additions(session: Session, inputs: Iterable[Input]) -> bool:
    from postrenderer.output.diff import colorize, format_diff

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
    session.print_findings(written=False)
    return bool(lines)


def _show_users(session: Session, inputs: Iterable[Input], old: str) -> bool:
    from postrenderer.output.against_lock import format_changes, format_count
    from postrenderer.output.text import COLORS, format_finding

    new = session.capabilities.image_lock
    if new is None:
        raise click.UsageError(f"--against-lock {old} needs --image-lock FILE: the lock file to compare it with")
    with redirect_stdout(sys.stderr):  # what plugins print is no part of the report
        changes = _compare_users(session, inputs, old, new)
    session.write_report()
    colored = wants_color(1)
    lines = ((escape(line.text), line.color) for line in format_changes(changes))
    texts = [click.style(text, fg=color) if colored and color else text for text, color in lines]
    write_output([f"{text}\n".encode("utf-8", "surrogateescape") for text in texts])
    if not session.quiet:
        say(format_count(len(changes), session.resources))
        for finding in session.findings:
            say(format_finding(finding), COLORS[finding.level])
    return bool(changes)


def _compare_users(session: Session, inputs: Iterable[Input], old: str, new: str) -> list[UserChange]:
    from postrenderer.against_lock import Locks, compare_workload
    from postrenderer.lock import load_lock

    settings, plugins = session.settings, session.plugins
    locks = Locks(load_lock(old), load_lock(new), settings, plugins.ask_image)
    return [
        change
        for _, workloads in session.read_workloads(inputs)
        for workload in workloads
        for change in compare_workload(workload, locks, settings, plugins.ask_additions(workload, settings))
    ]
