"""The stream as a whole: Lists, the skip annotation, choices of kinds, policies, refusals."""

from __future__ import annotations

from typing import Any

import pytest

from postrenderer.hookspecs import Addition, hookimpl
from postrenderer.model import PolicyFailure, Refused, Settings
from postrenderer.pipeline import render
from postrenderer.plugins import Plugins
from tests.support import check_noop, check_transformed, run

KNOWN = "cr.kagent.dev/kagent-dev/kagent/app:0.9.4"
SKIP = "annotations: {sandbox-postrenderer.io/skip: true}"
SHARED = """\
apiVersion: kagent.dev/v1alpha2
kind: SandboxAgent
spec: {type: BYO, skills: {refs: [a]}, byo: {deployment: {image: x}}}
"""
SPEC = f'spec: {{podTemplate: {{spec: {{containers: [{{name: main, image: "{KNOWN}"}}]}}}}}}'


def sandbox(metadata: str = "name: web", image: str = KNOWN, context: str = "", kind: str = "Sandbox") -> str:
    group = "agents.x-k8s.io" if kind == "Sandbox" else "extensions.agents.x-k8s.io"
    return f"""\
apiVersion: {group}/v1beta1
kind: {kind}
metadata: {{{metadata}}}
spec:
  podTemplate:
    spec:
      containers:
      - name: main
        image: {image}
""" + (f"        securityContext: {context}\n" if context else "")


def ids(text: str, **settings: Any) -> list[str]:
    return [finding.id for finding in run(text, **settings).findings]


class TestLists:
    BEFORE = f"""\
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: ConfigMap
  metadata: {{name: a}}
- apiVersion: agents.x-k8s.io/v1beta1
  kind: Sandbox
  metadata: {{name: b}}
  {SPEC}
- apiVersion: v1
  kind: List
  items:
  - apiVersion: agents.x-k8s.io/v1beta1
    kind: Sandbox
    {SPEC}
"""

    def test_one_level(self) -> None:
        context = "securityContext: {runAsNonRoot: true, runAsUser: 1001}"
        container = f'containers: [{{name: main, image: "{KNOWN}"'
        after = self.BEFORE.replace(f"{container}}}]}}", f"{container}, {context}}}], {context}}}", 1)
        result = check_transformed(self.BEFORE, after)
        assert result.resources == 1
        assert {finding.path[:2] for finding in result.findings} == {("items", 1)}

    @pytest.mark.parametrize(
        ("api_version", "kind", "spec"),
        [
            ("agents.x-k8s.io/v1beta1", "SandboxList", SPEC),
            ("extensions.agents.x-k8s.io/v1alpha1", "SandboxTemplateList", SPEC),
            ("kagent.dev/v1alpha2", "SandboxAgentList", "spec: {declarative: {}}"),
        ],
    )
    def test_typed_list_whose_items_say_nothing(self, api_version: str, kind: str, spec: str) -> None:
        result = run(f"apiVersion: {api_version}\nkind: {kind}\nitems:\n- metadata: {{name: a}}\n  {spec}\n")
        assert (result.resources, result.additions) == (1, 4)
        assert str(result.findings[-1].resource) == f"{kind.removesuffix('List')}/a"
        assert result.findings[-1].resource is not None
        assert result.findings[-1].resource.api_version == api_version

    def test_what_an_item_says_itself_counts(self) -> None:
        text = f"apiVersion: agents.x-k8s.io/v1beta1\nkind: SandboxList\nitems:\n- kind: Other\n  {SPEC}\n"
        assert check_noop(text).resources == 0

    @pytest.mark.parametrize("kind", ["SandboxAgentList", "SandboxTemplateList", "SandboxClaimList"])
    def test_typed_list_of_another_group(self, kind: str) -> None:
        assert check_noop(f"apiVersion: agents.x-k8s.io/v1beta1\nkind: {kind}\nitems:\n- {SPEC}\n").resources == 0

    def test_items_of_a_plain_list_must_say_what_they_are(self) -> None:
        text = f"apiVersion: v1\nkind: List\nitems:\n- kind: Sandbox\n  {SPEC}\n"
        assert check_noop(text).resources == 0

    def test_other_lists_are_not_looked_into(self) -> None:
        item = f"- apiVersion: agents.x-k8s.io/v1\n  kind: Sandbox\n  {SPEC}\n"
        assert check_noop(f"apiVersion: example.com/v1\nkind: WidgetList\nitems:\n{item}").resources == 0

    @pytest.mark.parametrize("items", ["", "null", "[]"])
    def test_empty(self, items: str) -> None:
        assert check_noop(f"apiVersion: agents.x-k8s.io/v1beta1\nkind: SandboxList\nitems: {items}\n").resources == 0

    def test_null_item_is_not_the_one_before(self) -> None:
        text = f"apiVersion: agents.x-k8s.io/v1\nkind: SandboxList\nitems:\n- metadata: {{name: a}}\n  {SPEC}\n- null\n"
        with pytest.raises(Refused, match=r"document 1, line 6: `items\[1\]` must be a mapping, but is null"):
            run(text)

    @pytest.mark.parametrize("items", ["text", "{}"])
    def test_items_of_a_wrong_shape(self, items: str) -> None:
        with pytest.raises(Refused, match="`items` must be a list"):
            run(f"apiVersion: agents.x-k8s.io/v1\nkind: SandboxList\nitems: {items}\n")


