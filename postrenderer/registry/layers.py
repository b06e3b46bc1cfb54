"""What one layer says about a few paths: its entries there, and what it removes of the layers below.

Whiteouts are those of the OCI image specification ("Layer Filesystem Changeset"): they never hide entries of their own
layer.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from dataclasses import dataclass, field

from postrenderer.registry.errors import RegistryError
from postrenderer.registry.tar import Kind, TarEntry, TarReader

WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"
_AUFS = ".wh..wh."


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry at a watched path. `content` is None for what is no plain file, or was too large to be read."""

    kind: Kind
    link: str = ""
    content: bytes | None = None


@dataclass(slots=True)
class LayerView:
    """One layer, seen through the watched paths. `complete` where the layer was read to its end."""

    watched: frozenset[str]
    entries: dict[str, Entry] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)
    """Watched paths whose file or directory in the layers below is gone."""
    emptied: set[str] = field(default_factory=set)
    """Watched directories of which only this layer's entries are left."""
    complete: bool = False

    def answers(self, path: str) -> bool:
        """Whether looking for `path` in this view is as good as looking in the layer."""
        return path in self.entries or (self.complete and path in self.watched)


def scan_layer(
    reader: TarReader, watched: frozenset[str], content_limit: int, is_enough: Callable[[LayerView], bool]
) -> LayerView:
    """Read a layer until `is_enough`, which is asked whenever a watched path came by, or to its end."""
    view = LayerView(watched)
    for entry in reader:
        path = clean_path(entry.name)
        if _note_whiteout(view, path):
            continue
        if path in watched:
            view.entries[path] = _read_entry(reader, entry, content_limit)
            if is_enough(view):
                return view
    reader.drain()
    view.complete = True
    return view


def clean_path(name: str) -> str:
    """A path below the image's root, without `.`, `..` and doubled slashes; what would leave the root stays in it.

    So does containerd, which joins names to the root only after cleaning them. The root itself is the empty path.
    """
    return posixpath.normpath(f"/{name}").lstrip("/")


def list_with_ancestors(path: str) -> list[str]:
    """`a`, `a/b`, `a/b/c` for `a/b/c`."""
    parts = path.split("/")
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]


def _note_whiteout(view: LayerView, path: str) -> bool:
    directory, _, base = path.rpartition("/")
    if not base.startswith(WHITEOUT):
        return False
    if base == OPAQUE:
        if directory in view.watched or not directory:
            view.emptied.add(directory)
    elif not base.startswith(_AUFS):
        removed = clean_path(f"{directory}/{base[len(WHITEOUT) :]}")
        if removed in view.watched:
            view.removed.add(removed)
    return True


def _read_entry(reader: TarReader, entry: TarEntry, limit: int) -> Entry:
    if entry.kind != "file":
        return Entry(entry.kind, entry.link)
    return Entry("file", content=reader.read_content(limit) if entry.size <= limit else None)


def read_plain_file(entry: Entry, path: str, limit: int) -> bytes:
    """The content of an entry; `RegistryError` where it is none that a runtime could read, or too large."""
    if entry.kind == "file" and entry.content is not None:
        return entry.content
    if entry.kind == "file":
        raise RegistryError(f"its /{path} has more than {limit} bytes: it is not what it seems")
    raise RegistryError(f"its /{path} is no plain file: no container runtime can read it")
