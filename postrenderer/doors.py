"""The door of plugins: what they raise and what they return, turned into errors that name them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from postrenderer.model import (
    UID_MAX,
    Addition,
    Container,
    Context,
    Identity,
    Kind,
    Node,
    Refused,
    Remark,
    Resource,
    Settings,
    Workload,
)
from postrenderer.yaml.errors import YamlError


@contextmanager
def guard(plugin: str, hook: str | None) -> Iterator[None]:
    """Name the plugin (and the hook) in what it raises. What it says about a document passes."""
    try:
        yield
    except (Refused, YamlError, KeyboardInterrupt, MemoryError):
        raise
    except BaseException as error:  # SystemExit as well: an exit code of 0 and no output would delete resources
        what = "cannot be loaded" if hook is None else f"failed in its hook {hook}"
        raise Refused(f"plugin {plugin} {what}: {type(error).__name__}: {error}{_find_line(error)}") from error


def _find_line(error: BaseException) -> str:
    trace = error.__traceback__
    if trace is None:
        return ""
    while trace.tb_next is not None:
        trace = trace.tb_next
    return f" ({trace.tb_frame.f_code.co_filename}, line {trace.tb_lineno})"


def _refuse(plugin: str, hook: str, wanted: str, answer: object) -> Refused:
    return Refused(f"plugin {plugin}, hook {hook}: must return {wanted}, but returned {answer!r:.200}")


def check_kinds(plugin: str, answer: Any, *, trusted: bool) -> list[Kind]:
    """Kinds whose `read` is looked at as well, where they are not `trusted`."""
    if answer is None:
        return []
    if not isinstance(answer, list) or not all(map(_is_kind, answer)):
        raise _refuse(plugin, "kinds", "a list of Kind(group, kind, read)", answer)
    return answer if trusted else [Kind(kind.group, kind.kind, _guard_read(plugin, kind)) for kind in answer]


def _is_kind(value: Any) -> bool:
    return (
        isinstance(value, Kind)
        and isinstance(value.group, str)
        and isinstance(value.kind, str)
        and value.kind.isidentifier()
        and callable(value.read)
    )


def _guard_read(plugin: str, kind: Kind) -> Callable[[Resource, Settings], Workload | Remark]:
    def read(resource: Resource, settings: Settings) -> Workload | Remark:
        hook = f"kinds (reading {resource.id})"
        with guard(plugin, hook):
            answer = kind.read(resource, settings)
        if isinstance(answer, Remark) or _is_workload(answer):
            return answer
        raise _refuse(plugin, hook, "a Workload (with a tuple of Container) or a Remark", answer)

    return read


def _is_workload(value: Any) -> bool:
    return (
        isinstance(value, Workload)
        and isinstance(value.pod, Context)
        and isinstance(value.containers, tuple)
        and all(isinstance(item, Container) and isinstance(item.context, Context) for item in value.containers)
        and all(isinstance(remark, Remark) for remark in value.remarks)
    )


def check_identity(plugin: str, answer: Any) -> Identity | None:
    if answer is None:
        return None
    if not isinstance(answer, Identity) or not _is_uid(answer.uid):
        raise _refuse(plugin, "image_identity", f"None or an Identity with a UID from 0 to {UID_MAX}", answer)
    return answer if answer.uid is not None else None


def _is_uid(value: Any) -> bool:
    return value is None or (type(value) is int and 0 <= value <= UID_MAX)


def check_additions(plugin: str, answer: Any, workload: Workload) -> list[Addition]:
    """Additions that have a place in the workload's resource, and say where they come from."""
    if answer is None:
        return []
    if not isinstance(answer, list) or not all(map(_is_addition, answer)):
        raise _refuse(plugin, "additions", "a list of Addition(path, key, boolean, integer or string)", answer)
    for addition in answer:
        problem = _find_problem(addition, workload.resource)
        if problem:
            where = f"{'.'.join(map(str, addition.path))}.{addition.key}"
            raise Refused(
                f"plugin {plugin}, hook additions: {where} cannot be added to {workload.resource.id}: {problem}"
            )
    return [
        Addition(addition.path, addition.key, addition.value, addition.origin or f"plugin {plugin}")
        for addition in answer
    ]


def _find_problem(addition: Addition, resource: Resource) -> str | None:
    """Say why an addition has no place in a resource."""
    base = len(resource.path)
    if addition.path[:base] != resource.path:
        return f"its path must begin with the resource's, {resource.path!r}"
    node: Node | None = resource.node
    try:
        for step, following in zip(addition.path[base:], (*addition.path[base + 1 :], None), strict=True):
            if node is not None:
                node = _descend(node, step, following)
            elif isinstance(step, int):
                return "it leads to an entry of a list that is not there"
        if node is not None and node.get(addition.key) is not None:
            return "it is there already"
    except (YamlError, LookupError, TypeError) as error:
        return str(error)
    return None


def _descend(node: Node, step: str | int, following: str | int | None) -> Node | None:
    if isinstance(step, int):
        return node  # its list's step has led to the entry already
    if isinstance(following, int):
        entries = node.sequence(step)
        if not 0 <= following < len(entries):
            raise LookupError(f"`{step}` has {len(entries)} entries")
        return entries[following]
    return node.mapping(step)


def _is_addition(value: Any) -> bool:
    return (
        isinstance(value, Addition)
        and isinstance(value.key, str)
        and isinstance(value.value, (bool, int, str))
        and isinstance(value.path, tuple)
        and all(isinstance(step, (str, int)) for step in value.path)
    )
