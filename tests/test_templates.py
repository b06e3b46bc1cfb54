"""Unrendered Helm templates that happen to be YAML: as files they are copied whole, whatever the policy."""

from __future__ import annotations

import pytest

from postrenderer.model import Refused, Settings, Workload
from postrenderer.pipeline import WORTH_A_FORK, Result, read_workloads, render
from tests.cli import DONE, KNOWN, UNKNOWN
from tests.support import built_in

IMAGE = "image: ghcr.io/kagent-dev/kagent/app:0.9.1"
BARE = KNOWN.replace(IMAGE, "image: {{ .Values.image }}")
QUOTED = KNOWN.replace(IMAGE, 'image: "{{ .Values.image }}:{{ .Values.tag }}"')
TEMPLATES = {
    "bare": BARE,
    "quoted": QUOTED,
    "piped": KNOWN.replace(IMAGE, "image: {{ .Values.image | quote }}"),
    "tag": KNOWN.replace(IMAGE, "image: ghcr.io/kagent-dev/kagent/app:{{ .Values.tag }}"),
    "name": KNOWN.replace("name: web", "name: {{ .Release.Name }}"),
    "context": KNOWN + "        securityContext:\n          {{ toYaml .Values.context | nindent 10 }}\n",
    "containers": KNOWN[: KNOWN.index("containers:")] + "containers: {{ .Values.containers }}\n",
    "after other letters": KNOWN.replace("name: web", "name: w\u00e9\U0001f600b\n  labels: {{ .Values.labels }}"),
    "flow": KNOWN[: KNOWN.index("spec:")] + 'spec: {podTemplate: {spec: {containers: [{image: "{{ .Values.i }}"}]}}}\n',
    "list entry": KNOWN + "        args:\n        - {{ .Values.arg }}\n",
    "skipped": QUOTED.replace("name: web", "name: web\n  annotations: {sandbox-postrenderer.io/skip: 'true'}"),
    "another document": KNOWN + "---\n" + QUOTED,
    "init container": KNOWN + '      initContainers:\n      - name: first\n        image: "{{ .Values.init }}"\n',
    "agent": "apiVersion: kagent.dev/v1alpha2\nkind: SandboxAgent\nmetadata: {name: own}\n"
    'spec: {type: BYO, byo: {deployment: {image: "{{ .Values.image }}"}}}\n',
}
MEANT = {
    "prompt": "apiVersion: kagent.dev/v1alpha2\nkind: SandboxAgent\nmetadata: {name: own}\nspec:\n  type: Declarative\n"
    "  declarative:\n    systemMessage: |\n      {{ include }}\n      what: {{ is }}\n",
    "quoted argument": KNOWN + "        args: ['{{ .x }}', \"{{\"]\n",
    "comment": KNOWN.replace("kind: Sandbox", "kind: Sandbox  # {{ .Values.x }}"),
    "json": '{"apiVersion":"agents.x-k8s.io/v1alpha1","kind":"Sandbox","metadata":{"name":"{{ x }}"},"spec":'
    '{"podTemplate":{"spec":{"containers":[{"name":"a","image":"ghcr.io/kagent-dev/kagent/app:0.9.1"}]}}}}',
}


def look_at(text: str, *, is_file: bool = True, strict: bool = True) -> Result:
    return render(text.encode(), Settings(strict=strict), built_in(), source="web.yaml", is_file=is_file)


def check_copied(result: Result, text: str) -> None:
    assert b"".join(result.pieces) == text.encode()
    assert [(finding.id, finding.source) for finding in result.findings] == [("template-not-rendered", "web.yaml")]
    assert not result.failures
    assert (result.resources, result.additions) == (0, 0)


@pytest.mark.parametrize("text", TEMPLATES.values(), ids=TEMPLATES)
def test_a_file_is_copied_whole(text: str) -> None:
    check_copied(look_at(text), text)


def test_a_file_that_is_worth_a_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postrenderer.forks.count_cores", lambda: 2)
    text = "---\n".join([*[KNOWN] * (WORTH_A_FORK // len(KNOWN) + 1), QUOTED])
    check_copied(look_at(text), text)


@pytest.mark.parametrize("text", MEANT.values(), ids=MEANT)
def test_braces_elsewhere_are_meant(text: str) -> None:
    result = look_at(text)
    assert result.additions == 4
    assert all(finding.id != "template-not-rendered" for finding in result.findings)


@pytest.mark.parametrize("text", [BARE, QUOTED], ids=["bare", "quoted"])
def test_a_stream_is_not_excused(text: str) -> None:
    """What is piped in is rendered already: the braces are a mistake in a value."""
    assert look_at(text, is_file=False).failures


def test_a_wrong_shape_without_braces_is_still_refused() -> None:
    with pytest.raises(Refused, match="must be a list"):
        look_at(KNOWN[: KNOWN.index("containers:")] + "containers: {a: b}\n")


@pytest.mark.parametrize("image", ["${IMAGE}", "$(IMAGE)", "registry.example.com/app:${TAG}"])
def test_templates_of_other_engines_are_images_that_nobody_knows(image: str) -> None:
    """Unless somebody says what they stand for."""
    text = UNKNOWN.replace("registry.example.com/team/app:1", image)
    (failure,) = look_at(text).failures
    assert f"image {image}) has no runtime identity" in failure
    stated = Settings(strict=True, image_uid=((image, 4242),))
    assert render(text.encode(), stated, built_in(), is_file=True).additions == 4


def test_workloads_before_a_template_are_read() -> None:
    """A command that reads images says that it passed the file over."""
    found = list(
        read_workloads((DONE + "---\n" + QUOTED).encode(), Settings(), built_in(), source="web.yaml", is_file=True)
    )
    assert [isinstance(one, Workload) for one in found] == [True, False]
