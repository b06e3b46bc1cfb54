"""The sidecar's image is built, and Argo CD's server runs in it: `tests/hosts/image.py` says how."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from postrenderer import __version__
from tests.hosts.argocd import render
from tests.hosts.image import ARGOCD, ENTRYPOINT, Builder, Container, need_programs
from tests.hosts.programs import Home, write_chart
from tests.support import EXAMPLES, find_tool, load_with_pyyaml, run_to_bytes

pytestmark = pytest.mark.e2e

# In a container: the modules of a request that have no bytecode, and have to be compiled each time.
UNCOMPILED = """\
import os, sys
import postrenderer.cli, postrenderer.commands.argocd.generate, postrenderer.commands.argocd.source
import postrenderer.hosts.argocd.helm, postrenderer.hosts.argocd.kustomize, postrenderer.hosts.argocd.workspace
cached = {name: module.__cached__ for name, module in sys.modules.items() if getattr(module, "__cached__", None)}
print(len(cached), *(name for name, path in cached.items() if not os.path.exists(path)))
"""


@pytest.fixture(scope="module")
def builder() -> Iterator[Builder]:
    """The image is 300 MB, and its making more: nothing of it is left."""
    need_programs()
    with tempfile.TemporaryDirectory(prefix="image") as folder:
        yield Builder(Path(folder))


@pytest.fixture(scope="module")
def container(builder: Builder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    home = Home(tmp_path_factory.mktemp("home"))
    home.add("helm", find_tool("helm4"))
    home.add("kustomize", find_tool("kustomize"))
    image = builder.build()
    with Container(home, image, builder.folder) as container:
        yield container


def read_output(container: Container, *command: str) -> str:
    done = container.run(*command)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_the_image_says_of_itself(builder: Builder, container: Container) -> None:
    config = builder.inspect()
    assert config["User"] == "999:999"
    assert tuple(config["Entrypoint"]) == ENTRYPOINT
    assert config["Env"] == [f"{name}={value}" for name, value in container.environment.items()]


def test_what_the_container_is_kept_from(container: Container) -> None:
    """That the tests below run under what the component asks for, as far as it is possible here."""
    status = dict(line.split(":\t", 1) for line in read_output(container, "cat", "/proc/self/status").splitlines())
    assert status["Uid"].split() == status["Gid"].split() == ["999"] * 4
    assert int(status["CapPrm"], 16) == int(status["CapEff"], 16) == 0
    assert status["NoNewPrivs"] == "1"
    for path in ("/x", "/opt/sandbox-postrenderer/x", "/home/argocd/x", "/var/run/argocd/x", "/etc/x"):
        done = container.run("touch", path)
        assert "Read-only file system" in done.stderr
    assert read_output(container, "sh", "-c", "echo here >/tmp/x && cat /tmp/x") == "here\n"
    interfaces = read_output(container, "cat", "/proc/net/dev").splitlines()[2:]
    assert [line.split(":")[0].strip() for line in interfaces] == ["lo"]


def test_the_programs_in_it(container: Container) -> None:
    assert __version__ in read_output(container, "sandbox-postrenderer", "--version")
    assert "v4." in read_output(container, "helm", "version", "--short")
    assert "v5." in read_output(container, "kustomize", "version")
    assert read_output(container, "sandbox-postrenderer", "argocd", "plugin") == read_output(
        container, "cat", "/home/argocd/cmp-server/config/plugin.yaml"
    )


def test_nothing_is_compiled_again(container: Container) -> None:
    """Nobody can write bytecode there, and without it each request costs a good deal more."""
    count, *missing = read_output(container, "/opt/sandbox-postrenderer/bin/python3", "-c", UNCOMPILED).split()
    assert int(count) > 100
    assert missing == []


@pytest.mark.parametrize("path", ["chart", "kustomize/base", "plain"])
def test_the_examples(container: Container, path: str) -> None:
    """What Argo CD makes of them itself, and what that lacks."""
    request: dict[str, Any] = {"appName": "agents", "namespace": "team", "kubeVersion": "1.34.0"}
    native = render(container.home, EXAMPLES, {"path": path}, **request)
    assert native.error is None
    stream = "\n---\n".join(json.dumps(manifest) for manifest in native.manifests).encode()
    answer = container.generate(EXAMPLES, path, app_name="agents", namespace="team", kubeVersion="1.34.0")
    assert answer.error is None
    assert answer.source_type == "Plugin"
    expected = load_with_pyyaml(run_to_bytes(stream))
    assert load_with_pyyaml(json.dumps(answer.manifests).encode())[0] == expected
    assert answer.manifests != native.manifests


def test_the_example_application(container: Container) -> None:
    source = yaml.safe_load((ARGOCD / "application.yaml").read_text())["spec"]["source"]
    assert source["plugin"]["name"] == container.name
    answer = container.generate(EXAMPLES, source["path"], app_name="agents", parameters=source["plugin"]["parameters"])
    assert answer.error is None
    found = {(manifest["kind"], manifest["metadata"]["name"]): manifest for manifest in answer.manifests}
    assert ("Sandbox", "agents-notebook") not in found, "the values say so"
    deployment = found["SandboxAgent", "agents-search"]["spec"]["byo"]["deployment"]
    assert deployment["securityContext"]["runAsUser"] == 4242


def test_announced_parameters(container: Container) -> None:
    announced = {each["name"]: each for each in container.parameters(EXAMPLES, "chart", app_name="agents")}
    assert announced["tool"]["string"] == "helm"
    assert "1001" in announced["image-uid"]["map"].values()


def test_nothing_of_the_container_is_read(container: Container) -> None:
    parameters = [{"name": "values-files", "array": ["../../../../etc/passwd"]}]
    answer = container.generate(EXAMPLES, "chart", parameters=parameters)
    assert answer.manifests == []
    assert "leads out of the repository" in (answer.error or "")


def test_what_a_repository_can_say_of_the_plugin(container: Container, tmp_path: Path) -> None:
    """As the README says: Argo CD merges this file into the source before it looks which tool it is for."""
    shutil.copy(EXAMPLES / "issue-1900.yaml", tmp_path)
    file = tmp_path / ".argocd-source.yaml"
    file.write_text("plugin: null\n")
    answer = container.generate(tmp_path)
    assert (answer.error, answer.source_type) == (None, "Plugin")
    file.write_text("plugin: {parameters: [{name: tool, string: what}]}\n")
    assert "parameter tool: got 'what'" in (container.generate(tmp_path).error or "")
    file.write_text("plugin: {name: another}\n")
    assert 'could not find cmp-server plugin with name "another"' in (container.generate(tmp_path).error or "")


def test_requests_leave_nothing(container: Container, tmp_path: Path) -> None:
    """Also those that Argo CD gives up: their helm is waited for by tini, and the next request clears their place."""
    loops = "{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}"
    endless = write_chart(tmp_path / "endless", loops=loops)
    assert "signal: killed" in (container.generate(endless, timeout=3).error or "")
    assert container.generate(EXAMPLES, "plain").error is None
    root = container.process / "root"
    assert wait_for(lambda: [path.name for path in (root / "tmp").iterdir()] == ["_cmp_server"])
    assert list((root / "tmp" / "_cmp_server").iterdir()) == []
    assert wait_for(lambda: list_names(root / "proc") == ["tini", "argocd-cmp-serv"]), list_names(root / "proc")


def list_names(proc: Path) -> list[str]:
    """The names of the processes, dead ones included, that a container's /proc shows."""
    numbers = sorted(int(path.name) for path in proc.iterdir() if path.name.isdigit())
    return [(proc / str(number) / "comm").read_text().strip() for number in numbers]


def wait_for(has_happened: Callable[[], bool]) -> bool:
    """What ends a request goes on for a moment after its answer."""
    end = time.monotonic() + 10
    while not has_happened():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True
