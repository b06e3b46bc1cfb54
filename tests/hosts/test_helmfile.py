"""helmfile hands its `postRenderer` to Helm: the command with Helm 3, the plugin with Helm 4."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.hosts.programs import CHART, PLUGIN, SANDBOX, Home, find_resource, load_resources, write_chart
from tests.support import EXAMPLES, check_output, check_same_meaning, find_tool, run_to_bytes

pytestmark = pytest.mark.e2e
UNKNOWN = SANDBOX.replace(
    "registry.k8s.io/agent-sandbox/python-runtime-sandbox:v0.4.6", "registry.example.com/agent:2.1"
)
NOBODY = ("HOME=/proc/nobody", "XDG_CONFIG_HOME=/proc/nobody/config", "XDG_CACHE_HOME=/proc/nobody/cache")
"""A home to which nobody can write, root neither."""
WEB = {"name": "web", "chart": "./a chart"}
OTHER = {"name": "other", "chart": "./unknown"}


def is_helm4(home: Home) -> bool:
    return (home.bin / "helm").resolve().name == "helm4"


@pytest.fixture(params=["helm3", "helm4"])
def host(request: pytest.FixtureRequest) -> Home:
    """A home with helmfile and one of the Helms; `spy` is a post-renderer that adds nothing."""
    home: Home = request.getfixturevalue(request.param)
    home.add("helmfile", find_tool("helmfile"))
    if not is_helm4(home):
        home.write_script(home.bin / "spy", "exec cat")
    return home


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A directory with a blank in its path, and charts: something to do, an unknown image, nothing to do."""
    directory = tmp_path / "my work"
    write_chart(directory / "a chart", one=SANDBOX)
    write_chart(directory / "unknown", two=UNKNOWN.replace("name: one", "name: two"))
    write_chart(directory / "plain", one="kind: ConfigMap # {{ .Release.Name }}\n\n\ndata: {a:   b}\n")
    return directory


def write_helmfile(directory: Path, *releases: dict[str, Any], **defaults: Any) -> None:
    values = {"helmDefaults": {"skipDeps": True, **defaults}, "releases": list(releases)}
    (directory / "helmfile.yaml").write_text(yaml.safe_dump(values, width=1000))


def template(home: Home, directory: Path, *arguments: str) -> bytes:
    return home.get_output("helmfile", "--quiet", "template", *arguments, cwd=directory)


def template_with(renderer: str | None, home: Home, directory: Path, *releases: dict[str, Any]) -> bytes:
    write_helmfile(directory, *releases, **({"postRenderer": renderer} if renderer else {}))
    return template(home, directory)


def test_example(host: Home, tmp_path: Path) -> None:
    """`examples/helmfile`, compared with a post-renderer that adds nothing."""
    directory = tmp_path / "my examples" / "helmfile"
    shutil.copytree(EXAMPLES / "helmfile", directory)
    shutil.copytree(CHART, directory.parent / "chart")
    files = sorted(directory.parent.rglob("*"))
    after = template(host, directory)
    assert sorted(directory.parent.rglob("*")) == files, "something was written beside the example"
    file = directory / "helmfile.yaml"
    file.write_text(file.read_text().replace(PLUGIN, "spy"))
    before = template(host, directory)
    check_output(before, after, image_uid=(("registry.example.com/search/agent:2.1", 4242),))
    deployment = find_resource(after, "agents-search")["spec"]["byo"]["deployment"]
    assert deployment["securityContext"] == {"runAsNonRoot": True, "runAsUser": 4242}


def test_nothing_to_do(host: Home, work: Path) -> None:
    release = {"name": "web", "chart": "./plain"}
    without, spied, ours = (template_with(name, host, work, release) for name in (None, "spy", PLUGIN))
    assert ours == spied
    assert load_resources(ours) == load_resources(without)
    if not is_helm4(host):
        assert ours == without


def test_something_to_do(host: Home, work: Path) -> None:
    without, spied, ours = (template_with(name, host, work, WEB) for name in (None, "spy", PLUGIN))
    check_output(spied, ours)
    check_same_meaning(load_resources(without), load_resources(ours))
    spec = find_resource(ours, "one")["spec"]["podTemplate"]["spec"]
    assert spec["securityContext"] == {"runAsNonRoot": True, "runAsUser": 1000}
    if not is_helm4(host):
        assert ours == run_to_bytes(without)


def test_failure(host: Home, work: Path) -> None:
    """It fails helmfile; what it says is shown with Helm 3, lost with Helm 4, and always in the report."""
    write_helmfile(work, WEB, OTHER, postRenderer=PLUGIN, postRendererArgs=["--strict", "--report", "report.json"])
    failed = host.run("helmfile", "template", cwd=work)
    assert failed.returncode != 0
    assert b"name: two" not in failed.stdout
    message = "has no runtime identity (strict)"
    assert (message.encode() in failed.stderr) is not is_helm4(host)
    assert message in json.loads((work / "report.json").read_text())["error"]


