"""Lock files in tests, and commands that ask registries."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

from postrenderer.lock import LockEntry
from tests.cli import POD, find_command

DIGEST = f"sha256:{'a' * 64}"
OTHER_DIGEST = f"sha256:{'b' * 64}"


def make_entry(reference: str = "registry.example.com/team/app:1", **values: Any) -> LockEntry:
    known = {
        "digest": DIGEST,
        "uid": 4242,
        "gid": None,
        "named": False,
        "text": "4242",
        "registry": "registry.example.com",
        "date": "2026-01-31",
    }
    return LockEntry(reference, **{**known, **values})


def run(*arguments: str, data: str = "", environment: dict[str, str] | None = None, **options: Any) -> Any:
    """Run the command, which may fail with something on standard output; no traceback is shown."""
    found = subprocess.run(
        [*find_command(), *arguments],
        input=data,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, **(environment or {})},
        **options,
    )
    assert "Traceback" not in found.stderr, found.stderr
    return found


def write_pods(folder: Path, **images: str) -> Path:
    """A file of one Sandbox for each image."""
    path = folder / "pods.yaml"
    path.write_text("---\n".join(POD.format(name=name, image=image) for name, image in images.items()))
    return path


def lines_of(stderr: str) -> list[str]:
    return [line.removeprefix("sandbox-postrenderer: ") for line in stderr.splitlines()]
