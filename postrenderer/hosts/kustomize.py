"""kustomize's legacy exec plugin: where it is looked for, how it is called, and what it must never do.

Measured with kustomize 5.8: the plugin is `HOME/GROUP/VERSION/lower-case KIND/KIND`; its first argument is a file with
its configuration, those that follow come from `argsOneLiner` and `argsFromFile`; it runs in the kustomization's
directory. Resources that it does not print are deleted, without a word; a validator must not print at all; and nothing
tells the two uses apart. What it says on standard error is shown when it fails, and never when it succeeds.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping

from postrenderer.files import read_file
from postrenderer.hosts.contract import KUSTOMIZE_ROOT
from postrenderer.hosts.launcher import is_launcher, write_launcher
from postrenderer.hosts.runtime_identity import API_VERSION, KIND, Function, get_function_name, read_function
from postrenderer.model import Refused
from postrenderer.yaml import Node, YamlError, load_tree

RELATIVE_PATH = os.path.join(*API_VERSION.split("/"), KIND.lower(), KIND)
FILE_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_MAX_FILE = 1 << 20
_MARKER = re.compile(r"^---(?=[ \t\r\n]|\Z)", re.MULTILINE)


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

    Under `transformers:` a validator's silence would delete every resource, so it runs only where it is seen to stand
    under `validators:`. There, kustomize refuses what is rendered with a page of pointers. Only the kustomization
    tells; where there is none, this is not kustomize.
    """
    root = environment.get(KUSTOMIZE_ROOT) or os.curdir
    if not any(os.path.isfile(os.path.join(root, file)) for file in FILE_NAMES):
        return
    transforming = _find_modes(root, "transformers", function.name)
    validating = _find_modes(root, "validators", function.name)
    if function.mode == "render":
        if validating is not None and "render" in validating:
            raise Refused(
                f"{function.name}: mode: render stands under validators:, where nothing may be changed: "
                "say mode: validate there, or put it under transformers:"
            )
        return
    if transforming is not None and "validate" in transforming:
        raise Refused(
            f"{function.name}: mode: validate stands under transformers:, and would delete every resource there: "
            "put it under validators:"
        )
    if transforming is None or validating is None or "validate" not in validating:
        raise Refused(
            f"{function.name}: mode: validate is not seen under validators:, and elsewhere it would delete every "
            "resource: write it there into the kustomization, or name its file there"
        )


def _find_modes(root: str, key: str, name: str) -> set[str] | None:
    """The modes of the configurations of that name below a key; None where the kustomization cannot be read."""
    modes = set()
    for file in FILE_NAMES:
        path = os.path.join(root, file)
        if not os.path.isfile(path):
            continue
        try:
            for document in _read_documents(bytes(read_file(path, _MAX_FILE))):
                for node in _find_configurations(document, root, key):
                    if node.scalar("kind") == KIND and get_function_name(node) == name:
                        modes.add(str(node.scalar("spec", "mode") or "render"))
        except (Refused, YamlError, UnicodeDecodeError):
            return None
    return modes


def _find_configurations(kustomization: Node, root: str, key: str) -> Iterator[Node]:
    """The configurations below a key, written there or in a file of their own; a List's items, too."""
    for written in kustomization.list_keys():
        if written.casefold() != key:  # kustomize ignores the case of its keys
            continue
        for entry in kustomization.sequence(written):
            if not entry.is_scalar:
                continue
            text = str(entry.value)
            path = os.path.join(root, text)
            content = bytes(read_file(path, _MAX_FILE)) if os.path.isfile(path) else text.encode()
            for node in _read_documents(content):
                yield from (node, *(item for item in node.sequence("items") if item.is_mapping))


def _read_documents(content: bytes) -> Iterator[Node]:
    """The mappings of a stream."""
    for text in _MARKER.split(content.decode("utf-8-sig")):
        tree = load_tree(text)
        if tree is not None and tree.root.is_mapping:
            yield tree.root
