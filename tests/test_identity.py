"""The rule, sentence by sentence, with every setting. (The worked cases are text, in `tests/cases`.)"""

from __future__ import annotations

from typing import Any

import pytest

from postrenderer.identity import decide, extend_decision
from postrenderer.images import resolve_identity
from postrenderer.kinds.sandbox import read_sandbox
from postrenderer.model import (
    Addition,
    Identity,
    Image,
    Location,
    Refused,
    Resource,
    ResourceId,
    Settings,
    Workload,
)
from postrenderer.yaml import load_tree
from tests.test_identity_properties import read_pod, run

BOTH = {"runAsNonRoot": True, "runAsUser": 1001}
NON_ROOT = {"runAsNonRoot": True}
USER = {"runAsUser": 1001}
ABSENT = "absent"
KNOWN, OTHER, NAMED, UNKNOWN, ROOT = "x/uid-1001", "x/uid-2002", "x/named-1001", "x/unknown", "x/root"


def rule(
    *containers: Any, pod: Any = ABSENT, init: Any = (), labels: Any = None, spec: Any = None, **settings: Any
) -> list[Any]:
    """The contexts after the rule: the pod's, then those of init and of regular containers; None where there is none.

    A container is its image, or its image and its context.
    """
    document: dict[str, Any] = {
        "apiVersion": "agents.x-k8s.io/v1beta1",
        "kind": "Sandbox",
        "metadata": {"name": "web"},
        "spec": {"podTemplate": {"metadata": {"labels": labels}, "spec": dict(spec or {})}},
    }
    target = document["spec"]["podTemplate"]["spec"]
    target["containers"] = [_container(index, entry) for index, entry in enumerate(containers)]
    if init:
        target["initContainers"] = [_container(f"init{index}", entry) for index, entry in enumerate(init)]
    if pod != ABSENT:
        target["securityContext"] = pod
    output, _ = run(document, Settings(**settings))
    after = read_pod(output | {"spec": {"podTemplate": output["spec"]["podTemplate"] | {"metadata": {}}}})
    return [after.context, *after.contexts]


def _container(name: Any, entry: Any) -> dict[str, Any]:
    image, *context = entry if isinstance(entry, tuple) else (entry,)
    return {"name": f"c{name}", "image": image} | ({"securityContext": context[0]} if context else {})


class TestPodContext:
    """Step 1: created with all fields that apply, or not at all."""

    def test_all_agree(self) -> None:
        assert rule(KNOWN, NAMED, init=[KNOWN]) == [BOTH, BOTH, BOTH, BOTH]

    def test_two_uids(self) -> None:
        assert rule(KNOWN, OTHER) == [None, BOTH, {"runAsNonRoot": True, "runAsUser": 2002}]

    @pytest.mark.parametrize("other", [UNKNOWN, ROOT])
    def test_somebody_has_no_answer(self, other: str) -> None:
        assert rule(KNOWN, other) == [None, BOTH, None]

    def test_root_by_choice_has_none_either(self) -> None:
        assert rule(KNOWN, (KNOWN, {"runAsUser": 0})) == [None, BOTH, {"runAsUser": 0}]

    def test_root_by_choice_with_own_values_inherits_nothing(self) -> None:
        root = {"runAsUser": 0, "runAsNonRoot": False}
        assert rule(KNOWN, (UNKNOWN, root)) == [BOTH, BOTH, root]

    def test_own_values_stand_for_an_answer(self) -> None:
        own = {"runAsUser": 7, "runAsNonRoot": True}
        assert rule(KNOWN, (UNKNOWN, own)) == [BOTH, BOTH, own]

    def test_one_own_value_is_not_enough(self) -> None:
        assert rule(KNOWN, (UNKNOWN, NON_ROOT)) == [None, BOTH, NON_ROOT]

    def test_an_own_uid_lets_an_unknown_image_inherit_the_rest(self) -> None:
        assert rule(KNOWN, (UNKNOWN, {"runAsUser": 7})) == [BOTH, BOTH, {"runAsUser": 7}]

    def test_answers_of_containers_with_own_values_count(self) -> None:
        own = {"runAsUser": 7, "runAsNonRoot": True}
        assert rule(KNOWN, (OTHER, own)) == [None, BOTH, own]

    def test_nobody_needs_it(self) -> None:
        own = {"runAsUser": 7, "runAsNonRoot": True}
        assert rule((KNOWN, own)) == [None, own]

    def test_a_field_that_nobody_needs_is_no_reason(self) -> None:
        """All or nothing: `runAsUser` is needed by nobody, so the pod does not get `runAsNonRoot` either."""
        assert rule((KNOWN, {"runAsUser": 7})) == [None, {"runAsUser": 7, "runAsNonRoot": True}]

    @pytest.mark.parametrize("pod", [{}, {"fsGroup": 1}, {"runAsUser": 5000}, {"runAsNonRoot": True}])
    def test_what_the_user_wrote_is_never_touched(self, pod: Any) -> None:
        assert rule(KNOWN, pod=pod)[0] == pod

    def test_null_is_absent(self) -> None:
        assert rule((KNOWN, None), pod=None) == [BOTH, BOTH]

    def test_levels_container(self) -> None:
        assert rule(KNOWN, KNOWN, levels="container") == [None, BOTH, BOTH]

    def test_an_injected_sidecar_would_inherit_it(self) -> None:
        assert rule(KNOWN, labels={"sidecar.istio.io/inject": "true"}) == [None, BOTH]
        assert rule(KNOWN, labels={"sidecar.istio.io/inject": "false"}) == [BOTH, BOTH]


