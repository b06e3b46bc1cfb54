"""Write the JSON schemas of what is read and written. With `--check`, say (exit 1) what is out of date."""

from __future__ import annotations

import inspect
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import ConfigDict, TypeAdapter, with_config

from postrenderer.config import ConfigFile, RuntimeIdentity
from postrenderer.lock import format as lock
from postrenderer.output import report

FOLDER = Path(__file__).parents[1] / "postrenderer" / "schemas"
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def make_config_schema() -> dict[str, Any]:
    return {"$schema": DIALECT, **ConfigFile.model_json_schema()}


def make_runtime_identity_schema() -> dict[str, Any]:
    return {"$schema": DIALECT, **RuntimeIdentity.model_json_schema()}


def make_report_schema() -> dict[str, Any]:
    return _make_schema(report, report.Report, "sandbox-postrenderer report", ConfigDict(use_attribute_docstrings=True))


def make_lock_schema() -> dict[str, Any]:
    config = ConfigDict(use_attribute_docstrings=True, extra="forbid")
    return _make_schema(lock, lock.LockDocument, "sandbox-postrenderer lock file", config)


def _make_schema(module: ModuleType, root: type, title: str, config: ConfigDict) -> dict[str, Any]:
    """Make the schema of a module's dataclasses; the strings below their fields describe these."""
    for _, part in inspect.getmembers(module, inspect.isclass):
        if part.__module__ == module.__name__:
            with_config(config)(part)
    return {"$schema": DIALECT, **TypeAdapter(root).json_schema(), "title": title}


SCHEMAS = {
    "config.json": make_config_schema,
    "lock.json": make_lock_schema,
    "report.json": make_report_schema,
    "runtime-identity.json": make_runtime_identity_schema,
}


def main(arguments: list[str]) -> int:
    stale = 0
    for name, make in SCHEMAS.items():
        path = FOLDER / name
        text = json.dumps(make(), indent=2) + "\n"
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        if "--check" in arguments:
            print(f"{path.relative_to(FOLDER.parents[1])} is out of date: run scripts/generate_schemas.py")
            stale = 1
            continue
        FOLDER.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return stale


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
