"""Calling the installed command as a user does, and what must hold of every call."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

from jsonschema.validators import Draft202012Validator

from tests.support import ROOT, command

POD = """\
apiVersion: agents.x-k8s.io/v1alpha1
kind: Sandbox
metadata:
  name: {name}
spec:
  podTemplate:
    spec:
      containers:
      - name: main
        image: {image}
"""
KNOWN = POD.format(name="web", image="ghcr.io/kagent-dev/kagent/app:0.9.1")
"""A Sandbox whose image the built-in table knows: four values are added."""
DONE = KNOWN.replace(
    "kagent/app:0.9.1\n",
    "kagent/app:0.9.1\n"
    "        securityContext:\n          runAsNonRoot: true\n          runAsUser: 1001\n"
    "      securityContext:\n        runAsNonRoot: true\n        runAsUser: 1001\n",
)
"""The same after a run."""
UNKNOWN = POD.format(name="odd", image="registry.example.com/team/app:1")
OTHER = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: other\n"
BROKEN = "apiVersion: agents.x-k8s.io/v1alpha1\nkind: Sandbox\nmetadata: {\n"


def find_command() -> list[str]:
    """The console script next to this interpreter, or what is on PATH."""
    script = Path(sys.executable).with_name("sandbox-postrenderer")
    return [str(script)] if script.exists() else command()


def call(
    *arguments: str, data: str | bytes = b"", environment: dict[str, str] | None = None, **options: Any
) -> subprocess.CompletedProcess[bytes]:
    """Run the command. It shows no traceback, and standard output is empty where it fails."""
    found = subprocess.run(
        [*find_command(), *arguments],
        input=data.encode() if isinstance(data, str) else data,
        capture_output=True,
        check=False,
        timeout=60,
        env={**os.environ, **(environment or {})},
        **options,
    )
    assert b"Traceback" not in found.stderr, found.stderr.decode()
    is_difference = arguments[:1] == ("diff",) and found.returncode == 1
    assert found.returncode == 0 or is_difference or found.stdout == b"", "an output, and a failure"
    return found


def check_refused(found: subprocess.CompletedProcess[bytes], *words: str, code: int = 2) -> None:
    """It failed with this exit code, and its message holds these words."""
    message = found.stderr.decode()
    assert found.returncode == code, message
    for word in words:
        assert word in message


def read_report(path: Path) -> Any:
    """Read a report; whatever it is about, it is what its schema says."""
    report = json.loads(path.read_text(encoding="utf-8"))
    _report_validator().validate(report)
    return report


@lru_cache(maxsize=1)
def _report_validator() -> Draft202012Validator:
    schema = json.loads((ROOT / "postrenderer" / "schemas" / "report.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)
