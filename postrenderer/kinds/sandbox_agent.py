"""The kind SandboxAgent of kagent, of which its controller makes a Sandbox."""

from __future__ import annotations

from dataclasses import replace

from postrenderer.hookspecs import hookimpl
from postrenderer.images.version import parse_version
from postrenderer.kinds.kagent import AGENT_VERSION, LEFT_ALONE, has_skills, read_kagent_agent, remark_without_effect
from postrenderer.model import Kind, Node, Remark, Resource, Settings, Workload

ASSUMED_VERSION = "0.9"
"""Safe to assume: where the fields reach a pod its answers are right, and in later versions they reach none."""


def read_sandbox_agent(resource: Resource, settings: Settings) -> Workload | Remark:
    """Read a SandboxAgent of v1alpha2, the only version whose `deployment` reaches a pod."""
    spec = resource.node.mapping("spec")
    without_effect = _find_reason_without_effect(resource, spec, settings)
    if without_effect:
        return remark_without_effect(resource, f"{without_effect}; {LEFT_ALONE}")
    workload = read_kagent_agent(resource, settings, ASSUMED_VERSION)
    if isinstance(workload, Remark) or settings.kagent_version or spec is None:
        return workload
    return replace(workload, remarks=(_assume_version(resource, spec),))


def _find_reason_without_effect(resource: Resource, spec: Node | None, settings: Settings) -> str | None:
    if resource.version != AGENT_VERSION:
        return None  # any agent of such a version is left alone
    if spec is not None and (spec.get("substrate") is not None or spec.scalar("platform") == "substrate"):
        return "runs on the platform substrate, where a security context reaches no pod"
    version = parse_version(settings.kagent_version) if settings.kagent_version else None
    if version is not None and (version.major, version.minor) >= (0, 10):
        return f"is accepted by kagent {settings.kagent_version}, but its security context reaches no pod"
    return None


def _assume_version(resource: Resource, spec: Node) -> Remark:
    message = f"kagent {ASSUMED_VERSION} is assumed; say --kagent-version if the cluster runs another"
    if has_skills(spec):
        message += " (up to 0.9.0 the image of the init container skills-init runs as root, and not as 1001)"
    return Remark("kagent-version-assumed", "note", message, line=resource.node.line, path=resource.path)


@hookimpl
def kinds() -> list[Kind]:
    return [Kind("kagent.dev", "SandboxAgent", read_sandbox_agent)]