class TestContainerContext:
    """Steps 2 and 3: a missing context is created, a supplied one completed."""

    @pytest.mark.parametrize(
        ("pod", "context"),
        [
            ({"runAsUser": 5000}, NON_ROOT),
            ({"runAsNonRoot": True}, USER),
            ({"runAsUser": 5000, "runAsNonRoot": True}, None),
            ({"fsGroup": 1}, BOTH),
            ({"runAsUser": None, "runAsNonRoot": None}, BOTH),
        ],
    )
    def test_missing(self, pod: Any, context: Any) -> None:
        assert rule(KNOWN, pod=pod) == [pod, context]

    def test_missing_beside_a_new_pod_context(self) -> None:
        assert rule(KNOWN) == [BOTH, BOTH]

    def test_supplied_beside_a_new_pod_context(self) -> None:
        assert rule((KNOWN, {})) == [BOTH, {}]
        assert rule((KNOWN, NON_ROOT), KNOWN) == [BOTH, NON_ROOT, BOTH]

    @pytest.mark.parametrize(
        ("own", "after"),
        [
            ({}, BOTH),
            ({"privileged": False}, {"privileged": False, **BOTH}),
            ({"runAsUser": 7}, {"runAsUser": 7, "runAsNonRoot": True}),
            (NON_ROOT, BOTH),
            ({"runAsUser": None}, BOTH),
        ],
    )
    def test_supplied(self, own: Any, after: Any) -> None:
        assert rule((KNOWN, own), pod={"fsGroup": 1}) == [{"fsGroup": 1}, after]
        assert rule((KNOWN, own), pod={"fsGroup": 1}, override="objects") == [{"fsGroup": 1}, own]

    def test_objects_still_creates(self) -> None:
        assert rule(KNOWN, pod={"fsGroup": 1}, override="objects") == [{"fsGroup": 1}, BOTH]
        assert rule((KNOWN, {}), KNOWN, override="objects") == [BOTH, {}, BOTH]

    def test_the_users_uid_answers_run_as_non_root_for_any_image(self) -> None:
        for image in (KNOWN, NAMED, UNKNOWN, ROOT):
            assert rule(image, pod={"runAsUser": 7}) == [{"runAsUser": 7}, NON_ROOT]
            assert rule((image, {"runAsUser": 7})) == [None, {"runAsUser": 7, "runAsNonRoot": True}]

    def test_the_container_wins_over_the_pod(self) -> None:
        root = {"runAsUser": 0, "runAsNonRoot": False}
        assert rule((KNOWN, {"runAsUser": 7}), pod={"runAsUser": 0})[1] == {"runAsUser": 7, "runAsNonRoot": True}
        assert rule((KNOWN, NON_ROOT), pod={"runAsNonRoot": False})[1] == BOTH
        assert rule((KNOWN, root), pod={"runAsUser": 7}) == [{"runAsUser": 7}, root]


