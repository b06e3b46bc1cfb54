"""The promise of a patch, over random pods: it adds what rendering adds; later it does no harm, or fails."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from postrenderer.model import Settings
from postrenderer.output.patch import format_patches
from postrenderer.patches import make_patches
from postrenderer.pipeline import render
from tests.json_patches import PatchFailed, apply_patch, load_patches
from tests.test_identity_properties import (
    IMAGES,
    MISSING,
    agents,
    check_kept,
    check_promise,
    containers,
    contexts,
    flags,
    plugins,
    read_pod,
    run,
    sandboxes,
    settings,
    uids,
)

documents = st.one_of(sandboxes(), agents())


def make_operations(document: dict[str, Any], chosen: Settings) -> list[dict[str, Any]]:
    """The operations of the document's patch; none where there is nothing to add."""
    import json

    result = render(json.dumps(document).encode(), chosen, plugins(), keep_decisions=True)
    patches, findings = make_patches(result.decisions)
    assert not findings
    loaded = load_patches(format_patches(patches))
    assert len(loaded) == bool(result.additions)
    return loaded[0][1] if loaded else []


@given(documents, settings)
def test_a_patch_adds_what_rendering_adds(document: dict[str, Any], chosen: Settings) -> None:
    rendered, _ = run(document, chosen)
    operations = make_operations(document, chosen)
    assert apply_patch(document, operations) == rendered
    kinds = [operation["op"] for operation in operations]
    assert kinds == sorted(kinds, reverse=True), "tests come first"


@given(documents, settings)
def test_a_patch_does_not_apply_twice(document: dict[str, Any], chosen: Settings) -> None:
    operations = make_operations(document, chosen)
    if operations:
        once = apply_patch(document, operations)
        try:
            apply_patch(once, operations)
        except PatchFailed:
            return
        raise AssertionError("a patch replaces what it has added itself")


@st.composite
def changed(draw: st.DrawFn, document: dict[str, Any]) -> dict[str, Any]:
    """The document as it may be some months later: a few things are otherwise."""
    document = deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        draw(st.sampled_from([change_context, change_image, change_list, change_skills]))(draw, document)
    return document


def find_pod(document: dict[str, Any]) -> dict[str, Any]:
    spec = document["spec"]
    found: dict[str, Any] = spec["podTemplate"]["spec"] if "podTemplate" in spec else spec["byo"]["deployment"]
    return found


def find_lists(document: dict[str, Any]) -> list[str]:
    return ["initContainers", "containers"] if document["kind"] == "Sandbox" else ["extraContainers"]


def find_holders(document: dict[str, Any]) -> list[tuple[dict[str, Any], str]]:
    """Whatever can hold a context, and the key that it has there."""
    pod = find_pod(document)
    made = [container for name in find_lists(document) for container in pod.get(name, [])]
    holders = [(container, "securityContext") for container in made]
    own = ["securityContext"] if document["kind"] == "Sandbox" else ["securityContext", "podSecurityContext"]
    return [*((pod, key) for key in own), *holders]


def change_context(draw: st.DrawFn, document: dict[str, Any]) -> None:
    holder, key = draw(st.sampled_from(find_holders(document)))
    context = holder.get(key)
    if context and draw(st.booleans()):
        name, values = draw(st.sampled_from([("runAsUser", uids), ("runAsNonRoot", flags)]))
        put(context, name, draw(values))
    else:
        put(holder, key, draw(contexts()))


def change_image(draw: st.DrawFn, document: dict[str, Any]) -> None:
    pod = find_pod(document)
    made = [container for name in find_lists(document) for container in pod.get(name, [])]
    if document["kind"] == "SandboxAgent":
        made.append(pod)
    draw(st.sampled_from(made))["image"] = draw(st.sampled_from(IMAGES))


def change_list(draw: st.DrawFn, document: dict[str, Any]) -> None:
    pod, name = find_pod(document), draw(st.sampled_from(find_lists(document)))
    made = pod.setdefault(name, [])
    if len(made) > 1 and draw(st.booleans()):
        made.pop(draw(st.integers(0, len(made) - 1)))
    else:
        made.insert(draw(st.integers(0, len(made))), draw(containers("late")))
    if draw(st.booleans()):
        made.reverse()


def change_skills(draw: st.DrawFn, document: dict[str, Any]) -> None:
    document["spec"]["skills"] = {"refs": draw(st.lists(st.sampled_from(["x", "y"]), max_size=2))}


def put(holder: dict[str, Any], key: str, value: Any) -> None:
    holder.pop(key, None)
    if value is not MISSING:
        holder[key] = value


@given(st.data(), documents, settings)
def test_a_stale_patch_fails_or_does_no_harm(data: st.DataObject, document: dict[str, Any], chosen: Settings) -> None:
    """Whoever runs afterwards is who would run anyway: what rendering promises, too."""
    operations = make_operations(document, chosen)
    later = data.draw(changed(document))
    try:
        patched = apply_patch(later, operations)
    except PatchFailed:
        return
    check_kept(later, patched)
    check_promise(read_pod(later), read_pod(patched), chosen)