class TestSkip:
    @pytest.mark.parametrize("value", ['"true"', "true", "yes", "'true'", "!!str true"])
    def test_skipped(self, value: str) -> None:
        text = sandbox(f"name: web, annotations: {{sandbox-postrenderer.io/skip: {value}}}")
        result = check_noop(text)
        assert [(finding.id, finding.level, finding.line) for finding in result.findings] == [
            ("skipped-by-annotation", "note", 1)
        ]
        assert run(text, honor_skip=False).additions == 4

    @pytest.mark.parametrize("value", ['"false"', "false", '"yes"', "1", "", "null", '""', "[true]"])
    def test_not_skipped(self, value: str) -> None:
        assert run(sandbox(f"name: web, annotations: {{sandbox-postrenderer.io/skip: {value}}}")).additions == 4

    def test_only_the_resources_own_annotation(self) -> None:
        text = sandbox().replace(
            "    spec:", '    metadata: {annotations: {sandbox-postrenderer.io/skip: "true"}}\n    spec:'
        )
        assert run(text).additions == 4
        assert run(sandbox('name: web, labels: {sandbox-postrenderer.io/skip: "true"}')).additions == 4

    def test_nothing_is_looked_at(self) -> None:
        text = sandbox("name: web, annotations: {sandbox-postrenderer.io/skip: true}", context="text")
        assert ids(text) == ["skipped-by-annotation"]

    def test_a_list_is_not_skipped_but_its_items(self) -> None:
        item = f"apiVersion: agents.x-k8s.io/v1, kind: Sandbox, {SPEC}"
        note = "metadata: {annotations: {sandbox-postrenderer.io/skip: true}}"
        assert run(f"apiVersion: v1\nkind: List\n{note}\nitems: [{{{item}}}]\n").additions == 4
        assert run(f"apiVersion: v1\nkind: List\nitems: [{{{item}, {note}}}]\n").additions == 0


class TestKinds:
    TEXT = sandbox() + "---\n" + sandbox(kind="SandboxTemplate")

    @pytest.mark.parametrize(
        ("only", "skip", "resources"),
        [
            ((), (), ["Sandbox", "SandboxTemplate"]),
            (("Sandbox",), (), ["Sandbox"]),
            (("Sandbox.agents.x-k8s.io",), (), ["Sandbox"]),
            (("SandboxTemplate", "SandboxAgent"), (), ["SandboxTemplate"]),
            ((), ("Sandbox",), ["SandboxTemplate"]),
            ((), ("SandboxTemplate.extensions.agents.x-k8s.io",), ["Sandbox"]),
            (("Sandbox",), ("Sandbox.agents.x-k8s.io",), []),
            (("SandboxAgent",), (), []),
        ],
    )
    def test_choice(self, only: tuple[str, ...], skip: tuple[str, ...], resources: list[str]) -> None:
        result = run(self.TEXT, only_kind=only, skip_kind=skip)
        found = {finding.resource.kind for finding in result.findings if finding.resource is not None}
        assert sorted(found) == resources
        assert result.resources == len(resources)

    @pytest.mark.parametrize("name", ["sandbox", "Sandbox.kagent.dev", "Deployment", ""])
    @pytest.mark.parametrize("option", ["only_kind", "skip_kind"])
    def test_misspelt(self, option: str, name: str) -> None:
        with pytest.raises(
            Refused, match=rf"{option.replace('_', '-')}: no kind is called {name}; there are Sandbox, "
        ):
            run("", **{option: (name,)})


