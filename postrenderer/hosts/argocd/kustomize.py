"""A kustomization, built by the sidecar's kustomize: after all of it was read, and refused where it leads out.

kustomize fetches whatever it does not find as a file, and most of its fields take addresses (`api/internal/loader`
and `api/internal/target` of kustomize 5.8). Functions it skips without a word where it must not run them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator

from postrenderer.files import read_file
from postrenderer.hosts.argocd.confine import find_host, is_address, is_within, suggest_host
from postrenderer.hosts.argocd.request import Request
from postrenderer.hosts.argocd.workspace import Workspace
from postrenderer.hosts.kustomize import FILE_NAMES
from postrenderer.model import Refused
from postrenderer.yaml import Node, Tree, YamlError, load_tree

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
_PATH_KEYS = ("path", "paths", "files", "envs", "env")
_REPOSITORY = re.compile(r"[^/]*@|(?:www\.)?github\.com[:/]", re.IGNORECASE)
_MARKER = re.compile(r"^---(?=[ \t\r\n])|^---\Z", re.MULTILINE)


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
            path = next((path for name in FILE_NAMES if os.path.isfile(path := os.path.join(folder, name))), None)
            if path is None:
                raise Refused(f"{self._show(folder)}: has no kustomization.yaml")
            try:
                todo.extend(self._check_kustomization(_load(path), path))
            except YamlError as error:
                raise Refused(f"{self._show(path)}, line {error.line}: {error.message}") from None
            except UnicodeDecodeError:
                raise Refused(f"{self._show(path)}: is not UTF-8") from None

    def _check_kustomization(self, tree: Tree | None, path: str) -> Iterator[str]:
        """Check one. Yields the directories that it names."""
        if tree is None:
            return
        root = tree.root
        _check_case(root, (*_RESOURCES, *_CONFIGURATIONS, *_FILES, *_PATHS_BELOW, *_GENERATORS, *_CHARTS, "openapi"))
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
                if not _is_inline(text) or os.path.lexists(os.path.join(os.path.dirname(path), text)):
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
        if _is_remote(text):
            self._check_address(text, key, path)
            return None
        if not os.path.lexists(os.path.join(os.path.dirname(path), text)):  # a file first, whatever its name is
            if key in _CONFIGURATIONS and _is_inline(text):
                self._check_configuration(text.encode(), f"{self._show(path)}: {key}")
            else:
                self._check_address(text, key, path)
            return None
        found = self._find(text, key, path)
        if key not in _CONFIGURATIONS:
            return found if os.path.isdir(found) else None
        if os.path.isdir(found):
            # What a kustomization builds cannot be foreseen: a patch can put an address into a configuration.
            raise Refused(f"{self._show(path)}: {key}: {text!r} is a directory: name the files in it")
        self._check_configuration(bytes(read_file(found, MAX_FILE)), self._show(found))
        return None

    def _check_address(self, text: str, key: str, path: str) -> None:
        host = find_host(text, ("https",))
        if host is None or host not in self.hosts:
            raise Refused(
                f"{self._show(path)}: {key}: {text!r} is no file or directory of the repository, and is not fetched: "
                f"put it there{suggest_host(host)}"
            )

    def _check_configuration(self, content: bytes, shown: str) -> None:
        """Refuse a configuration of anything that kustomize would have to run."""
        for node in _split(content):
            _check_case(node, ("apiVersion", "kind", "metadata"))
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

    def _check_path(self, entry: Node, key: str, path: str) -> None:
        _check_case(entry, _PATH_KEYS)
        text = entry.scalar("path")
        if isinstance(text, str):
            self._find(text, key, path)

    def _check_sources(self, entry: Node, key: str, path: str) -> None:
        """Check the files of a generator: `NAME=PATH`, or a path."""
        _check_case(entry, _PATH_KEYS)
        texts = [text for field in ("files", "envs") for text in _list_texts(entry, field)]
        env = entry.scalar("env")
        for text in (*texts, *([env] if isinstance(env, str) else ())):
            self._find(text.partition("=")[2] or text, key, path)

    def _find(self, text: str, key: str, path: str) -> str:
        """The file or directory that a text names, absolute."""
        found = os.path.realpath(os.path.join(os.path.dirname(path), text))
        if _is_remote(text) or os.path.isabs(text) or not is_within(found, self.root) or not os.path.exists(found):
            raise Refused(f"{self._show(path)}: {key}: {text!r} is no file or directory of the repository")
        return found

    def _show(self, path: str) -> str:
        return os.path.relpath(path, self.root)


def _is_remote(text: str) -> bool:
    """Tell whether kustomize takes a text for an address, even where there is such a file (`NewRepoSpecFromURL`)."""
    return "\n" not in text and (is_address(text) or bool(_REPOSITORY.match(text)))


def _is_inline(text: str) -> bool:
    return "\n" in text or text.lstrip().startswith("{")


def _list_texts(node: Node, key: str) -> list[str]:
    return [str(entry.value) for entry in node.sequence(key)]


def _load(path: str) -> Tree | None:
    return load_tree(bytes(read_file(path, MAX_FILE)).decode())


def _split(content: bytes) -> Iterator[Node]:
    """The documents of a configuration."""
    text = content.decode().replace("\r\n", "\n")
    for part in _MARKER.split(text):
        tree = load_tree(part)
        if tree is not None and tree.root.is_mapping:
            yield tree.root


def _check_case(node: Node, names: Iterable[str]) -> None:
    """Refuse a key that Go's JSON reader takes for a known one, and this program does not: it ignores the case."""
    known = {name.casefold(): name for name in names}
    node.mapping()  # or else it raises
    for key in node.list_keys():
        name = known.get(key.casefold())
        if name is not None and key != name:
            raise YamlError(f"`{key}` has to be written as `{name}`", node.line)


def _find_paths(node: Node) -> Iterator[str]:
    """What stands below keys that name files, wherever they are in a configuration."""
    todo = [node]
    while todo:
        node = todo.pop()
        if node.is_mapping:
            _check_case(node, _PATH_KEYS)
            for key, value in node.items():
                if key in _PATH_KEYS and value.is_scalar:
                    yield str(value.value)
                elif key in _PATH_KEYS and not value.is_mapping:
                    yield from (str(entry.value) for entry in value.entries() if entry.is_scalar)
                todo.append(value)
        elif not node.is_scalar:
            todo.extend(node.entries())
