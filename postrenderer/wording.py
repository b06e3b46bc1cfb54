"""The words that remarks share: how a path, a value and a container are called."""

from __future__ import annotations

from functools import lru_cache

from postrenderer.model import Container, Path, Value


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


def describe_container(container: Container) -> str:
    """Call a container by its role, its name and its image."""
    role = "" if container.role == "regular" else f"{container.role} "
    image = f"image {container.image.reference}" if container.image else "no image"
    return f"{role}container {container.name} ({image})"
