"""`patch`: what rendering would add, as patches. No-ops first; then the text, the tests in front, targets, failures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from postrenderer.model import Settings
from postrenderer.output.patch import format_patches
from postrenderer.patches import Operation, Patch, Target, make_patches
from postrenderer.pipeline import Result, render
from tests.cli import BROKEN, DONE, KNOWN, OTHER, UNKNOWN, call, check_refused, read_report
from tests.json_patches import load_patches
from tests.support import EXAMPLES, built_in

NOTHING = "patches: []\n"


def patch(data: str, *arguments: str) -> str:
    """The output of a run that says nothing else."""
    found = call("patch", "-q", *arguments, data=data)
    assert (found.returncode, found.stderr) == (0, b"")
    return found.stdout.decode()


def decide(text: str, **settings: Any) -> Result:
    return render(text.encode(), Settings(**settings), built_in(), keep_decisions=True)


def make(text: str, **settings: Any) -> str:
    """The patches of a text, without a process."""
    patches, _ = make_patches(decide(text, **settings).decisions)
    return format_patches(patches)


def list_operations(text: str, **settings: Any) -> list[tuple[str, str, Any]]:
    """The operations of the only patch."""
    ((_, operations),) = load_patches(make(text, **settings))
    return [(operation["op"], operation["path"], operation["value"]) for operation in operations]


def list_tests(text: str, below: str, **settings: Any) -> dict[str, Any]:
    """What is tested, by the path below `below`."""
    tests = {path: value for op, path, value in list_operations(text, **settings) if op == "test"}
    assert all(path.startswith("/spec/") for path in tests)
    return {path.removeprefix(f"{below}/"): value for path, value in tests.items()}


@pytest.mark.parametrize("data", ["", OTHER, DONE, UNKNOWN, KNOWN.replace("containers", "volumes")])
def test_nothing_to_add(data: str) -> None:
    assert patch(data) == NOTHING


def test_skipped_by_annotation() -> None:
    skipped = KNOWN.replace("  name: web", "  name: web\n  annotations:\n    sandbox-postrenderer.io/skip: 'true'")
    assert patch(skipped) == NOTHING
    assert patch(skipped, "--no-honor-skip") == patch(KNOWN)


def test_not_a_kind_that_is_asked_for() -> None:
    assert patch(KNOWN, "--only-kind", "SandboxAgent") == NOTHING


def test_look_alikes() -> None:
    assert patch((EXAMPLES / "plain/look-alikes.yaml").read_text()) == NOTHING


AGENT = """\
patches:
- target:
    group: kagent.dev
    version: v1alpha2
    kind: SandboxAgent
    name: sandbox-agent-test
    namespace: kagent
  patch: |-
    - op: test
      path: /spec/declarative/runtime
      value: null
    - op: test
      path: /spec/declarative/deployment
      value: null
    - op: test
      path: /spec/skills
      value: null
    - op: add
      path: /spec/declarative/deployment
      value:
        podSecurityContext:
          runAsNonRoot: true
          runAsUser: 1001
        securityContext:
          runAsNonRoot: true
          runAsUser: 1001
"""


def test_missing_parents_are_added_whole() -> None:
    assert patch((EXAMPLES / "issue-1900.yaml").read_text()) == AGENT


SANDBOX = """\
patches:
- target:
    group: agents.x-k8s.io
    version: v1alpha1
    kind: Sandbox
    name: web
    namespace: default
  patch: |-
    - op: test
      path: /spec/podTemplate/spec/containers/0/image
      value: 'ghcr.io/kagent-dev/kagent/app:0.9.1'
    - op: test
      path: /spec/podTemplate/spec/initContainers
      value: null
    - op: test
      path: /spec/podTemplate/spec/containers/-1/name
      value: main
    - op: test
      path: /spec/podTemplate/spec/securityContext
      value: null
    - op: test
      path: /spec/podTemplate/spec/containers/0/securityContext
      value: null
    - op: add
      path: /spec/podTemplate/spec/securityContext
      value:
        runAsNonRoot: true
        runAsUser: 1001
    - op: add
      path: /spec/podTemplate/spec/containers/0/securityContext
      value:
        runAsNonRoot: true
        runAsUser: 1001
