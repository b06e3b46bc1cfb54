"""`argocd plugin`: the plugin's description for Argo CD's sidecar server."""

from __future__ import annotations

import click

from postrenderer import __version__
from postrenderer.console import write_output
from postrenderer.hosts.argocd.plugin_yaml import MARKER, format_plugin


@click.command(name="plugin", short_help="Print plugin.yaml.")
@click.option("--discover", is_flag=True, help=f"Let applications come by themselves that have a file {MARKER}.")
def plugin(discover: bool) -> None:
    """Print plugin.yaml, for the sidecar's ConfigMap."""
    write_output([format_plugin(__version__, with_discovery=discover).encode()])
