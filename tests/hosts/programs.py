"""The real programs, each in a home of its own: of the caller's environment nothing reaches them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.support import EXAMPLES, load_with_go_yaml

CHART = EXAMPLES / "chart"
PLUGIN = "sandbox-postrenderer"


def find_command() -> Path:
    """The installed command: beside the interpreter that runs the tests, or on PATH."""
    beside = Path(sys.executable).with_name(PLUGIN)
    found = str(beside) if beside.exists() else shutil.which(PLUGIN)
    if found is None:
        pytest.fail(f"{PLUGIN} is not installed: run `pip install -e .`")
    return Path(found)


@dataclass
class Home:
    """A user's home with a `bin` directory; PATH has that and the system's."""

    path: Path
    extra: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.bin.mkdir(parents=True, exist_ok=True)

    @property
    def bin(self) -> Path:
        return self.path / "bin"

    @property
    def data(self) -> Path:
        return self.path / "data"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "HOME": str(self.path),
            "PATH": os.pathsep.join([str(self.bin), "/usr/bin", "/bin"]),
            "XDG_CACHE_HOME": str(self.path / "cache"),
            "XDG_CONFIG_HOME": str(self.path / "config"),
            "XDG_DATA_HOME": str(self.data),
            "KUBECONFIG": str(self.path / "no-cluster"),
            "LC_ALL": "C.UTF-8",
            **self.extra,
        }

    def add(self, name: str, target: str | Path) -> Path:
        """Put a program on PATH, as a link."""
        link = self.bin / name
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        return link

    def write_script(self, path: Path, body: str) -> Path:
        """Write a shell script that can be run."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        return path

    def run(
        self, *arguments: str | Path, cwd: Path | None = None, data: bytes | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a program, whatever becomes of it."""
        return subprocess.run(
            [str(argument) for argument in arguments],
            cwd=cwd or self.path,
            env=self.environment,
            input=data,
            stdin=subprocess.DEVNULL if data is None else None,
            capture_output=True,
            check=False,
            timeout=60,
        )

    def get_output(self, *arguments: str | Path, cwd: Path | None = None, data: bytes | None = None) -> bytes:
        """Run a program that has to succeed; returns its output."""
        done = self.run(*arguments, cwd=cwd, data=data)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout


def load_resources(data: bytes) -> list[Any]:
    """The resources of a stream; documents without content, and Lists around resources, are left out."""
    documents = [document for document in load_with_go_yaml(data) if document]
    return [
        item for document in documents for item in (document["items"] if document["kind"] == "List" else [document])
    ]


def find_resource(data: bytes, name: str) -> Any:
    """The one resource of that name, other than those that are no targets and may share it."""
    kinds = ("Sandbox", "SandboxAgent", "SandboxTemplate")
    found = [one for one in load_resources(data) if one["metadata"]["name"] == name and one["kind"] in kinds]
    assert len(found) == 1, f"{len(found)} resources are called {name}"
    return found[0]


def write_plugin(directory: Path, name: str, command: str) -> Path:
    """Write a plugin for Helm 4 that runs a command line without blanks in its words."""
    path = directory / name
    path.mkdir(parents=True, exist_ok=True)
    lines = ["apiVersion: v1", "type: postrenderer/v1", f"name: {name}", "version: 0.1.0", "runtime: subprocess"]
    lines += ["runtimeConfig:", "  platformCommand:", f"  - command: {command}", ""]
    (path / "plugin.yaml").write_text("\n".join(lines))
    return path


def write_chart(directory: Path, **templates: str) -> Path:
    """Write a small chart."""
    (directory / "templates").mkdir(parents=True, exist_ok=True)
    (directory / "Chart.yaml").write_text("apiVersion: v2\nname: small\nversion: 0.1.0\n")
    for name, text in templates.items():
        (directory / "templates" / f"{name}.yaml").write_text(text)
    return directory


SANDBOX = """\
apiVersion: agents.x-k8s.io/v1alpha1
kind: Sandbox
metadata:
  name: one
spec:
  podTemplate:
    spec:
      containers:
      - name: python
        image: registry.k8s.io/agent-sandbox/python-runtime-sandbox:v0.4.6
"""