"""


def test_pod_and_container() -> None:
    assert patch(KNOWN) == SANDBOX


def test_files_and_directories(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(KNOWN)
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "b.yml").write_text(KNOWN.replace("name: web", "name: other"))
    both = patch("", str(tmp_path))
    assert [target["name"] for target, _ in load_patches(both)] == ["web", "other"]
    assert patch(KNOWN, "-", str(tmp_path / "deep")) == both


def test_summary_findings_and_report_are_those_of_diff(tmp_path: Path) -> None:
    said = [call(name, "-v", data=KNOWN + "---\n" + UNKNOWN).stderr for name in ("patch", "diff")]
    assert said[0] == said[1] != b""
    reports = []
    for name in ("patch", "diff"):
        call(name, "--report", str(tmp_path / name), data=KNOWN)
        reports.append(read_report(tmp_path / name))
    assert reports[0] == reports[1]
    assert reports[0]["additions"] == 4


POD = "/spec/podTemplate/spec"


def test_only_what_is_relied_on_is_tested() -> None:
    """A sidecar that gets nothing may change as it likes: its image is not tested, nor where the list ends."""
    sidecar = "      - name: side\n        image: example.com/side:1\n"
    assert list_tests(KNOWN + sidecar, POD) == {
        "containers/0/image": "ghcr.io/kagent-dev/kagent/app:0.9.1",
        "securityContext": None,
        "containers/0/securityContext": None,
    }


def test_the_users_uid_is_tested_in_the_place_of_the_image() -> None:
    pod = KNOWN.replace("    spec:\n", "    spec:\n      securityContext: {runAsUser: 5000}\n")
    assert list_operations(pod) == [
        ("test", f"{POD}/securityContext/runAsNonRoot", None),
        ("test", f"{POD}/securityContext/runAsUser", 5000),
        ("test", f"{POD}/containers/0/securityContext", None),
        ("add", f"{POD}/containers/0/securityContext", {"runAsNonRoot": True}),
    ]
    container = UNKNOWN + "        securityContext: {runAsUser: 0x10}\n"
    assert list_operations(container) == [
        ("test", f"{POD}/securityContext", None),
        ("test", f"{POD}/containers/0/securityContext/runAsNonRoot", None),
        ("test", f"{POD}/containers/0/securityContext/runAsUser", 16),
        ("add", f"{POD}/containers/0/securityContext/runAsNonRoot", True),
    ]


def test_who_would_inherit_is_tested() -> None:
    own = KNOWN + "      - name: own\n        image: x\n        securityContext: {runAsUser: 7, runAsNonRoot: true}\n"
    assert list_tests(own, POD) == {
        "containers/0/image": "ghcr.io/kagent-dev/kagent/app:0.9.1",
        "initContainers": None,
        "containers/-1/name": "own",
        "securityContext": None,
        "containers/0/securityContext": None,
        "containers/1/securityContext/runAsNonRoot": True,
        "containers/1/securityContext/runAsUser": 7,
    }
    assert list_tests(KNOWN.replace("      containers", "      initContainers: []\n      containers"), POD) == {
        "containers/0/image": "ghcr.io/kagent-dev/kagent/app:0.9.1",
        "initContainers": [],
        "containers/-1/name": "main",
        "securityContext": None,
        "containers/0/securityContext": None,
    }


def test_an_unknown_image_that_is_relied_on_is_tested() -> None:
    for settings in ({"default_uid": 3000}, {"unknown_image": "nonroot"}):
        assert list_tests(UNKNOWN, POD, **settings)["containers/0/image"] == "registry.example.com/team/app:1"


def agent(spec: str, kind: str = "declarative") -> str:
    head = "apiVersion: kagent.dev/v1alpha2\nkind: SandboxAgent\nmetadata: {name: web, namespace: a}\nspec:\n"
    return f"{head}  type: {'BYO' if kind == 'byo' else 'Declarative'}\n{spec}"


WRITTEN = "    deployment: {securityContext: {fsGroup: 1}, podSecurityContext: {fsGroup: 1}}\n"
CONTEXTS = {
    f"deployment/{context}/{field}": None
    for context in ("podSecurityContext", "securityContext")
    for field in ("runAsNonRoot", "runAsUser")
}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("  declarative:\n", {"runtime": None, "/spec/skills": None}),
        ("  declarative:\n    runtime: python\n", {"runtime": "python", "/spec/skills": None}),
        (
            "  declarative:\n    runtime: go\n",
            {"runtime": "go", "executeCodeBlocks": None, "/spec/skills": None},
        ),
        (
            "  declarative:\n    runtime: go\n    executeCodeBlocks: false\n",
            {"runtime": "go", "executeCodeBlocks": False, "/spec/skills": None},
        ),
        (
            "  skills: {}\n  declarative:\n    runtime: go\n",
            {"runtime": "go", "executeCodeBlocks": None, "/spec/skills/refs": None, "/spec/skills/gitRefs": None},
        ),
        (
            "  skills:\n    refs: [x, y]\n    gitRefs: [{url: z}]\n  declarative:\n    runtime: go\n",
            {"runtime": "go", "executeCodeBlocks": None, "/spec/skills/refs/0": "x"},
        ),
        (
            "  skills:\n    refs: []\n    gitRefs: [{url: z}]\n  declarative:\n    runtime: go\n",
            {"runtime": "go", "executeCodeBlocks": None, "/spec/skills/gitRefs/0/url": "z"},
        ),
    ],
)
def test_what_a_derived_image_depends_on_is_tested(spec: str, expected: dict[str, Any]) -> None:
    tests = list_tests(agent(spec + WRITTEN), "/spec/declarative")
    assert tests == {"deployment/imageRegistry": None, **expected, **CONTEXTS}


def test_an_agents_own_image_is_tested() -> None:
    spec = "  byo:\n    deployment:\n      image: cr.kagent.dev/kagent-dev/kagent/kagent-adk:0.9.4\n"
    assert list_tests(agent(spec, "byo"), "/spec/byo/deployment") == {
        "image": "cr.kagent.dev/kagent-dev/kagent/kagent-adk:0.9.4",
        "/spec/skills": None,
        "extraContainers": None,
        "podSecurityContext": None,
        "securityContext": None,
    }


def test_items_of_a_list_are_resources() -> None:
    """To kustomize they are: paths begin at the item."""
    listed = "apiVersion: v1\nkind: List\nitems:\n- " + KNOWN.rstrip("\n").replace("\n", "\n  ") + "\n"
    assert make(listed) == SANDBOX


def test_nulls_on_the_path_are_replaced() -> None:
    null = agent("  declarative:\n    deployment: ~\n")
    assert [path for op, path, _ in list_operations(null) if op == "add"] == ["/spec/declarative/deployment"]


def test_aliases_and_merge_keys_are_followed() -> None:
    """kustomize carries them out before it patches; what was shared is not any more."""
    shared = """\
