"""Which persistent volumes a container mounts: what is on them outlives its pod, and keeps its owner."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from postrenderer.model import Container, Node, Path, Workload
from postrenderer.yaml.errors import YamlError


@dataclass(frozen=True, slots=True)
class Claim:
    """A persistent volume, and where a container mounts it.

    `name` is the claim's or, of a `template` in `volumeClaimTemplates`, the template's. An `ephemeral` volume is made
    and deleted with its pod.
    """

    origin: Literal["claim", "template", "ephemeral"]
    name: str
    mount_path: str


def find_claims(workload: Workload, container: Container) -> list[Claim]:
    """The persistent volumes that a container mounts, in its order."""
    if container.role == "init" and any(
        other.role != "init" and other.context.path == container.context.path for other in workload.containers
    ):
        return []  # kagent's own init container shares the context of `kagent`, but not its mounts
    root, base = workload.resource.node, len(workload.resource.path)
    try:
        volumes = dict(_read_volumes(root, workload.pod.path[base:-1]))
        owner = _descend(root, container.context.path[base:-1])
        mounts = owner.sequence("volumeMounts") if owner is not None else ()
        return [
            Claim(*volumes[name], str(mount.scalar("mountPath") or ""))
            for mount in mounts
            if (name := str(mount.scalar("name"))) in volumes
        ]
    except YamlError:
        return []  # what is no list of mounts mounts nothing; the API server will refuse it


def _read_volumes(
    root: Node, path: Path
) -> Iterator[tuple[str, tuple[Literal["claim", "template", "ephemeral"], str]]]:
    for template in root.sequence("spec", "volumeClaimTemplates"):
        name = str(template.scalar("metadata", "name"))
        yield name, ("template", name)
    pod = _descend(root, path)
    for volume in pod.sequence("volumes") if pod is not None else ():
        name = str(volume.scalar("name"))
        if volume.get("persistentVolumeClaim") is not None:
            yield name, ("claim", str(volume.scalar("persistentVolumeClaim", "claimName")))
        elif volume.get("ephemeral") is not None:
            yield name, ("ephemeral", name)


def _descend(node: Node, path: Path) -> Node | None:
    """The mapping at a path below a resource's root."""
    found: Node | None = node
    for step, following in zip(path, (*path[1:], None), strict=True):
        if found is None:
            return None
        if isinstance(step, int):
            continue  # its list's step has led to the entry already
        found = found.sequence(step)[following] if isinstance(following, int) else found.mapping(step)
    return found
