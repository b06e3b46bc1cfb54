"""A kustomization, built by the sidecar's kustomize: after all of it was read, and refused where it leads out.

kustomize fetches whatever it does not find as a file, and most of its fields take addresses (`api/internal/loader`
and `api/internal/target` of kustomize 5.8). Functions it skips without a word where it must not run them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from postrenderer.hosts.argocd.confine import find_host, is_address, is_within, join_path, show_path, suggest_host
from postrenderer.hosts.argocd.readers import check_case, has_merges, load_plain, read_whole
from postrenderer.hosts.argocd.request import Request
from postrenderer.hosts.argocd.workspace import Workspace
from postrenderer.hosts.kustomize import FILE_NAMES
from postrenderer.model import Refused
from postrenderer.yaml import Node, Tree, YamlError

MAX_FILE = 5 * 1024**2
MAX_KUSTOMIZATIONS = 1000
FUNCTION = "config.kubernetes.io/function"
_BUILT_IN = "builtin"
# Fields that take files and directories, and those that take files only.
_RESOURCES = ("resources", "bases", "components")
_CONFIGURATIONS = ("generators", "transformers", "validators")
_FILES = ("crds", "configurations", "patchesStrategicMerge")
_PATHS_BELOW = ("patches", "patchesJson6902", "replacements")
_GENERATORS = ("configMapGenerator", "secretGenerator")
_CHARTS = ("helmCharts", "helmChartInflationGenerator")
_PATH_KEYS = ("path", "paths", "files", "envs", "env", "targetFilePath")
_REPOSITORY = re.compile(r"[^/]*@|(?:www\.)?github\.com[:/]", re.IGNORECASE)
_MARKER = re.compile(r"^---(.*)$", re.MULTILINE)


def build_kustomization(request: Request, workspace: Workspace, program: str, hosts: tuple[str, ...]) -> bytes:
    """Build the kustomization in the application's directory. Raises `Refused`."""
    check_kustomizations(request, hosts)
    return workspace.run(program, ["build", "."], request.folder, name="kustomize")


def check_kustomizations(request: Request, hosts: tuple[str, ...]) -> None:
    """Refuse a kustomization, or one that it names, that leads out of the repository or would run something."""
    _Survey(request, hosts).check(request.folder)


class _Survey:
    """A look at every kustomization that a build would read."""

    def __init__(self, request: Request, hosts: tuple[str, ...]) -> None:
        self.root = request.root
        self.hosts = hosts
        self.seen: set[str] = set()

    def check(self, folder: str) -> None:
        """Refuse what leads out of the repository, in a directory's kustomization and in those that it names."""
        todo = [folder]
        while todo:
            folder = todo.pop()
            if folder in self.seen:
                continue
            self.seen.add(folder)
            if len(self.seen) > MAX_KUSTOMIZATIONS:
                raise Refused(f"more than {MAX_KUSTOMIZATIONS} kustomizations are named: that is not built")
            path = self._find_kustomization(folder)
            try:
                todo.extend(self._check_kustomization(self._load(path), path))
            except YamlError as error:
                raise Refused(f"{self._show(path)}, line {error.line}: {error.message}") from None
            except UnicodeDecodeError:
                raise Refused(f"{self._show(path)}: is not UTF-8") from None

    def _find_kustomization(self, folder: str) -> str:
        """A directory's kustomization. Of several, kustomize takes the one that leads nowhere it may not read."""
        found = [path for name in FILE_NAMES if os.path.lexists(path := os.path.join(folder, name))]
        if len(found) > 1:
            raise Refused(f"{self._show(folder)}: has {' and '.join(map(os.path.basename, found))}: keep one")
        if not found or not os.path.isfile(found[0]):
            raise Refused(f"{self._show(folder)}: has no kustomization.yaml")
        return found[0]

    def _load(self, path: str) -> Tree | None:
        return load_plain(read_whole(path, MAX_FILE, self._show(path)).decode())

    def _check_kustomization(self, tree: Tree | None, path: str) -> Iterator[str]:
        """Check one. Yields the directories that it names."""
        if tree is None:
            return
        root = tree.root
        check_case(root, (*_RESOURCES, *_CONFIGURATIONS, *_FILES, *_PATHS_BELOW, *_GENERATORS, *_CHARTS, "openapi"))
        for key in _CHARTS:
            if root.get(key) is not None:
                raise Refused(f"{self._show(path)}: {key} runs helm inside kustomize, which is never allowed here")
        for key in (*_RESOURCES, *_CONFIGURATIONS):
            for text in _list_texts(root, key):
                folder = self._check_entry(text, key, path)
                if folder is not None:
                    yield folder
        self._check_files(root, path)

    def _check_files(self, root: Node, path: str) -> None:
        """Check the fields that name files, and nothing that could be built in its turn."""
        for key in _FILES:
            for text in _list_texts(root, key):
                if not _is_inline(text) or _is_there(text, path):
                    self._find(text, key, path)
        for key in _PATHS_BELOW:
            for entry in root.sequence(key):
                self._check_path(entry, key, path)
        openapi = root.mapping("openapi")
        if openapi is not None:
            self._check_path(openapi, "openapi", path)
        for key in _GENERATORS:
            for entry in root.sequence(key):
                self._check_sources(entry, key, path)

    def _check_entry(self, text: str, key: str, path: str) -> str | None:
        """Check a resource: a file, an address, a configuration itself, or a directory, which is returned."""
        if key in _CONFIGURATIONS and _is_inline(text):
            # kustomize reads it as a configuration first, and as a path where it is none.
            self._check_configuration(text.encode(), f"{self._show(path)}: {key}")
            if _is_there(text, path):
                raise Refused(f"{self._show(path)}: {key}: {text!r} is also the name of a file: rename that")
            return None
        if _is_remote(text) or not _is_there(text, path):
            self._check_address(text, key, path)
            return None
        found = self._find(text, key, path)
        if key not in _CONFIGURATIONS:
            return found if os.path.isdir(found) else None
        if os.path.isdir(found):
            # What a kustomization builds cannot be foreseen: a patch can put an address into a configuration.
            raise Refused(f"{self._show(path)}: {key}: {text!r} is a directory: name the files in it")
        self._check_configuration(read_whole(found, MAX_FILE, self._show(found)), self._show(found))
        return None

    def _check_address(self, text: str, key: str, path: str) -> None:
        host = find_host(text, ("https",))
        if host is None or host not in self.hosts or "=-" in text:  # `?ref=--x` would be an option of git
            raise Refused(
                f"{self._show(path)}: {key}: {text!r} is no file or directory of the repository, and is not fetched: "
                f"put it there{suggest_host(host)}"
            )

    def _check_configuration(self, content: bytes, shown: str) -> None:
        """Refuse a configuration of anything that kustomize would have to run."""
        try:
            for node in _split(content):
                _check_plugin(node, shown)
        except YamlError as error:
            raise Refused(f"{shown}: {error.message}") from None

    def _check_path(self, entry: Node, key: str, path: str) -> None:
        check_case(entry, _PATH_KEYS)
        text = entry.scalar("path")
        if isinstance(text, str):
            self._find(text, key, path)

    def _check_sources(self, entry: Node, key: str, path: str) -> None:
        """Check the files of a generator: `NAME=PATH`, or a path. Files of variables have no name in front."""
        check_case(entry, _PATH_KEYS)
        env = entry.scalar("env")
        files = [text.partition("=")[2] or text for text in _list_texts(entry, "files")]
        for text in (*files, *_list_texts(entry, "envs"), *([env] if isinstance(env, str) else ())):
            self._find(text, key, path)

    def _find(self, text: str, key: str, path: str) -> str:
        """The file or directory that a text names, absolute."""
        found = join_path(os.path.dirname(path), text)
        if _is_remote(text) or os.path.isabs(text) or not is_within(found, self.root) or not os.path.exists(found):
            raise Refused(f"{self._show(path)}: {key}: {text!r} is no file or directory of the repository")
        return found

    def _show(self, path: str) -> str:
        return show_path(path, self.root)


