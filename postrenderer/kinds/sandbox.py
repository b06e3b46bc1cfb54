"""The kind Sandbox of agent-sandbox: its controller copies `spec.podTemplate.spec` verbatim into a Pod."""

from __future__ import annotations

from postrenderer.hookspecs import hookimpl
from postrenderer.kinds.pods import read_pod_template
from postrenderer.model import Kind, Remark, Resource, Settings, Workload


def read_sandbox(resource: Resource, _settings: Settings) -> Workload | Remark:
    """Read a Sandbox or a SandboxTemplate, of any version: all have their pod in `spec.podTemplate`."""
    workload = read_pod_template(resource, "spec", "podTemplate", claim_templates="volumeClaimTemplates")
    if workload is not None:
        return workload
    return Remark(
        "not-a-pod",
        "note",
        "has no containers below spec.podTemplate.spec, so it makes no pod by itself (is it a patch?): left alone",
        line=resource.node.line,
        path=resource.path,
    )


@hookimpl
def kinds() -> list[Kind]:
    return [Kind("agents.x-k8s.io", "Sandbox", read_sandbox)]
