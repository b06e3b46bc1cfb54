"""Files as Go's readers read them too: whole, and without what they would take for something else."""

from __future__ import annotations

from collections.abc import Iterable

from ruamel.yaml.events import MappingStartEvent

from postrenderer.files import read_file
from postrenderer.model import Refused
from postrenderer.yaml import Node, Tree, YamlError, load_tree


def read_whole(path: str, limit: int, shown: str) -> bytes:
    """Read a file. Raises `Refused` for a larger one: what stands behind the limit would never be looked at."""
    content = read_file(path, limit)
    if len(content) > limit:
        raise Refused(f"{shown}: is larger than {limit} bytes, and such a file is not read")
    return bytes(content)


def load_plain(text: str) -> Tree | None:
    """Parse a document whose texts and keys mean to Go what they mean here; None where there is none.

    Raises `YamlError` for a tag (to Go `!!binary cmVzb3VyY2Vz` is the key `resources`), and for two merge keys in one
    mapping (to Go the later one counts).
    """
    tree = load_tree(text)
    if tree is None:
        return None
    for index, event in enumerate(tree.events):
        if getattr(event, "ctag", None) is not None:
            raise YamlError("a tag changes what stands behind it: write the value itself", tree.line(index))
        if event.__class__ is MappingStartEvent and len(tree.mapping(index).merges) > 1:
            raise YamlError(
                "has two merge keys (`<<`), of which readers take one or the other: write one list", tree.line(index)
            )
    return tree


def has_merges(tree: Tree) -> bool:
    """Tell whether any mapping has a merge key (`<<`)."""
    return any(event.__class__ is MappingStartEvent and tree.mapping(at).merges for at, event in enumerate(tree.events))


def check_case(node: Node, names: Iterable[str]) -> None:
    """Refuse a key that Go's JSON reader takes for a known one, and this program does not: it ignores the case."""
    known = {name.casefold(): name for name in names}
    node.mapping()  # or else it raises
    for key in node.list_keys():
        name = known.get(key.casefold())
        if name is not None and key != name:
            raise YamlError(f"`{key}` has to be written as `{name}`", node.line)
