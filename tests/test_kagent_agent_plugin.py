"""The plugin `kagent_agent`: the same rule for kagent's Agent, of which its controller makes a Deployment."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from postrenderer.model import Settings
from postrenderer.pipeline import Result, render
from postrenderer.plugins import Plugins, load_plugins
from tests.cli import call
from tests.support import ROOT, check_noop

AGENT = "apiVersion: kagent.dev/v1alpha2\nkind: Agent\nmetadata: {name: helper}\nspec:\n"
PATH = ("spec", "declarative", "deployment")
CONTEXTS = {"podSecurityContext", "securityContext"}


@lru_cache(maxsize=1)
def plugins() -> Plugins:
    return load_plugins(["kagent_agent"])


def run(text: str, **settings: Any) -> Result:
    return render(text.encode(), Settings(**settings), plugins())


def get_uids(result: Result) -> dict[str, Any]:
    """The UID that was added, by the context's path."""
    return {
        ".".join(map(str, finding.path)): finding.value
        for finding in result.findings
        if finding.id == "identity-defaulted" and finding.field == "runAsUser"
    }


def get_both(uid: int, branch: str = "declarative") -> dict[str, int]:
    return {f"spec.{branch}.deployment.{context}": uid for context in CONTEXTS}


def test_only_with_the_plugin() -> None:
    assert check_noop(f"{AGENT}  declarative: {{}}\n", kagent_version="0.9.4").resources == 0


@pytest.mark.parametrize(
    ("version", "spec", "uid"),
    [
        ("0.7.0", "declarative: {}", 1001),
        ("0.9.4", "declarative: {}", 1001),
        ("0.9", "{type: Declarative, declarative: {runtime: python}}", 1001),
        ("0.9.4", "declarative: {runtime: go}", 65532),
        ("0.9.4", "{skills: {refs: [a]}, declarative: {}}", 1001),
        ("0.9.4", "{skills: {}, declarative: {runtime: go}}", 1001),
        ("0.9.4", "declarative: {executeCodeBlocks: true}", 1001),
        ("0.10.0-beta1", "declarative: {runtime: python}", 1001),
        ("0.10.0-beta1", "declarative: {runtime: go}", 65532),
        ("0.10.0-beta2", "declarative: {}", 65532),
        ("0.10.0-beta2", "declarative: {runtime: python}", 65532),
        ("0.10.0-rc3", "declarative: {runtime: go}", 65532),
        ("0.10", "{skills: {gitRefs: [{url: a}]}, declarative: {}}", 1001),
        ("0.10", "declarative: {executeCodeBlocks: true, runtime: python}", 1001),
        ("v0.10.0", "{skills: {}, declarative: {}}", 1001),
    ],
)
def test_versions(version: str, spec: str, uid: int) -> None:
    text = AGENT.replace("spec:\n", f"spec: {spec}\n") if spec.startswith("{") else f"{AGENT}  {spec}\n"
    result = run(text, kagent_version=version)
    assert get_uids(result) == get_both(uid)
    assert render(b"".join(result.pieces), Settings(kagent_version=version), plugins()).additions == 0


@pytest.mark.parametrize(
    ("version", "spec"),
    [
        (None, "declarative: {}"),
        (None, "declarative: {runtime: go}"),
        ("0.10.0-beta1", "declarative: {}"),
        ("0.11.0", "declarative: {}"),
        ("0.9.4", "declarative: {runtime: rust}"),
        ("0.9.4", "{type: BYO, byo: {deployment: {image: registry.example.com/a:1}}}"),
    ],
)
def test_what_nobody_knows_is_left_alone_and_reported(version: str | None, spec: str) -> None:
    """Its image without a version, as python's user has changed; which runtime is default, in the first of 0.10."""
    text = AGENT.replace("spec:\n", f"spec: {spec}\n") if spec.startswith("{") else f"{AGENT}  {spec}\n"
    result = run(text, kagent_version=version)
    assert result.additions == 0
    assert "image-unknown" in [finding.id for finding in result.findings]


def test_no_version_is_assumed_and_the_way_out_is_said() -> None:
    (finding,) = run(f"{AGENT}  declarative: {{}}\n").findings
    assert "--kagent-version" in finding.message
    assert get_uids(run(f"{AGENT}  declarative: {{}}\n", image_uid=(("kagent-dev/kagent/app", 7),))) == get_both(7)


def test_skills_init_shares_the_context() -> None:
    """Its image is root up to 0.9.0: the shared context gets no UID, the report says why."""
    result = run(f"{AGENT}  skills: {{refs: [a]}}\n  declarative: {{}}\n", kagent_version="0.9.0")
    assert result.additions == 0
    assert "shared-context" in [finding.id for finding in result.findings]


def test_byo_and_extra_containers() -> None:
    deployment = "{image: 'a/own:1', extraContainers: [{name: side, image: 'a/side:1'}]}"
    text = f"{AGENT}  type: BYO\n  byo: {{deployment: {deployment}}}\n"
    same = run(text, image_uid=(("a/own", 5), ("a/side", 5)))
    assert get_uids(same) == {**get_both(5, "byo"), "spec.byo.deployment.extraContainers.0.securityContext": 5}
    other = run(text, image_uid=(("a/own", 5), ("a/side", 6)))
    assert get_uids(other) == {
        "spec.byo.deployment.securityContext": 5,
        "spec.byo.deployment.extraContainers.0.securityContext": 6,
    }


def test_what_was_written_stays() -> None:
    text = f"{AGENT}  declarative: {{deployment: {{podSecurityContext: {{runAsUser: 7}}}}}}\n"
    result = run(text, kagent_version="0.9.4")
    assert b"runAsUser: 7}" in b"".join(result.pieces)
    assert get_uids(result) == {}


@pytest.mark.parametrize("version", ["v1alpha1", "v1alpha3", "v1"])
def test_other_versions_are_left_alone(version: str) -> None:
    result = run(f"{AGENT}  declarative: {{}}\n".replace("v1alpha2", version), kagent_version="0.9.4")
    assert result.additions == 0
    assert [finding.id for finding in result.findings] == ["fields-without-effect"]


@pytest.mark.parametrize("spec", ["{}", "{type: Other}", "{type: BYO}", "~"])
def test_what_makes_no_pod_is_left_alone(spec: str) -> None:
    result = run(AGENT.replace("spec:\n", f"spec: {spec}\n"), kagent_version="0.9.4")
    assert [finding.id for finding in result.findings] == ["not-a-pod"]


def test_substrate_is_nothing_that_an_agent_has() -> None:
    result = run(f"{AGENT}  platform: substrate\n  declarative: {{}}\n", kagent_version="0.9.4")
    assert get_uids(result) == get_both(1001)


@pytest.mark.parametrize("group", ["kagent.example.com", "agents.x-k8s.io", "kagenti.io"])
def test_other_groups(group: str) -> None:
    assert run(f"{AGENT}  declarative: {{}}\n".replace("kagent.dev", group)).resources == 0


def test_it_is_a_command_line_away(tmp_path: Path) -> None:
    """The call of the plugin's own documentation."""
    (tmp_path / "agents.yaml").write_text(f"{AGENT}  declarative: {{}}\n")
    arguments = ["render", "--plugin", "kagent_agent", "--kagent-version", "0.9.4", "agents.yaml"]
    assert f"sandbox-postrenderer {' '.join(arguments)}" in (ROOT / "plugins" / "kagent_agent.py").read_text()
    found = call(*arguments, cwd=tmp_path)
    assert found.returncode == 0
    assert found.stdout.count(b"runAsUser: 1001") == 2
