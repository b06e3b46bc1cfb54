"""The search from the top against a model that unpacks all layers from the bottom, as containerd does."""

from __future__ import annotations

import posixpath
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from postrenderer.registry.errors import RegistryError
from tests.registry.support import DIRECTORY, Files, Link
from tests.registry.test_registry_rootfs import Reads


class Unpacked:
    """A file system by path. A hard link is a copy."""

    def __init__(self) -> None:
        self.nodes: dict[str, Any] = {"/": DIRECTORY}

    def resolve(self, path: str, *, last: bool = True, depth: int = 0) -> str | None:
        """Where `path` leads inside the root; parts that do not exist stay as they are. None for a circle."""
        if depth > 20:
            return None
        at, parts = "/", [part for part in path.split("/") if part and part != "."]
        for index, part in enumerate(parts):
            if part == "..":
                at = posixpath.dirname(at)
                continue
            step = posixpath.join(at, part)
            node = self.nodes.get(step)
            if isinstance(node, Link) and (last or index < len(parts) - 1):
                target = node.target if node.target.startswith("/") else f"{at}/{node.target}"
                return self.resolve("/".join([target, *parts[index + 1 :]]), last=last, depth=depth + 1)
            at = step
        return at

    def remove(self, path: str, keep: frozenset[str] = frozenset(), *, itself: bool = True) -> None:
        for each in list(self.nodes):
            if (each.startswith(f"{path.rstrip('/')}/") or (itself and each == path)) and each not in keep | {"/"}:
                del self.nodes[each]

    def apply(self, layer: Files) -> None:
        unpacked: set[str] = set()
        for name, what in layer.items():
            directory = self.resolve(posixpath.dirname(name))
            assume(directory is not None)
            assert directory is not None
            self.make_directories(directory)
            base = posixpath.basename(name)
            if base == ".wh..wh..opq":
                self.remove(directory, frozenset(unpacked), itself=False)
            elif base.startswith(".wh."):
                self.remove(posixpath.join(directory, base[4:]))
            else:
                path = posixpath.join(directory, base)
                if not (what is DIRECTORY and self.nodes.get(path) is DIRECTORY):
                    self.remove(path)
                    self.nodes[path] = what
                unpacked.add(path)

    def make_directories(self, path: str) -> None:
        while path != "/":
            assume(self.nodes.setdefault(path, DIRECTORY) is DIRECTORY)
            path = posixpath.dirname(path)

    def read(self, path: str) -> Any:
        found = self.resolve(path)
        return None if found is None else self.nodes.get(found)


FILES = st.binary(min_size=1, max_size=2)
LINKS = st.sampled_from(
    ["usr/etc", "/usr/etc", "passwd", "../usr/etc/passwd", "/usr/lib/passwd", "/opt/p", "p", "/etc"]
)
NODES = st.one_of(FILES, FILES, st.builds(Link, LINKS), st.just(DIRECTORY))
NAMES = ["etc", "etc/passwd", "etc/p", "usr", "usr/etc", "usr/etc/passwd", "usr/lib/passwd", "opt/p"]
WHITEOUTS = [
    ".wh.etc",
    "etc/.wh.passwd",
    "etc/.wh..wh..opq",
    ".wh.usr",
    "usr/.wh.etc",
    "usr/etc/.wh.passwd",
    ".wh..wh..opq",
]


@st.composite
def make_layers(draw: st.DrawFn, linked_directories: bool) -> list[Files]:
    """Layers as tools make them: whiteouts first, directories before what is in them, nothing under a link."""
    layers = []
    for _ in range(draw(st.integers(1, 4))):
        layer: Files = dict.fromkeys(draw(st.lists(st.sampled_from(WHITEOUTS), max_size=2, unique=True)), b"")
        for name in sorted(draw(st.lists(st.sampled_from(NAMES), max_size=5, unique=True))):
            parents = [
                layer.get(parent) for parent in (posixpath.dirname(name), posixpath.dirname(posixpath.dirname(name)))
            ]
            if any(isinstance(parent, (bytes, Link)) for parent in parents):
                continue
            what = draw(NODES)
            is_directory = name in ("etc", "usr", "usr/etc")
            if is_directory and isinstance(what, Link) and not linked_directories:
                what = DIRECTORY
            layer[name] = what
        layers.append(layer)
    return layers


def check(layers: list[Files]) -> None:
    model = Unpacked()
    for layer in layers:
        model.apply(layer)
    expected = model.read("etc/passwd")
    try:
        found = Reads(*layers).passwd()
    except RegistryError:
        found = None
    # A directory is as good as nothing: no runtime starts either.
    assert found == (None if expected is DIRECTORY else expected)


@settings(max_examples=400)
@given(make_layers(linked_directories=False))
def test_linked_files(layers: list[Files]) -> None:
    check(layers)
