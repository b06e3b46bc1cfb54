"""The plugin `workloads`: the same rule for Kubernetes' own workloads."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import pytest

from postrenderer.model import Settings
from postrenderer.pipeline import Result, render
from postrenderer.plugins import Plugins, load_plugins
from tests.support import check_noop

KNOWN = "cr.kagent.dev/kagent-dev/kagent/app:0.9.4"
POD = f'spec: {{containers: [{{name: main, image: "{KNOWN}"}}]}}'
KINDS = [
    ("apps/v1", "Deployment", f"spec: {{template: {{{POD}}}}}", "spec.template.spec"),
    ("apps/v1", "StatefulSet", f"spec: {{template: {{{POD}}}}}", "spec.template.spec"),
    ("apps/v1", "DaemonSet", f"spec: {{template: {{{POD}}}}}", "spec.template.spec"),
    ("apps/v1", "ReplicaSet", f"spec: {{template: {{{POD}}}}}", "spec.template.spec"),
    ("batch/v1", "Job", f"spec: {{template: {{{POD}}}}}", "spec.template.spec"),
    (
        "batch/v1",
        "CronJob",
        f"spec: {{jobTemplate: {{spec: {{template: {{{POD}}}}}}}}}",
        "spec.jobTemplate.spec.template.spec",
    ),
    ("v1", "Pod", POD, "spec"),
]


@lru_cache(maxsize=1)
def plugins() -> Plugins:
    return load_plugins(["workloads"])


def run(text: str, **settings: Any) -> Result:
    return render(text.encode(), Settings(**settings), plugins())


@pytest.mark.parametrize(("api_version", "kind", "spec", "path"), KINDS, ids=[kind for _, kind, _, _ in KINDS])
def test_kinds(api_version: str, kind: str, spec: str, path: str) -> None:
    text = f"apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: web}}\n{spec}\n"
    result = run(text)
    assert result.additions == 4
    keys = tuple(path.split("."))
    assert [finding.path for finding in result.findings] == [
        *[(*keys, "securityContext")] * 2,
        *[(*keys, "containers", 0, "securityContext")] * 2,
    ]
    assert check_noop(text).resources == 0, "only with the plugin"
    again = render(b"".join(result.pieces), Settings(), plugins())
    assert again.additions == 0


@pytest.mark.parametrize(
    ("api_version", "kind"), [("extensions/v1beta1", "Deployment"), ("v1", "Deployment"), ("batch/v1", "Pod")]
)
def test_other_groups(api_version: str, kind: str) -> None:
    result = run(f"apiVersion: {api_version}\nkind: {kind}\nspec: {{template: {{{POD}}}, containers: [{{}}]}}\n")
    assert result.resources == 0


@pytest.mark.parametrize(("api_version", "kind", "spec", "path"), KINDS, ids=[kind for _, kind, _, _ in KINDS])
def test_patch_fragments(api_version: str, kind: str, spec: str, path: str) -> None:
    result = run(f"apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: web}}\nspec: {{}}\n")
    assert [(finding.id, finding.level) for finding in result.findings] == [("not-a-pod", "note")]
    assert result.additions == 0


def test_injection_is_asked_for_in_the_pods_own_metadata() -> None:
    metadata = "metadata: {labels: {istio.io/rev: x}}"
    assert run(f"apiVersion: v1\nkind: Pod\n{metadata}\n{POD}\n").additions == 2
    assert run(f"apiVersion: apps/v1\nkind: Deployment\n{metadata}\nspec: {{template: {{{POD}}}}}\n").additions == 4


def test_volume_claim_templates() -> None:
    text = f"apiVersion: apps/v1\nkind: StatefulSet\nspec: {{volumeClaimTemplates: [{{}}], template: {{{POD}}}}}\n"
    assert "volume-needs-fsgroup" in {finding.id for finding in run(text).findings}


def test_items_of_a_plain_list_must_say_what_they_are() -> None:
    """The list's own apiVersion is v1, which is a Pod's as well."""
    assert run(f"apiVersion: v1\nkind: List\nitems:\n- kind: Pod\n  {POD}\n").resources == 0


def test_lists_and_choices() -> None:
    text = f"apiVersion: apps/v1\nkind: DeploymentList\nitems:\n- spec: {{template: {{{POD}}}}}\n"
    assert run(text).additions == 4
    assert run(text, skip_kind=("Deployment.apps",)).resources == 0
    assert run(text, only_kind=("Pod",)).resources == 0
