"""The command line: with `entry` the only place that knows arguments, environment, streams and exit codes."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import click

from postrenderer import __version__
from postrenderer.descriptors import read_all, write_all
from postrenderer.entry import EMPTY_COMMENT, NOTHING_FOUND
from postrenderer.files import find_files, read_file, write_file
from postrenderer.model import Capabilities, Finding, PolicyFailure, Refused, Settings
from postrenderer.options import capability_options, read_capabilities, read_settings, setting_options
from postrenderer.stream import Buffer, join_streams

PROGRAM = "sandbox-postrenderer"
BUG = f"this is a bug in {PROGRAM} {__version__}: please report it, with the lines above (https://pypi.org/project/{PROGRAM}/)"
DONE, POLICY, USAGE, INTERNAL, INTERRUPTED, CLOSED_PIPE = 0, 1, 2, 70, 130, 141

Command = TypeVar("Command", bound=Callable[..., Any])
Pieces = list["Buffer | memoryview"]


def main(arguments: list[str], data: Buffer | None = None) -> int:
    """Run a command line; `data` is standard input where it was read already. Returns the exit code."""
    gc.disable()  # nothing here makes cycles, and the collector walks a million events for nothing
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in ("-h", "--help", "--version")):
        arguments = ["render", *arguments]
    try:
        code = group.main(arguments, prog_name=PROGRAM, standalone_mode=False, obj=data)
        return code if isinstance(code, int) else DONE
    except click.ClickException as error:
        error.show()
        return USAGE
    except PolicyFailure as error:
        return _fail(POLICY, str(error))
    except Refused as error:
        return _fail(USAGE, error.message)
    except BrokenPipeError:
        _silence_output()
        return CLOSED_PIPE
    except OSError as error:
        return _fail(USAGE, f"{error.filename or 'standard output'}: {error.strerror or error}")
    except MemoryError:
        return _fail(USAGE, "not enough memory for this input")
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except Exception:
        import traceback

        traceback.print_exc()
        return _fail(INTERNAL, BUG)


def _fail(code: int, message: str) -> int:
    for line in message.splitlines():
        _say(f"error: {line}", color="red")
    return code


def _say(message: str, color: str | None = None) -> None:
    """Write a line to standard error, in colour on a terminal."""
    try:
        line = click.style(message, fg=color) if color and "NO_COLOR" not in os.environ else message
        click.echo(f"{PROGRAM}: {line}", err=True)
    except OSError:
        pass  # nobody listens


def _silence_output() -> None:
    # Python flushes standard output once more at its end, and would complain about the closed pipe.
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    except OSError:
        pass


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name=PROGRAM)
def group() -> None:
    """State the runtime identity of Sandbox pods while their manifests are rendered.

    Without a command, `render` of standard input: what Helm and a pipe call.
    """


def _common_options(command: Command) -> Command:
    verbosity = [
        click.option("-v", "--verbose", is_flag=True, help="Print notes as well."),
        click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors that end the run."),
    ]
    for option in reversed([*setting_options(), *capability_options(), *verbosity]):
        command = option(command)
    return command


@dataclass(slots=True)
class _Session:
    """What a run of `render` or `diff` has come to, for the report and for standard error."""

    settings: Settings
    capabilities: Capabilities
    verbose: bool
    quiet: bool
    findings: list[Finding] = field(default_factory=list)
    resources: int = 0
    additions: int = 0
    failures: list[str] = field(default_factory=list)

    def write_report(self, error: str | None = None) -> None:
        if self.capabilities.report is None:
            return
        from postrenderer.output.report import format_report

        text = format_report(self.findings, resources=self.resources, additions=self.additions, error=error)
        write_file(self.capabilities.report, [text.encode()])

    def check_policies(self) -> None:
        if self.failures:
            raise PolicyFailure("\n".join(self.failures))

    def print_findings(self) -> None:
        from postrenderer.output.text import COLORS, format_finding, format_summary, select_findings

        if self.quiet:
            return
        if self.resources or self.findings:
            _say(format_summary(self.resources, self.additions, self.findings))
        else:
            _say(NOTHING_FOUND)
        for finding in select_findings(self.findings, verbose=self.verbose):
            _say(format_finding(finding), COLORS[finding.level])


@contextmanager
def _open_session(options: dict[str, Any]) -> Iterator[_Session]:
    """A session whose report is written whatever happens, with what went wrong in it."""
    capabilities = read_capabilities(options, os.environ)
    session = _Session(Settings(), capabilities, options["verbose"], options["quiet"])
    try:
        session.settings = read_settings(options, os.environ)
        yield session
    except BrokenPipeError:
        raise
    except (Refused, PolicyFailure, OSError, MemoryError) as error:
        try:
            session.write_report(str(error) or type(error).__name__)
        except OSError as second:
            raise Refused(f"{error}\n{second.filename}: {second.strerror}") from None
        if isinstance(error, PolicyFailure):
            session.print_findings()
        raise


@dataclass(slots=True)
class _Input:
    """An input: its name in messages, its bytes, and its path if it is a file."""

    name: str
    data: Buffer
    path: str | None


def _read_inputs(paths: tuple[str, ...], settings: Settings, *, allow_directories: bool) -> Iterator[_Input]:
    for path in paths or ("-",):
        if path == "-":
            yield _Input("standard input", _read_standard_input(settings, has_paths=bool(paths)), None)
            continue
        if os.path.isdir(path) and not allow_directories:
            raise Refused(f"{path}: is a directory; name files, or say --in-place to rewrite those in it")
        for name in find_files(path):
            yield _Input(name, read_file(name, settings.max_input), name)


def _read_standard_input(settings: Settings, *, has_paths: bool) -> Buffer:
    data = click.get_current_context().find_root().obj
    if data is not None:
        return bytes(data) if not isinstance(data, bytearray) else data
    try:
        is_terminal = os.isatty(0)
        if is_terminal and not has_paths:
            raise Refused(
                f"nothing to read: pipe manifests in (helm template . | {PROGRAM}), "
                f"or name files ({PROGRAM} render FILE)"
            )
        return read_all(0, settings.max_input)
    except OSError as error:
        raise Refused(f"standard input: {error.strerror}") from None


def _render_inputs(session: _Session, inputs: Iterator[_Input], *, keep_changes: bool) -> Iterator[tuple[_Input, Any]]:
    """Render each input; what there is to report is collected in the session."""
    from postrenderer.pipeline import render
    from postrenderer.plugins import load_plugins

    plugins = load_plugins(session.capabilities.plugins)
    for item in inputs:
        result = render(
            item.data,
            session.settings,
            plugins,
            source=item.name,
            is_file=item.path is not None,
            keep_changes=keep_changes,
        )
        session.findings.extend(result.findings)
        session.failures.extend(result.failures)
        session.resources += result.resources
        session.additions += result.additions
        yield item, result


@group.command(name="render")
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option("-o", "--output", metavar="FILE", help="Write to FILE, at once, instead of standard output.")
@click.option("-i", "--in-place", is_flag=True, help="Rewrite the files to which something is added; directories, too.")
@click.option("--host", type=click.Choice(["helm4"]), hidden=True)
@_common_options
def render_command(files: tuple[str, ...], output: str | None, in_place: bool, host: str | None, **options: Any) -> int:
    """Add the runtime identity that Sandbox pods lack, and change nothing else.

    Reads the FILEs, or standard input; `-` is standard input. A FILE may be a directory with --in-place.
    """
    if in_place and output is not None:
        raise click.UsageError("--in-place and --output exclude each other")
    if in_place and (not files or "-" in files):
        raise click.UsageError("--in-place needs files or directories, not standard input")
    with _open_session(options) as session:
        inputs = _read_inputs(files, session.settings, allow_directories=in_place)
        rendered = list(_render_inputs(session, inputs, keep_changes=False))
        session.check_policies()
        session.write_report()
        if in_place:
            for item, result in rendered:
                if item.path is not None and result.additions:
                    write_file(item.path, result.pieces)
        else:
            pieces = join_streams((item.data, result.pieces) for item, result in rendered)
            if host == "helm4" and not any(bytes(piece).strip() for piece in pieces):
                pieces.append(EMPTY_COMMENT)
            if output is None or output == "-":
                write_all(1, pieces)
            else:
                write_file(output, pieces)
        session.print_findings()
    return DONE


@group.command(name="diff")
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option("--exit-code", is_flag=True, help="Exit with 1 where something would be added.")
@_common_options
def diff_command(files: tuple[str, ...], exit_code: bool, **options: Any) -> int:
    """Show what `render` would add, as a unified diff.

    Reads the FILEs (a FILE may be a directory), or standard input.
    """
    from postrenderer.output.diff import format_diff, get_color

    with _open_session(options) as session:
        inputs = _read_inputs(files, session.settings, allow_directories=True)
        lines = [
            line
            for item, result in _render_inputs(session, inputs, keep_changes=True)
            for line in format_diff(result.changes, "standard input" if item.path is None else item.path.lstrip("/"))
        ]
        session.check_policies()
        session.write_report()
        if "NO_COLOR" not in os.environ and os.isatty(1):
            lines = [click.style(line, fg=color) if (color := get_color(line)) else line for line in lines]
        write_all(1, [line.encode() for line in lines])
        session.print_findings()
    return POLICY if exit_code and lines else DONE


@group.group(name="images")
def images_group() -> None:
    """Whom images run as, and how that is known."""


@images_group.command(name="list")
def images_list() -> None:
    """Print the built-in table, with its sources."""
    from postrenderer.output.images import format_table

    for line in format_table():
        click.echo(line)


@images_group.command(name="show")
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@_common_options
def images_show(images: tuple[str, ...], **options: Any) -> None:
    """Say what image references resolve to, and why."""
    from postrenderer.images import resolve_identity
    from postrenderer.model import Image
    from postrenderer.output.images import format_identity
    from postrenderer.plugins import load_plugins

    settings = read_settings(options, os.environ)
    plugins = load_plugins(read_capabilities(options, os.environ).plugins)
    for image in images:
        click.echo(format_identity(image, resolve_identity(Image(image), settings, plugins.ask_image)))


@group.command(name="helm-plugin")
@click.option("--dir", "directory", metavar="DIR", help="Write the plugin's directory here.")
@click.option(
    "--package", metavar="FILE", help="Write a package (.tgz) for others instead; it uses the command on PATH."
)
def helm_plugin(directory: str | None, package: str | None) -> None:
    """Write Helm 4's plugin and print its path: helm plugin install "$(sandbox-postrenderer helm-plugin)"."""
    from postrenderer.hosts import helm4

    if package is not None:
        if directory is not None:
            raise click.UsageError("--dir and --package exclude each other")
        helm4.package_plugin(package, __version__)
        click.echo(os.path.abspath(package))
        return
    if helm4.is_short_lived(sys.executable):
        _say(
            "warning: this interpreter is a temporary one and will vanish, and the plugin with it: install with pipx",
            "yellow",
        )
    click.echo(helm4.write_plugin(directory or helm4.get_default_directory(dict(os.environ)), __version__))
