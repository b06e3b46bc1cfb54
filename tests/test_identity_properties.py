"""The promise of the rule, over random pods and random images: it states who runs, it never changes who runs.

The oracle here knows how Kubernetes reads a pod (own value, else the pod's), and nothing of the code under test.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from postrenderer.hookspecs import hookimpl
from postrenderer.images import ImageReference
from postrenderer.model import Identity, Settings
from postrenderer.pipeline import Result, render
from postrenderer.plugins import Plugins

FIELDS = ("runAsNonRoot", "runAsUser")
MISSING = object()
IMAGES = (
    "x/unknown",
    "x/root",
    "x/uid-1001",
    "x/uid-2002",
    "x/named-1001",
    "x/named-3003",
    "x/uid-70000",
    "x/named-500",
)


class Table:
    """A plugin that knows images by their names: root, `uid-N`, `named-N`."""

    @hookimpl
    def image_identity(self, image: ImageReference) -> Identity | None:
        uid, named = read_image(image.text)
        return None if uid is None else Identity(uid, named=named, source="the test's table")


@lru_cache(maxsize=1)
def plugins() -> Plugins:
    return Plugins([("table", Table())])


def read_image(image: Any) -> tuple[int | None, bool]:
    """Whom an image runs as, and whether its user is a name."""
    match = re.fullmatch(r"x/(uid|named)-(\d+)", str(image))
    if match:
        return int(match[2]), match[1] == "named"
    return (0 if image == "x/root" else None), False


# What people write, and what they should not.
uids = st.sampled_from([MISSING, MISSING, MISSING, None, 0, 7, 1001, 5000, 70000, "1001", True, 1.5, -1, 2**40, [], {}])
flags = st.sampled_from([MISSING, MISSING, MISSING, None, True, False, "true", 1, [], {}])


@st.composite
def contexts(draw: st.DrawFn) -> Any:
    """A security context: absent, null, empty, or with values of all sorts."""
    kind = draw(st.sampled_from(["absent", "absent", "null", "full", "full", "full"]))
    if kind != "full":
        return MISSING if kind == "absent" else None
    pairs = {"fsGroup": draw(st.sampled_from([MISSING, 1])), FIELDS[0]: draw(flags), FIELDS[1]: draw(uids)}
    return {key: value for key, value in pairs.items() if value is not MISSING}


@st.composite
def containers(draw: st.DrawFn, name: str) -> dict[str, Any]:
    container: dict[str, Any] = {"name": name, "image": draw(st.sampled_from(IMAGES))}
    context = draw(contexts())
    if context is not MISSING:
        container["securityContext"] = context
    return container


settings = st.builds(
    Settings,
    default_uid=st.sampled_from([None, None, None, 1001, 90000]),
    unknown_image=st.sampled_from(["skip", "skip", "nonroot", "fail"]),
    override=st.sampled_from(["fields", "fields", "objects"]),
    levels=st.sampled_from(["both", "both", "container"]),
    scc=st.sampled_from(["none", "none", "none", "restricted-v2", "restricted-v3", "nonroot-v2"]),
    strict=st.booleans(),
)


@dataclass
class Pod:
    """A pod before or after: its context, its containers, what else counts."""

    context: Any
    containers: list[dict[str, Any]]
    contexts: list[Any]
    host_users: Any = None
    windows: bool = False
    injected: bool = False

    def value(self, index: int, name: str) -> Any:
        """Kubernetes' rule: the container's own value, else the pod's; null is absent."""
        for context in (self.contexts[index], self.context):
            if context and context.get(name) is not None:
                return context[name]
        return MISSING

    def is_root_by_choice(self, index: int) -> bool:
        return self.value(index, "runAsNonRoot") is False or is_uid(self.value(index, "runAsUser"), 0)

    def has_identity(self, index: int, uid_applies: bool) -> bool:
        uid = self.value(index, "runAsUser")
        return self.value(index, "runAsNonRoot") is True and (not uid_applies or (is_uid(uid) and uid != 0))


def is_uid(value: Any, wanted: int | None = None) -> bool:
    return type(value) is int and 0 <= value < 2**31 and wanted in (None, value)


