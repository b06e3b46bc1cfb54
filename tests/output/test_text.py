"""Findings as lines for people."""

from __future__ import annotations

import pytest

from postrenderer.model import Finding, ResourceId
from postrenderer.output.text import WHAT_NEXT, format_finding, format_summary, select_findings

WEB = ResourceId("v1", "Sandbox", "ns", "web")


def find(level: str, name: str = "x") -> Finding:
    return Finding(name, level, "is odd: change it")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("finding", "line"),
    [
        (
            Finding("x", "warning", "is odd: change it", WEB, "a.yaml", 3, 41),
            "warning: a.yaml, document 3, Sandbox/web, line 41: is odd: change it [x]",
        ),
        (Finding("x", "note", "is odd", source="a.yaml"), "note: a.yaml: is odd [x]"),
    ],
)
def test_a_finding(finding: Finding, line: str) -> None:
    assert format_finding(finding) == line


def test_errors_come_first_and_notes_only_on_request() -> None:
    findings = [find("note"), find("warning", "a"), find("error"), find("warning", "b")]
    assert [(item.level, item.id) for item in select_findings(findings, verbose=False)] == [
        ("error", "x"),
        ("warning", "a"),
        ("warning", "b"),
    ]
    assert [item.level for item in select_findings(findings, verbose=True)][-1] == "note"


@pytest.mark.parametrize(
    ("resources", "edited", "additions", "levels", "failed", "line"),
    [
        (1, 0, 0, [], False, "nothing to add to 1 resource"),
        (2, 0, 0, ["note"], False, "nothing to add to 2 resources"),
        (1, 1, 1, [], False, f"1 value added to 1 resource; {WHAT_NEXT}"),
        (
            3,
            2,
            8,
            ["warning", "warning", "error"],
            False,
            f"8 values added to 2 of 3 resources, 1 error, 2 warnings; {WHAT_NEXT}",
        ),
        (3, 2, 8, ["warning"], True, "nothing is written: 3 resources read, 1 warning"),
    ],
)
def test_a_summary(resources: int, edited: int, additions: int, levels: list[str], failed: bool, line: str) -> None:
    assert format_summary(resources, edited, additions, [find(level) for level in levels], failed=failed) == line


def test_the_summary_of_a_look() -> None:
    line = "8 values would be added to 2 of 3 resources, 1 error"
    assert format_summary(3, 2, 8, [find("error")], written=False) == line
