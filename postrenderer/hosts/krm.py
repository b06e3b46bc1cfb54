"""A KRM function: a ResourceList in, the same ResourceList out, with what was found as its `results`.

The contract is kustomize's Functions Specification, `config.kubernetes.io/v1` and the two versions before it; kustomize
5.8 and kpt 1.0 were read and measured. On a failure both throw all output away, and show what is on standard error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from postrenderer.files import Pieces
from postrenderer.hosts.contract import RESOURCE_LIST
from postrenderer.hosts.runtime_identity import Function, read_function
from postrenderer.model import Finding, Refused
from postrenderer.resources import RESOURCE_LIST_GROUP
from postrenderer.stream import Buffer, find_candidates, find_documents
from postrenderer.wording import format_path
from postrenderer.yaml import Insertion, Node, Pair, Tree, YamlError, insert_pairs, load_tree

VERSIONS = ("v1", "v1beta1", "v1alpha1")
SOURCE = "ResourceList"
_SEVERITIES = {"error": "error", "warning": "warning", "note": "info"}
_VALUES = {"identity-defaulted": "proposedValue"}
_KUSTOMIZE_ID = "kustomize.config.k8s.io/id"
_FUNCTION = "config.kubernetes.io/function"
_CONTENT = re.compile(rb"^(?!(?:---|\.\.\.)?[ \t\r]*(?:#|$))", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ResourceList:
    """What a host hands over: its bytes up to the document's end, what follows it, and what it asks for.

    `is_from_kustomize` tells kustomize, whose validators answer without items, from kpt, which would delete what is
    left out.
    """

    data: Buffer
    rest: Buffer
    api_version: str
    function: Function
    is_from_kustomize: bool


def find_resource_list(data: Buffer, locked: tuple[str, ...] = ()) -> ResourceList | None:
    """Find the ResourceList that is all of a stream.

    Raises `Refused` for one of a version that nobody knows, and for one that is not as it should be.
    """
    if data.find(RESOURCE_LIST) < 0:
        return None
    documents = find_documents(data, find_candidates(data, (RESOURCE_LIST.decode(),)))
    document = next(documents, None)
    if document is None or document.number != 1:
        return None
    try:
        tree = load_tree(data[document.start : document.end].decode())
        if tree is None or not _is_resource_list(tree.root):
            return None
        config = tree.root.get("functionConfig")
        rest = data[document.end :]
        if _CONTENT.search(rest):
            if config is None:
                return None
            raise Refused(f"{SOURCE}: is followed by another document: a function gets one ResourceList")
        if tree.root.sequence("results"):
            raise Refused(f"{SOURCE}: has results already, which only a function's answer has: take them out")
        return ResourceList(
            data[: document.end],
            rest,
            str(tree.root.scalar("apiVersion")),
            _read_config(config, locked),
            _is_from_kustomize(tree.root, config),
        )
    except UnicodeDecodeError:
        return None  # the rendering says where
    except YamlError as error:
        raise Refused(f"{SOURCE}, line {error.line}: {error.message}") from None


def _is_resource_list(root: Node) -> bool:
    if not root.is_mapping or root.scalar("kind") != RESOURCE_LIST.decode():
        return False
    group, _, version = str(root.scalar("apiVersion")).partition("/")
    if group != RESOURCE_LIST_GROUP:
        return False
    if version not in VERSIONS:
        raise Refused(f"{SOURCE}: has version {version!r}; there are {', '.join(VERSIONS)}")
    return True


def _read_config(config: Node | None, locked: tuple[str, ...]) -> Function:
    if config is None:
        return Function()
    if not config.is_mapping:
        raise Refused(f"{SOURCE}: functionConfig must be a mapping: a RuntimeIdentity or a ConfigMap")
    return read_function(config, locked, with_arguments=False)


def _is_from_kustomize(root: Node, config: Node | None) -> bool:
    items = root.sequence("items")
    is_marked = [
        item.scalar("metadata", "annotations", _KUSTOMIZE_ID) is not None
        for item in items
        if item.mapping() is not None
    ]
    is_declared = config is not None and config.scalar("metadata", "annotations", _FUNCTION) is not None
    return is_declared and all(is_marked)


def write_answer(resource_list: ResourceList, pieces: Pieces, findings: Iterable[Finding]) -> Pieces:
    """Put the findings into a rendered ResourceList. Without any it stays as it is."""
    results = [_make_result(finding) for finding in findings]
    if not results:
        return [*pieces, resource_list.rest]
    tree = load_tree(b"".join(pieces).decode())
    assert tree is not None
    try:
        pair = tree.own_pair(0, "results")
        if pair is not None and not tree.is_null(pair.value):
            tree = _drop_empty_results(tree, pair)
        return [insert_pairs(tree, [Insertion((), "results", results)]).text.encode(), resource_list.rest]
    except YamlError as error:
        raise Refused(f"{SOURCE}, line {error.line}: {error.message}") from None


def _drop_empty_results(tree: Tree, pair: Pair) -> Tree:
    """A ResourceList with a null in the place of its empty results."""
    start, end = tree.events[pair.value].start_mark.index, tree.events[tree.ends[pair.value]].end_mark.index
    changed = load_tree(f"{tree.text[:start]}null{tree.text[end:]}")
    assert changed is not None
    return changed


def write_verdict(resource_list: ResourceList, findings: Iterable[Finding]) -> Pieces:
    """Write a validator's answer: kustomize takes any item for a change, kpt any item left out for a deletion."""
    if not resource_list.is_from_kustomize:
        return write_answer(resource_list, [resource_list.data], findings)
    head = f"apiVersion: {resource_list.api_version}\nkind: {SOURCE}\nitems: []\n"
    return write_answer(resource_list, [head.encode()], findings)


def _make_result(finding: Finding) -> dict[str, Any]:
    """A result as the specification has it; empty parts are left out."""
    result: dict[str, Any] = {
        "message": f"{_shorten(finding)} [{finding.id}]",
        "severity": _SEVERITIES[finding.level],
    }
    resource = finding.resource
    if resource is not None:
        named = {
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "namespace": resource.namespace,
            "name": resource.name,
        }
        result["resourceRef"] = {key: value for key, value in named.items() if value}
    if finding.field:
        result["field"] = {"path": format_path((*finding.path, finding.field))}
        if finding.value is not None:
            result["field"][_VALUES.get(finding.id, "currentValue")] = finding.value
    if finding.source not in ("", SOURCE):
        result["file"] = {"path": finding.source}
    return result


def _shorten(finding: Finding) -> str:
    """The message without the path at its begin, which a result has in its own field."""
    return finding.message.removeprefix(f"{format_path(finding.path)}.") if finding.field else finding.message