class TestStrict:
    @pytest.mark.parametrize(
        ("text", "failures"),
        [
            (sandbox(), 0),
            (sandbox(image="x"), 1),
            (sandbox(image="x", context="{runAsUser: 7}"), 0),
            (sandbox(image="x", context="{runAsNonRoot: true}"), 1),
            (sandbox(context="{runAsUser: 0}"), 1),
            (sandbox(context="{runAsUser: 7, runAsNonRoot: false}"), 1),
            (sandbox(context='{runAsUser: "7"}'), 1),
            (sandbox().replace("containers:", "volumes:"), 0),
            ("apiVersion: kagent.dev/v1alpha3\nkind: SandboxAgent\nspec: {}\n", 0),
            (sandbox("annotations: {sandbox-postrenderer.io/skip: true}"), 1),
            (
                sandbox(
                    "annotations: {sandbox-postrenderer.io/skip: true}", context="{runAsUser: 7, runAsNonRoot: true}"
                ),
                0,
            ),
        ],
    )
    def test_strict(self, text: str, failures: int) -> None:
        assert len(run(text, strict=True).failures) == failures
        assert not run(text).failures

    def test_message(self) -> None:
        failure = run("kind: ConfigMap\n---\n" + sandbox(image="x"), strict=True).failures[0]
        where = "standard input, document 2, Sandbox/web, line 10"
        assert failure == f"{where}: container main (image x) has no runtime identity (strict)"

    def test_init_and_sidecar_containers_count(self) -> None:
        init = "initContainers: [{name: a, image: x}, {name: b, image: x, restartPolicy: Always}]"
        text = sandbox().replace("containers:", f"{init}\n      containers:")
        failures = run(text, strict=True).failures
        assert [failure.partition(" (")[0].rpartition(": ")[2] for failure in failures] == [
            "init container a",
            "sidecar container b",
        ]

    def test_ephemeral_containers_do_not(self) -> None:
        text = sandbox().replace("containers:", "ephemeralContainers: [{name: a, image: x}]\n      containers:")
        assert not run(text, strict=True).failures

    def test_resources_that_are_not_asked_for_do_not_count(self) -> None:
        text = sandbox(image="x")
        assert not run(text, strict=True, skip_kind=("Sandbox",)).failures
        assert not run(text, strict=True, only_kind=("SandboxAgent",)).failures

    def test_no_uid_on_windows_and_restricted_v2(self) -> None:
        text = sandbox(context="{runAsNonRoot: true}", image="x")
        assert not run(text, strict=True, scc="restricted-v2").failures
        assert not run(
            text.replace("      containers:", "      os: {name: windows}\n      containers:"), strict=True
        ).failures
        assert run(text, strict=True, scc="nonroot-v2").failures

    def test_root_by_choice_fails_also_where_no_uid_is_needed(self) -> None:
        text = sandbox(context="{runAsNonRoot: true, runAsUser: 0}")
        assert run(text, strict=True, scc="restricted-v2").failures

    def test_shared_context(self) -> None:
        failures = run(SHARED, strict=True).failures
        assert len(failures) == 2
        assert "init container skills-init" in failures[0]
        assert "container kagent (image x)" in failures[1]


class TestUnknownImageFail:
    @pytest.mark.parametrize(
        ("text", "failures"),
        [
            (sandbox(), 0),
            (sandbox(image="x"), 1),
            (sandbox(image='""'), 1),
            (sandbox(image="x", context="{runAsUser: 7}"), 0),
            (sandbox(image="x", context="{runAsNonRoot: true}"), 1),
            (sandbox(image="x", context="{runAsUser: 0}"), 0),
            (sandbox(image="x", context="{runAsNonRoot: false}"), 0),
            (sandbox(image="cr.kagent.dev/kagent-dev/kagent/skills-init:0.9.0"), 0),
            (sandbox(SKIP, image="x"), 0),
        ],
    )
    def test_fail(self, text: str, failures: int) -> None:
        assert len(run(text, unknown_image="fail").failures) == failures

    def test_message(self) -> None:
        failure = run(sandbox(image="x"), unknown_image="fail").failures[0]
        assert failure.endswith(
            "container main (image x) has no identity, and nobody knows its image (unknown-image: fail)"
        )

    def test_in_a_shared_context_only_the_unknown_one_fails(self) -> None:
        failures = run(SHARED, unknown_image="fail").failures
        assert len(failures) == 1
        assert "container kagent (image x)" in failures[0]


class TestRefused:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            (sandbox() + "bad: [", r"document 1, line \d+: "),
            (sandbox().replace("kind:", "kind: Sandbox\nkind:"), "the key `kind` stands twice"),
            ("---" + sandbox(), "the marker `---` is glued"),
            (
                sandbox(context="{runAsUser: 1, runAsUser: 2}"),
                r"Sandbox/web, line 10: the key `runAsUser` stands twice",
            ),
        ],
    )
    def test_refused(self, text: str, message: str) -> None:
        with pytest.raises(Refused, match=message):
            run(text)

    def test_too_large(self) -> None:
        with pytest.raises(Refused, match="larger than 10 bytes; raise the limit with --max-input"):
            run(sandbox(), max_input=10)

    @pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
    def test_encoding(self, encoding: str) -> None:
        with pytest.raises(Refused, match=r"is UTF-(16|32); convert it to UTF-8"):
            run(sandbox().encode(encoding))

    def test_not_utf8(self) -> None:
        with pytest.raises(Refused, match="line 3: the byte 0xe9 is not UTF-8"):
            run(sandbox("name: caf\u00e9").encode("latin-1"))


