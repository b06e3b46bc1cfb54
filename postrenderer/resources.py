"""The resources of known kinds in a document."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from postrenderer.model import Kind, Location, Resource, ResourceId
from postrenderer.yaml import Node, Tree

FILE_ANNOTATIONS = ("internal.config.kubernetes.io/path", "config.kubernetes.io/path")
"""The file that a ResourceList's item was read from, in the new and in the old spelling."""

RESOURCE_LIST_GROUP = "config.kubernetes.io"
"""The group of the ResourceList that a KRM function reads and writes."""


def find_resources(
    tree: Tree, location: Location, kinds: dict[tuple[str, str], Kind]
) -> Iterator[tuple[Resource, Kind]]:
    """Yield the resources of known kinds in a document: the document itself, or the items of a (Resource)List."""
    root = tree.root
    if not root.is_mapping:
        return
    api_version, kind = root.scalar("apiVersion"), root.scalar("kind")
    if not isinstance(api_version, str) or not isinstance(kind, str):
        return
    found = _make_resource(root, api_version, kind, (), location, kinds)
    if found is not None:
        yield found
        return
    of_items = kind.removesuffix("List")
    group = api_version.rpartition("/")[0]
    is_resource_list = kind == "ResourceList" and group == RESOURCE_LIST_GROUP
    if kind == "List" or is_resource_list or (of_items != kind and (group, of_items) in kinds):
        for index, item in enumerate(root.sequence("items")):
            item_version = item.scalar("apiVersion")
            item_kind = item.scalar("kind")
            if not is_resource_list and kind != "List":  # a typed list's items may leave out what it says already
                item_version, item_kind = item_version or api_version, item_kind or of_items
            if isinstance(item_version, str) and isinstance(item_kind, str):
                place = _find_file(item, location) if is_resource_list else location
                found = _make_resource(item, item_version, item_kind, ("items", index), place, kinds)
                if found is not None:
                    yield found


def _find_file(item: Node, location: Location) -> Location:
    """Where an item of a ResourceList comes from; kpt says it, and so does kustomize with `originAnnotations`."""
    for name in FILE_ANNOTATIONS:
        path = item.scalar("metadata", "annotations", name)
        if isinstance(path, str) and path and location.line is None:
            return replace(location, source=path)
    return location


def _make_resource(
    node: Node,
    api_version: str,
    kind: str,
    path: tuple[str | int, ...],
    location: Location,
    kinds: dict[tuple[str, str], Kind],
) -> tuple[Resource, Kind] | None:
    group, _, version = api_version.rpartition("/")
    known = kinds.get((group, kind))
    if known is None:
        return None
    name = node.text("metadata", "name") or node.text("metadata", "generateName") or "(no name)"
    resource_id = ResourceId(api_version, kind, node.text("metadata", "namespace"), name)
    return Resource(resource_id, group, version, node, path, location), known
