"""`kustomize-plugin`: kustomize's exec plugin, and what it runs."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from postrenderer.console import say, warn_of_short_life, write_lines, write_output
from postrenderer.model import Refused
from postrenderer.options import setting_options
from postrenderer.session import Input, open_session
from postrenderer.settings import BY_NAME, EVERYWHERE, check_unlocked

HOW_TO_USE = """
Add these lines to a kustomization.yaml, and build it with `kustomize build --enable-alpha-plugins`:

transformers:
- '{apiVersion: sandbox-postrenderer.io/v1, kind: RuntimeIdentity, metadata: {name: identity}}'"""


@click.group(name="kustomize-plugin", short_help="Install kustomize's exec plugin.")
def command() -> None:
    """kustomize's exec plugin, for `kustomize build` and `kubectl kustomize`."""


@command.command(name="install", short_help="Write the plugin and print its path.")
@click.option("--home", metavar="DIR", help="kustomize's plugin home.  [default: the one that kustomize takes]")
def install(home: str | None) -> None:
    """Write the plugin to where kustomize looks for it, and print its path.

    kustomize build --enable-alpha-plugins .
    """
    from postrenderer.hosts import kustomize

    warn_of_short_life()
    write_lines([kustomize.write_plugin(home or kustomize.find_home(os.environ))])
    if sys.stderr is not None:
        click.echo(HOW_TO_USE, err=True)


@command.command(
    name="run", hidden=True, context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False}
)
@click.argument("config")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def run(config: str, arguments: tuple[str, ...]) -> None:
    """What kustomize calls, with a file that holds the plugin's configuration, and with options from `argsOneLiner`."""
    from postrenderer.hosts import kustomize

    with open_session({}) as session:
        function = kustomize.read_config_file(config, session.capabilities.locked)
        options = _read_arguments(function.name, arguments, session.capabilities.locked)
        (item,) = session.read_inputs((), with_directories=False)
        if item.data.strip():
            kustomize.check_place(function, os.environ)
        else:
            say("warning: kustomize sent no resources; under generators: this plugin has no effect")
        result = session.run_function(function, options, Input("kustomize", item.data, None, has_places=False))
        session.write_report()
        if function.mode == "render":
            write_output(result.pieces)
        session.print_findings()


def _read_arguments(name: str, arguments: tuple[str, ...], locked: tuple[str, ...]) -> dict[str, Any]:
    """Read options that stand in a document: settings only, and none that an operator has locked."""
    reader = setting_options(*EVERYWHERE)(click.Command(name, add_help_option=False))
    try:
        options = reader.make_context(name, list(arguments)).params
        for setting in EVERYWHERE:
            if options[BY_NAME[setting].field] is not None:
                check_unlocked(setting, locked)
    except (click.UsageError, ValueError) as error:
        message = error.format_message() if isinstance(error, click.UsageError) else str(error)
        raise Refused(f"{name}, argsOneLiner: {message} (a document can hold settings, and nothing else)") from None
    return options
