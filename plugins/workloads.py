"""The same rule for the built-in workloads: Deployment, StatefulSet, DaemonSet, ReplicaSet, Job, CronJob and Pod.

Their images are rarely in the built-in table: say `--image-uid`, or most of them are reported as unknown.
"""

from __future__ import annotations

from collections.abc import Callable

from postrenderer.hookspecs import Kind, Remark, Resource, Settings, Workload, hookimpl, read_pod_template

_TEMPLATES = {
    ("apps", "Deployment"): ("spec", "template"),
    ("apps", "StatefulSet"): ("spec", "template"),
    ("apps", "DaemonSet"): ("spec", "template"),
    ("apps", "ReplicaSet"): ("spec", "template"),
    ("batch", "Job"): ("spec", "template"),
    ("batch", "CronJob"): ("spec", "jobTemplate", "spec", "template"),
    ("", "Pod"): (),
}


def _read_below(keys: tuple[str, ...]) -> Callable[[Resource, Settings], Workload | Remark]:
    def read(resource: Resource, _settings: Settings) -> Workload | Remark:
        workload = read_pod_template(resource, *keys, claim_templates="volumeClaimTemplates")
        return workload or Remark(
            "not-a-pod", "note", "has no containers: left alone", resource.node.line, resource.path
        )

    return read


@hookimpl
def kinds() -> list[Kind]:
    return [Kind(group, kind, _read_below(keys)) for (group, kind), keys in _TEMPLATES.items()]
