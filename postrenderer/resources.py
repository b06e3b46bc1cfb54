"""The resources of known kinds in a document."""

from __future__ import annotations

from collections.abc import Iterator

from postrenderer.model import Kind, Location, Resource, ResourceId
from postrenderer.yaml import Node, Tree


def find_resources(
    tree: Tree, location: Location, kinds: dict[tuple[str, str], Kind]
) -> Iterator[tuple[Resource, Kind]]:
    """Yield the resources of known kinds in a document: the document itself, or the items of a List."""
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
    if kind == "List" or (of_items != kind and (group, of_items) in kinds):
        for index, item in enumerate(root.sequence("items")):
            item_version = item.scalar("apiVersion")
            item_kind = item.scalar("kind")
            if kind != "List":  # the items of a typed list may leave out what the list says already
                item_version, item_kind = item_version or api_version, item_kind or of_items
            if isinstance(item_version, str) and isinstance(item_kind, str):
                found = _make_resource(item, item_version, item_kind, ("items", index), location, kinds)
                if found is not None:
                    yield found


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
    name = node.scalar("metadata", "name") or node.scalar("metadata", "generateName") or "(no name)"
    namespace = node.scalar("metadata", "namespace") or ""
    resource_id = ResourceId(api_version, kind, str(namespace), str(name))
    return Resource(resource_id, group, version, node, path, location), known
