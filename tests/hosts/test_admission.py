"""The agent that was refused is admitted: the examples' pods before a judge, Kubernetes' own evaluator of `restricted`.

Identity is one of the things that `restricted` asks for. Where the others were written by hand, it is the last one.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.hosts.pods import Verdict, build_pod, judge
from tests.hosts.programs import CHART, PLUGIN, Home, find_command, load_resources
from tests.support import EXAMPLES, run_to_bytes

pytestmark = pytest.mark.e2e

IDENTITY = {"runAsNonRoot", "runAsUser"}
OTHERS = {"allowPrivilegeEscalation", "capabilities_restricted", "seccompProfile_restricted"}
TARGETS = ("Sandbox", "SandboxAgent", "SandboxTemplate")
HARDENED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}

# What `restricted` still refuses after the identity was added, for every target of the examples.
REFUSED_AFTERWARDS = {
    "rendered.yaml": {
        "agents-forecast": OTHERS,
        "agents-ledger": set(),
        "agents-notebook": OTHERS | IDENTITY,  # root by choice, in an init container
        "agents-python": set(),
        "agents-release-notes": OTHERS | {"privileged"},  # kagent's doing, for an agent with skills
        "agents-reviewer": OTHERS,
        "agents-runbooks": set(),
        "agents-search": OTHERS | {"runAsNonRoot"},  # nobody knows its image
        "agents-triage": OTHERS,
    },
    "issue-1900.yaml": {"sandbox-agent-test": OTHERS},
    "sandbox.yaml": {"sandbox-agent-test": OTHERS},
    "plain/anchors.yaml": {"pair": {"seccompProfile_restricted"}},
    "plain/comments.yaml": {"go": OTHERS, "python": OTHERS},
    "plain/list.yaml": {"kept-by-hand": OTHERS | {"runAsNonRoot"}, "terse": OTHERS},  # the first says skip
    "plain/sandbox.json": {"json": OTHERS},
}


def get_targets(stream: bytes) -> list[Any]:
    return [resource for resource in load_resources(stream) if resource["kind"] in TARGETS]


def judge_stream(stream: bytes) -> dict[str, Verdict]:
    return judge(get_targets(stream))


@pytest.mark.parametrize("name", REFUSED_AFTERWARDS)
def test_what_is_still_refused(name: str) -> None:
    before = (EXAMPLES / name).read_bytes()
    verdicts = judge_stream(run_to_bytes(before))
    assert {name: verdict.checks for name, verdict in verdicts.items()} == REFUSED_AFTERWARDS[name]


@pytest.mark.parametrize("name", REFUSED_AFTERWARDS)
def test_only_complaints_about_identity_go(name: str) -> None:
    """No verdict gets worse, and no other one gets better."""
    before = (EXAMPLES / name).read_bytes()
    afterwards = judge_stream(run_to_bytes(before))
    for resource, verdict in judge_stream(before).items():
        assert afterwards[resource].checks <= verdict.checks
        assert verdict.checks - afterwards[resource].checks <= IDENTITY


def test_every_example_is_judged() -> None:
    names = [path for pattern in ("*.yaml", "plain/*") for path in EXAMPLES.glob(pattern)]
    found = {str(path.relative_to(EXAMPLES)) for path in names if get_targets(path.read_bytes())}
    expected = {name for name in found if name != "plain/look-alikes.yaml"}  # kinds alike, groups not
    assert set(REFUSED_AFTERWARDS) == expected


@pytest.mark.parametrize("name", ["issue-1900.yaml", "sandbox.yaml"])
def test_the_complaint_of_the_issue_is_gone(name: str) -> None:
    """The SandboxAgent, and the Sandbox that kagent makes of it: the API server's words, before and after."""
    words = 'runAsNonRoot != true (pod or container "kagent" must set securityContext.runAsNonRoot=true)'
    before = (EXAMPLES / name).read_bytes()
    assert words in judge_stream(before)["sandbox-agent-test"].message
    after = judge_stream(run_to_bytes(before))["sandbox-agent-test"]
    assert "runAs" not in after.message
    assert not after.is_admitted, "identity is one of the checks, not all"


def render_with_helm(home: Home, *arguments: str) -> tuple[bytes, bytes]:
    before = home.get_output("helm", "template", "agents", CHART, *arguments)
    return before, home.get_output("helm", "template", "agents", CHART, *arguments, "--post-renderer", PLUGIN)