@st.composite
def sandboxes(draw: st.DrawFn) -> dict[str, Any]:
    count = draw(st.integers(1, 4))
    inits = draw(st.integers(0, count - 1))
    made = [draw(containers(f"c{index}")) for index in range(count)]
    spec: dict[str, Any] = {"containers": made[inits:]}
    if inits:
        spec["initContainers"] = made[:inits]
        if draw(st.booleans()):
            made[0]["restartPolicy"] = "Always"
    context = draw(contexts())
    if context is not MISSING:
        spec["securityContext"] = context
    host_users = draw(st.sampled_from([MISSING, MISSING, MISSING, None, True, False, "false"]))
    if host_users is not MISSING:
        spec["hostUsers"] = host_users
    if draw(st.sampled_from([False, False, False, False, True])):
        spec["os"] = {"name": "windows"}
    template: dict[str, Any] = {"spec": spec}
    labels = draw(
        st.sampled_from([{}, {}, {"app": "web"}, {"istio.io/rev": "x"}, {"sidecar.istio.io/inject": "false"}])
    )
    if labels:
        template["metadata"] = {"labels": labels}
    return {
        "apiVersion": "agents.x-k8s.io/v1beta1",
        "kind": "Sandbox",
        "metadata": {"name": "random"},
        "spec": {"podTemplate": template},
    }


@st.composite
def agents(draw: st.DrawFn) -> dict[str, Any]:
    """SandboxAgents of type BYO with skills: two containers share a context, a third may have its own."""
    deployment: dict[str, Any] = {"image": draw(st.sampled_from(IMAGES))}
    for key in ("podSecurityContext", "securityContext"):
        context = draw(contexts())
        if context is not MISSING:
            deployment[key] = context
    if draw(st.booleans()):
        deployment["extraContainers"] = [draw(containers("extra"))]
    if draw(st.sampled_from([False, False, True])):
        deployment["annotations"] = {"linkerd.io/inject": "enabled"}
    return {
        "apiVersion": "kagent.dev/v1alpha2",
        "kind": "SandboxAgent",
        "metadata": {"name": "random"},
        "spec": {"type": "BYO", "skills": {"refs": ["x"]}, "byo": {"deployment": deployment}},
    }


def read_pod(document: dict[str, Any]) -> Pod:
    spec = document["spec"]
    if document["kind"] == "Sandbox":
        template = spec["podTemplate"]
        pod = template["spec"]
        made = [*pod.get("initContainers", []), *pod["containers"]]
        return Pod(
            pod.get("securityContext"),
            made,
            [container.get("securityContext") for container in made],
            pod.get("hostUsers"),
            "os" in pod,
            "istio.io/rev" in template.get("metadata", {}).get("labels", {}),
        )
    deployment = spec["byo"]["deployment"]
    shared = deployment.get("securityContext")
    made = [
        {"name": "skills-init", "image": "x/uid-1001"},  # what the built-in table says of kagent's own
        {"name": "kagent", "image": deployment["image"]},
        *deployment.get("extraContainers", []),
    ]
    own = [container.get("securityContext") for container in made[2:]]
    return Pod(deployment.get("podSecurityContext"), made, [shared, shared, *own], injected="annotations" in deployment)


def run(document: dict[str, Any], settings: Settings) -> tuple[dict[str, Any], Result]:
    result = render(json.dumps(document).encode(), settings, plugins())
    return json.loads(b"".join(result.pieces)), result


def check_kept(before: Any, after: Any) -> None:
    """Nothing that was written is changed, lost or moved; only the two fields and contexts for them are new."""
    if isinstance(before, dict):
        assert list(before) == [key for key in after if key in before]
        assert set(after) - set(before) <= {"securityContext", "podSecurityContext", *FIELDS}
        for key, value in before.items():
            if value is not None or key not in (*FIELDS, "securityContext", "podSecurityContext"):
                check_kept(value, after[key])
    elif isinstance(before, list):
        assert len(before) == len(after)
        for one, other in zip(before, after, strict=True):
            check_kept(one, other)
    else:
        assert type(before) is type(after)
        assert before == after


def check_promise(before: Pod, after: Pod, settings: Settings) -> None:
    """Who runs afterwards is who would run anyway, and whoever starts today still starts."""
    for index, container in enumerate(before.containers):
        uid, named = read_image(container["image"])
        uid = settings.default_uid if uid is None else uid
        own = before.value(index, "runAsUser")
        new = after.value(index, "runAsUser")
        if own is not MISSING:
            assert new is own or new == own
        else:
            assert new is MISSING or (new == uid and new != 0)
        if before.is_root_by_choice(index):
            assert new is own or new == own
            assert after.value(index, "runAsNonRoot") == before.value(index, "runAsNonRoot")
        if after.value(index, "runAsNonRoot") is True and before.value(index, "runAsNonRoot") is MISSING:
            knows = bool(uid) or (uid is None and settings.unknown_image == "nonroot")
            assert knows or (is_uid(new) and new != 0)
            if named and settings.scc != "restricted-v2":
                assert is_uid(new)
                assert new != 0


