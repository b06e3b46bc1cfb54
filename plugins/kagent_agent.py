"""The same rule for kagent's kind Agent (kagent.dev/v1alpha2), of which its controller makes a Deployment.

    sandbox-postrenderer render --plugin kagent_agent --kagent-version 0.9.4 agents.yaml

An Agent has the fields of a SandboxAgent, `podSecurityContext` and `securityContext` in
`spec.{declarative,byo}.deployment`, and kagent reads them in the same way: they count for its container `kagent`, and
the second one, with skills, for its init container `skills-init` as well. Three things differ:

- They reach the pod in every version of kagent that has them, also in 0.10, where a SandboxAgent's do not. There is no
  platform `substrate` for it.
- So no version of kagent is assumed: 0.10 has changed the user of its images (python: 1001 before 0.10.0-beta2, 65532
  since) and the default of `runtime`. Say `--kagent-version`; without it, a declarative agent's image is unknown, and
  reported.
- With `type: BYO` the image is yours: say `--image-uid`, or lock it with `sandbox-postrenderer images lock`.

kagent makes the container `privileged` where the agent has skills, or executes code, unless its
`securityContext.allowPrivilegeEscalation` is false: the Pod Security level `restricted` refuses such a pod even so. An
Agent of another version of the API is left alone, as it has no such fields.
"""

from __future__ import annotations

from postrenderer.hookspecs import Kind, hookimpl, read_kagent_agent


@hookimpl
def kinds() -> list[Kind]:
    return [Kind("kagent.dev", "Agent", read_kagent_agent)]
