"""A KRM function: a ResourceList in, the same ResourceList out, with what was found as its `results`.

The contract is kustomize's Functions Specification, `config.kubernetes.io/v1` and the two versions before it; kustomize
5.8 and kpt 1.0 were read and measured. On a failure both throw all output away, and show what is on standard error.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from postrenderer.files import Pieces
from postrenderer.hosts.contract import RESOURCE_LIST
from postrenderer.hosts.runtime_identity import Function, read_function
from postrenderer.model import Finding, Refused
from postrenderer.resources import RESOURCE_LIST_GROUP
from postrenderer.stream import Buffer, find_candidates, find_documents
from postrenderer.wording import format_path
from postrenderer.yaml import Insertion, Node, YamlError, insert_pairs, load_tree

VERSIONS = ("v1", "v1beta1", "v1alpha1")
SOURCE = "ResourceList"
_SEVERITIES = {"error": "error", "warning": "warning", "note": "info"}
_VALUES = {"identity-defaulted": "proposedValue"}
_KUSTOMIZE_ID = "kustomize.config.k8s.io/id"


class ResourceList:
    """What a host hands over: its text, and the mapping in it."""

    def __init__(self, data: Buffer, root: Node) -> None:
        self.data = data
        self.root = root

    def read_function(self, locked: tuple[str, ...]) -> Function:
        """Read its `functionConfig`; without one, the defaults count."""
        config = self.root.get("functionConfig")
        if config is None:
            return Function()
        if not config.is_mapping:
            raise Refused(f"{SOURCE}: functionConfig must be a mapping: a RuntimeIdentity or a ConfigMap")
        return read_function(config, locked)

    @property
    def is_from_kustomize(self) -> bool:
        """Tell kustomize, whose validators answer without items, from kpt, which would delete what is left out."""
        return any(item.scalar("metadata", "annotations", _KUSTOMIZE_ID) for item in self.root.sequence("items"))


def find_resource_list(data: Buffer) -> ResourceList | None:
    """Find the ResourceList that is all of a stream. Raises `Refused` for one of a version that nobody knows."""
    if data.find(RESOURCE_LIST) < 0:
        return None
    documents = find_documents(data, find_candidates(data, (RESOURCE_LIST.decode(),)))
    document = next(documents, None)
    if document is None or document.number != 1 or data[document.end :].strip():
        return None
    try:
        tree = load_tree(data[document.start : document.end].decode())
        if tree is None or not tree.root.is_mapping:
            return None
        api_version, kind = tree.root.scalar("apiVersion"), tree.root.scalar("kind")
        group, _, version = str(api_version).partition("/")
        if kind != RESOURCE_LIST.decode() or group != RESOURCE_LIST_GROUP:
            return None
        if version not in VERSIONS:
            raise Refused(f"{SOURCE}: has version {version}; there are {', '.join(VERSIONS)}")
        if tree.root.get("results") is not None:
            raise Refused(f"{SOURCE}: has results already, which only a function's answer has: take them out")
    except UnicodeDecodeError:
        return None  # the rendering says where
    except YamlError as error:
        raise Refused(f"{SOURCE}, line {error.line}: {error.message}") from None
    return ResourceList(data, tree.root)


def write_answer(pieces: Pieces, findings: Iterable[Finding]) -> Pieces:
    """Put the findings into a rendered ResourceList. Without any it stays as it is."""
    results = [_make_result(finding) for finding in findings]
    if not results:
        return pieces
    tree = load_tree(b"".join(pieces).decode())
    assert tree is not None
    try:
        return [insert_pairs(tree, [Insertion((), "results", results)]).text.encode()]
    except YamlError as error:
        raise Refused(f"{SOURCE}, line {error.line}: {error.message}") from None


def write_verdict(resource_list: ResourceList, findings: Iterable[Finding]) -> Pieces:
    """Write a validator's answer: kustomize takes any item for a change, kpt any item left out for a deletion."""
    if not resource_list.is_from_kustomize:
        return write_answer([resource_list.data], findings)
    head = f"apiVersion: {resource_list.root.scalar('apiVersion')}\nkind: {SOURCE}\nitems: []\n"
    return write_answer([head.encode()], findings)


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
