"""Helm 4: `--post-renderer` names an installed plugin."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path

import pytest

from tests.hosts.programs import CHART, PLUGIN, SANDBOX, Home, find_resource, load_resources, write_chart
from tests.support import check_output, find_tool

pytestmark = pytest.mark.e2e
POST_RENDERER = ("--post-renderer", PLUGIN)
STATED = {"runAsNonRoot": True, "runAsUser": 4242}
INSTALL = f'helm plugin install "$({PLUGIN} helm-plugin)"'


def template(home: Home, *arguments: str, chart: Path = CHART, cwd: Path | None = None) -> bytes:
    return home.get_output("helm", "template", "agents", chart, *arguments, cwd=cwd)


def is_post_rendered(output: bytes) -> bool:
    context = find_resource(output, "agents-triage")["spec"]["declarative"].get("deployment", {})
    return context.get("securityContext") == {"runAsNonRoot": True, "runAsUser": 1001}


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--include-crds"],
        ["--no-hooks"],
        ["--set", "sandboxTemplateCRD=true"],
        ["--set", "notebook.enabled=false,reviewer.enabled=false"],
        ["--show-only", "templates/python-pool.yaml"],
        ["--show-only", "charts/reviewer/templates/agent.yaml"],
        ["--namespace", "support", "--is-upgrade"],
    ],
    ids=" ".join,
)
def test_only_insertions(helm4: Home, arguments: list[str]) -> None:
    """Helm 4 writes everything anew for any post-renderer; with ours there is more, and nothing less."""
    before = template(helm4, *arguments, "--post-renderer", "spy")
    after = template(helm4, *arguments, *POST_RENDERER)
    assert after != before
    check_output(before, after)


def test_what_goes_in_comes_out(helm4: Home) -> None:
    """The stream itself, with Helm's annotations, on which `--show-only` depends."""
    template(helm4, "--post-renderer", "spy")
    stream = (helm4.path / "spied").read_bytes()
    assert b"postrenderer.helm.sh/postrender-filename" in stream
    output = helm4.get_output(PLUGIN, "--host", "helm4", data=stream)
    assert output != stream
    check_output(stream, output)


def test_whole_release_is_there(helm4: Home) -> None:
    output = template(helm4, "--include-crds", *POST_RENDERER)
    kinds = [document["kind"] for document in load_resources(output)]
    assert {"Job", "Pod", "Secret", "Deployment", "CustomResourceDefinition", "SandboxWarmPool"} <= set(kinds)
    assert kinds.count("SandboxAgent") == 6
    assert is_post_rendered(output)
    assert b"postrenderer.helm.sh" not in output, "Helm takes its annotations away again"


def test_one_line_is_the_whole_installation(bare_helm4: Home) -> None:
    """And then the command itself need not be on PATH."""
    bare_helm4.get_output("sh", "-c", INSTALL)
    (bare_helm4.bin / PLUGIN).unlink()
    assert is_post_rendered(template(bare_helm4, *POST_RENDERER))
    listed = bare_helm4.get_output("helm", "plugin", "list", "--type", "postrenderer/v1")
    assert PLUGIN.encode() in listed


def test_interpreter_path_with_a_blank(bare_helm4: Home) -> None:
    environment = bare_helm4.path / "with space & 'quotes'"
    environment.symlink_to(sys.prefix)
    python = environment / "bin" / "python"
    directory = bare_helm4.get_output(python, "-m", "postrenderer", "helm-plugin").decode().strip()
    assert shlex.quote(str(python)) in Path(directory, "run").read_text()
    bare_helm4.get_output("helm", "plugin", "install", directory)
    assert is_post_rendered(template(bare_helm4, *POST_RENDERER))


def test_data_directory_with_a_blank(bare_helm4: Home) -> None:
    """`${HELM_PLUGIN_DIR}` itself has a blank: Helm splits the command before it puts the directory in."""
    bare_helm4.extra["XDG_DATA_HOME"] = str(bare_helm4.path / "My Data")
    bare_helm4.get_output("sh", "-c", INSTALL)
    assert is_post_rendered(template(bare_helm4, *POST_RENDERER))


