"""The blocks of a page of the documentation, each with the comment in front of it that says how it is run."""

from __future__ import annotations

import re

BLOCK = re.compile(r"(?:<!-- ([a-z ]+): ([a-z0-9 ]+) -->\n)?```(\w*)\n(.*?)```\n", re.DOTALL)
"""How (`runs`, `needs a cluster`), with which hosts, the language, and the text."""


def get_blocks(text: str, host: str, how: str) -> list[str]:
    return [body for kind, hosts, _, body in BLOCK.findall(text) if kind == how and host in hosts.split()]


def get_anchors(text: str) -> set[str]:
    """The names by which a page's headings can be linked to."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def check_blocks_say_how_they_run(text: str) -> None:
    for kind, _, language, body in BLOCK.findall(text):
        assert (kind in ("runs", "needs a cluster")) is (language == "shell"), body