class TestRoot:
    @pytest.mark.parametrize(
        "context", [{"runAsUser": 0}, {"runAsNonRoot": False}, {"runAsUser": 7, "runAsNonRoot": False}]
    )
    @pytest.mark.parametrize("override", ["fields", "objects"])
    def test_root_by_choice_is_never_changed(self, context: Any, override: str) -> None:
        assert rule((KNOWN, context), override=override) == [None, context]
        assert rule(KNOWN, (KNOWN, {}), pod=context, override=override) == [context, None, {}]

    def test_false_is_not_0(self) -> None:
        """`runAsUser: false` is invalid; Python would take it for 0."""
        assert rule((KNOWN, {"runAsUser": False}))[1] == {"runAsUser": False, "runAsNonRoot": True}

    def test_root_image(self) -> None:
        assert rule(ROOT) == [None, None]
        assert rule(ROOT, default_uid=7, unknown_image="nonroot") == [None, None], "it is not unknown"


class TestNamedUser:
    """The kubelet refuses `runAsNonRoot` for an image whose user is a name, unless there is a number."""

    def test_with_a_number(self) -> None:
        assert rule(NAMED) == [BOTH, BOTH]

    def test_the_users_number_will_do(self) -> None:
        assert rule(NAMED, pod={"runAsUser": 7}) == [{"runAsUser": 7}, NON_ROOT]

    def test_without_a_number(self) -> None:
        assert rule("x/named-70000", spec={"hostUsers": False}) == [None, None]
        assert rule("x/uid-70000", spec={"hostUsers": False}) == [None, NON_ROOT]
        assert rule("x/named-500", scc="restricted-v3") == [None, None]
        assert rule(NAMED, spec={"os": {"name": "windows"}}) == [None, None]
        assert rule((NAMED, {"runAsUser": "7"})) == [None, {"runAsUser": "7"}]

    def test_restricted_v2_gives_the_number(self) -> None:
        assert rule(NAMED, scc="restricted-v2") == [NON_ROOT, NON_ROOT]


class TestInvalidValues:
    @pytest.mark.parametrize("uid", ["1001", True, 1.5, -1, 2**31, [], {}, "", "root"])
    def test_they_are_user_values_all_the_same(self, uid: Any) -> None:
        context = {"runAsUser": uid}
        assert rule((KNOWN, context), pod={"fsGroup": 1})[1] == {"runAsUser": uid, "runAsNonRoot": True}
        assert rule((UNKNOWN, context)) == [None, context], "no number, so no answer"
        assert rule(KNOWN, pod=context) == [context, NON_ROOT]

    @pytest.mark.parametrize("flag", ["true", "false", 0, 1, [], ""])
    def test_flags(self, flag: Any) -> None:
        context = {"runAsNonRoot": flag}
        assert rule((KNOWN, context), pod={"fsGroup": 1})[1] == {"runAsNonRoot": flag, "runAsUser": 1001}


class TestLimits:
    @pytest.mark.parametrize("pod", [ABSENT, {"fsGroup": 1}])
    def test_windows(self, pod: Any) -> None:
        before = None if pod == ABSENT else pod
        assert rule(KNOWN, pod=pod, spec={"os": {"name": "windows"}}) == [before or NON_ROOT, NON_ROOT]
        assert rule(KNOWN, OTHER, spec={"os": {"name": "windows"}}) == [NON_ROOT] * 3

    @pytest.mark.parametrize(
        ("host_users", "uid", "fits"),
        [(False, 65535, True), (False, 65536, False), (True, 65536, True), (None, 65536, True), ("false", 65536, True)],
    )
    def test_host_users(self, host_users: Any, uid: int, fits: bool) -> None:
        both = {"runAsNonRoot": True, "runAsUser": uid}
        expected = [both, both] if fits else [None, NON_ROOT]
        assert rule(f"x/uid-{uid}", spec={"hostUsers": host_users}) == expected

    @pytest.mark.parametrize(("uid", "fits"), [(999, False), (1000, True), (65534, True), (65535, False)])
    def test_restricted_v3(self, uid: int, fits: bool) -> None:
        both = {"runAsNonRoot": True, "runAsUser": uid}
        assert rule(f"x/uid-{uid}", scc="restricted-v3") == ([both, both] if fits else [None, NON_ROOT])

    def test_restricted_v2_gets_no_uid(self) -> None:
        assert rule(KNOWN, OTHER, scc="restricted-v2") == [NON_ROOT] * 3
        assert rule(UNKNOWN, scc="restricted-v2") == [None, None]

    def test_nonroot_v2_keeps_the_images_uid(self) -> None:
        assert rule("x/uid-70000", scc="nonroot-v2")[0] == {"runAsNonRoot": True, "runAsUser": 70000}


