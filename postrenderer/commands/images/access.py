"""How registries are asked: options, and what becomes of them."""

from __future__ import annotations

import gc
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from postrenderer.files import read_file
from postrenderer.model import Refused

if TYPE_CHECKING:
    from postrenderer.registry import Access

_MAX_CA = 16 << 20
_PLATFORM = re.compile("[a-z0-9]+/[a-z0-9_]+(?:/[a-z0-9]+)?")


def access_options(command: Any) -> Any:
    """The options of a command that asks registries."""
    options = [
        click.option(
            "--registry-mirror",
            "mirrors",
            metavar="FROM=TO",
            multiple=True,
            callback=_each(lambda text: _registry().parse_mirror(text)),
            help="Ask TO for the images of FROM, both HOST[:PORT][/PATH]; repeatable.",
        ),
        click.option(
            "--plain-http",
            metavar="HOST",
            multiple=True,
            callback=_each(lambda text: _registry().parse_plain_http(text)),
            help="Speak plain HTTP with HOST[:PORT]; repeatable.",
        ),
        click.option("--registry-ca", metavar="FILE", help="Trust the certificates in FILE (PEM) as well."),
        click.option(
            "--platform",
            "platforms",
            metavar="OS/ARCH",
            multiple=True,
            callback=_each(_parse_platform),
            help="Of images for several platforms, look at this one only; repeatable.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def _registry() -> Any:
    import postrenderer.registry

    return postrenderer.registry


def _each(parse: Callable[[str], Any]) -> Callable[[Any, Any, tuple[str, ...]], tuple[Any, ...]]:
    def parse_all(_context: Any, _option: Any, values: tuple[str, ...]) -> tuple[Any, ...]:
        try:
            return tuple(parse(value) for value in values)
        except ValueError as error:
            raise click.BadParameter(str(error).partition(": ")[2]) from None

    return parse_all


def _parse_platform(text: str) -> str:
    if _PLATFORM.fullmatch(text) is None:
        raise ValueError(f"platform: {text!r} is no OS/ARCH, such as linux/amd64")
    return text


def make_access(
    mirrors: tuple[Any, ...], plain_http: tuple[str, ...], registry_ca: str | None, platforms: tuple[str, ...]
) -> Access:
    """Make the options' values into what registries are asked with. Raises `Refused` for a file of no certificates."""
    gc.enable()  # `entry` stops it for runs of milliseconds
    if registry_ca is not None and b"-----BEGIN CERTIFICATE-----" not in read_file(registry_ca, _MAX_CA):
        raise Refused(f"--registry-ca {registry_ca}: holds no certificate: name a PEM file (BEGIN CERTIFICATE)")
    access: Access = _registry().Access(mirrors, frozenset(plain_http), registry_ca, platforms)
    return access
