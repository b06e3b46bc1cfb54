"""The pods that controllers make of the examples, as far as admission looks at them; and the judge of pods."""

from __future__ import annotations

import copy
import json
import subprocess
from dataclasses import dataclass
from typing import Any

from tests.support import find_tool


def build_pod(resource: Any) -> Any:
    """The Pod that agent-sandbox makes of a Sandbox or SandboxTemplate, and kagent 0.9 and it of a SandboxAgent."""
    template = _build_template(resource) if resource["kind"] == "SandboxAgent" else _get_template(resource)
    metadata = {**template.get("metadata", {}), "name": resource["metadata"]["name"]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


def _get_template(resource: Any) -> Any:
    """`spec.podTemplate`, verbatim; the claims that the controller makes for a Sandbox become its volumes."""
    template = copy.deepcopy(resource["spec"]["podTemplate"])
    names = [claim["metadata"]["name"] for claim in resource["spec"].get("volumeClaimTemplates", [])]
    claims = [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in names]
    if claims:
        template["spec"].setdefault("volumes", []).extend(claims)
    return template


def _build_template(agent: Any) -> Any:
    """kagent 0.9's pod template, reduced to what the Pod Security Standards read."""
    spec = agent["spec"]
    branch = spec["byo" if spec.get("type") == "BYO" else "declarative"]
    deployment = branch.get("deployment") or {}
    context = deployment.get("securityContext")
    skills = spec.get("skills") or {}
    has_skills = bool(skills.get("refs") or skills.get("gitRefs"))
    container = {"name": "kagent", "image": deployment.get("image", "kagent's own")}
    isolated = _isolate(context, needed=has_skills or branch.get("executeCodeBlocks") is True)
    pod = {
        "securityContext": deployment.get("podSecurityContext"),
        "initContainers": [_with_context({"name": "skills-init", "image": "kagent's own"}, context)] * has_skills,
        "containers": [_with_context(container, isolated), *deployment.get("extraContainers", [])],
        "volumes": [
            {"name": "config", "secret": {"secretName": agent["metadata"]["name"]}},
            {"name": "kagent-token", "projected": {"sources": []}},
            *deployment.get("volumes", []),
        ],
    }
    return {"metadata": {}, "spec": {key: value for key, value in pod.items() if value}}


def _isolate(context: Any, *, needed: bool) -> Any:
    """kagent makes an agent with skills or code execution privileged, unless escalation is explicitly forbidden."""
    if not needed or (context or {}).get("allowPrivilegeEscalation") is False:
        return context
    return {**(context or {}), "privileged": True}


def _with_context(container: dict[str, Any], context: Any) -> dict[str, Any]:
    return container if context is None else {**container, "securityContext": context}


@dataclass(frozen=True)
class Verdict:
    """What the admission of `restricted` says about a pod: each refused check with its reason."""

    reasons: dict[str, str]

    @property
    def is_admitted(self) -> bool:
        return not self.reasons

    @property
    def checks(self) -> set[str]:
        return set(self.reasons)

    @property
    def message(self) -> str:
        """The API server's words, behind `violates PodSecurity "restricted:latest": `."""
        return ", ".join(self.reasons.values())


def judge(resources: list[Any]) -> dict[str, Verdict]:
    """Ask the evaluator of Kubernetes about the pods of resources, at the level `restricted`; by name."""
    lines = "".join(json.dumps(build_pod(resource)) + "\n" for resource in resources)
    done = subprocess.run(
        [find_tool("psa-judge"), "-level", "restricted"], input=lines.encode(), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    verdicts = [json.loads(line) for line in done.stdout.splitlines()]
    return {
        verdict["name"]: Verdict({r["check"]: f"{r['reason']} ({r['detail']})" for r in verdict["reasons"]})
        for verdict in verdicts
    }
