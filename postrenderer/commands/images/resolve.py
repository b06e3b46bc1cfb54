"""`images resolve`: ask registries whom images run as."""

from __future__ import annotations

from typing import Any

import click

from postrenderer.commands.images.access import access_options, make_access
from postrenderer.console import write_lines
from postrenderer.model import Refused
from postrenderer.outcome import escape


@click.command(name="resolve", short_help="Ask registries whom images run as.")
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@access_options
def command(images: tuple[str, ...], **access: Any) -> None:
    """Ask registries whom images run as.

    Answers the USER of each image's configuration; a named user is looked up in the image's /etc/passwd. Logins are
    those of `docker login`. Needs the extra: pip install 'sandbox-postrenderer[registry]'
    """
    from postrenderer.commands.images.wording import format_resolved
    from postrenderer.lock.ask import resolve_all
    from postrenderer.registry import Resolved

    answers = dict(resolve_all(images, make_access(**access)))
    lines: list[str] = []
    failures: dict[str, None] = {}
    for number, image in enumerate(images):
        answer = answers[number]
        if isinstance(answer, Resolved):
            lines.extend(format_resolved(image, answer))
        else:
            failures[str(answer)] = None
    write_lines(map(escape, lines))  # an image's texts are a stranger's
    if failures:
        raise Refused("\n".join(failures))
