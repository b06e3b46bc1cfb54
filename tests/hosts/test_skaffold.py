"""Skaffold hands all rendered manifests to a hook: `manifests.hooks.after`, with `withChange`."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.hosts.programs import CHART, PLUGIN, SANDBOX, Home, find_resource, load_resources
from tests.support import EXAMPLES, check_output, find_tool, run_to_bytes

pytestmark = pytest.mark.e2e
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a:   b} # by hand\n"
UNKNOWN = SANDBOX.replace(
    "registry.k8s.io/agent-sandbox/python-runtime-sandbox:v0.4.6", "registry.example.com/agent:2.1"
)


@pytest.fixture
def host(home: Home) -> Home:
    """A home with Skaffold, which sends nothing home; `spy` is a hook that changes nothing."""
    home.add("skaffold", find_tool("skaffold"))
    home.write_script(home.bin / "spy", "exec cat")
    (home.path / ".skaffold").mkdir()
    (home.path / ".skaffold" / "config").write_text("global: {collect-metrics: false}\n")
    return home


@pytest.fixture
def work(tmp_path: Path) -> Path:
    directory = tmp_path / "my work"
    directory.mkdir()
    (directory / "sandbox.yaml").write_text(f"# by hand\n{SANDBOX}---\n{CONFIG_MAP}")
    (directory / "plain.yaml").write_text(CONFIG_MAP)
    (directory / "unknown.yaml").write_text(UNKNOWN)
    return directory


def write_config(directory: Path, manifests: dict[str, Any], *command: str) -> None:
    """Write a skaffold.yaml with a hook that runs the command, if there is one."""
    hooks = {"after": [{"host": {"command": list(command), "withChange": True}}]}
    values: dict[str, Any] = {"apiVersion": "skaffold/v4beta13", "kind": "Config"}
    values["manifests"] = {**manifests, **({"hooks": hooks} if command else {})}
    (directory / "skaffold.yaml").write_text(yaml.safe_dump(values, width=1000))


def render(home: Home, directory: Path) -> bytes:
    return home.get_output("skaffold", "render", cwd=directory)


@pytest.mark.parametrize("helm", ["helm3", "helm4"])
def test_example(host: Home, tmp_path: Path, helm: str) -> None:
    """`examples/skaffold`, compared with a hook that changes nothing; Helm 4 needs no plugin here."""
    host.add("helm", find_tool(helm))
    directory = tmp_path / "my examples" / "skaffold"
    shutil.copytree(EXAMPLES / "skaffold", directory)
    shutil.copytree(CHART, directory.parent / "chart")
    files = sorted(directory.parent.rglob("*"))
    after = render(host, directory)
    assert sorted(directory.parent.rglob("*")) == files, "something was written beside the example"
    file = directory / "skaffold.yaml"
    file.write_text(file.read_text().replace(PLUGIN, "spy"))
    before = render(host, directory)
    check_output(before, after, image_uid=(("registry.example.com/search/agent:2.1", 4242),))
    deployment = find_resource(after, "agents-search")["spec"]["byo"]["deployment"]
    assert deployment["securityContext"] == {"runAsNonRoot": True, "runAsUser": 4242}


def test_nothing_to_do(host: Home, work: Path) -> None:
    manifests = {"rawYaml": ["plain.yaml"]}
    write_config(work, manifests)
    without = render(host, work)
    write_config(work, manifests, PLUGIN, "--quiet")
    assert render(host, work) == without


def test_something_to_do(host: Home, work: Path) -> None:
    manifests = {"rawYaml": ["sandbox.yaml", "plain.yaml"]}
    write_config(work, manifests)
    without = render(host, work)
    write_config(work, manifests, PLUGIN, "--quiet")
    after = render(host, work)
    assert after == run_to_bytes(without)
    check_output(without, after)
    assert after.count(b"runAsUser: 1000") == 2


def test_kustomize(host: Home, work: Path) -> None:
    host.add("kustomize", find_tool("kustomize"))
    (work / "kustomization.yaml").write_text("resources: [sandbox.yaml]\n")
    write_config(work, {"kustomize": {"paths": ["."]}}, PLUGIN, "--quiet")
    assert render(host, work).count(b"runAsUser: 1000") == 2


def test_messages_become_manifests_without_quiet(host: Home, work: Path) -> None:
    """A trap of Skaffold, documented: standard error and standard output of a hook are one."""
    write_config(work, {"rawYaml": ["sandbox.yaml"]}, PLUGIN)
    output = render(host, work)
    assert f"{PLUGIN}: 4 values added".encode() in output
    write_config(work, {"rawYaml": ["sandbox.yaml"]}, PLUGIN, "--quiet")
    quiet = render(host, work)
    assert PLUGIN.encode() not in quiet
    assert [one["kind"] for one in load_resources(quiet)] == ["Sandbox", "ConfigMap"]


def test_failure(host: Home, work: Path) -> None:
    """It fails Skaffold, which shows the exit code only: the report says why."""
    arguments = ["--quiet", "--strict", "--report", "report.json"]
    write_config(work, {"rawYaml": ["unknown.yaml"]}, PLUGIN, *arguments)
    failed = host.run("skaffold", "render", cwd=work)
    assert failed.returncode != 0
    assert failed.stdout == b""
    assert b"exit status 1" in failed.stderr
    assert b"(strict)" not in failed.stderr
    assert "has no runtime identity (strict)" in json.loads((work / "report.json").read_text())["error"]


def test_two_at_once(host: Home, work: Path) -> None:
    write_config(work, {"rawYaml": ["sandbox.yaml"]}, PLUGIN, "--quiet")
    alone = render(host, work)
    runs = [
        subprocess.Popen(
            ["skaffold", "render"],
            cwd=work,
            env=host.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(2)
    ]
    assert [run.communicate(timeout=60)[0] for run in runs] == [alone, alone]
