"""A document as nodes: what stands below a key, with aliases and merge keys followed, and null read as absent."""

from __future__ import annotations

from typing import NamedTuple

from ruamel.yaml.events import AliasEvent, MappingStartEvent, ScalarEvent, SequenceStartEvent

from postrenderer.yaml.errors import YamlError
from postrenderer.yaml.events import Event, Events, parse_events, refuse_surrogates
from postrenderer.yaml.scalars import NULLS, Value, read_scalar

MAX_MERGES = 100


class Pair(NamedTuple):
    """Where a pair of a mapping stands: the indexes of its key's and its value's first event."""

    key: int
    value: int


class Mapping(NamedTuple):
    """A mapping's own pairs by key, the pairs whose key is a merge key, and those whose key is no scalar; in order."""

    pairs: dict[str, list[Pair]]
    merges: list[Pair]
    others: list[Pair]


class Tree:
    """The events of a document and what is derived from them, at most once: targets of aliases, mappings' pairs."""

    __slots__ = (
        "_aliases",
        "_entries",
        "_first_readers",
        "_mappings",
        "_merged",
        "ends",
        "events",
        "has_aliases",
        "inner_colons",
        "step",
        "text",
    )

    def __init__(self, text: str, parsed: Events) -> None:
        self.text = text
        self.events, self.ends, self.has_aliases, self.inner_colons = parsed
        self._aliases: dict[int, int] | None = None
        self._first_readers: dict[int, int] | None = None
        self._mappings: dict[int, Mapping] = {}
        self._merged: dict[tuple[int, str], int | None] = {}
        self._entries: dict[int, list[int]] = {}
        self.step: int | None = None  # the document's indent step, once it was measured

    @property
    def root(self) -> Node:
        return Node(self, 0)

    def line(self, index: int) -> int:
        line: int = self.events[index].start_mark.line
        return line + 1

    def skip(self, index: int) -> int:
        """The index of the event behind the node that begins at `index`."""
        return self.ends.get(index, index) + 1

    @property
    def aliases(self) -> dict[int, int]:
        """For each alias, by index, the node that it stands for. Raises `YamlError` for an alias without an anchor."""
        if self._aliases is None:
            self._aliases = self._find_aliases()
        return self._aliases

    @property
    def first_readers(self) -> dict[int, int]:
        """For each node that an alias stands for, the first such alias."""
        if self._first_readers is None:
            self._first_readers = {target: alias for alias, target in reversed(self.aliases.items())}
        return self._first_readers

    def _find_aliases(self) -> dict[int, int]:
        anchors: dict[str, int] = {}
        found: dict[int, int] = {}
        for index, event in enumerate(self.events):
            anchor = getattr(event, "anchor", None)
            if anchor is None:
                continue
            if event.__class__ is AliasEvent:
                if anchor not in anchors:
                    raise YamlError(f"the alias *{anchor} has no anchor before it", self.line(index))
                found[index] = anchors[anchor]
            else:
                anchors[anchor] = index
        return found

    def follow(self, index: int) -> int:
        """The node itself, or the one that an alias stands for."""
        event = self.events[index]
        if event.__class__ is not AliasEvent:
            return index
        target = self.aliases[index]
        if target < index < self.ends.get(target, target):
            raise YamlError(f"the alias *{event.anchor} stands inside what it refers to", self.line(index))
        return target

    def is_mapping(self, index: int) -> bool:
        return self.events[index].__class__ is MappingStartEvent

    def is_null(self, index: int) -> bool:
        event = self.events[index]
        return event.__class__ is ScalarEvent and event.value in NULLS and self._read(event) is None

    def read(self, index: int) -> Value:
        """The value of the scalar at `index`, which is no alias."""
        return self._read(self.events[index])

    @staticmethod
    def _read(event: Event) -> Value:
        return read_scalar(event.value, plain=event.implicit[0], tag=event.ctag and str(event.ctag))

    def mapping(self, index: int) -> Mapping:
        """The pairs of the mapping at `index`."""
        known = self._mappings.get(index)
        if known is None:
            known = self._mappings[index] = self._read_mapping(index)
        return known

    def _read_mapping(self, index: int) -> Mapping:
        pairs: dict[str, list[Pair]] = {}
        merges: list[Pair] = []
        others: list[Pair] = []
        events, ends = self.events, self.ends
        at, end = index + 1, ends[index]
        while at < end:
            key = events[at]
            value = ends.get(at, at) + 1
            if key.__class__ is AliasEvent:
                key = events[self.follow(at)]
            if key.__class__ is ScalarEvent:
                name = key.value
                if name == "<<" and (key.implicit[0] or key.ctag):
                    merges.append(Pair(at, value))
                elif name in pairs:
                    pairs[name].append(Pair(at, value))
                else:
                    pairs[name] = [Pair(at, value)]
            else:
                others.append(Pair(at, value))
            at = ends.get(value, value) + 1
        return Mapping(pairs, merges, others)

    def own_pair(self, index: int, key: str) -> Pair | None:
        """The pair that stands in the mapping itself. Raises `YamlError` for a key that stands there twice."""
        found = self.mapping(index).pairs.get(key)
        if found is None:
            return None
        if len(found) > 1:
            lines = " and ".join(str(self.line(pair.key)) for pair in found[:2])
            raise YamlError(f"the key `{key}` stands twice (lines {lines}): keep one", self.line(found[1].key))
        return found[0]

    def own_pairs(self, index: int) -> list[Pair]:
        """All pairs that stand in the mapping itself, in order."""
        pairs, merges, others = self.mapping(index)
        return sorted([*(pair for found in pairs.values() for pair in found), *merges, *others])

    def find_value(self, index: int, key: str) -> int | None:
        """The value below a key, own or merged, aliases followed; None where there is none."""
        mapping = self._mappings.get(index) or self.mapping(index)
        if mapping.merges:
            return self._find_merged(index, key, 0)
        if key not in mapping.pairs:
            return None
        own = self.own_pair(index, key)
        return None if own is None else self.follow(own.value)

    def _find_merged(self, index: int, key: str, depth: int) -> int | None:
        # Remembered, so that a bomb of merges (`<<: [*a, *a, ...]`, nine levels deep) stays linear.
        place = (index, key)
        if place not in self._merged:
            if depth > MAX_MERGES:
                raise YamlError(
                    f"merge keys lead through more than {MAX_MERGES} mappings: write them out", self.line(index)
                )
            self._merged[place] = self._merge(index, key, depth)
        return self._merged[place]

    def _merge(self, index: int, key: str, depth: int) -> int | None:
        own = self.own_pair(index, key)
        for merge in self.mapping(index).merges:
            if own is not None and merge.key < own.key:
                continue
            for source in self._merge_sources(merge):
                found = self._find_merged(source, key, depth + 1)
                if found is None:
                    continue
                if own is None:
                    return found
                # YAML lets the mapping's own key win; kubectl's reader lets a merge key that comes later overwrite it.
                raise YamlError(
                    f"`{key}` is set here and again by the merge key in line {self.line(merge.key)}, and readers "
                    "differ in which counts: put the merge key first",
                    self.line(own.key),
                )
        return None if own is None else self.follow(own.value)

    def _merge_sources(self, merge: Pair) -> list[int]:
        value = self.follow(merge.value)
        if self.is_mapping(value):
            return [value]
        if self.events[value].__class__ is not SequenceStartEvent:
            raise YamlError("a merge key (`<<`) takes a mapping, or a list of mappings", self.line(merge.key))
        sources = [self.follow(entry) for entry in self.entries(value)]
        for source in sources:
            if not self.is_mapping(source):
                raise YamlError("a merge key (`<<`) takes a mapping, or a list of mappings", self.line(merge.key))
        return sources

    def keys(self, index: int) -> list[str]:
        """All keys of a mapping, merged ones included."""
        names: dict[str, None] = {}
        todo, seen = [index], {index}
        while todo:
            mapping = self.mapping(todo.pop())
            names.update(dict.fromkeys(mapping.pairs))
            for merge in mapping.merges:
                new = [source for source in self._merge_sources(merge) if source not in seen]
                seen.update(new)
                todo.extend(new)
        return list(names)

    def entries(self, index: int) -> list[int]:
        """The entries of the sequence at `index`, aliases not followed."""
        known = self._entries.get(index)
        if known is None:
            known = self._entries[index] = []
            at, end = index + 1, self.ends[index]
            while at < end:
                known.append(at)
                at = self.skip(at)
        return known


