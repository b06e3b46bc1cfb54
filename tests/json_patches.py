"""Patches applied as kustomize applies them: what github.com/evanphx/json-patch makes of `test` and `add`, in small.

`tests/hosts/test_patch.py` holds it to the real kustomize.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import yaml

MISSING = object()


class PatchFailed(Exception):
    """A test did not hold, or there is no place for an addition."""


def load_patches(text: str | bytes) -> list[tuple[dict[str, str], list[dict[str, Any]]]]:
    """The targets of a mapping `patches`, each with its operations."""
    document = yaml.safe_load(text)
    assert list(document) == ["patches"]
    loaded = []
    for entry in document["patches"]:
        assert list(entry) == ["target", "patch"]
        loaded.append((entry["target"], yaml.safe_load(entry["patch"])))
    return loaded


def apply_patch(document: Any, operations: list[dict[str, Any]]) -> Any:
    """The patched document. Raises `PatchFailed`."""
    document = deepcopy(document)
    for operation in operations:
        *path, last = operation["path"].split("/")[1:]
        parent = document
        for step in path:
            parent = find_member(parent, step)
            if parent is MISSING or parent is None:
                raise PatchFailed(f"{operation['path']}: missing path")
        found = find_member(parent, last)
        if operation["op"] == "add":
            assert isinstance(parent, dict)
            parent[unescape(last)] = deepcopy(operation["value"])
        elif not is_same(None if found is MISSING else found, operation["value"]):
            raise PatchFailed(f"testing value {operation['path']} failed")
    return document


def find_member(parent: Any, step: str) -> Any:
    if isinstance(parent, dict):
        return parent.get(unescape(step), MISSING)
    if not isinstance(parent, list):
        raise PatchFailed(f"{step}: no member of a scalar")
    try:
        index = int(step)
    except ValueError:
        raise PatchFailed(f"{step}: no index") from None
    if not -len(parent) <= index < len(parent):
        raise PatchFailed(f"{step}: invalid index")
    return parent[index]


def unescape(step: str) -> str:
    return step.replace("~1", "/").replace("~0", "~")


def is_same(one: Any, other: Any) -> bool:
    """Compare as JSON does: true is not 1."""
    return isinstance(one, bool) == isinstance(other, bool) and one == other