class TestTemplates:
    TEMPLATE = sandbox() + "{{- if .Values.x }}\n"

    def render(self, text: str, *, is_file: bool) -> Any:
        return render(text.encode(), Settings(), Plugins(), source="web.yaml", is_file=is_file)

    def test_a_file_is_copied(self) -> None:
        result = self.render(sandbox() + "---\n" + self.TEMPLATE, is_file=True)
        assert b"".join(result.pieces).decode() == sandbox() + "---\n" + self.TEMPLATE
        assert [(finding.id, finding.level) for finding in result.findings] == [("template-not-rendered", "warning")]
        assert result.additions == 0

    def test_a_stream_is_not(self) -> None:
        with pytest.raises(Refused):
            self.render(self.TEMPLATE, is_file=False)

    def test_braces_elsewhere_are_no_excuse(self) -> None:
        """A ConfigMap with a Go template in it does not make the broken Sandbox beside it one."""
        text = "kind: ConfigMap\ndata: {a: '{{ .x }}'}\n---\n" + sandbox() + "bad: ["
        with pytest.raises(Refused, match="document 2"):
            self.render(text, is_file=True)


class Adds:
    """A plugin with further additions."""

    def __init__(self, key: str, value: Any) -> None:
        self.addition = (key, value)

    @hookimpl
    def additions(self, workload: Any) -> list[Addition]:
        key, value = self.addition
        return [Addition(container.context.path, key, value) for container in workload.containers]


class TestPlugins:
    def render(self, text: str, plugin: Any, **settings: Any) -> Any:
        return render(text.encode(), Settings(**settings), Plugins([("adds", plugin)]))

    def test_additions_are_reported(self) -> None:
        result = self.render(sandbox(context="{}"), Adds("privileged", False))
        assert b"securityContext: {privileged: false}" in b"".join(result.pieces)
        finding = result.findings[-1]
        assert (finding.id, finding.field, finding.value, finding.origin) == (
            "identity-defaulted",
            "privileged",
            False,
            "plugin adds",
        )
        assert result.additions == 3

    def test_additions_count_for_policies(self) -> None:
        text = sandbox(image="x", context="{runAsNonRoot: true}")
        result = self.render(text, Adds("runAsUser", 7), strict=True, unknown_image="fail")
        assert not result.failures
        assert {finding.level for finding in result.findings} == {"note"}

    def test_additions_may_not_contradict_the_rule(self) -> None:
        with pytest.raises(Refused, match=r"plugin adds: cannot add spec.*runAsUser to Sandbox/web"):
            self.render(sandbox(), Adds("runAsUser", 7))

    def test_nor_the_user(self) -> None:
        with pytest.raises(Refused, match=r"plugin adds.*runAsUser.*already"):
            self.render(sandbox(context="{runAsUser: 5, runAsNonRoot: true}"), Adds("runAsUser", 7))


class TestReEmitted:
    def test_the_resource_is_the_one_that_was_edited(self) -> None:
        text = f"""\
apiVersion: v1
kind: List
items:
- apiVersion: agents.x-k8s.io/v1
  kind: Sandbox
  metadata: {{name: first}}
  spec:
    podTemplate:
      spec: &pod
        containers: [{{name: main, image: "{KNOWN}"}}]
- apiVersion: agents.x-k8s.io/v1
  kind: Sandbox
  metadata: {{name: second}}
  spec:
    podTemplate:
      spec: *pod
- apiVersion: agents.x-k8s.io/v1
  kind: Sandbox
  metadata: {{name: third, annotations: {{sandbox-postrenderer.io/skip: true}}}}
"""
        finding = next(finding for finding in run(text).findings if finding.id == "re-emitted")
        assert finding.level == "warning"
        assert str(finding.resource) == "Sandbox/second"


def test_a_policy_failure_is_no_refusal() -> None:
    assert not issubclass(PolicyFailure, Refused)


def test_changes_are_kept_on_request() -> None:
    text = "kind: ConfigMap\n---\n" + sandbox()
    result = render(text.encode(), Settings(), Plugins(), keep_changes=True)
    (change,) = result.changes
    assert text[change.start :] == change.before == "---\n" + sandbox()
    assert change.line == 2
    assert change.after == b"".join(result.pieces).decode()[change.start :]


def test_nothing_to_do_is_byte_identical() -> None:
    assert check_noop("").resources == 0
    assert check_noop("kind: ConfigMap\r\nnote: Sandbox\r\n").resources == 0
    assert check_noop("# kind: Sandbox\n").resources == 0
    assert check_noop("- kind: Sandbox\n").resources == 0
    assert check_noop(sandbox(context="{runAsUser: 5, runAsNonRoot: true}")).resources == 1
