"""A directory of manifests, read as Argo CD reads it itself (`findManifests` of its `reposerver/repository`)."""

from __future__ import annotations

import codecs
import json
import os
import re
from collections.abc import Callable, Iterator

from postrenderer.files import read_file
from postrenderer.hosts.argocd.globs import matches, parse_pattern
from postrenderer.hosts.argocd.parameters import Parameters
from postrenderer.hosts.argocd.request import Request
from postrenderer.model import Refused
from postrenderer.outcome import escape
from postrenderer.yaml import YamlError, load_tree

SKIP_MARKER = b"+argocd:skip-file-rendering"
_MANIFEST = re.compile(r".*\.(yaml|yml|json|jsonnet)\Z", re.DOTALL)
_MARKER = re.compile(r"^---(?=[ \t\r\n]|\Z)", re.MULTILINE)
_LIKE_A_RESOURCE = ("apiVersion:", "kind:", "metadata:")
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_JSON_BLANKS = " \t\r\n"


def read_directory(request: Request, parameters: Parameters, limit: int) -> Iterator[tuple[str, bytes]]:
    """Yield the manifests of a directory, each file with its path. Raises `Refused`.

    What is no manifest and does not look like one is left out, as Argo CD leaves it out: the values of a chart.
    """
    rest = limit
    for path, name in _find_files(request, parameters):
        shown = escape(name)
        if shown.endswith(".jsonnet"):
            raise Refused(
                f"{shown}: Jsonnet is not rendered here: leave the file out (parameter exclude), or render it before"
            )
        data = bytes(read_file(path, rest))
        rest -= len(data)
        if rest < 0:
            raise Refused(
                f"{shown}: the directory holds more than {limit} bytes of manifests, and so many are not read"
            )
        if SKIP_MARKER in data:
            continue
        text = _decode(data, shown)
        manifests = _read_json(text, shown) if shown.endswith(".json") else _read_yaml(text, shown)
        if manifests is not None:
            yield shown, manifests.encode()


def _find_files(request: Request, parameters: Parameters) -> Iterator[tuple[str, str]]:
    """The files to read, by path and by name, in the order of their names. Linked directories are passed over."""
    is_excluded = _make_matcher("exclude", parameters.exclude, default=False)
    is_included = _make_matcher("include", parameters.include, default=True)
    for path, name in _walk(request.folder, recurse=parameters.recurse):
        if _MANIFEST.match(os.path.basename(name)) and not is_excluded(name) and is_included(name):
            yield path, name


def _walk(folder: str, *, recurse: bool) -> Iterator[tuple[str, str]]:
    """The files of a directory, in the order of their names; with a stack, since directories can be nested deep."""
    todo = [(folder, "")]
    while todo:
        path, name = todo.pop()
        if os.path.isfile(path):
            yield path, name
        elif os.path.isdir(path) and not os.path.islink(path) and (recurse or not name):
            prefix = f"{name}/" if name else ""
            names = sorted(os.listdir(path), reverse=True)
            todo += [(os.path.join(path, each), prefix + each) for each in names]


def _make_matcher(name: str, text: str, *, default: bool) -> Callable[[str], bool]:
    if not text:
        return lambda _path: default
    try:
        pattern = parse_pattern(text)
    except ValueError as error:
        raise Refused(f"parameter {name}: got {text[:60]!r}; it {error}") from None
    return lambda path: matches(pattern, path)


def _decode(data: bytes, shown: str) -> str:
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        raise Refused(f"{shown}: is not UTF-8: convert the file") from None


def _read_json(text: str, shown: str) -> str:
    """A file of one JSON object."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        message = "has several values, and Argo CD takes one" if "Extra data" in str(error) else f"is no JSON ({error})"
        raise Refused(f"{shown}: {message}") from None
    if not isinstance(value, dict):
        raise Refused(f"{shown}: is no JSON object")
    return _make_yaml(text)


def _make_yaml(text: str) -> str:
    """JSON that a reader of YAML takes as well: it takes no tab before a key, and in a string none stands."""
    return text.strip(_JSON_BLANKS).replace("\t", " ") + "\n"


def _read_yaml(text: str, shown: str) -> str | None:
    """A file of manifests as it is; None for what is none and does not look like one."""
    if text.lstrip(_JSON_BLANKS).startswith("{"):
        values = _split_json(text)
        if values is not None:
            return "---\n".join(values)
    found = 0
    for number, part in enumerate(_MARKER.split(text), 1):
        try:
            tree = load_tree(part)
            if tree is None or tree.is_null(0):
                continue
            problem = None if tree.root.is_mapping and tree.root.scalar("kind") is not None else "has no kind"
        except YamlError as error:
            problem = f"line {error.line} of it: {error.message}"
        if problem is None:
            found += 1
        elif found or all(word in text for word in _LIKE_A_RESOURCE):
            raise Refused(f"{shown}, document {number}: {problem}")
        else:
            return None
    return text if found else None


def _split_json(text: str) -> list[str] | None:
    """The values of a file of JSON values; None where it is YAML in flow style."""
    decoder = json.JSONDecoder()
    values, at = [], 0
    try:
        while text[at:].strip(_JSON_BLANKS):
            at += len(text[at:]) - len(text[at:].lstrip(_JSON_BLANKS))
            _, end = decoder.raw_decode(text, at)
            values.append(_make_yaml(text[at:end]))
            at = end
    except (ValueError, RecursionError):
        return None
    return values
