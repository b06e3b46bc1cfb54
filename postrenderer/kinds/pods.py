"""Reading a pod template: its contexts, its containers and what else a runtime identity depends on."""

from __future__ import annotations

from functools import lru_cache

from postrenderer.model import (
    RUN_AS_NON_ROOT,
    RUN_AS_USER,
    UID_MAX,
    Container,
    Context,
    Image,
    Node,
    Path,
    Resource,
    Role,
    UserValue,
    Workload,
)


def read_context(parent: Node | None, path: Path, key: str = "securityContext") -> Context:
    """Read the security context below `key` of the mapping at `path`."""
    context = parent.mapping(key) if parent is not None else None
    if context is None:
        return Context((*path, key))
    return Context(
        (*path, key),
        supplied=True,
        line=context.line,
        run_as_non_root=_read_user_value(context, RUN_AS_NON_ROOT),
        run_as_user=_read_user_value(context, RUN_AS_USER),
    )


def _read_user_value(context: Node, key: str) -> UserValue | None:
    node = context.get(key)
    if node is None:
        return None
    if not node.is_scalar:
        return UserValue(None, node.line, valid=False)
    value = node.value
    if key == RUN_AS_NON_ROOT:
        return UserValue(value, node.line, valid=isinstance(value, bool))
    return UserValue(value, node.line, valid=type(value) is int and 0 <= value <= UID_MAX)


def read_containers(parent: Node | None, path: Path, key: str, role: Role = "regular") -> list[Container]:
    """Read the list of containers below `key` of the mapping at `path`.

    An init container with `restartPolicy: Always` is a sidecar.
    """
    if parent is None:
        return []
    containers = []
    for index, node in enumerate(parent.sequence(key)):
        name = node.scalar("name")
        image = node.scalar("image")
        own_role: Role = "sidecar" if role == "init" and node.scalar("restartPolicy") == "Always" else role
        containers.append(
            Container(
                name=name if isinstance(name, str) else f"{key}[{index}]",
                role=own_role,
                image=Image(image) if isinstance(image, str) and image else None,
                context=read_context(node, (*path, key, index)),
                line=node.line,
                image_from=((*path, key, index, "image"),),
            )
        )
    return containers


def has_persistent_volumes(parent: Node | None) -> bool:
    """Tell whether one of the pod's `volumes` is a file system of its own, whose files can belong to another UID."""
    if parent is None:
        return False
    return any(node.get("persistentVolumeClaim") or node.get("ephemeral") for node in parent.sequence("volumes"))


def has_fs_group(parent: Node | None, key: str = "securityContext") -> bool:
    return parent is not None and parent.scalar(key, "fsGroup") is not None


def find_injection(*mappings: Node | None) -> str | None:
    """Find the label or annotation that asks for an injected sidecar."""
    for mapping in mappings:
        if mapping is None:
            continue
        known = _load_injection_keys()
        for key in mapping.list_keys():
            node = mapping.get(key) if key in known else None
            if node is None or not node.is_scalar:
                continue
            values, value = known[key], str(node.value).lower()
            if value in values or ("*" in values and value not in ("", "false", "disabled")):
                return f"{key}: {value}"
    return None


@lru_cache(maxsize=1)
def _load_injection_keys() -> dict[str, list[str]]:
    import json
    from pathlib import Path as FilePath

    text = FilePath(__file__).parent.with_name("injection.json").read_text(encoding="utf-8")
    return {entry["key"]: entry["values"] for entry in json.loads(text)["keys"]}


def read_pod_template(resource: Resource, *keys: str, claim_templates: str | None = None) -> Workload | None:
    """Read the workload from the PodTemplateSpec below `keys`; None where it has no containers (a patch fragment)."""
    owner = resource.node.mapping(*keys[:-1])
    template = owner.mapping(*keys[-1:]) if owner is not None else None
    pod = template.mapping("spec") if template is not None else None
    path = (*resource.path, *keys, "spec")
    containers = read_containers(pod, path, "containers")
    if template is None or pod is None or not containers:
        return None
    host_users = pod.scalar("hostUsers")
    claims = owner.sequence(claim_templates) if claim_templates and owner is not None else []
    return Workload(
        resource=resource,
        pod=read_context(pod, path),
        containers=(*read_containers(pod, path, "initContainers", "init"), *containers),
        windows=pod.scalar("os", "name") == "windows",
        host_users=host_users if isinstance(host_users, bool) else None,
        injected_by=find_injection(template.mapping("metadata", "labels"), template.mapping("metadata", "annotations")),
        persistent_volumes=bool(claims) or has_persistent_volumes(pod),
        fs_group=has_fs_group(pod),
        container_lists=((*path, "initContainers"), (*path, "containers")),
    )
