"""Insert pairs into a document: the one function that the rest of the program calls to edit YAML."""

from __future__ import annotations

from typing import Any, NamedTuple

from postrenderer.yaml.edits import Edit, Target, apply_edits, plan_target, sort_edits
from postrenderer.yaml.errors import YamlError
from postrenderer.yaml.style import New
from postrenderer.yaml.tree import Tree
from postrenderer.yaml.unshare import write_out
from postrenderer.yaml.verify import verify_edit


class Insertion(NamedTuple):
    """A pair, and the mapping that it belongs to; missing mappings on the path are made."""

    path: tuple[str | int, ...]
    key: str
    value: bool | int | str | list[Any]


class Inserted(NamedTuple):
    """The edited text; the edits that lead to it, unless parts were written out, and the lines where they were."""

    text: str
    edits: list[Edit] | None
    written_out: list[int]


def insert_pairs(tree: Tree, insertions: list[Insertion]) -> Inserted:
    """Insert pairs and verify the result. Raises `YamlError` where that cannot be done without doubt."""
    original = tree
    written_out: list[int] = []
    if tree.has_aliases:
        paths = list(dict.fromkeys([(*insertion.path, insertion.key) for insertion in insertions]))
        tree, written_out = write_out(tree, paths)
    plans = [plan_target(tree, target) for target in _find_targets(tree, insertions)]
    edits = sort_edits([edit for plan in plans for edit in plan.edits])
    text = apply_edits(tree.text, edits)
    verify_edit(tree, plans, text)
    return Inserted(text, edits if tree is original else None, written_out)


def _find_targets(tree: Tree, insertions: list[Insertion]) -> list[Target]:
    targets: dict[int, Target] = {}
    ends: dict[tuple[str | int, ...], tuple[Target, list[str]]] = {}  # of paths to mappings that are missing
    for insertion in insertions:
        if insertion.path in ends:
            found, missing = ends[insertion.path]
            rest = [*missing, insertion.key]
        else:
            found, rest = _find_target(tree, insertion)
            if len(rest) > 1:
                ends[insertion.path] = found, rest[:-1]
        target = targets.setdefault(found.node, found)
        if rest:
            assert isinstance(target.new, dict)
            _add(target.new, rest, insertion.value)
    return list(targets.values())


def _find_target(tree: Tree, insertion: Insertion) -> tuple[Target, list[str]]:
    """Walk down as far as mappings exist. Returns where that ends, and the keys that are still missing."""
    index, parent = 0, None
    keys = [*insertion.path, insertion.key]
    for depth, key in enumerate(keys):
        if isinstance(key, int):
            index = tree.entries(index)[key]
            continue
        missing = [str(key) for key in keys[depth:]]
        pair = tree.own_pair(index, key)
        if pair is None:
            return Target(index, None, parent, {}), missing
        if tree.is_null(pair.value):
            if len(missing) == 1:
                return Target(pair.value, pair, index, insertion.value), []
            return Target(pair.value, pair, index, {}), missing[1:]
        parent, index = index, pair.value
    raise YamlError(f"`{insertion.key}` is set already", tree.line(index))


def _add(new: New, keys: list[str], value: bool | int | str | list[Any]) -> None:
    for key in keys[:-1]:
        inner = new.setdefault(key, {})
        assert isinstance(inner, dict)
        new = inner
    new[keys[-1]] = value
