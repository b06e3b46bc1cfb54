"""Helm 3: `--post-renderer` names an executable."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.hosts.programs import CHART, PLUGIN, SANDBOX, Home, find_resource, load_resources, write_chart
from tests.support import EXAMPLES, check_output, run_to_bytes

pytestmark = pytest.mark.e2e
POST_RENDERER = ("--post-renderer", PLUGIN)
STATED = {"runAsNonRoot": True, "runAsUser": 4242}


def template(home: Home, *arguments: str, chart: Path = CHART) -> bytes:
    return home.get_output("helm", "template", "agents", chart, *arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--include-crds"],
        ["--no-hooks"],
        ["--set", "sandboxTemplateCRD=true"],
        ["--set", "notebook.enabled=false,reviewer.enabled=false"],
        ["--set-json", 'forecast.securityContext={"readOnlyRootFilesystem":true,"runAsUser":7}'],
        ["--show-only", "templates/python-pool.yaml"],
        ["--show-only", "charts/reviewer/templates/agent.yaml"],
        ["--namespace", "support", "--is-upgrade"],
    ],
    ids=" ".join,
)
def test_only_insertions(helm3: Home, arguments: list[str]) -> None:
    before = template(helm3, *arguments)
    after = template(helm3, *arguments, *POST_RENDERER)
    assert after != before
    assert after == run_to_bytes(before), "Helm or the command did more than the library"
    check_output(before, after)


def test_example_is_current(helm3: Home) -> None:
    """`examples/rendered.yaml`, for those who have no Helm: helm template agents examples/chart."""
    assert template(helm3) == (EXAMPLES / "rendered.yaml").read_bytes()


def test_whole_release_is_there(helm3: Home) -> None:
    """Hooks, CRDs, the subchart and the file with CRLF line ends."""
    output = template(helm3, "--include-crds", *POST_RENDERER)
    kinds = [document["kind"] for document in load_resources(output)]
    assert {"Job", "Pod", "Secret", "Deployment", "CustomResourceDefinition", "SandboxWarmPool"} <= set(kinds)
    assert kinds.count("SandboxAgent") == 6
    assert b"  name: agents-reviewer\n" in output
    assert b"      securityContext:\r\n        runAsNonRoot: true\r\n        runAsUser: 1000\r\n" in output
    assert b"# Source: agents/templates/python-pool.yaml\n" in output
    assert b"get sandboxagents.kagent.dev" not in output, "NOTES.txt is no manifest"


def test_by_path(helm3: Home) -> None:
    path = helm3.bin / PLUGIN
    assert template(helm3, "--post-renderer", str(path)) == template(helm3, *POST_RENDERER)


def test_arguments(helm3: Home) -> None:
    report = helm3.path / "report.json"
    arguments = ["--image-uid", "registry.example.com/search/agent:2.1=4242", f"--report={report}"]
    output = template(helm3, *POST_RENDERER, *(f"--post-renderer-args={argument}" for argument in arguments))
    deployment = find_resource(output, "agents-search")["spec"]["byo"]["deployment"]
    assert (
        deployment["podSecurityContext"] == deployment["securityContext"] == {"runAsNonRoot": True, "runAsUser": 4242}
    )
    found = json.loads(report.read_text())
    assert found["error"] is None
    assert "agents/templates/agents-byo.yaml" in {finding["source"] for finding in found["findings"]}


def test_messages_show_only_on_failure(helm3: Home) -> None:
    quiet = helm3.run("helm", "template", "agents", CHART, *POST_RENDERER)
    assert (quiet.returncode, quiet.stderr) == (0, b"")
    failed = helm3.run("helm", "template", "agents", CHART, *POST_RENDERER, "--post-renderer-args", "--strict")
    assert failed.returncode != 0
    assert failed.stdout == b""
    for words in (b"Sandbox/agents-notebook", b"init container own-data", b"has no runtime identity (strict)"):
        assert words in failed.stderr
    assert b"image-unknown" in failed.stderr, "the findings say why"


@pytest.mark.parametrize("argument", ["--default-uid=root", "--no-such-option", "--config=missing.yaml"])
def test_usage_error(helm3: Home, argument: str) -> None:
    failed = helm3.run("helm", "template", "agents", CHART, *POST_RENDERER, f"--post-renderer-args={argument}")
    assert failed.returncode != 0
    assert failed.stdout == b""
    assert argument.partition("=")[0].encode() in failed.stderr or b"missing.yaml" in failed.stderr


def test_broken_manifest(helm3: Home) -> None:
    """Helm 3 hands broken YAML over unseen; with our refusal nothing is emitted."""
    chart = write_chart(helm3.path / "broken", one=SANDBOX + "      containers: []\n", two="kind: ConfigMap\n")
    failed = helm3.run("helm", "template", "agents", chart, *POST_RENDERER)
    assert failed.returncode != 0
    assert failed.stdout == b""
    assert b"small/templates/one.yaml" in failed.stderr


def test_empty_output(helm3: Home) -> None:
    chart = write_chart(helm3.path / "empty", none="{{- if false }}\na: b\n{{- end }}\n")
    assert template(helm3, *POST_RENDERER, chart=chart) == template(helm3, chart=chart)


def test_nothing_to_find(helm3: Home) -> None:
    chart = write_chart(helm3.path / "plain", one="kind: ConfigMap # {{ .Release.Name }}\n\n\ndata: {a:   b}\n")
    assert template(helm3, *POST_RENDERER, chart=chart) == template(helm3, chart=chart)


def test_output_dir_is_not_post_rendered(helm3: Home) -> None:
    """A limit of Helm 3, documented: it runs the renderer on an empty input, and writes what it made itself."""
    for name, arguments in (("without", ()), ("with", POST_RENDERER)):
        template(helm3, "--output-dir", str(helm3.path / name), *arguments)
    without, with_renderer = ((helm3.path / name) for name in ("without", "with"))
    files = sorted(path.relative_to(without) for path in without.rglob("*.yaml"))
    assert Path("agents/templates/agents.yaml") in files
    for path in files:
        assert (without / path).read_bytes() == (with_renderer / path).read_bytes()


def test_nothing_of_the_current_directory_is_imported(helm3: Home, hostile: Path) -> None:
    assert helm3.get_output("helm", "template", "agents", CHART, *POST_RENDERER, cwd=hostile) == template(
        helm3, *POST_RENDERER
    )
    assert not (hostile / "imported").exists()
