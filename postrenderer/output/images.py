"""The image table, and the answer about one image, as lines for people."""

from __future__ import annotations

from collections.abc import Iterator

from postrenderer.images import Row, list_table
from postrenderer.model import Identity


def format_table() -> Iterator[str]:
    """Yield the built-in table's rows, each with its sources below it."""
    for row in list_table():
        group = "no group" if row.gid is None else f"group {row.gid}"
        user = row.user or "no USER"
        yield f"{', '.join(row.images)}  {format_range(row)}  runs as {row.uid} ({group}; USER: {user})"
        for source in row.sources:
            yield f"    {source}"


def format_range(row: Row) -> str:
    full = ", tags ending in -full" if row.full else ""
    return f"{row.since} to {row.until}{full}"


def format_identity(image: str, identity: Identity) -> str:
    """Say in one line what an image resolves to, and why."""
    if identity.uid is None:
        return f"{image}: unknown ({identity.reason}); say --image-uid {image.partition('@')[0]}=UID"
    group = "" if identity.gid is None else f", group {identity.gid}"
    name = ", a named user" if identity.named else ""
    mirror = ", by its name only" if identity.by_name_only else ""
    who = "root (0)" if identity.uid == 0 else str(identity.uid)
    return f"{image}: runs as {who}{group}{name} ({identity.source}{mirror})"