def check_limits(before: Pod, after: Pod, settings: Settings) -> None:
    """What is written is written only where it may be."""
    pairs = [(before.context, after.context), *zip(before.contexts, after.contexts, strict=True)]
    for level, (old, new) in enumerate(pairs):
        added = {
            name: new[name] for name in FIELDS if (new or {}).get(name) is not None and (old or {}).get(name) is None
        }
        if level == 0 and added:
            assert old is None
            assert settings.levels == "both"
            assert not before.injected
        if old is not None and settings.override == "objects":
            assert not added
        if "runAsUser" in added:
            assert not before.windows
            assert settings.scc != "restricted-v2"
            assert before.host_users is not False or added["runAsUser"] <= 65535
            assert settings.scc != "restricted-v3" or 1000 <= added["runAsUser"] <= 65534
        if level == 0 and added:
            assert ("runAsUser" in added) == uid_applies(before, settings), "all that applies, or nothing"
        places = [list(new).index(name) for name in FIELDS if name in added and (old is None or name not in old)]
        assert places == sorted(places)


def uid_applies(pod: Pod, settings: Settings) -> bool:
    return not pod.windows and settings.scc != "restricted-v2"


def check_complete(before: Pod, after: Pod, settings: Settings) -> None:
    """Under `fields` every known image that is not root, and that no limit stands against, has its identity."""
    if settings.override != "fields" or before.host_users is False or settings.scc == "restricted-v3":
        return
    for index, container in enumerate(before.containers):
        uid, named = read_image(container["image"])
        uid = settings.default_uid if uid is None else uid
        values = [before.value(index, name) for name in FIELDS]
        is_valid = (values[0] is MISSING or values[0] is True) and (values[1] is MISSING or is_uid(values[1]))
        if uid and is_valid and not before.is_root_by_choice(index) and not (named and before.windows):
            assert after.has_identity(index, uid_applies(before, settings))


def check_pod_level(before: Pod, after: Pod, settings: Settings) -> None:
    """The pod's own context is made where all agree: one UID, nobody who is unknown or root."""
    images = {read_image(container["image"])[0] for container in before.containers}
    plain = not before.windows and before.host_users is not False and settings.scc == "none"
    untouched = before.context is None and all(not context for context in before.contexts)
    if plain and untouched and settings.levels == "both" and not before.injected and settings.default_uid is None:
        expected = len(images) == 1 and images.isdisjoint({None, 0})
        assert (after.context is not None) == expected


def check_report(before: Pod, after: Pod, settings: Settings, result: Result) -> None:
    """Whoever ends up without an identity is named, with the image; policies count the same ones."""
    lacking, unknown = 0, 0
    for index, container in enumerate(before.containers):
        if after.has_identity(index, uid_applies(before, settings)) and not before.is_root_by_choice(index):
            continue
        lacking += 1
        if read_image(container["image"])[0] is None and settings.default_uid is None:
            unknown += not before.is_root_by_choice(index)
        image = (
            container["image"].removeprefix("x/uid-1001") if container["name"] == "skills-init" else container["image"]
        )
        said = [finding for finding in result.findings if f"container {container['name']} (" in finding.message]
        assert any(finding.level != "note" and image in finding.message for finding in said)
    expected = lacking * settings.strict + unknown * (settings.unknown_image == "fail")
    assert len(result.failures) == expected
    added = [finding for finding in result.findings if finding.id == "identity-defaulted"]
    assert len(added) == result.additions
    assert all(finding.origin for finding in added)
    is_pod = [finding.path[-1] == "podSecurityContext" or finding.path[-2] == "spec" for finding in added]
    assert is_pod == sorted(is_pod, reverse=True), "pod before containers"


def check_all(document: dict[str, Any], settings: Settings, *, complete: bool = True) -> None:
    output, result = run(document, settings)
    before, after = read_pod(document), read_pod(output)
    check_kept(document, output)
    check_promise(before, after, settings)
    check_limits(before, after, settings)
    if complete:
        check_complete(before, after, settings)
        check_pod_level(before, after, settings)
    check_report(before, after, settings, result)
    again, second = run(output, replace(settings, strict=False))
    assert second.additions == 0
    assert again == output


@given(sandboxes(), settings)
def test_sandbox(document: dict[str, Any], settings: Settings) -> None:
    check_all(document, settings)


@given(agents(), settings)
def test_shared_context(document: dict[str, Any], settings: Settings) -> None:
    check_all(document, settings, complete=False)
