"""A run over inputs: its settings, what is read and rendered, and the report that is written however it ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any, TypeVar

import click

from postrenderer.console import PROGRAM, say
from postrenderer.descriptors import read_all
from postrenderer.files import find_files, is_same_file, read_file, write_file
from postrenderer.hosts.contract import NOTHING_FOUND
from postrenderer.model import Capabilities, Finding, PolicyFailure, Refused, Settings
from postrenderer.options import read_capabilities, read_report_path, read_settings
from postrenderer.outcome import escape, explain
from postrenderer.stream import Buffer

if TYPE_CHECKING:
    from collections.abc import Callable

    from postrenderer.hosts.runtime_identity import Function
    from postrenderer.lock import LockFile
    from postrenderer.model import Workload
    from postrenderer.pipeline import Result
    from postrenderer.plugins import Plugins

STANDARD_INPUT = "standard input"

Seen = TypeVar("Seen")


class Input:
    """An input: its name in messages, its bytes, its path if it is a file, and whether somebody can look at it."""

    def __init__(self, name: str, data: Buffer, path: str | None, *, has_places: bool = True) -> None:
        self.name = name
        self.data = data
        self.path = path
        self.has_places = has_places


class Session:
    """What a run has come to, for the report and for standard error."""

    def __init__(self, options: Mapping[str, Any], environment: Mapping[str, str]) -> None:
        self.report = read_report_path(options, environment)
        self.verbose: bool = options.get("verbose", False)
        self.quiet: bool = options.get("quiet", False)
        self.settings = Settings()
        self.capabilities = Capabilities()
        self._plugins: Plugins | None = None
        self.findings: list[Finding] = []
        self.failures: list[str] = []
        self.resources = 0
        self.edited = 0
        self.additions = 0

    def read_inputs(self, paths: tuple[str, ...], *, with_directories: bool) -> Iterator[Input]:
        """Read files, directories and standard input, one after the other."""
        for path in paths or ("-",):
            if path == "-":
                yield Input(STANDARD_INPUT, self._read_standard_input(has_paths=bool(paths)), None)
                continue
            if os.path.isdir(path) and not with_directories:
                raise Refused(
                    f"{path}: is a directory: name its files, or say --in-place to rewrite them, or --output FILE"
                )
            for name in find_files(path):
                self.check_not_report(name)
                _check_no_command(name)
                yield Input(name, read_file(name, self.settings.max_input), name)

    def _read_standard_input(self, *, has_paths: bool) -> Buffer:
        context = click.get_current_context()
        data = context.find_root().obj
        if isinstance(data, (bytes, bytearray)):
            return data  # `entry` has read it already
        if os.isatty(0) and not has_paths:
            name = context.command_path
            raise Refused(f"nothing to read: pipe manifests in (helm template . | {name}), or name files ({name} FILE)")
        try:
            return read_all(0, self.settings.max_input)
        except OSError as error:
            raise Refused(f"{STANDARD_INPUT}: cannot be read: {error.strerror}") from None

    def check_not_report(self, path: str) -> None:
        """Refuse a report that would replace an input or the output."""
        is_regular = os.path.isfile(path) or not os.path.exists(path)  # a device takes both
        if self.report is not None and is_regular and is_same_file(path, self.report):
            report, self.report = self.report, None
            raise Refused(f"--report {report}: is {path} itself: name another file")

    def render(
        self,
        inputs: Iterable[Input],
        *,
        keep_changes: bool = False,
        keep_decisions: bool = False,
        with_notes: bool = False,
    ) -> Iterator[tuple[Input, Result]]:
        """Render each input."""
        from postrenderer.pipeline import render

        lock = load_lock_file(self.capabilities)

        def render_input(item: Input, plugins: Plugins) -> Result:
            return render(
                item.data,
                self.settings,
                plugins,
                source=item.name,
                is_file=item.path is not None,
                has_places=item.has_places,
                keep_changes=keep_changes,
                keep_decisions=keep_decisions,
                with_notes=with_notes or self.verbose or self.report is not None,
                lock=lock,
            )

        for item, result in self._look_at(inputs, render_input):
            self._count(result)
            yield item, result

    def read_workloads(self, inputs: Iterable[Input]) -> Iterator[tuple[Input, list[Workload]]]:
        """Read the workloads of each input to which the rule applies."""
        from postrenderer.pipeline import read_workloads

        def read_input(item: Input, plugins: Plugins) -> list[Workload]:
            found = read_workloads(item.data, self.settings, plugins, source=item.name, is_file=item.path is not None)
            workloads = []
            for each in found:
                if isinstance(each, Finding):
                    self.findings.append(each)
                else:
                    workloads.append(each)
            return workloads

        for item, workloads in self._look_at(inputs, read_input):
            self.resources += len(workloads)
            yield item, workloads

    def _look_at(self, inputs: Iterable[Input], look: Callable[[Input, Plugins], Seen]) -> Iterator[tuple[Input, Seen]]:
        """Look at each input. All are looked at before what was refused is an error."""
        refused: dict[str, None] = {}
        with _plugins_print_elsewhere(self.capabilities.plugins):
            for item in inputs:
                try:
                    seen = look(item, self.plugins)
                except Refused as error:
                    refused[escape(error.message)] = None
                    continue
                yield item, seen
        if refused:
            raise Refused("\n".join(refused))

    @property
    def plugins(self) -> Plugins:
        """The plugins that are named, loaded when they are first needed."""
        if self._plugins is None:
            from postrenderer.plugins import load_plugins

            self._plugins = load_plugins(self.capabilities.plugins)
        return self._plugins

    def _count(self, result: Result) -> None:
        self.findings.extend(result.findings)
        self.failures.extend(result.failures)
        self.resources += result.resources
        self.edited += result.edited
        self.additions += result.additions

    def run_function(self, function: Function, options: Mapping[str, Any], item: Input) -> Result:
        """Render what a host hands over, as its document wants it. Where it wants a verdict, additions are failures."""
        self.settings = read_settings(options, os.environ, function)
        from postrenderer.hosts.runtime_identity import find_lacking, strip_item

        ((_, result),) = self.render([item], with_notes=True)
        self.findings = result.findings = [strip_item(finding) for finding in result.findings]
        if function.mode == "validate":
            self.failures += find_lacking(result.findings)
        self.check_policies()
        return result

    def check_policies(self) -> None:
        if self.failures:
            raise PolicyFailure("\n".join(map(escape, self.failures)))

    def write_report(self, error: str | None = None) -> None:
        """Write the report; a second time, with the error, where the run fails after the first."""
        path = self.report
        if path is None:
            return
        if not os.path.isfile(path) and os.path.exists(path):
            self.report = None  # a FIFO's reader has what it came for, and a second opening would wait for ever
        write_report(path, self.findings, self.resources, 0 if error else self.additions, error)

    def print_findings(self, *, failed: bool = False, written: bool = True) -> None:
        """Say on standard error what was found: one line in sum, then one for each finding."""
        if self.quiet:
            return
        if not self.resources and not self.findings and not failed:
            is_plain = not (self.capabilities.plugins or self.settings.only_kind or self.settings.skip_kind)
            say(NOTHING_FOUND if is_plain else "nothing to add: no resource of a kind that is asked for")
            return
        from postrenderer.output.text import COLORS, format_finding, format_summary, select_findings

        counts = self.resources, self.edited, self.additions, self.findings
        say(format_summary(*counts, failed=failed, written=written))
        for finding in select_findings(self.findings, verbose=self.verbose):
            say(format_finding(finding), COLORS[finding.level])


def _check_no_command(path: str) -> None:
    from postrenderer.cli import COMMANDS

    if path in COMMANDS and not os.path.exists(path):
        raise Refused(f"{path}: is no file; a command stands before its options: {PROGRAM} {path} [OPTIONS]")


def load_lock_file(capabilities: Capabilities) -> LockFile | None:
    """The lock file that is named."""
    if capabilities.image_lock is None:
        return None
    from postrenderer.lock import load_lock

    return load_lock(capabilities.image_lock)


@contextmanager
def open_session(options: Mapping[str, Any]) -> Iterator[Session]:
    """A session whose report is written whatever happens, with what went wrong in it."""
    session = Session(options, os.environ)
    try:
        session.capabilities = read_capabilities(options, os.environ)
        session.settings = read_settings(options, os.environ)
        yield session
    except BaseException as error:
        if isinstance(error, PolicyFailure):
            session.print_findings(failed=True)
        _report_failure(session, error)
        raise


def _report_failure(session: Session, error: BaseException) -> None:
    _, message = explain(error)
    try:
        session.write_report(message)
    except BrokenPipeError:
        pass  # the report's reader has gone
    except Refused as second:
        if isinstance(error, (Refused, PolicyFailure)) and second.message not in message:
            raise type(error)(f"{message}\n{second.message}") from None


def write_report(path: str, findings: Iterable[Finding], resources: int, additions: int, error: str | None) -> None:
    from postrenderer.output.report import format_report

    text = format_report(findings, resources=resources, additions=additions, error=error)
    write_file(path, [text.encode("utf-8", "surrogateescape")])


@contextmanager
def _plugins_print_elsewhere(plugins: tuple[str, ...]) -> Iterator[None]:
    """Standard output carries manifests only: what a plugin prints goes to standard error."""
    if not plugins:
        yield
        return
    with redirect_stdout(sys.stderr):
        yield