def test_a_report_for_each_release(host: Home, work: Path) -> None:
    """The arguments in `helmDefaults` are templates."""
    arguments = ["--report", "{{ .Release.Name }}.json"]
    write_helmfile(work, WEB, OTHER, postRenderer=PLUGIN, postRendererArgs=arguments)
    template(host, work)
    web, other = (json.loads((work / f"{name}.json").read_text()) for name in ("web", "other"))
    assert (web["additions"], other["additions"]) == (4, 0)
    assert "image-unknown" in {finding["id"] for finding in other["findings"]}


def test_arguments_of_a_release(host: Home, work: Path) -> None:
    """They stand instead of those of `helmDefaults`."""
    release = {**OTHER, "postRendererArgs": ["--image-uid", "registry.example.com/agent:2.1=4242"]}
    write_helmfile(work, release, postRenderer=PLUGIN, postRendererArgs=["--strict"])
    spec = find_resource(template(host, work), "two")["spec"]["podTemplate"]["spec"]
    assert spec["securityContext"] == {"runAsNonRoot": True, "runAsUser": 4242}


def test_arguments_of_the_command_line(host: Home, work: Path) -> None:
    write_helmfile(work, OTHER)
    options = ["--post-renderer", PLUGIN]
    options += [f"--post-renderer-args={one}" for one in ("--image-uid", "registry.example.com/agent:2.1=4242")]
    assert b"runAsUser: 4242" in template(host, work, *options)


def test_a_release_is_left_out_by_naming_the_others(host: Home, work: Path) -> None:
    """A limit of helmfile, documented: an empty `postRenderer` is as good as none."""
    second = {"name": "second", "chart": "./a chart"}
    write_helmfile(work, WEB, {**second, "postRenderer": ""}, postRenderer=PLUGIN)
    assert template(host, work).count(b"runAsUser") == 4
    write_helmfile(work, {**WEB, "postRenderer": PLUGIN}, second)
    assert template(host, work).count(b"runAsUser") == 2


def test_output_dir_is_post_rendered(host: Home, work: Path) -> None:
    """With Helm 3 too, which does not do that itself: helmfile writes what Helm prints."""
    write_helmfile(work, WEB, postRenderer=PLUGIN)
    template(host, work, "--output-dir", "out")
    (file,) = (work / "out").rglob("*.yaml")
    assert file.read_bytes().count(b"runAsUser") == 2


def test_lock_of_a_local_chart_is_written(host: Home, work: Path) -> None:
    """Which is why the example says `skipDeps`."""
    shutil.copytree(CHART, work / "chart")
    write_helmfile(work, {"name": "agents", "chart": "./chart"}, skipDeps=False)
    template(host, work)
    assert (work / "chart" / "Chart.lock").exists()


def test_diff_hands_the_flag_over(host: Home, work: Path) -> None:
    """To helm-diff, which is not here: helmfile shows what it called."""
    write_helmfile(work, WEB, postRenderer=PLUGIN)
    called = host.run("helmfile", "diff", cwd=work).stderr.decode()
    assert 'unknown command "diff"' in called
    assert re.search(rf": --post-renderer \(15 bytes\)\n  \d+: {PLUGIN} ", called)


def test_home_that_cannot_be_written(host: Home, work: Path) -> None:
    write_helmfile(work, WEB, postRenderer=PLUGIN)
    command = ["env", *NOBODY, "helmfile", "--quiet", "template"]
    if is_helm4(host):
        assert b"not found" in host.run(*command, cwd=work).stderr, "Helm 4 loads plugins without its cache now"
        command.insert(1, f"HELM_CACHE_HOME={host.path / 'elsewhere'}")
    assert host.get_output(*command, cwd=work).count(b"runAsUser") == 2


def test_without_home(host: Home, work: Path) -> None:
    write_helmfile(work, WEB, postRenderer=PLUGIN)
    output = host.get_output("env", "-u", "HOME", "helmfile", "--quiet", "template", cwd=work)
    assert output == template(host, work)


def test_two_at_once(host: Home, work: Path) -> None:
    write_helmfile(work, WEB, OTHER, postRenderer=PLUGIN)
    alone = template(host, work)
    command = ["helmfile", "--quiet", "template"]
    runs = [
        subprocess.Popen(command, cwd=work, env=host.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    assert [run.communicate(timeout=60)[0] for run in runs] == [alone, alone]
    assert [run.returncode for run in runs] == [0, 0]
