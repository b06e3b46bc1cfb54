"""Versions of kagent and agent-sandbox, and their order.

They are compared here and not as semantic versions, which sort `beta10` before `beta2` (one identifier, compared as
text).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

STAGES = ("alpha", "beta", "rc", "")
"""What a version can be on its way to its release, in order."""

_RELEASE = len(STAGES) - 1
_NEWEST = 10**9
"""The patch number of `0.9`, which means the newest 0.9.x. No number that is read has more than nine digits."""

# Nine digits at most: `int` refuses a number of more than 4300 digits, which a tag may hold.
_NUMBER = "(0|[1-9][0-9]{0,8})"
_VERSION = re.compile(rf"v?{_NUMBER}\.{_NUMBER}(?:\.{_NUMBER}(?:-(alpha|beta|rc){_NUMBER})?)?")
_BEGINNING = re.compile(r"v?[0-9]+\.[0-9]")
_FULL = "-full"


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """A version, in order: alpha, beta, rc, release. `0.9`, the newest 0.9.x, comes after 0.9.99, before 0.10.0-alpha1.

    `stage` is an index of `STAGES`, `number` the one that stands behind its name.
    """

    major: int
    minor: int
    patch: int
    stage: int = _RELEASE
    number: int = 0

    def __str__(self) -> str:
        if self.patch == _NEWEST:
            return f"{self.major}.{self.minor}"
        suffix = f"-{STAGES[self.stage]}{self.number}" if self.stage != _RELEASE else ""
        return f"{self.major}.{self.minor}.{self.patch}{suffix}"


def parse_version(text: str) -> Version | None:
    """Read `[v]MAJOR.MINOR[.PATCH[-alphaN|-betaN|-rcN]]`; None for any other text."""
    match = _VERSION.fullmatch(text)
    if match is None:
        return None
    major, minor, patch, stage, number = match.groups()
    return Version(
        int(major),
        int(minor),
        _NEWEST if patch is None else int(patch),
        STAGES.index(stage or ""),
        int(number or 0),
    )


def begins_with_version(text: str) -> bool:
    """Whether `text` speaks of a version, be it an incomparable one: `0.9.4-ubi`, but not `latest` or `20250101`."""
    return _BEGINNING.match(text) is not None


def split_full(tag: str) -> tuple[str, bool]:
    """Take `-full` off a tag, which names another image of the same version (with the sandbox runtime in it)."""
    return tag.removesuffix(_FULL), tag.endswith(_FULL)
