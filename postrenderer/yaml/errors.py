"""What this package raises: text that it cannot read, or cannot edit without doubt."""

from __future__ import annotations


class YamlError(Exception):
    """A sentence, and the line of the document (from 1) that it speaks of."""

    def __init__(self, message: str, line: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


class BrokenYaml(YamlError):
    """The text is no YAML document."""
