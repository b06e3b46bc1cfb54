"""Reading a lock file. By hand and not by pydantic, whose import alone takes longer than a rendering does."""

from __future__ import annotations

import re
from typing import Any

from postrenderer.files import read_file
from postrenderer.lock.entry import VERSION, LockEntry, LockFile
from postrenderer.model import UID_MAX, Refused
from postrenderer.yaml import Node, YamlError, load_tree

MAX_LOCK = 64 << 20
_COMMAND = "`sandbox-postrenderer images lock`"
_DIGEST = re.compile("sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_CONFLICT = re.compile("^<<<<<<< ", re.MULTILINE)
_DATE = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
_REFERENCE = re.compile(r"[^\s/@]+(?:/[^\s/@:]+)+(?::[^\s/@:]+)?")

_FILE_KEYS = {"version": True, "images": True}
_ENTRY_KEYS = {"reference": True, "user": True, "seen": True}
_USER_KEYS = {"uid": True, "gid": True, "named": True, "text": True, "disagreement": False}
_SEEN_KEYS = {"digest": True, "pinned": False, "registry": True, "date": True}


def load_lock(path: str) -> LockFile:
    """Read the lock file at `path`. Raises `Refused` with what is wrong, where, and what to do."""
    data = read_file(path, MAX_LOCK)
    if len(data) > MAX_LOCK:
        raise Refused(f"{path}: is larger than {MAX_LOCK} bytes, and no lock file")
    try:
        return read_lock(data.decode("utf-8-sig"), path)
    except UnicodeDecodeError:
        raise Refused(f"{path}: is not UTF-8: convert the file") from None


def read_lock(text: str, source: str) -> LockFile:
    """Read a lock file's text; `source` is its name in messages. Raises `Refused`."""
    conflict = _CONFLICT.search(text)
    if conflict is not None:
        line = text.count("\n", 0, conflict.start()) + 1
        raise Refused(
            f"{source}, line {line}: is in the middle of a merge: take either side, then {_COMMAND} puts it right", line
        )
    try:
        tree = load_tree(text)
        if tree is None or tree.is_null(0):
            raise YamlError(f"is empty: write it with {_COMMAND}")
        return LockFile(source, _read_file(tree.root))
    except YamlError as error:
        raise Refused(f"{source}, line {error.line}: {error.message}", error.line) from None


def _read_file(root: Node) -> tuple[LockEntry, ...]:
    if not root.is_mapping:
        raise YamlError(f"is no lock file: write one with {_COMMAND}", root.line)
    version = _Fields(root, "", {"version": True, "images": False}, strict=False).get("version")
    if type(version.value) is not int or version.value != VERSION:
        raise YamlError(
            f"version: is {_show(version)}, and this program reads {VERSION}: update it, or write the file anew with "
            f"{_COMMAND}",
            version.line,
        )
    images = _Fields(root, "", _FILE_KEYS).get("images")
    lines: dict[tuple[str, str], int] = {}
    entries = []
    for number, node in enumerate(images.entries(), start=1):
        entry = _read_entry(node, number)
        if entry.key in lines:
            raise YamlError(
                f"{entry.reference} has an entry in line {lines[entry.key]} already: delete one of them", node.line
            )
        lines[entry.key] = node.line
        entries.append(entry)
    return tuple(entries)


def _read_entry(node: Node, number: int) -> LockEntry:
    where = f"images, entry {number}"
    fields = _Fields(node, where, _ENTRY_KEYS)
    reference = fields.text("reference", _REFERENCE, "an image such as docker.io/library/python:3.11-slim")
    user = _Fields(fields.get("user"), f"{reference}, user", _USER_KEYS)
    seen = _Fields(fields.get("seen"), f"{reference}, seen", _SEEN_KEYS)
    disagreement = user.text("disagreement") if user.has("disagreement") else ""
    entry = LockEntry(
        reference=reference,
        digest=seen.text("digest", _DIGEST, "sha256: and 64 hexadecimal digits"),
        uid=user.number("uid"),
        gid=user.number("gid"),
        named=user.flag("named"),
        text=user.text("text"),
        registry=seen.text("registry"),
        date=seen.text("date", _DATE, "a date such as 2026-01-31"),
        pinned=seen.flag("pinned") if seen.has("pinned") else False,
        disagreement=disagreement,
    )
    if (entry.uid is None) != bool(entry.disagreement):
        raise YamlError(
            f"{reference}, user: has either a uid or a disagreement: resolve it anew with {_COMMAND} --update",
            user.node.line,
        )
    return entry


class _Fields:
    """A mapping of the file, whose keys are known. `where` leads messages."""

    def __init__(self, node: Node, where: str, keys: dict[str, bool], *, strict: bool = True) -> None:
        self.node = node
        self.where = where
        if not node.is_mapping:
            raise self.wrong(node, "", f"must be a mapping of {', '.join(keys)}")
        present = node.tree.keys(node.index)
        for key in present:
            if strict and key not in keys:
                pair = node.tree.own_pair(node.index, key)
                line = node.tree.line(pair.key) if pair else node.line
                raise YamlError(f"{self._name(key)}: is no key of a lock file; here are {', '.join(keys)}", line)
        for key, required in keys.items():
            if required and key not in present:
                raise YamlError(f"{self._name(key)}: is missing: write the file anew with {_COMMAND}", node.line)

    def has(self, key: str) -> bool:
        return self.node.get(key) is not None

    def get(self, key: str) -> Node:
        found = self.node.get(key)
        if found is None:
            raise self.wrong(self.node, key, "must not be null")
        return found

    def text(self, key: str, pattern: re.Pattern[str] | None = None, wanted: str = "a string") -> str:
        value = self._scalar(key, wanted)
        if not isinstance(value, str) or (pattern is not None and pattern.fullmatch(value) is None):
            raise self.wrong(self.get(key), key, f"must be {wanted}{'' if isinstance(value, str) else ', in quotes'}")
        return value

    def number(self, key: str) -> int | None:
        if not self.has(key):
            return None
        value = self._scalar(key, "a number")
        if type(value) is not int or not 0 <= value <= UID_MAX:
            raise self.wrong(self.get(key), key, f"must be a number from 0 to {UID_MAX}, without quotes, or null")
        return value

    def flag(self, key: str) -> bool:
        value = self._scalar(key, "true or false")
        if not isinstance(value, bool):
            raise self.wrong(self.get(key), key, "must be true or false, without quotes")
        return value

    def _scalar(self, key: str, wanted: str) -> Any:
        node = self.get(key)
        if not node.is_scalar:
            raise self.wrong(node, key, f"must be {wanted}")
        return node.value

    def wrong(self, node: Node, key: str, what: str) -> YamlError:
        name = self._name(key) if key else self.where
        return YamlError(f"{name}: {what} (not {_show(node)})" if node.is_scalar else f"{name}: {what}", node.line)

    def _name(self, key: str) -> str:
        return f"{self.where}, {key}" if self.where else key


def _show(node: Node) -> str:
    return repr(node.value) if node.is_scalar else "no single value"
