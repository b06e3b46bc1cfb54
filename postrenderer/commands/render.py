"""`render`: add what is missing. What every host calls, and what runs without a command."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import click

from postrenderer.console import say, write_output
from postrenderer.files import Pieces, find_files, is_same_file, write_file, write_files
from postrenderer.hosts.contract import HELM_4_EMPTY, RESOURCE_LIST
from postrenderer.model import Refused
from postrenderer.options import common_options
from postrenderer.outcome import DONE
from postrenderer.session import Input, Session, open_session
from postrenderer.stream import join_streams

_CONTENT = re.compile(rb"\S")


@click.command(name="render", short_help="Add what is missing, and change nothing else.")
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option("-o", "--output", metavar="FILE", help="Write to FILE, at once, instead of standard output.")
@click.option("-i", "--in-place", is_flag=True, help="Rewrite the files to which something is added.")
@click.option("--host", type=click.Choice(["helm4"]), hidden=True)
@common_options
def command(files: tuple[str, ...], output: str | None, in_place: bool, host: str | None, **options: Any) -> int:
    """Add the runtime identity that Sandbox pods lack, and change nothing else.

    Reads the FILEs, or standard input; `-` is standard input. With --in-place or --output, a FILE may be a directory:
    its YAML and JSON files, recursively, without hidden ones.
    """
    if in_place and output is not None:
        raise click.UsageError("--in-place and --output exclude each other")
    if in_place and (not files or "-" in files):
        raise click.UsageError("--in-place needs files or directories, not standard input")
    output = None if output == "-" else output
    with open_session(options) as session:
        rewritten: list[str] = []
        if in_place:
            rewritten = _render_in_place(session, files)
        else:
            _render_to_output(session, files, output, host, options)
        session.print_findings()
        for name in rewritten if not session.quiet else ():
            say(f"{name}: rewritten")
    return DONE


def _render_in_place(session: Session, files: tuple[str, ...]) -> list[str]:
    """Rewrite the files to which something is added. Returns their names."""
    inputs = _take_once(session.read_inputs(files, with_directories=True))
    edited = [(item.name, result.pieces) for item, result in session.render(inputs) if result.additions]
    for name, _ in edited:
        if not os.path.isfile(name):
            raise Refused(f"{name}: is no regular file, and cannot be rewritten in place")
    session.check_policies()
    session.write_report()
    write_files(edited)
    return [name for name, _ in edited]


def _take_once(inputs: Iterable[Input]) -> Iterator[Input]:
    """Leave out a file that was named before, also by another path."""
    seen = set()
    for item in inputs:
        path = os.path.realpath(item.name)
        if path not in seen:
            seen.add(path)
            yield item


def _render_to_output(
    session: Session, files: tuple[str, ...], output: str | None, host: str | None, options: Mapping[str, Any]
) -> None:
    if output is not None:
        _check_output(session, files, output)
    inputs: Iterable[Input] = session.read_inputs(files, with_directories=output is not None)
    pieces = None
    if not files:
        inputs = list(inputs)
        pieces = _answer_resource_list(session, inputs[0], options)
    if pieces is None:
        pieces = join_streams([(item.data, result.pieces) for item, result in session.render(inputs)])
    if host == "helm4" and not any(_CONTENT.search(piece) for piece in pieces):
        pieces.append(HELM_4_EMPTY)
    session.check_policies()
    session.write_report()
    if output is None:
        write_output(pieces)
    else:
        write_file(output, pieces)


def _answer_resource_list(session: Session, item: Input, options: Mapping[str, Any]) -> Pieces | None:
    """Answer as a KRM function where standard input is a ResourceList; None where it is not."""
    if item.data.find(RESOURCE_LIST) < 0:
        return None
    from postrenderer.hosts import krm
    from postrenderer.hosts.kustomize import check_place

    resource_list = krm.find_resource_list(item.data, session.capabilities.locked)
    if resource_list is None:
        return None
    function = resource_list.function
    if resource_list.is_from_kustomize:
        check_place(function, os.environ)
    result = session.run_function(function, options, Input(krm.SOURCE, resource_list.data, None, has_places=False))
    if function.mode == "validate":
        return krm.write_verdict(resource_list, result.findings)
    return krm.write_answer(resource_list, result.pieces, result.findings)


def _check_output(session: Session, files: tuple[str, ...], output: str) -> None:
    session.check_not_report(output)
    for path in files:
        if os.path.isdir(path) and any(is_same_file(file, output) for file in find_files(path)):
            # A second run would read what the first has written, and double it.
            raise Refused(f"--output {output}: is one of the files in {path}: name a file elsewhere")
