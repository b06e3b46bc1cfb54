"""The report: findings as JSON, for programs. Its schema is `postrenderer/schemas/report.json`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from postrenderer import __version__
from postrenderer.model import Finding

VERSION = 1


def format_report(findings: Iterable[Finding], *, resources: int, additions: int, error: str | None) -> str:
    """Write the report of a run. `error` is what made it fail, if something did."""
    report = {
        "version": VERSION,
        "tool": {"name": "sandbox-postrenderer", "version": __version__},
        "error": error,
        "resources": resources,
        "additions": additions,
        "findings": [_to_plain(finding) for finding in findings],
    }
    return json.dumps(report, indent=2, ensure_ascii=False) + "\n"


def _to_plain(finding: Finding) -> dict[str, Any]:
    resource = finding.resource
    return {
        "id": finding.id,
        "level": finding.level,
        "message": finding.message,
        "resource": None
        if resource is None
        else {
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "namespace": resource.namespace,
            "name": resource.name,
        },
        "source": finding.source,
        "document": finding.document,
        "line": finding.line,
        "path": list(finding.path),
        "field": finding.field,
        "value": finding.value,
        "origin": finding.origin,
    }