@pytest.mark.parametrize("host", ["helm3", "helm4"])
def test_refused_and_then_admitted(host: str, request: pytest.FixtureRequest) -> None:
    """Where the team wrote the hardening, the identity alone makes the difference. Both Helms lead to the same pods."""
    before, after = (judge_stream(stream) for stream in render_with_helm(request.getfixturevalue(host)))
    admitted = {name for name, verdict in after.items() if verdict.is_admitted and not before[name].is_admitted}
    assert admitted == {"agents-runbooks", "agents-python"}
    assert before["agents-runbooks"].message == (
        'runAsNonRoot != true (pod or container "kagent" must set securityContext.runAsNonRoot=true)'
    )
    assert before["agents-python"].checks == {"runAsNonRoot"}
    assert {name: verdict.checks for name, verdict in after.items()} == REFUSED_AFTERWARDS["rendered.yaml"]


def test_hardened_by_a_value(helm3: Home) -> None:
    """The security team decides on `forecast.securityContext`, a value of the chart."""
    argument = f"forecast.securityContext={json.dumps(HARDENED)}"
    before, after = (judge_stream(stream) for stream in render_with_helm(helm3, "--set-json", argument))
    assert before["agents-forecast"].checks == {"runAsNonRoot"}
    assert after["agents-forecast"].is_admitted


def make_agent(**branch: Any) -> dict[str, Any]:
    spec: dict[str, Any] = {"type": "Declarative", "declarative": branch}
    return {"apiVersion": "kagent.dev/v1alpha2", "kind": "SandboxAgent", "metadata": {"name": "one"}, "spec": spec}


def judge_one(resource: Any) -> tuple[Verdict, Verdict]:
    before = json.dumps(resource).encode()
    return judge_stream(before)["one"], judge_stream(run_to_bytes(before))["one"]


def test_skills_share_the_identity() -> None:
    """Two containers of one agent, one context: both run as 1001, and both are admitted."""
    agent = make_agent(runtime="go", deployment={"securityContext": HARDENED})
    agent["spec"]["skills"] = {"refs": ["registry.example.com/skill:1"]}
    before, after = judge_one(agent)
    assert 'containers "skills-init", "kagent"' in before.reasons["runAsNonRoot"]
    assert before.checks == {"runAsNonRoot"}
    assert after.is_admitted


def test_an_extra_container_counts() -> None:
    extra = {"name": "proxy", "image": "registry.example.com/proxy:1", "securityContext": {**HARDENED}}
    agent = make_agent(deployment={"securityContext": HARDENED, "extraContainers": [extra]})
    before, after = judge_one(agent)
    assert 'containers "kagent", "proxy"' in before.reasons["runAsNonRoot"]
    assert 'container "proxy"' in after.reasons["runAsNonRoot"]
    extra["securityContext"]["runAsUser"] = 7
    assert judge_one(agent)[1].is_admitted


def test_root_by_choice_stays_refused() -> None:
    agent = make_agent(deployment={"securityContext": {**HARDENED, "runAsUser": 0}})
    before, after = judge_one(agent)
    assert before.checks == after.checks == IDENTITY


@pytest.mark.parametrize("name", REFUSED_AFTERWARDS)
def test_strict_says_what_admission_will_say(name: str, tmp_path: Path) -> None:
    """`--strict` fails for the resources whose pods would be refused for their identity, and for no others."""
    refused = {resource for resource, checks in REFUSED_AFTERWARDS[name].items() if checks & IDENTITY}
    report = tmp_path / "report.json"
    arguments = [find_command(), "render", "--strict", "--report", report, EXAMPLES / name]
    done = subprocess.run(arguments, capture_output=True, check=False)
    assert done.returncode == (1 if refused else 0)
    assert bool(done.stdout) is not bool(refused)
    error = json.loads(report.read_text())["error"] or ""
    named = {one["metadata"]["name"] for one in get_targets((EXAMPLES / name).read_bytes())}
    assert {resource for resource in named if re.search(rf"/{resource}[:,]", error)} == refused


def test_the_pod_is_kagents() -> None:
    """The reduced pod of issue-1900.yaml and the Sandbox that kagent really made of it have the same containers."""
    made, real = (
        build_pod(get_targets((EXAMPLES / name).read_bytes())[0]) for name in ("issue-1900.yaml", "sandbox.yaml")
    )
    names = [[container["name"] for container in pod["spec"]["containers"]] for pod in (made, real)]
    assert names[0] == names[1] == ["kagent"]
    assert [volume["name"] for volume in made["spec"]["volumes"]] == [v["name"] for v in real["spec"]["volumes"]]