class Node:
    """A value of a document. `path` in messages is the chain of keys by which it was reached."""

    __slots__ = ("index", "path", "tree")

    def __init__(self, tree: Tree, index: int, path: str = "") -> None:
        self.tree = tree
        self.index = index
        self.path = path

    @property
    def line(self) -> int:
        return self.tree.line(self.index)

    @property
    def is_mapping(self) -> bool:
        return self.tree.is_mapping(self.index)

    @property
    def is_scalar(self) -> bool:
        return self.tree.events[self.index].__class__ is ScalarEvent

    @property
    def value(self) -> Value:
        if not self.is_scalar:
            raise self._wrong("a scalar")
        return self.tree.read(self.index)

    def get(self, key: str) -> Node | None:
        tree = self.tree
        if tree.events[self.index].__class__ is not MappingStartEvent:
            raise self._wrong("a mapping")
        index = tree.find_value(self.index, key)
        if index is None or tree.is_null(index):
            return None
        return Node(tree, index, f"{self.path}.{key}" if self.path else key)

    def _descend(self, keys: tuple[str, ...]) -> Node | None:
        node: Node | None = self
        for key in keys:
            if node is None:
                return None
            node = node.get(key)
        return node

    def mapping(self, *keys: str) -> Node | None:
        node = self._descend(keys)
        if node is not None and not node.is_mapping:
            raise node._wrong("a mapping")
        return node

    def sequence(self, *keys: str) -> list[Node]:
        node = self._descend(keys)
        return [] if node is None else node.entries()

    def entries(self) -> list[Node]:
        """The entries of this sequence."""
        tree = self.tree
        if tree.events[self.index].__class__ is not SequenceStartEvent:
            raise self._wrong("a list")
        return [Node(tree, tree.follow(entry), f"{self.path}[{i}]") for i, entry in enumerate(tree.entries(self.index))]

    def scalar(self, *keys: str) -> Value:
        node = self._descend(keys)
        return node.value if node is not None and node.is_scalar else None

    def text(self, *keys: str) -> str:
        """The scalar below `keys` as it is written, less its quotes: `no` and not false. Empty where there is none."""
        node = self._descend(keys)
        return str(self.tree.events[node.index].value) if node is not None and node.is_scalar else ""

    def list_keys(self) -> list[str]:
        return self.tree.keys(self.index)

    def items(self) -> list[tuple[str, Node]]:
        found = []
        for key in self.list_keys():
            node = self.get(key)
            if node is not None:
                found.append((key, node))
        return found

    def _wrong(self, wanted: str) -> YamlError:
        event = self.tree.events[self.index]
        names = {ScalarEvent: "a single value", MappingStartEvent: "a mapping", SequenceStartEvent: "a list"}
        found = "null" if self.tree.is_null(self.index) else names[event.__class__]
        return YamlError(f"`{self.path or 'the document'}` must be {wanted}, but is {found}", self.line)


def load_tree(text: str) -> Tree | None:
    """Parse a text of one document; None where it holds none. Raises `BrokenYaml`."""
    parsed = parse_events(text)
    if parsed is None:
        return None
    tree = Tree(text, parsed)
    if parsed.has_aliases:
        refuse_surrogates(text)
        _ = tree.aliases  # an alias without an anchor is broken YAML, wherever it stands
    return tree