def test_upgrade_is_written_in_place(helm4: Home) -> None:
    """What Helm linked is written over: no second installation, which Helm would refuse."""
    directory = Path(helm4.get_output(PLUGIN, "helm-plugin").decode().strip())
    (directory / "run").write_text("#!/gone/with/the/old/python\n")
    assert helm4.run("helm", "template", "agents", CHART, *POST_RENDERER).returncode != 0
    again = helm4.run("sh", "-c", INSTALL)
    assert again.returncode != 0
    assert b"plugin already exists" in again.stderr
    assert is_post_rendered(template(helm4, *POST_RENDERER))


def test_uninstall_leaves_the_linked_directory(helm4: Home) -> None:
    helm4.get_output("helm", "plugin", "uninstall", PLUGIN)
    assert helm4.run("helm", "template", "agents", CHART, *POST_RENDERER).returncode != 0
    helm4.get_output("sh", "-c", INSTALL)
    assert is_post_rendered(template(helm4, *POST_RENDERER))


def test_nothing_of_the_current_directory_is_imported(helm4: Home, hostile: Path) -> None:
    assert is_post_rendered(template(helm4, *POST_RENDERER, cwd=hostile))
    assert not (hostile / "imported").exists()


@pytest.mark.parametrize("name", ["sandbox-postrenderer-0.1.0.tgz", "sandbox-postrenderer.tar.gz", "other.tgz"])
def test_package(bare_helm4: Home, name: str) -> None:
    """A package for others: it takes the command from PATH."""
    package = bare_helm4.path / name
    printed = bare_helm4.get_output(PLUGIN, "helm-plugin", "--package", name)
    assert printed.decode() == f"{package}\n"
    unverified = bare_helm4.run("helm", "plugin", "install", package)
    assert unverified.returncode != 0
    bare_helm4.get_output("helm", "plugin", "install", "--verify=false", package)
    assert is_post_rendered(template(bare_helm4, *POST_RENDERER))
    (bare_helm4.bin / PLUGIN).unlink()
    assert bare_helm4.run("helm", "template", "agents", CHART, *POST_RENDERER).returncode != 0


def test_version_of_a_development_build(bare_helm4: Home) -> None:
    """Helm hides a plugin whose version is no semantic one."""
    code = "from postrenderer.hosts import helm4; print(helm4.write_plugin('plugin', '0.2.0a1.dev3'))"
    directory = bare_helm4.get_output(sys.executable, "-c", code).decode().strip()
    bare_helm4.get_output("helm", "plugin", "install", directory)
    assert b"0.2.0-alpha.1.dev.3" in bare_helm4.get_output("helm", "plugin", "list")


def test_empty_output(helm4: Home) -> None:
    """Helm 4 takes an empty answer for a failure, also to an empty question."""
    chart = write_chart(helm4.path / "empty", none="{{- if false }}\na: b\n{{- end }}\n")
    template(helm4, "--post-renderer", "spy", chart=write_chart(helm4.path / "plain", one="kind: ConfigMap\n"))
    assert helm4.run("helm", "template", "agents", chart, "--post-renderer", "spy").returncode != 0
    assert load_resources(template(helm4, *POST_RENDERER, chart=chart)) == []


def test_nothing_to_find(helm4: Home) -> None:
    chart = write_chart(helm4.path / "plain", one="kind: ConfigMap # {{ .Release.Name }}\n\n\ndata: {a:   b}\n")
    assert template(helm4, *POST_RENDERER, chart=chart) == template(helm4, "--post-renderer", "spy", chart=chart)


def test_report_is_the_only_voice(helm4: Home) -> None:
    """Standard error is lost, on success and on failure; the report says what there is to say."""
    report = helm4.path / "report.json"
    arguments = [f"--post-renderer-args={argument}" for argument in ("--report", str(report))]
    done = helm4.run("helm", "template", "agents", CHART, *POST_RENDERER, *arguments)
    assert (done.returncode, done.stderr) == (0, b"")
    found = json.loads(report.read_text())
    assert found["error"] is None
    assert {finding["id"] for finding in found["findings"]} >= {"identity-defaulted", "root-by-choice", "image-unknown"}
    assert "agents/templates/agents-byo.yaml" in {finding["source"] for finding in found["findings"]}

    failed = helm4.run(
        "helm", "template", "agents", CHART, *POST_RENDERER, *arguments, "--post-renderer-args=--strict", "--debug"
    )
    assert failed.returncode != 0
    assert failed.stdout.strip() == b""
    assert b"own-data" not in failed.stderr
    error = json.loads(report.read_text())["error"]
    assert "init container own-data" in error
    assert "has no runtime identity (strict)" in error