apiVersion: agents.x-k8s.io/v1alpha1
kind: Sandbox
metadata: {name: web}
spec:
  podTemplate:
    spec:
      securityContext: {fsGroup: 1}
      containers:
      - &first
        name: main
        image: &image ghcr.io/kagent-dev/kagent/app:0.9.1
        securityContext: &hard {readOnlyRootFilesystem: true}
      - name: side
        image: *image
        securityContext: *hard
      - <<: *first
        name: third
"""
    added = [path for op, path, _ in list_operations(shared) if op == "add"]
    fields = ("runAsNonRoot", "runAsUser")
    assert added == [f"{POD}/containers/{index}/securityContext/{field}" for index in range(3) for field in fields]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("web-1", "web-1"),
        ("a.b", r"a\.b"),
        ("'we(b)+[x]$'", r"we\(b\)\+\[x\]\$"),
        ("'0123'", "0123"),
        ("'on'", "on"),
        ("12", "12"),
    ],
)
def test_a_name_is_a_regular_expression(written: str, expected: str) -> None:
    """It is escaped where it has to be, and put in quotes where YAML would take it for something else."""
    ((target, _),) = load_patches(make(KNOWN.replace("name: web", f"name: {written}\n  namespace: {written}")))
    assert (target["name"], target["namespace"]) == (expected, expected)


def test_a_pointer_is_escaped() -> None:
    target = Target("", "v1", "Pod", "default", "web")
    resource = decide(KNOWN).decisions[0][0].resource
    text = format_patches([Patch(target, (Operation("add", ("a/b~c", 0), "~"),), resource)])
    assert load_patches(text) == [
        (
            {"version": "v1", "kind": "Pod", "name": "web", "namespace": "default"},
            [{"op": "add", "path": "/a~1b~0c/0", "value": "~"}],
        )
    ]


@pytest.mark.parametrize(
    "value", ["yes", "1e3", "0o17", "~", "", "a: b", "# x", " x ", "x\ny\n", "\x85\u2028", "'", "=", "<<"]
)
def test_a_string_stays_a_string(value: str) -> None:
    target = Target("", "v1", "Pod", "default", "web")
    resource = decide(KNOWN).decisions[0][0].resource
    text = format_patches([Patch(target, (Operation("add", ("x",), value),), resource)])
    assert load_patches(text)[0][1][0]["value"] == value


def test_without_a_name_there_is_no_target() -> None:
    nameless = KNOWN.replace("name: web", "generateName: web-")
    found = call("patch", data=nameless + "---\n" + KNOWN)
    assert found.returncode == 0
    assert found.stdout.decode() == SANDBOX
    assert "Sandbox/web-, line 1: has no name, and a patch goes by name: left out" in found.stderr.decode()
    assert "[patch-needs-name]" in found.stderr.decode()


def test_variants_that_need_the_same_patch_get_one(tmp_path: Path) -> None:
    """A staging and a production directory, say. A namespace that is not written is `default`."""
    (tmp_path / "a.yaml").write_text(KNOWN)
    (tmp_path / "b.yaml").write_text(KNOWN.replace("name: web", "name: web\n  namespace: default"))
    assert patch("", str(tmp_path)) == SANDBOX
    (tmp_path / "b.yaml").write_text(KNOWN.replace("name: web", "name: web\n  namespace: other"))
    assert [target["namespace"] for target, _ in load_patches(patch("", str(tmp_path)))] == ["default", "other"]


def test_variants_that_need_different_patches_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(KNOWN)
    (tmp_path / "b.yaml").write_text(OTHER + "---\n" + KNOWN.replace(":0.9.1", ":0.9.2"))
    found = call("patch", str(tmp_path))
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    check_refused(
        found,
        f"error: {second}, document 2, Sandbox/web, line 6: {first}, document 1, Sandbox/web, line 1 has the same name",
        "run once for each of them",
    )


@pytest.mark.parametrize(
    ("data", "arguments", "code"),
    [
        (BROKEN, [], 2),
        (KNOWN + "---\n" + UNKNOWN, ["--strict"], 1),
        (KNOWN + "---\n" + UNKNOWN, ["--unknown-image", "fail"], 1),
        (KNOWN, ["--only-kind", "Sandbocks"], 2),
    ],
)
def test_what_render_refuses_is_refused(data: str, arguments: list[str], code: int) -> None:
    """With the same words, and nothing is written."""
    found, rendered = (call(name, *arguments, data=data) for name in ("patch", "render"))
    assert (found.returncode, found.stdout) == (code, b"")
    assert found.stderr == rendered.stderr


def test_large_input() -> None:
    """Where rendering shares the documents among processes, the decisions are still here."""
    many = "---\n".join(KNOWN.replace("name: web", f"name: web-{number}") for number in range(1500))
    assert len(many) > 256 * 1024
    result = decide(many)
    assert len(result.decisions) == 1500
    assert result.additions == 6000
