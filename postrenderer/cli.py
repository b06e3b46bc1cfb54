"""The command line: which command runs, and what its end is told as. With `entry` the only reader of arguments.

The commands themselves are the modules of `postrenderer.commands`; a run imports the one that it needs.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping

import click

from postrenderer import __version__
from postrenderer.console import PROGRAM, say_error
from postrenderer.files import SUFFIXES
from postrenderer.hosts.contract import KUSTOMIZE_ROOT
from postrenderer.model import Refused
from postrenderer.options import read_report_path
from postrenderer.outcome import CLOSED_PIPE, DONE, INTERNAL, INTERRUPTED, explain
from postrenderer.stream import Buffer

BUG = f"this is a bug in {PROGRAM} {__version__}: please report it, with the lines above (https://pypi.org/project/{PROGRAM}/)"
COMPLETION_VARIABLE = "_SANDBOX_POSTRENDERER_COMPLETE"
_OWN_OPTIONS = ("-h", "--help", "--version")
COMMANDS = {
    "render": "postrenderer.commands.render",
    "diff": "postrenderer.commands.diff",
    "patch": "postrenderer.commands.patch",
    "images": "postrenderer.commands.images",
    "helm-plugin": "postrenderer.commands.helm_plugin",
    "kustomize-plugin": "postrenderer.commands.kustomize_plugin",
    "argocd": "postrenderer.commands.argocd",
}
"""Each command and the module that holds it, as `command`."""


class _Commands(click.Group):
    """The commands, imported when they are called."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(COMMANDS[cmd_name]).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not ctx.resilient_parsing:
            ctx.fail(_explain_unknown(name))
        return super().resolve_command(ctx, args)


def _explain_unknown(name: str) -> str:
    if os.path.exists(name) or name.endswith(SUFFIXES):
        return f"{name} is no command; to render a file: {PROGRAM} render {name}"
    from postrenderer.settings import suggest_name

    return f"{name} is no command; {suggest_name(name, COMMANDS)}"


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name=PROGRAM)
def group() -> None:
    """State the runtime identity of Sandbox pods while their manifests are rendered.

    Without a command, `render` of standard input: what Helm and a pipe call.
    """


def is_kustomize_call(arguments: list[str], environment: Mapping[str, str]) -> bool:
    """Tell a call by kustomize, with the plugin's configuration as first argument, from a call by hand."""
    if not arguments or KUSTOMIZE_ROOT not in environment:
        return False
    return arguments[0] not in COMMANDS and os.path.isfile(arguments[0])


def main(arguments: list[str], data: Buffer | None = None) -> int:
    """Run a command line; `data` is standard input where it was read already. Returns the exit code."""
    if is_kustomize_call(arguments, os.environ):
        arguments = ["kustomize-plugin", "run", *arguments]
    elif not arguments or (arguments[0].startswith("-") and arguments[0] not in _OWN_OPTIONS):
        arguments = ["render", *arguments]
    try:
        return _run(arguments, data)
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.UsageError as error:
        _show_usage_error(error, arguments)
        return explain(error)[0]
    except BaseException as error:
        return _tell_end(error)


def _run(arguments: list[str], data: Buffer | None) -> int:
    # Not `group.main`, which ends a closed pipe and an interruption with an exit code of 1.
    if COMPLETION_VARIABLE in os.environ:
        from click.shell_completion import shell_complete

        return shell_complete(group, {}, PROGRAM, COMPLETION_VARIABLE, os.environ[COMPLETION_VARIABLE])
    with group.make_context(PROGRAM, arguments, obj=data) as context:
        code = group.invoke(context)
        if sys.stdout is not None:
            sys.stdout.flush()  # a closed pipe is found out here, and not at the interpreter's end
    return code if isinstance(code, int) else DONE


def _tell_end(error: BaseException) -> int:
    code, message = explain(error)
    if code == INTERNAL:
        import traceback

        traceback.print_exception(error)
        message = BUG
    if code == CLOSED_PIPE:
        _silence_output()
    elif code != INTERRUPTED:
        say_error(message)
    return code


def _show_usage_error(error: click.UsageError, arguments: list[str]) -> None:
    """Say it, also in the report: Helm 4 shows nobody what stands on standard error."""
    if sys.stderr is not None:
        try:
            error.show()
        except OSError:
            pass  # nobody listens
    report = read_report_path({"report": _find_report(arguments)}, os.environ)
    if report is None:
        return
    from postrenderer.session import write_report

    try:
        write_report(report, [], 0, 0, error.format_message())
    except (Refused, OSError) as second:
        say_error(str(second))


def _find_report(arguments: list[str]) -> str | None:
    """The value of `--report` in arguments that could not be read as a whole."""
    for option, value in zip(arguments, [*arguments[1:], None], strict=True):
        if option == "--report":
            return value
        if option.startswith("--report="):
            return option.partition("=")[2]
    return None


def _silence_output() -> None:
    # Python flushes standard output once more at its end, and would complain about the closed pipe.
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    except OSError:
        pass
