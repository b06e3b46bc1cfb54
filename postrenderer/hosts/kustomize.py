"""kustomize's legacy exec plugin: where it is looked for, how it is called, and what it must never do.

Measured with kustomize 5.8: the plugin is `HOME/GROUP/VERSION/lower-case KIND/KIND`; its first argument is a file with
its configuration, those that follow come from `argsOneLiner` and `argsFromFile`; it runs in the kustomization's
directory. Resources that it does not print are deleted, without a word; a validator must not print at all; and nothing
tells the two uses apart. What it says on standard error is shown when it fails, and never when it succeeds.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from postrenderer.files import read_file
from postrenderer.hosts.contract import KUSTOMIZE_ROOT
from postrenderer.hosts.launcher import is_launcher, write_launcher
from postrenderer.hosts.runtime_identity import API_VERSION, KIND, Function, read_function
from postrenderer.model import Refused
from postrenderer.yaml import Node, YamlError, load_tree

RELATIVE_PATH = os.path.join(*API_VERSION.split("/"), KIND.lower(), KIND)
FILE_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_MAX_FILE = 1 << 20
_MISPLACED = {
    "validate": "and would delete every resource there: put it under validators:",
    "render": "where nothing may be changed: say mode: validate there, or put it under transformers:",
}


def find_home(environment: Mapping[str, str]) -> str:
    """The plugin home that kustomize takes: the first of its four places that is there, else the one to make.

    To make another one than kustomize takes would hide the plugins that are in the other (`DefaultAbsPluginHome` of
    kustomize's `api/konfig/plugins.go`).
    """
    user = environment.get("HOME") or os.path.expanduser("~")
    places = []
    if environment.get("KUSTOMIZE_PLUGIN_HOME"):
        places.append(environment["KUSTOMIZE_PLUGIN_HOME"])
    if environment.get("XDG_CONFIG_HOME"):
        places.append(os.path.join(environment["XDG_CONFIG_HOME"], "kustomize", "plugin"))
    places.append(os.path.join(user, ".config", "kustomize", "plugin"))
    places.append(os.path.join(user, "kustomize", "plugin"))
    return next((place for place in places if os.path.isdir(place)), places[0])


def write_plugin(home: str) -> str:
    """Write the plugin for this very installation. Returns its path, absolute."""
    path = os.path.join(os.path.abspath(home), RELATIVE_PATH)
    if os.path.lexists(path) and not (os.path.isfile(path) and is_launcher(read_file(path, _MAX_FILE))):
        raise Refused(f"{path}: is there already, and not this plugin's: take it away, or name another --home")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    write_launcher(path)
    return path


def read_config_file(path: str, locked: tuple[str, ...]) -> Function:
    """Read the configuration that kustomize hands over. Raises `Refused`."""
    try:
        tree = load_tree(read_file(path, _MAX_FILE).decode())
        if tree is None or not tree.root.is_mapping:
            raise Refused(f"{path}: is no configuration: it has to be a {KIND}")
        return read_function(tree.root, locked)
    except UnicodeDecodeError:
        raise Refused(f"{path}: is not UTF-8") from None
    except YamlError as error:
        raise Refused(f"{path}, line {error.line}: {error.message}") from None


def check_place(function: Function, environment: Mapping[str, str]) -> None:
    """Refuse a mode that does not fit where the configuration stands.

    Under `transformers:` a validator's silence would delete every resource; under `validators:` kustomize refuses what
    is rendered with a page of pointers. Only the kustomization tells where a configuration stands; where it cannot be
    read, or names a directory, there is nothing to go by.
    """
    root = environment.get(KUSTOMIZE_ROOT) or os.curdir
    key = "transformers" if function.mode == "validate" else "validators"
    for node in _find_configurations(root, key):
        try:
            found = read_function(node)
        except Refused:
            continue  # another plugin's configuration
        if found == function:
            raise Refused(f"{function.name}: mode: {function.mode} stands under {key}:, {_MISPLACED[function.mode]}")


def _find_configurations(root: str, key: str) -> Iterator[Node]:
    """The configurations under `transformers:` or `validators:`, written there or in a file of their own."""
    for name in FILE_NAMES:
        kustomization = _load(os.path.join(root, name))
        if kustomization is None:
            continue
        try:
            entries = [str(entry.value) for entry in kustomization.sequence(key) if entry.is_scalar]
        except YamlError:
            return
        for entry in entries:
            node = _load(os.path.join(root, entry)) or _load_text(entry)
            if node is not None:
                yield node


def _load(path: str) -> Node | None:
    try:
        return _load_text(read_file(path, _MAX_FILE).decode()) if os.path.isfile(path) else None
    except (Refused, UnicodeDecodeError):
        return None


def _load_text(text: str) -> Node | None:
    try:
        tree = load_tree(text)
        return tree.root if tree is not None and tree.root.is_mapping else None
    except YamlError:
        return None
