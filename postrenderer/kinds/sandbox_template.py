"""The kind SandboxTemplate of agent-sandbox's extensions: a Sandbox's pod template, for claims and warm pools."""

from __future__ import annotations

from postrenderer.hookspecs import hookimpl
from postrenderer.kinds.sandbox import read_sandbox
from postrenderer.model import Kind


@hookimpl
def kinds() -> list[Kind]:
    return [Kind("extensions.agents.x-k8s.io", "SandboxTemplate", read_sandbox)]
