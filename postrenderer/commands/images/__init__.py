"""`images`: whom images run as: the built-in table, what references resolve to, what registries say, the lock file."""

from __future__ import annotations

import os
from typing import Any

import click

from postrenderer.commands.images import lock, resolve
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
@capability_options("config", "image-lock", "plugin", "locked")
def show_images(images: tuple[str, ...], **options: Any) -> None:
    """Say what image references resolve to, and why. No registry is asked."""
    from postrenderer.images import resolve_identity
    from postrenderer.model import Image
    from postrenderer.output.images import format_identity
    from postrenderer.plugins import load_plugins
    from postrenderer.session import load_lock_file

    capabilities = read_capabilities(options, os.environ)
    ask_plugins, lock_file = load_plugins(capabilities.plugins).ask_image, load_lock_file(capabilities)
    settings = read_settings(options, os.environ)
    identities = [resolve_identity(Image(image), settings, ask_plugins, lock_file) for image in images]
    write_lines([format_identity(image, identity) for image, identity in zip(images, identities, strict=True)])


command.add_command(resolve.command)
command.add_command(lock.command)
