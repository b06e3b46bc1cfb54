"""Decisions as JSON patches, each with tests in front that fail where the patch would do harm to a changed resource.

Facts measured with kustomize 5.8.1 and 5.5.0, whose JSON patches are github.com/evanphx/json-patch 4.12 and 4.13: `add`
replaces a member that is there, and fails below a parent that is missing or null; `test` with the value null passes
where the member is missing or null, and fails where its parent is missing; the index -1 is a list's last entry, and an
index that a list does not have fails.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from postrenderer.identity import Decision
from postrenderer.model import (
    RUN_AS_NON_ROOT,
    RUN_AS_USER,
    Addition,
    Finding,
    Node,
    Path,
    Refused,
    Resource,
    Workload,
)
from postrenderer.wording import format_place

_FIELDS = (RUN_AS_NON_ROOT, RUN_AS_USER)
_DEFAULT_NAMESPACE = "default"
_LAST = -1


@dataclass(frozen=True, slots=True)
class Target:
    """The resource that a patch is for. A resource that names no namespace counts as one in `default`."""

    group: str
    version: str
    kind: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One step of a JSON patch (RFC 6902): a test or an addition; `path` leads from the resource."""

    op: Literal["test", "add"]
    path: Path
    value: Any


@dataclass(frozen=True, slots=True)
class Patch:
    """What is added to a resource, behind the tests of what that relies on; `resource` is where it was read."""

    target: Target
    operations: tuple[Operation, ...]
    resource: Resource


def make_patches(decisions: Iterable[tuple[Workload, Decision]]) -> tuple[list[Patch], list[Finding]]:
    """Make a patch for each resource to which something is added, and a finding where that is impossible.

    A target that is met again gets no second patch: kustomize refuses to build it twice, so the two are variants, as of
    a staging and a production directory. Raises `Refused` where their patches differ.
    """
    patches: dict[Target, Patch] = {}
    findings = []
    for workload, decision in decisions:
        if not decision.additions:
            continue
        if workload.resource.node.scalar("metadata", "name") is None:
            findings.append(_find_nameless(workload.resource))
            continue
        patch = _make_patch(workload, decision)
        other = patches.setdefault(patch.target, patch)
        if other.operations != patch.operations:
            raise Refused(
                f"{_describe(patch.resource)}: {_describe(other.resource)} has the same name and namespace, and needs "
                "another patch; patches go by name, so each would reach both: run once for each of them"
            )
    return list(patches.values()), findings


def _find_nameless(resource: Resource) -> Finding:
    message = "has no name, and a patch goes by name: left out; give it one, or use `render`"
    location = resource.location
    line = location.find_line(resource.node.line)
    where = (location.source, location.document, line, resource.path)
    return Finding("patch-needs-name", "warning", message, resource.id, *where)


def _describe(resource: Resource) -> str:
    location = resource.location
    return format_place(location.source, location.document, resource.id, location.find_line(resource.node.line))


def _make_patch(workload: Workload, decision: Decision) -> Patch:
    resource = workload.resource
    depth = len(resource.path)
    added = _find_places(resource.node, decision.additions, depth)
    relied = (*_find_relied(workload, decision, depth), *added)
    tests = dict(_observe(resource.node, path) for path in relied)
    return Patch(
        Target(
            resource.group,
            resource.version,
            resource.id.kind,
            resource.id.namespace or _DEFAULT_NAMESPACE,
            resource.id.name,
        ),
        (
            *(Operation("test", path, value) for path, value in tests.items()),
            *(Operation("add", path, value) for path, value in added.items()),
        ),
        resource,
    )


def _find_places(node: Node, additions: Iterable[Addition], depth: int) -> dict[Path, Any]:
    """What to add where: at the first member of each addition's path that is missing."""
    places: dict[Path, Any] = {}
    for addition in additions:
        path = (*addition.path[depth:], addition.key)
        place, _ = _walk(node, path)
        if place == path:
            places[place] = addition.value
            continue
        inner = places.setdefault(place, {})
        for key in path[len(place) : -1]:
            inner = inner.setdefault(key, {})
        inner[addition.key] = addition.value
    return places


def _find_relied(workload: Workload, decision: Decision, depth: int) -> Iterator[Path]:
    """The fields that, were they otherwise, might make the additions wrong: they are tested.

    Not tested is what could only make them too few, such as the image of a container that gets nothing.
    """
    added = {(addition.path, addition.key) for addition in decision.additions}
    inherited = [key for key in _FIELDS if (workload.pod.path, key) in added]
    contexts: list[Path] = []
    for outcome in decision.outcomes:
        context = outcome.container.context
        reached = [
            key
            for key in _FIELDS
            if (context.path, key) in added or (key in inherited and context.user_value(key) is None)
        ]
        user = outcome.standing.user
        stands_for_itself = user is not None and user.valid and RUN_AS_USER not in reached
        if reached and not stands_for_itself:
            yield from (path[depth:] for path in outcome.container.image_from)
        if reached or inherited:
            contexts.append(context.path[depth:])
    if inherited:
        for path in workload.container_lists:
            yield from _find_end(workload.resource.node, path[depth:])
    if contexts:
        contexts.insert(0, workload.pod.path[depth:])
    yield from ((*context, key) for context in contexts for key in _FIELDS)


def _find_end(node: Node, path: Path) -> Iterator[Path]:
    """The name of a list's last container: a container behind it would inherit from the pod, too."""
    _, found = _walk(node, path)
    yield (*path, _LAST, "name") if found is not None and found.sequence() else path


def _walk(node: Node, path: Path) -> tuple[Path, Node | None]:
    """Follow a path as far as there is something. Returns the end, and what stands there; None where it is missing."""
    found: Node | None = node
    for depth, step in enumerate(path):
        assert found is not None
        found = found.get(step) if isinstance(step, str) else found.sequence()[step]
        if found is None:
            return path[: depth + 1], None
    return path, found


def _observe(node: Node, path: Path) -> tuple[Path, Any]:
    """What can be tested of a path, and its value: null where it is missing; of what is no scalar its first leaf."""
    path, found = _walk(node, path)
    while found is not None and not found.is_scalar:
        if found.is_mapping:
            keys = found.list_keys()
            if not keys:
                return path, {}
            path, found = (*path, keys[0]), found.get(keys[0])
        else:
            entries = found.sequence()
            if not entries:
                return path, []
            path, found = (*path, 0), entries[0]
    return path, None if found is None else found.value
