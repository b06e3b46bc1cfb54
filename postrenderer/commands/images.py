"""`images`: the built-in table, and what image references resolve to."""

from __future__ import annotations

import os
from typing import Any

import click

from postrenderer.console import write_lines
from postrenderer.options import capability_options, read_capabilities, read_settings, setting_options


@click.group(name="images")
def command() -> None:
    """Whom images run as, and how that is known."""


@command.command(name="list")
def list_images() -> None:
    """Print the built-in table, with its sources."""
    from postrenderer.output.images import format_table

    write_lines(format_table())


@command.command(name="show")
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@setting_options("image-uid", "default-uid", "kagent-version")
@capability_options("config", "plugin", "locked")
def show_images(images: tuple[str, ...], **options: Any) -> None:
    """Say what image references resolve to, and why."""
    from postrenderer.images import resolve_identity
    from postrenderer.model import Image
    from postrenderer.output.images import format_identity
    from postrenderer.plugins import load_plugins

    plugins = load_plugins(read_capabilities(options, os.environ).plugins)
    settings = read_settings(options, os.environ)
    write_lines(
        [format_identity(image, resolve_identity(Image(image), settings, plugins.ask_image)) for image in images]
    )