def test_arguments(helm4: Home) -> None:
    arguments = ["--post-renderer-args=--image-uid", "--post-renderer-args=registry.example.com/search/agent:2.1=4242"]
    output = template(helm4, *POST_RENDERER, *arguments)
    deployment = find_resource(output, "agents-search")["spec"]["byo"]["deployment"]
    assert (
        deployment["podSecurityContext"] == deployment["securityContext"] == {"runAsNonRoot": True, "runAsUser": 4242}
    )


def test_environment_reaches_the_plugin(helm4: Home) -> None:
    helm4.extra["SANDBOX_POSTRENDERER_SKIP_KIND"] = "SandboxAgent"
    assert not is_post_rendered(template(helm4, *POST_RENDERER))


def test_install_without_a_cluster(helm4: Home) -> None:
    """`--dry-run=client` shows what would be installed, and the notes."""
    output = helm4.get_output("helm", "install", "agents", CHART, "--dry-run=client", *POST_RENDERER)
    manifest, _, notes = output.partition(b"NOTES:")
    assert b"kubectl -n default get sandboxagents.kagent.dev" in notes
    before = helm4.get_output("helm", "install", "agents", CHART, "--dry-run=client", "--post-renderer", "spy")
    assert manifest.count(b"runAsNonRoot: true") > before.count(b"runAsNonRoot: true")


def test_output_dir_is_post_rendered(helm4: Home) -> None:
    """Other than in Helm 3."""
    template(helm4, "--output-dir", str(helm4.path / "out"), *POST_RENDERER)
    assert is_post_rendered((helm4.path / "out/agents/templates/agents.yaml").read_bytes())


def test_a_path_is_refused(helm4: Home) -> None:
    refused = helm4.run("helm", "template", "agents", CHART, "--post-renderer", helm4.bin / PLUGIN)
    assert refused.returncode != 0
    assert b"not found" in refused.stderr


def test_helm_3_beside_it(helm4: Home) -> None:
    """Both share a plugin directory: Helm 3 complains and works, but cannot list its plugins. Apart, no noise."""
    helm4.add("helm3", find_tool("helm3"))
    noisy = helm4.run("helm3", "template", "agents", CHART, "--post-renderer", PLUGIN)
    assert noisy.returncode == 0
    assert is_post_rendered(noisy.stdout)
    assert b"failed to load plugin" in noisy.stderr
    assert helm4.run("helm3", "plugin", "list").returncode != 0
    helm4.extra["HELM_PLUGINS"] = str(helm4.path / "helm3-plugins")
    quiet = helm4.run("helm3", "template", "agents", CHART, "--post-renderer", PLUGIN)
    assert (quiet.returncode, quiet.stderr) == (0, b"")


def test_plugins_in_a_directory_of_their_own(bare_helm4: Home) -> None:
    """The other way round: Helm 4's plugins stand apart, and Helm 3 never sees them.

    HELM_DATA_HOME and not HELM_PLUGINS: Helm 4 looks for plugins in the latter, and installs elsewhere.
    """
    bare_helm4.extra["HELM_DATA_HOME"] = str(bare_helm4.path / "helm4-data")
    bare_helm4.get_output("sh", "-c", INSTALL)
    assert is_post_rendered(template(bare_helm4, *POST_RENDERER))
    del bare_helm4.extra["HELM_DATA_HOME"]
    bare_helm4.add("helm3", find_tool("helm3"))
    quiet = bare_helm4.run("helm3", "template", "agents", CHART, "--post-renderer", PLUGIN)
    assert (quiet.returncode, quiet.stderr) == (0, b"")
    assert not os.path.exists(bare_helm4.data / "helm" / "plugins")


def test_sandbox_of_a_small_chart(helm4: Home) -> None:
    chart = write_chart(helm4.path / "small", one=SANDBOX)
    spec = load_resources(template(helm4, *POST_RENDERER, chart=chart))[0]["spec"]["podTemplate"]["spec"]
    assert spec["securityContext"] == spec["containers"][0]["securityContext"]
    assert spec["securityContext"] == {"runAsNonRoot": True, "runAsUser": 1000}
