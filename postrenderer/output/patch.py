"""Patches as text: the `patches` of a kustomization, which is also the form that Flux takes."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterable
from typing import Any

from postrenderer.model import Path
from postrenderer.patches import Operation, Patch, Target
from postrenderer.yaml.scalars import write_scalar

_META = re.compile(r"[\\.+*?()|\[\]{}^$]")


def format_patches(patches: Iterable[Patch]) -> str:
    """Write patches as one YAML mapping."""
    from ruamel.yaml.scalarstring import LiteralScalarString

    entries = [
        {
            "target": _quote_all(_list_target(patch.target)),
            "patch": LiteralScalarString(_dump([_list_operation(each) for each in patch.operations]).rstrip("\n")),
        }
        for patch in patches
    ]
    return _dump({"patches": entries})


def _list_target(target: Target) -> dict[str, str]:
    """kustomize reads name and namespace as regular expressions, each of which has to match the whole."""
    pairs = {
        "group": target.group,
        "version": target.version,
        "kind": target.kind,
        "name": _escape(target.name),
        "namespace": _escape(target.namespace),
    }
    return {key: value for key, value in pairs.items() if value}  # of the core group the name is empty


def _escape(text: str) -> str:
    """Take the meaning from what has one in Go's regular expressions; `re.escape` does it to `-` as well."""
    return _META.sub(r"\\\g<0>", text)


def _list_operation(operation: Operation) -> dict[str, Any]:
    return {
        "op": operation.op,
        "path": _quote_all(_format_pointer(operation.path)),
        "value": _quote_all(operation.value),
    }


def _format_pointer(path: Path) -> str:
    """Write a path as a JSON pointer (RFC 6901)."""
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in path)


def _quote_all(value: Any) -> Any:
    """Put strings in quotes that some reader of YAML might take for something else."""
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString, SingleQuotedScalarString

    if isinstance(value, dict):
        return {_quote_all(key): _quote_all(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_quote_all(inner) for inner in value]
    if isinstance(value, str) and write_scalar(value) != value:
        return SingleQuotedScalarString(value) if value.isprintable() else DoubleQuotedScalarString(value)
    return value


def _dump(value: Any) -> str:
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.width = sys.maxsize  # a folded line is the same to a parser, and harder to read
    yaml.representer.ignore_aliases = lambda _: True
    stream = io.StringIO()
    yaml.dump(value, stream)
    return stream.getvalue()
