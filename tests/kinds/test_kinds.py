"""The kinds: which group and kind match, in which versions, and that the names for the byte search are all of them."""

from __future__ import annotations

import pytest

from postrenderer import kinds
from tests.support import EXAMPLES, built_in, check_noop, run

POD = """
spec:
  podTemplate:
    spec:
      containers:
      - name: main
        image: "cr.kagent.dev/kagent-dev/kagent/app:0.9.4"
"""


def test_names_are_those_of_the_kinds() -> None:
    assert sorted(kinds.NAMES) == sorted(kind.kind for kind in built_in().kinds.values())
    assert sorted(built_in().kinds) == [
        ("agents.x-k8s.io", "Sandbox"),
        ("extensions.agents.x-k8s.io", "SandboxTemplate"),
        ("kagent.dev", "SandboxAgent"),
    ]


@pytest.mark.parametrize(
    ("group", "kind"), [("agents.x-k8s.io", "Sandbox"), ("extensions.agents.x-k8s.io", "SandboxTemplate")]
)
@pytest.mark.parametrize("version", ["v1alpha1", "v1beta1", "v1", "v2alpha7"])
def test_any_version(group: str, kind: str, version: str) -> None:
    result = run(f"apiVersion: {group}/{version}\nkind: {kind}\nmetadata: {{name: web}}{POD}")
    assert result.resources == 1
    assert result.additions == 4


@pytest.mark.parametrize(
    ("api_version", "kind"),
    [
        ("kagenti.io/v1alpha1", "SandboxAgent"),
        ("lenny.dev/v1", "SandboxTemplate"),
        ("sandbox-template.hal.dev/v1", "SandboxTemplate"),
        ("sandboxes.clusterbase.ai/v1", "SandboxTemplate"),
        ("kubeagents.x-k8s.io/v1alpha1", "Sandbox"),
        ("x.agents.x-k8s.io/v1alpha1", "Sandbox"),
        ("agents.x-k8s.io.example.com/v1alpha1", "Sandbox"),
        ("extensions.agents.x-k8s.io/v1alpha1", "Sandbox"),
        ("agents.x-k8s.io/v1alpha1", "SandboxTemplate"),
        ("agents.x-k8s.io/v1alpha1", "SandboxClaim"),
        ("agents.x-k8s.io/v1alpha1", "sandbox"),
        ("Agents.x-k8s.io/v1alpha1", "Sandbox"),
        ("agents.x-k8s.io", "Sandbox"),
        ("v1", "Sandbox"),
        ("/v1", "Sandbox"),
        ("xkagent.dev/v1alpha2", "SandboxAgent"),
        ("kagent.dev/v1alpha2", "Agent"),
        ("kagent.dev/v1alpha2", "Sandbox"),
    ],
)
def test_look_alikes(api_version: str, kind: str) -> None:
    result = check_noop(f"apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: web}}{POD}")
    assert result.resources == 0
    assert not result.findings


def test_look_alikes_of_the_examples() -> None:
    result = check_noop((EXAMPLES / "plain" / "look-alikes.yaml").read_bytes())
    assert result.resources == 0


NESTED = """\
apiVersion: kro.run/v1alpha1
kind: ResourceGraphDefinition
metadata: {name: graph}
spec:
  resources:
  - id: sandbox
    template:
      apiVersion: agents.x-k8s.io/v1alpha1
      kind: Sandbox
      spec: {podTemplate: {spec: {containers: [{name: main, image: "cr.kagent.dev/kagent-dev/kagent/app:0.9.4"}]}}}
"""
TEXT = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: text}
data:
  sandbox.yaml: |
    apiVersion: agents.x-k8s.io/v1alpha1
    kind: Sandbox
    spec: {podTemplate: {spec: {containers: [{name: main, image: "cr.kagent.dev/kagent-dev/kagent/app:0.9.4"}]}}}
"""
CLAIM = """\
apiVersion: extensions.agents.x-k8s.io/v1alpha1
kind: SandboxClaim
metadata: {name: claim}
spec:
  sandboxTemplateRef: {kind: SandboxTemplate, name: python}
"""


@pytest.mark.parametrize("text", [NESTED, TEXT, CLAIM])
def test_a_sandbox_inside_another_kind(text: str) -> None:
    assert check_noop(text).resources == 0


@pytest.mark.parametrize("kind", ['"Sandbox"', "'Sandbox'", "!!str Sandbox", "Sandbox # the kind", "&k Sandbox"])
def test_spellings_of_the_kind(kind: str) -> None:
    result = run(f"apiVersion: 'agents.x-k8s.io/v1beta1'\nkind: {kind}\nmetadata: {{name: web}}{POD}")
    assert result.additions == 4


def test_api_version_that_is_no_string() -> None:
    assert check_noop(f"apiVersion: 1\nkind: Sandbox{POD}").resources == 0
    assert check_noop(f"kind: Sandbox{POD}").resources == 0
