"""The words that remarks share: how a path, a value and a container are called."""

from __future__ import annotations

from functools import lru_cache

from postrenderer.model import Container, Path, ResourceId, Value


@lru_cache(maxsize=1024)
def format_path(path: Path) -> str:
    """Write a path as people do: `spec.containers[0].image`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def format_value(value: Value) -> str:
    """Write a value as JSON does, so that `1001` and `"1001"`, `true` and `"true"` can be told apart."""
    if isinstance(value, str):
        import json

        return json.dumps(value, ensure_ascii=False)
    return "null" if value is None else str(value).lower()


def format_place(source: str, document: int | None, resource: ResourceId | None, line: int | None) -> str:
    """Say where: `templates/agent.yaml, document 3, SandboxAgent/web, line 41`."""
    parts = [
        source,
        "" if document is None else f"document {document}",
        "" if resource is None else str(resource),
        "" if line is None else f"line {line}",
    ]
    return ", ".join(part for part in parts if part)


def describe_container(container: Container) -> str:
    """Call a container by its role, its name and its image."""
    role = "" if container.role == "regular" else f"{container.role} "
    image = f"image {container.image.reference}" if container.image else "no image"
    return f"{role}container {container.name} ({image})"
