"""What every test of a transformation checks: insertions only, the same meaning to others, no second change."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from postrenderer.model import Settings
from postrenderer.pipeline import Result, render
from postrenderer.plugins import Plugins

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
ADDED_KEYS = {"securityContext", "podSecurityContext", "deployment", "runAsNonRoot", "runAsUser"}
"""What the identity rule may add: the fields, the contexts that hold them, and a SandboxAgent's missing deployment."""


@lru_cache(maxsize=1)
def built_in() -> Plugins:
    return Plugins()


def run(text: str | bytes, *, keep_changes: bool = False, **settings: Any) -> Result:
    """Post-render a text with the built-in plugins."""
    data = text.encode() if isinstance(text, str) else text
    return render(data, Settings(**settings), built_in(), keep_changes=keep_changes)


def run_to_bytes(text: str | bytes, **settings: Any) -> bytes:
    return b"".join(run(text, **settings).pieces)


def check_noop(text: str | bytes, **settings: Any) -> Result:
    """The output is the input, to the byte."""
    data = text.encode() if isinstance(text, str) else text
    result = run(data, **settings)
    assert b"".join(result.pieces) == data
    assert result.additions == 0
    return result


def check_transformed(before: str | bytes, after: str | bytes, **settings: Any) -> Result:
    """The output is `after`, and stands up to everything that must hold of any output."""
    data = before.encode() if isinstance(before, str) else before
    result = run(data, **settings)
    output = b"".join(result.pieces)
    assert output.decode() == (after if isinstance(after, str) else after.decode())
    check_output(data, output, **settings)
    return result


def check_output(before: bytes, after: bytes, *, insertions_only: bool = True, **settings: Any) -> None:
    """Hold an output against its input, whatever it is."""
    if insertions_only:
        check_insertions_only(before, after)
    check_same_meaning(load_with_pyyaml(before), load_with_pyyaml(after))
    assert run_to_bytes(after, **settings) == after, "a second run changes something"


def check_insertions_only(before: bytes, after: bytes) -> None:
    """Every byte of the input comes out, in order (an explicit null on the path may be replaced)."""
    rest = iter(after)
    kept = all(byte in rest for byte in before)
    if not kept:
        shortened = before
        for null in (b" null", b" ~", b" Null", b" NULL"):
            shortened = shortened.replace(null, b"")
        rest = iter(after)
        kept = all(byte in rest for byte in shortened)
    assert kept, "something of the input is missing"


class _Loader(yaml.BaseLoader):
    """Scalars as their text: PyYAML's own reading of numbers and booleans is not Kubernetes'."""


def load_with_pyyaml(data: bytes) -> list[Any]:
    """The documents of a stream as plain values; concatenated JSON is read by the json module."""
    text = data.decode("utf-8-sig")
    try:
        return list(yaml.load_all(text, _Loader))
    except yaml.YAMLError:
        documents, at = [], 0
        decoder = json.JSONDecoder()
        while at < len(text.rstrip()):
            value, at = decoder.raw_decode(text, at + len(text[at:]) - len(text[at:].lstrip()))
            documents.append(value)
        return documents


NULLS = ("", "~", "null", "Null", "NULL", None)


def check_same_meaning(before: Any, after: Any, path: str = "") -> None:
    """`after` is `before` plus keys that the rule may add; nothing else differs."""
    if isinstance(before, dict) and isinstance(after, dict):
        assert list(before) == [key for key in after if key in before], f"{path}: keys are lost or moved"
        added = set(after) - set(before)
        assert added <= ADDED_KEYS, f"{path}: {added} were added"
        for key, value in before.items():
            if key in ADDED_KEYS and value in NULLS:
                continue
            check_same_meaning(value, after[key], f"{path}.{key}")
    elif isinstance(before, list) and isinstance(after, list):
        assert len(before) == len(after), f"{path}: entries were added or lost"
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            check_same_meaning(one, other, f"{path}[{index}]")
    else:
        assert before == after, f"{path}: changed"


def find_tool(name: str) -> str:
    """The path of one of the programs of `tools/versions.txt`.

    Skips the test where it is not installed; with `CI` set that is a failure.
    """
    script = ROOT / "tools" / "install"
    found = subprocess.run([str(script), "--path", name], capture_output=True, text=True, check=False)
    path = found.stdout.strip()
    if found.returncode == 0 and path and os.access(path, os.X_OK):
        return path
    if os.environ.get("CI"):
        pytest.fail(f"{name} is not installed: run `make tools`")
    pytest.skip(f"{name} is not installed: run `make tools` (needs Go)")


def load_with_go_yaml(data: bytes) -> list[Any]:
    """The documents of a stream as go-yaml reads them, through yq."""
    arguments = [find_tool("yq"), "-o", "json", "-I", "0", "."]
    found = subprocess.run(arguments, input=data, capture_output=True, check=False)
    assert found.returncode == 0, found.stderr.decode()
    return [json.loads(line) for line in found.stdout.splitlines() if line.strip()]


def command() -> list[str]:
    """The installed command of this environment, as a user calls it."""
    path = Path(sys.executable).with_name("sandbox-postrenderer")
    return [str(path)] if path.exists() else [sys.executable, "-m", "postrenderer"]
