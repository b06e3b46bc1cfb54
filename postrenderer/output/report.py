"""The report: findings as JSON, for programs.

The classes are the report's definition; `scripts/generate_schemas.py` makes `postrenderer/schemas/report.json` of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal

from postrenderer import __version__
from postrenderer.model import Finding


@dataclass(frozen=True)
class ReportedResource:
    """What names a resource in the cluster."""

    apiVersion: str  # noqa: N815  # Kubernetes' own spelling
    """As it stands in the document, such as `agents.x-k8s.io/v1alpha1`."""
    kind: str
    namespace: str
    """Empty where the document names none."""
    name: str


@dataclass(frozen=True)
class ReportedFinding:
    """Something to say about a resource, or about an input as a whole."""

    id: str
    """What kind of finding it is, such as `identity-defaulted`."""
    level: Literal["error", "warning", "note"]
    message: str
    """A sentence that says what to do."""
    resource: ReportedResource | None
    source: str
    """The file, Helm's template, or `standard input`."""
    document: int | None
    """The document's number in its input, from 1."""
    line: int | None
    """The line of the input, from 1."""
    path: list[str | int]
    """Where the value stands: mapping keys and sequence indexes from the document's root."""
    field: str
    """The field below `path`; empty where the finding is about no field."""
    value: bool | int | float | str | None
    """What was added, or what was written by hand."""
    origin: str
    """Where an added UID comes from."""


@dataclass(frozen=True)
class ReportedTool:
    """The program that wrote the report."""

    name: Literal["sandbox-postrenderer"]
    version: str


@dataclass(frozen=True)
class Report:
    """The report of a run of sandbox-postrenderer."""

    version: Literal[1]
    """The version of this format; within one, fields are added and never changed."""
    tool: ReportedTool
    error: str | None
    """What made the run fail, so that nothing was emitted; null where it did not."""
    resources: int
    """How many resources of known kinds were read."""
    additions: int
    """How many values were added."""
    findings: list[ReportedFinding]


def format_report(findings: Iterable[Finding], *, resources: int, additions: int, error: str | None) -> str:
    """Write the report of a run. `error` is what made it fail, if something did."""
    report = Report(
        version=1,
        tool=ReportedTool("sandbox-postrenderer", __version__),
        error=error,
        resources=resources,
        additions=additions,
        findings=[_report_finding(finding) for finding in findings],
    )
    return json.dumps(asdict(report), indent=2, ensure_ascii=False) + "\n"


def _report_finding(finding: Finding) -> ReportedFinding:
    resource = finding.resource
    return ReportedFinding(
        id=finding.id,
        level=finding.level,
        message=finding.message,
        resource=None
        if resource is None
        else ReportedResource(resource.api_version, resource.kind, resource.namespace, resource.name),
        source=finding.source,
        document=finding.document,
        line=finding.line,
        path=list(finding.path),
        field=finding.field,
        value=finding.value,
        origin=finding.origin,
    )
