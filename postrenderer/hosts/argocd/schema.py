"""Schemas of a chart's values. helm follows their references over the network and through the file system."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

from postrenderer.files import read_file
from postrenderer.model import Refused

NAME = "values.schema.json"
MAX_FILE = 5 * 1024**2
"""helm's own limit for a file of a chart."""
MAX_ARCHIVE = 100 * 1024**2
"""helm's own limit for an archive, unpacked."""
MAX_ARCHIVES = 5
"""So deep may archives be inside archives."""
_DRAFTS = ("http://json-schema.org/", "https://json-schema.org/")
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")


def check_schemas(chart: str) -> None:
    """Refuse a chart, archives of dependencies included, with a schema that refers to what is not in it.

    Raises `Refused` also for an archive that is none, that unpacks outside, or without end.
    """
    seen = set()
    for folder, folders, names in os.walk(chart, followlinks=True):  # as helm follows them
        seen.add(os.path.realpath(folder))
        folders[:] = [each for each in folders if os.path.realpath(os.path.join(folder, each)) not in seen]
        for name in sorted(names):
            path = os.path.join(folder, name)
            shown = os.path.relpath(path, chart)
            if name == NAME:
                _check_schema(bytes(read_file(path, MAX_FILE)), shown)
            elif name.endswith((".tgz", ".tar.gz")) and os.path.basename(folder) == "charts":
                _check_archive(bytes(read_file(path, MAX_ARCHIVE)), shown, 1)


def _check_archive(content: bytes, shown: str, depth: int) -> None:
    from postrenderer.registry.compression import decompress  # imported where there is an archive
    from postrenderer.registry.errors import RegistryError
    from postrenderer.registry.tar import ByteStream, TarReader

    if depth > MAX_ARCHIVES:
        raise Refused(f"{shown}: has archives inside archives, {MAX_ARCHIVES} deep: take them out")
    spent = 0

    def spend(count: int) -> None:
        nonlocal spent
        spent += count
        if spent > MAX_ARCHIVE:
            raise Refused(f"{shown}: unpacks to more than {MAX_ARCHIVE} bytes, which helm refuses as well")

    archive = TarReader(ByteStream(decompress(iter([content]), spend)), lambda: None)
    try:
        for entry in archive:
            parts = entry.name.split("/")
            if entry.name.startswith("/") or ".." in parts or entry.kind in ("symlink", "hardlink", "other"):
                raise Refused(f"{shown}: holds {entry.name!r}, which leads out of the chart, or is no file")
            if entry.size > MAX_FILE:
                raise Refused(f"{shown}: {entry.name!r} is larger than {MAX_FILE} bytes, which helm refuses as well")
            inside = f"{shown}: {entry.name}"
            if parts[-1] == NAME:
                _check_schema(archive.read_content(MAX_FILE), inside)
            elif entry.name.endswith((".tgz", ".tar.gz")) and len(parts) > 1 and parts[-2] == "charts":
                _check_archive(archive.read_content(MAX_FILE), inside, depth + 1)
    except RegistryError as error:
        raise Refused(f"{shown}: cannot be unpacked: {error}") from None


def _check_schema(content: bytes, shown: str) -> None:
    try:
        schema = json.loads(content)
    except (ValueError, RecursionError):
        # What is no JSON here might be some to helm: nested deeper, or with bytes that are no UTF-8.
        raise Refused(f"{shown}: is no JSON, or nested too deep") from None
    for key, value in _find_references(schema):
        if key == "$schema" and not value.startswith(_DRAFTS):
            raise Refused(f"{shown}: its $schema {value!r} is none of json-schema.org, and would be fetched")
        if key in _REFERENCES and not value.startswith(("#", *_DRAFTS)):
            raise Refused(f"{shown}: {key} {value!r} leads out of the schema: write it into the schema")


def _find_references(schema: Any) -> Iterator[tuple[str, str]]:
    """The keywords of a schema that can lead elsewhere, wherever they stand."""
    todo = [schema]
    while todo:
        value = todo.pop()
        if isinstance(value, dict):
            yield from ((key, each) for key, each in value.items() if isinstance(each, str))
            todo.extend(value.values())
        elif isinstance(value, list):
            todo.extend(value)
