"""Schemas of a chart's values. helm follows their references over the network and through the file system."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from typing import Any

from postrenderer.hosts.argocd.confine import show_path
from postrenderer.hosts.argocd.readers import read_whole
from postrenderer.model import Refused
from postrenderer.outcome import escape

NAME = "values.schema.json"
MAX_FILE = 5 * 1024**2
"""helm's own limit for a file of a chart."""
_ARCHIVES = (".tgz", ".tar.gz")
_MAX_PACKED = 100 * 1024**2
# What helm has of json-schema.org without asking it.
_DRAFT = re.compile(r"https?://json-schema\.org/(?:draft-0[467]/schema|draft/20(?:19-09|20-12)/schema)(?:#.*)?\Z")
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")


def check_schemas(chart: str) -> None:
    """Refuse a chart, archives of dependencies included, with a schema that refers to what is not in it.

    Raises `Refused` also for an archive that is none, that unpacks outside, or without end.
    """
    archives: list[str] = []
    for path, is_archive in _find_files(chart):
        if is_archive:
            archives.append(path)
        else:
            shown = show_path(path, chart)
            _check_schema(read_whole(path, MAX_FILE, shown), shown)
    if archives:
        from postrenderer.hosts.argocd.archives import ArchiveReader

        reader = ArchiveReader(NAME, MAX_FILE)
        for path in archives:
            shown = show_path(path, chart)
            for content, inside in reader.read(read_whole(path, _MAX_PACKED, shown), shown):
                _check_schema(content, inside)


def _find_files(chart: str) -> Iterator[tuple[str, bool]]:
    """The schemas and archives of a chart, by path, and whether it is an archive; links are followed, as helm does."""
    seen = set()
    for folder, folders, names in os.walk(chart, followlinks=True, onerror=_refuse):
        # Twice through one directory where a link calls it charts/: its archives are some only below that name.
        is_charts = os.path.basename(folder) == "charts"
        seen.add((_identify(folder), is_charts))
        folders[:] = [each for each in folders if (_identify(os.path.join(folder, each)), each == "charts") not in seen]
        for name in sorted(names):
            if name == NAME or (is_charts and name.endswith(_ARCHIVES)):
                yield os.path.join(folder, name), name != NAME


def _identify(folder: str) -> tuple[int, int]:
    """Which directory it is, also behind a link. (`realpath` asks for each part of a path, and a path can be long.)"""
    found = os.stat(folder)
    return found.st_dev, found.st_ino


def _refuse(error: OSError) -> None:
    raise Refused(f"{escape(error.filename)}: cannot be read: {error.strerror}")


def _check_schema(content: bytes, shown: str) -> None:
    try:
        schema = json.loads(content)
    except (ValueError, RecursionError):
        # What is no JSON here might be some to helm: nested deeper, or with bytes that are no UTF-8.
        raise Refused(f"{shown}: is no JSON, or nested too deep") from None
    for key, value in _find_references(schema):
        if key == "$schema" and not _DRAFT.match(value):
            raise Refused(f"{shown}: its $schema {value!r} is none that helm has, and would be fetched")
        if key in _REFERENCES and not value.startswith("#") and not _DRAFT.match(value):
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
