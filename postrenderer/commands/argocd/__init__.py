"""`argocd`: the config management plugin of Argo CD."""

from __future__ import annotations

import click

from postrenderer.commands.argocd.generate import generate
from postrenderer.commands.argocd.parameters import parameters
from postrenderer.commands.argocd.plugin import plugin


@click.group(name="argocd", short_help="Argo CD's config management plugin.")
def command() -> None:
    """Argo CD's config management plugin: what its sidecar calls."""


command.add_command(generate)
command.add_command(parameters)
command.add_command(plugin)
