"""The parameters as Argo CD's user interface shows them: those of every application, and what its files say."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from postrenderer.files import read_file
from postrenderer.hosts.argocd.parameters import KNOWN, TOOLS
from postrenderer.hosts.argocd.request import Request
from postrenderer.settings import DEFAULTS, SETTINGS
from postrenderer.yaml import Node, YamlError, load_tree

MAX_VALUES = 1 << 20
MAX_NODES = 10_000
MAX_SHOWN = 500
"""So many values of a chart are announced at most."""
SETTINGS_LEFT_OUT = ("max-input",)

Announcement = dict[str, Any]


def list_static() -> list[Announcement]:
    """All parameters, without values that only the application's files could give."""
    announcements = [
        _announce(known.name, known.title, _describe(known.tool, known.help), known.shape) for known in KNOWN
    ]
    for setting in SETTINGS:
        if setting.name in SETTINGS_LEFT_OUT:
            continue
        shape = "map" if setting.name == "image-uid" else "array" if setting.is_list else "string"
        announcement = _announce(setting.name, setting.name.replace("-", " ").capitalize(), setting.help, shape)
        default = getattr(DEFAULTS, setting.field)
        if shape == "string" and default is not None:
            announcement["string"] = str(default).lower()
        announcements.append(announcement)
    return announcements


def _describe(tool: str, text: str) -> str:
    return f"{tool}: {text}" if tool else text


def _announce(name: str, title: str, tooltip: str, shape: str) -> Announcement:
    """A `ParameterAnnouncement` of Argo CD's API."""
    announcement: Announcement = {"name": name, "title": title, "tooltip": tooltip}
    if shape != "string":
        announcement["collectionType"] = shape
    return announcement


def list_dynamic(request: Request, tool: str, users: Mapping[str, int | None]) -> list[Announcement]:
    """What an application's files say: the tool, a chart's values, and whom the images run as (None: unknown)."""
    found = [{**_announce("tool", "Tool", f"One of {', '.join(TOOLS)}.", "string"), "string": tool}]
    if tool == "helm":
        values = dict(_list_values(os.path.join(request.folder, "values.yaml")))
        if values:
            found.append({**_announce("helm-parameters", "Parameters", "The chart's values.", "map"), "map": values})
    if users:
        shown = {image: "" if uid is None else str(uid) for image, uid in users.items()}
        tooltip = "Whom the images run as; empty where nobody knows. A value that you enter counts."
        found.append({**_announce("image-uid", "Image uid", tooltip, "map"), "map": shown})
    return found


def merge_announcements(static: Iterable[Announcement], dynamic: Iterable[Announcement]) -> list[Announcement]:
    """Put what an application's files say in the place of what is said of every application."""
    return list({each["name"]: each for each in (*static, *dynamic)}.values())


def format_announcements(announcements: Iterable[Announcement]) -> str:
    return json.dumps(list(announcements), indent=2, ensure_ascii=False) + "\n"


def _list_values(path: str) -> Iterator[tuple[str, str]]:
    """A values file's single values, by the names that `--set` takes."""
    if not os.path.isfile(path):
        return
    try:
        tree = load_tree(bytes(read_file(path, MAX_VALUES)).decode())
    except (YamlError, UnicodeDecodeError):
        return  # rendering says what is wrong with it
    if tree is None or not tree.root.is_mapping:
        return
    for name, node in itertools.islice(_flatten(tree.root), MAX_SHOWN):
        value = node.value
        yield name, str(value).lower() if isinstance(value, bool) else str(value)


def _flatten(root: Node) -> Iterator[tuple[str, Node]]:
    todo = [("", root)]
    for _ in range(MAX_NODES):  # a bomb of aliases has no end otherwise
        if not todo:
            return
        path, node = todo.pop()
        if node.is_scalar:
            yield path, node
        elif node.is_mapping:
            names = [(f"{path}.{_escape(key)}" if path else _escape(key), value) for key, value in node.items()]
            todo.extend(reversed(names))
        else:
            todo.extend(reversed([(f"{path}[{index}]", entry) for index, entry in enumerate(node.entries())]))


def _escape(key: str) -> str:
    return key.replace(".", "\\.")