class TestUnknownImages:
    def test_skip(self) -> None:
        assert rule(UNKNOWN, unknown_image="skip") == [None, None]

    def test_nonroot(self) -> None:
        assert rule(UNKNOWN, unknown_image="nonroot") == [None, NON_ROOT]
        assert rule(UNKNOWN, KNOWN, unknown_image="nonroot") == [None, NON_ROOT, BOTH]
        assert rule((UNKNOWN, {"runAsNonRoot": False}), unknown_image="nonroot") == [None, {"runAsNonRoot": False}]
        assert rule(UNKNOWN, unknown_image="nonroot", scc="restricted-v2") == [NON_ROOT, NON_ROOT]

    def test_default_uid(self) -> None:
        assert rule(UNKNOWN, KNOWN, default_uid=1001) == [BOTH] * 3
        assert rule(UNKNOWN, KNOWN, default_uid=7)[0] is None
        assert rule((None, {}), default_uid=1001) == [BOTH, {}], "a missing image is unknown"

    def test_the_users_table_comes_first(self) -> None:
        both = {"runAsNonRoot": True, "runAsUser": 7}
        for image in (KNOWN, ROOT, UNKNOWN):
            assert rule(image, image_uid=((image, 7),), default_uid=9) == [both, both]


POD = """\
kind: Sandbox
spec:
  podTemplate:
    spec:
      containers:
      - name: main
        image: app
"""


def make_workload(text: str = POD) -> Workload:
    tree = load_tree(text)
    assert tree is not None
    resource_id = ResourceId("agents.x-k8s.io/v1beta1", "Sandbox", "", "web")
    resource = Resource(resource_id, "agents.x-k8s.io", "v1beta1", tree.root, (), Location("test", 1, 1))
    workload = read_sandbox(resource, Settings())
    assert isinstance(workload, Workload)
    return workload


def identify(image: Image | None) -> Identity:
    return Identity(1001, source="a test")


class TestDecision:
    def test_order(self) -> None:
        """Pod before containers, `runAsNonRoot` before `runAsUser`."""
        pod, container = ("spec", "podTemplate", "spec", "securityContext"), ("containers", 0, "securityContext")
        additions = decide(make_workload(), identify, Settings()).additions
        assert [(addition.path, addition.key) for addition in additions] == [
            (pod, "runAsNonRoot"),
            (pod, "runAsUser"),
            ((*pod[:-1], *container), "runAsNonRoot"),
            ((*pod[:-1], *container), "runAsUser"),
        ]

    @pytest.mark.parametrize(
        ("context", "settings", "origins"),
        [
            ("{}", Settings(image_uid=(("app", 7),)), {"image-uid app=7"}),
            ("{}", Settings(default_uid=7), {"default-uid 7"}),
            ("{}", Settings(unknown_image="nonroot"), {"unknown-image nonroot"}),
            ("{runAsUser: 7}", Settings(default_uid=9), {"the user's runAsUser 7"}),
        ],
    )
    def test_origins(self, context: str, settings: Settings, origins: set[str]) -> None:
        workload = make_workload(f"{POD}        securityContext: {context}\n")
        decision = decide(workload, lambda image: resolve_identity(image, settings, lambda _: None), settings)
        assert {addition.origin for addition in decision.additions} == origins

    def test_further_additions_count(self) -> None:
        workload = make_workload(f"{POD}        securityContext: {{runAsNonRoot: true}}\n")
        decision = decide(workload, lambda _: Identity(None), Settings())
        assert not decision.outcomes[0].effective.has_identity
        further = Addition(workload.containers[0].context.path, "runAsUser", 7, "plugin x")
        extended = extend_decision(workload, decision, [further], Settings())
        assert extended.additions == (further,)
        assert extended.outcomes[0].effective.has_identity

    def test_further_additions_may_not_contradict(self) -> None:
        workload = make_workload()
        decision = decide(workload, identify, Settings())
        further = Addition(workload.pod.path, "runAsUser", 7, "plugin x")
        with pytest.raises(Refused, match=r"plugin x: cannot add spec.*runAsUser to Sandbox/web: .*\(a test\)"):
            extend_decision(workload, decision, [further], Settings())
