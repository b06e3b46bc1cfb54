"""The cases of `tests/cases`: text in, text out, and the findings. Their README says how to write one."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from postrenderer.pipeline import Result
from tests.support import check_noop, check_transformed

CASES = Path(__file__).parent / "cases"


@dataclass
class Case:
    file: str
    title: str
    settings: dict[str, Any] = field(default_factory=dict)
    findings: str = ""
    before: str = ""
    after: str = ""

    def __str__(self) -> str:
        return f"{self.file}: {self.title}"

    def read_line(self, line: str) -> None:
        """Take a line of the case's body: a setting, or one of the text."""
        for name in ("settings", "findings"):
            if line.startswith(f"{name}: "):
                value = line.partition(": ")[2]
                setattr(self, name, json.loads(value) if name == "settings" else value)
                return
        mark, text = line[:1], line[2:] + "\n"
        assert mark in ("", " ", "+", "-"), f"{self}: what is {line!r}?"
        if mark != "+":
            self.before += text
        if mark != "-":
            self.after += text


def read_cases(path: Path) -> list[Case]:
    cases: list[Case] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("== "):
            cases.append(Case(path.stem, line[3:]))
        elif cases:
            cases[-1].read_line(line)
    for case in cases:  # the blank lines between two cases
        case.before = case.before.rstrip("\n") + "\n"
        case.after = case.after.rstrip("\n") + "\n"
    return cases


ALL = [case for path in sorted(CASES.glob("*.txt")) for case in read_cases(path)]


def format_findings(result: Result) -> str:
    """Write findings as a case does."""
    return ", ".join(_count(groupby(f"{finding.level} {finding.id}" for finding in result.findings)))


def _count(groups: Iterable[tuple[str, Iterable[str]]]) -> Iterable[str]:
    for text, group in groups:
        number = len(list(group))
        yield text if number == 1 else f"{number} {text}"


@pytest.mark.parametrize("case", ALL, ids=str)
def test_case(case: Case) -> None:
    if case.before == case.after:
        result = check_noop(case.before, **case.settings)
    else:
        result = check_transformed(case.before, case.after, **case.settings)
    assert format_findings(result) == case.findings


def test_cases_have_distinct_titles() -> None:
    names = [str(case) for case in ALL]
    assert len(names) > 30
    assert len(names) == len(set(names))