def _is_remote(text: str) -> bool:
    """Tell whether kustomize takes a text for an address, even where there is such a file (`NewRepoSpecFromURL`)."""
    return is_address(text) or bool(_REPOSITORY.match(text))


def _is_inline(text: str) -> bool:
    """Tell whether a text could be YAML of several keys: it has a line break, of which YAML has many, or a brace."""
    return "{" in text or not text.isprintable()


def _is_there(text: str, path: str) -> bool:
    """Tell whether a kustomization's directory has a file or directory of that name."""
    return os.path.lexists(os.path.normpath(os.path.join(os.path.dirname(path), text)))


def _list_texts(node: Node, key: str) -> list[str]:
    return [str(entry.value) for entry in node.sequence(key)]


def _split(content: bytes) -> Iterator[Node]:
    """The documents of a configuration, cut where kustomize cuts them, also inside of what YAML takes for a text."""
    text = content.decode().replace("\r\n", "\n")
    for number, part in enumerate(_MARKER.split(text)):
        if number % 2:
            if part.strip() and not part.strip().startswith("#"):
                raise YamlError(f"`---{part[:40]}` is no line between two documents")
            continue
        tree = load_plain(part)
        if tree is None or tree.is_null(0):
            continue
        tree.root.mapping()  # or else it raises
        if has_merges(tree):
            raise YamlError("a configuration has no merge keys (`<<`): write out what they stand for")
        yield tree.root


def _check_plugin(node: Node, shown: str) -> None:
    """Refuse a plugin that is none of kustomize's own, or that would fetch something."""
    check_case(node, ("apiVersion", "kind", "metadata"))
    if node.scalar("metadata", "annotations", FUNCTION) is not None:
        raise Refused(f"{shown}: has the annotation {FUNCTION}: functions are never run here")
    if node.scalar("apiVersion") != _BUILT_IN:
        kind = node.scalar("kind")
        raise Refused(f"{shown}: {kind} is no plugin of kustomize's own, and others are never run here")
    if node.scalar("kind") == "HelmChartInflationGenerator":
        raise Refused(f"{shown}: runs helm inside kustomize, which is never allowed here")
    for text in _find_paths(node):
        if is_address(text) or is_address(text.partition("=")[2]):
            raise Refused(f"{shown}: {text!r} is an address, and is not fetched: put the file there")


def _find_paths(node: Node) -> Iterator[str]:
    """What stands below keys that name files, wherever they are in a configuration."""
    todo, seen = [node], set()
    while todo:
        node = todo.pop()
        if node.index in seen:  # a bomb of aliases has no end otherwise
            continue
        seen.add(node.index)
        if node.is_mapping:
            check_case(node, _PATH_KEYS)
            for key, value in node.items():
                if key in _PATH_KEYS and value.is_scalar:
                    yield str(value.value)
                elif key in _PATH_KEYS and not value.is_mapping:
                    yield from (str(entry.value) for entry in value.entries() if entry.is_scalar)
                todo.append(value)
        elif not node.is_scalar:
            todo.extend(node.entries())
