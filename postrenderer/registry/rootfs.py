"""Files of an image, found in its layers from the top down, reading no more of them than it takes.

A limit, for the sake of not reading what is not needed: the topmost entry of a path's own name counts. That a lower
layer made a directory on the way a symbolic link, under which another layer above it changed the same file by its
other name, would be known only after reading all layers.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from postrenderer.registry.errors import RegistryError, quote_text
from postrenderer.registry.layers import Entry, LayerView, clean_path, list_with_ancestors, read_plain_file, scan_layer
from postrenderer.registry.limits import Limits
from postrenderer.registry.tar import TarReader

OpenLayer = Callable[[], AbstractContextManager[TarReader]]

OTHER_PLACES = ("usr/etc", "usr/lib")
"""Where a linked `/etc` or `/etc/passwd` usually leads: watched from the start, so that no layer is read twice."""


@dataclass(slots=True)
class _Search:
    """One file on its way: the path that it is looked for at now, and from which layer on (0 is the top)."""

    wanted: str
    path: str
    start: int = 0
    links: int = 0
    directories: set[str] = field(default_factory=set)
    """Ancestors that an upper layer has as directories: lower layers' links in their place are gone."""
    answer: Entry | None = None
    done: bool = False


class RootFilesystem:
    """The merged files of an image. `layers` open its layers, the top one first."""

    def __init__(self, layers: Sequence[OpenLayer], limits: Limits) -> None:
        self._layers = layers
        self._limits = limits
        self._views: dict[int, LayerView] = {}

    def read_files(self, paths: Iterable[str]) -> dict[str, bytes | None]:
        """The content of files, None for one that does not exist. Links are followed inside the image's root only.

        `RegistryError` where a path leads in circles or to what is no plain file.
        """
        searches = [_Search(path, path) for path in paths]
        while waiting := [search for search in searches if not search.done]:
            self._go_down(waiting)
        return {search.wanted: self._read_answer(search) for search in searches}

    def _read_answer(self, search: _Search) -> bytes | None:
        return read_plain_file(search.answer, search.wanted, self._limits.user_file) if search.answer else None

    def _go_down(self, searches: list[_Search]) -> None:
        """Look from the top; a search that meets a link stops, and starts again from the top at the link's target."""
        for search in searches:
            search.directories.clear()
        open_searches = list(searches)
        for index in range(len(self._layers)):
            looking = [search for search in open_searches if search.start <= index]
            if looking:
                view = self._look_at(index, looking)
                open_searches = [
                    search for search in open_searches if search not in looking or self._step(search, view, index)
                ]
            if not open_searches:
                return
        for search in open_searches:
            search.done = True

    def _look_at(self, index: int, searches: list[_Search]) -> LayerView:
        view = self._views.get(index)
        if view is not None and all(view.answers(path) for each in searches for path in _list_seen(view, each.path)):
            return view
        watched = frozenset(path for each in searches for path in _list_watched(each)) | (
            view.watched if view is not None else frozenset()
        )
        with self._layers[index]() as reader:
            view = scan_layer(
                reader,
                watched,
                self._limits.user_file,
                lambda seen: all(_is_found(seen, each.path) for each in searches),
            )
        self._views[index] = view
        return view

    def _step(self, search: _Search, view: LayerView, index: int) -> bool:
        """Whether the search goes on to the next layer."""
        ancestors = list_with_ancestors(search.path)[:-1]
        hidden = "" in view.emptied or any(path in view.emptied or path in view.removed for path in ancestors)
        entry = view.entries.get(search.path)
        if entry is not None:
            self._take(search, entry, index)
            return False
        for ancestor in ancestors:
            above = view.entries.get(ancestor)
            if above is None:
                continue
            if above.kind == "directory":
                search.directories.add(ancestor)
            elif ancestor in search.directories or above.kind != "symlink":
                hidden = True
            else:
                rest = search.path[len(ancestor) :]
                self._redirect(search, _join_link(ancestor, above.link) + rest, 0)
                return False
        search.done = hidden or search.path in view.removed
        return not search.done

    def _take(self, search: _Search, entry: Entry, index: int) -> None:
        if entry.kind == "symlink":
            self._redirect(search, _join_link(search.path, entry.link), 0)
        elif entry.kind == "hardlink":
            # It names a file that was there when it was made: of its own layer, or of one below.
            self._redirect(search, clean_path(entry.link), index)
        else:
            search.answer, search.done = entry, True

    def _redirect(self, search: _Search, path: str, start: int) -> None:
        search.links += 1
        if search.links > self._limits.links:
            raise RegistryError(
                f"its /{search.wanted} is a link that leads on more than {self._limits.links} times, "
                f"last to /{quote_text(path, 60)}: no container runtime can read it"
            )
        search.path, search.start = path, start


def _list_watched(search: _Search) -> list[str]:
    base = posixpath.basename(search.wanted)
    return [
        path
        for each in (search.path, *(f"{place}/{base}" for place in OTHER_PLACES))
        for path in list_with_ancestors(each)
    ]


def _list_seen(view: LayerView, path: str) -> list[str]:
    """What of a path has to be known: only itself, where the layer has it."""
    return [path] if path in view.entries else list_with_ancestors(path)


def _is_found(view: LayerView, path: str) -> bool:
    """Whether a layer that was read so far has the file at the end of `path`, links of this layer followed.

    A link alone is no reason to stop: what it leads to is most often in the same layer, which would be read twice.
    """
    for _ in range(8):
        entry = view.entries.get(path)
        if entry is None:
            link = next((each for each in list_with_ancestors(path)[:-1] if _is_link(view, each)), None)
            if link is None:
                return False
            path = _join_link(link, view.entries[link].link) + path[len(link) :]
        elif entry.kind == "symlink":
            path = _join_link(path, entry.link)
        elif entry.kind == "hardlink":
            path = clean_path(entry.link)
        else:
            return True
    return False


def _is_link(view: LayerView, path: str) -> bool:
    return path in view.entries and view.entries[path].kind == "symlink"


def _join_link(path: str, link: str) -> str:
    """Where a symbolic link at `path` leads: an absolute one begins at the image's root, and none leaves it."""
    return clean_path(posixpath.join("/", posixpath.dirname(path), link))
