"""Findings as lines for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from postrenderer.model import Finding
from postrenderer.wording import format_place

COLORS = {"error": "red", "warning": "yellow", "note": "cyan"}
WHAT_NEXT = "nothing changes in a cluster until a pod is created anew"


def format_finding(finding: Finding) -> str:
    place = format_place(finding.source, finding.document, finding.resource, finding.line)
    return f"{finding.level}: {place}: {finding.message} [{finding.id}]"


def select_findings(findings: Iterable[Finding], *, verbose: bool) -> Iterator[Finding]:
    """Errors first, then warnings, then (`verbose`) notes; otherwise in the order in which they were found."""
    levels = ("error", "warning", "note") if verbose else ("error", "warning")
    findings = list(findings)
    for level in levels:
        yield from (finding for finding in findings if finding.level == level)


def format_summary(
    resources: int,
    edited: int,
    additions: int,
    findings: Iterable[Finding],
    *,
    failed: bool = False,
    written: bool = True,
) -> str:
    """One line: what was found, what was added, how much there is to read, and what happens next.

    What is not `written` was only looked at.
    """
    levels = [finding.level for finding in findings]
    counts = [_count(levels.count("error"), "error"), _count(levels.count("warning"), "warning")]
    to_read = "".join(f", {count}" for count in counts if not count.startswith("0 "))
    found = _count(resources, "resource")
    if failed:
        return f"nothing is written: {found} read{to_read}"
    if not additions:
        return f"nothing to add to {found}{to_read}"
    where = found if edited == resources else f"{edited} of {found}"
    if not written:
        return f"{_count(additions, 'value')} would be added to {where}{to_read}"
    return f"{_count(additions, 'value')} added to {where}{to_read}; {WHAT_NEXT}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
