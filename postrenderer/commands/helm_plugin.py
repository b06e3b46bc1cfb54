"""`helm-plugin`: Helm 4's plugin, as a directory or as a package."""

from __future__ import annotations

import os

import click

from postrenderer import __version__
from postrenderer.console import warn_of_short_life, write_lines


@click.command(name="helm-plugin", short_help="Write Helm 4's plugin and print its path.")
@click.option("--dir", "directory", metavar="DIR", help="Write the plugin's directory here.")
@click.option(
    "--package", metavar="FILE", help="Write a package (.tgz) for others instead; it uses the command on PATH."
)
def command(directory: str | None, package: str | None) -> None:
    """Write Helm 4's plugin and print its path.

    helm plugin install "$(sandbox-postrenderer helm-plugin)"
    """
    from postrenderer.hosts import helm4

    if package is not None:
        if directory is not None:
            raise click.UsageError("--dir and --package exclude each other")
        helm4.package_plugin(package, __version__)
        write_lines([os.path.abspath(package)])
        return
    warn_of_short_life()
    write_lines([helm4.write_plugin(directory or helm4.get_default_directory(dict(os.environ)), __version__)])
