"""The commands of Argo CD's plugin, called as its server calls them; `tests/hosts` has the server and the programs."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from postrenderer import __version__
from postrenderer.hosts.argocd.parameters import BY_KNOWN_NAME
from postrenderer.hosts.helm4 import to_semver
from postrenderer.settings import BY_NAME
from tests.cli import DONE, KNOWN, OTHER, UNKNOWN, call, check_refused, read_report

HELM = """\
#!/bin/sh
printf '%s\\n' "$@" >"$ARGOCD_APP_SOURCE_REPO_URL/arguments"
cat <<END
---
# Source: web/templates/one.yaml
{text}END
"""


def generate(
    folder: Path, *arguments: str, parameters: Any = None, **environment: str
) -> subprocess.CompletedProcess[bytes]:
    if parameters is not None:
        environment["ARGOCD_APP_PARAMETERS"] = json.dumps(parameters)
    return call("argocd", "generate", *arguments, cwd=folder, environment=environment)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    folder.mkdir()
    return folder


class TestGenerate:
    def test_a_directory(self, folder: Path) -> None:
        (folder / "a.yaml").write_text(OTHER)
        (folder / "b.yaml").write_text(KNOWN)
        found = generate(folder)
        assert found.stdout.decode() == f"{OTHER}---\n{DONE}"
        assert b"4 values added to 1 resource" in found.stderr

    @pytest.mark.parametrize("text", ["", "# nothing\n", "---\n---\n# x\n...\n"])
    def test_nothing_is_an_error_unless_it_is_meant(self, folder: Path, text: str) -> None:
        (folder / "a.yaml").write_text(text)
        check_refused(generate(folder, ARGOCD_APP_NAME="team_web"), "web: directory rendered no resource at all")
        assert generate(folder, "--allow-empty").returncode == 0
        assert generate(folder, SANDBOX_POSTRENDERER_ALLOW_EMPTY="true").returncode == 0
        assert generate(folder, parameters=[{"name": "allow-empty", "string": "true"}]).returncode == 0

    def test_a_chart(self, folder: Path) -> None:
        (folder / "Chart.yaml").write_text("name: web\n")
        (folder / "values-1.yaml").write_text("")
        (folder.parent / "common.yaml").write_text("")
        helm = folder.parent / "helm"
        helm.write_text(HELM.replace("$ARGOCD_APP_SOURCE_REPO_URL", str(folder.parent)).replace("{text}", KNOWN))
        helm.write_text(helm.read_text().replace("cat <<", "/bin/cat <<"))
        helm.chmod(0o755)
        parameters = [
            {"name": "values-files", "array": ["values-1.yaml", "/common.yaml", "values-?.yaml"]},
            {"name": "values", "string": "a: 1\n"},
            {"name": "helm-parameters", "map": {"--kubeconfig": "x", "b": "1,$ARGOCD_APP_NAME"}},
            {"name": "helm-string-parameters", "map": {"c": "{1,2}"}},
            {"name": "helm-file-parameters", "map": {"d": "values-1.yaml"}},
            {"name": "skip-crds", "string": "true"},
            {"name": "skip-tests", "string": "true"},
        ]
        found = generate(
            folder,
            "--helm",
            str(helm),
            parameters=parameters,
            ARGOCD_APP_NAME="team_web",
            ARGOCD_APP_NAMESPACE="prod",
            ARGOCD_APP_SOURCE_PATH="app",
            KUBE_VERSION="1.34.1",
            KUBE_API_VERSIONS="v1,apps/v1",
        )
        assert found.returncode == 0, found.stderr.decode()
        assert DONE in found.stdout.decode()
        *arguments, values, version_1, version_2, skip = (folder.parent / "arguments").read_text().splitlines()
        assert arguments == [
            "template",
            ".",
            "--name-template=web",
            "--namespace=prod",
            "--kube-version=1.34.1",
            "--set=--kubeconfig=x",
            "--set=b=1\\,team_web",
            "--set-string=c={1,2}",
            f"--set-file=d={folder}/values-1.yaml",
            f"--values={folder}/values-1.yaml",
            f"--values={folder.parent}/common.yaml",
        ]
        assert values.endswith("/values.yaml")
        assert (version_1, version_2, skip) == ("--api-versions=v1", "--api-versions=apps/v1", "--skip-tests")

    def test_an_operator_is_above_an_application(self, folder: Path) -> None:
        (folder / "a.yaml").write_text(UNKNOWN)
        given = [{"name": "default-uid", "string": "6"}]
        assert b"runAsUser: 6\n" in generate(folder, parameters=given, SANDBOX_POSTRENDERER_DEFAULT_UID="5").stdout
        assert b"runAsUser: 7\n" in generate(folder, "--default-uid", "7", parameters=given).stdout
        check_refused(
            generate(folder, parameters=given, SANDBOX_POSTRENDERER_LOCKED="default-uid"),
            "parameter default-uid: default-uid is locked by the operator",
        )

    def test_the_skip_annotation_can_be_switched_off(self, folder: Path) -> None:
        skipped = KNOWN.replace("  name: web\n", "  name: web\n  annotations: {sandbox-postrenderer.io/skip: 'true'}\n")
        (folder / "a.yaml").write_text(skipped)
        assert generate(folder).stdout.decode() == skipped
        locked = {"SANDBOX_POSTRENDERER_HONOR_SKIP": "false", "SANDBOX_POSTRENDERER_LOCKED": "honor-skip"}
        assert b"runAsUser: 1001" in generate(folder, **locked).stdout

    def test_failures_are_in_the_report(self, folder: Path) -> None:
        report = folder.parent / "report.json"
        found = generate(folder, parameters="x", SANDBOX_POSTRENDERER_REPORT=str(report))
        check_refused(found, "ARGOCD_APP_PARAMETERS: takes a list of parameters")
        assert "takes a list" in read_report(report)["error"]

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (
                ("--helm", "/no/helm"),
                "/no/helm: is no program; put helm on the sidecar's PATH, or say SANDBOX_POSTRENDERER_",
            ),
            (("--time-limit", "x"), "time-limit: 'x' is no number"),
            (("--memory-limit", "0"), "memory-limit: '0' is no number"),
        ],
    )
    def test_an_operator_mistakes(self, folder: Path, options: tuple[str, ...], message: str) -> None:
        (folder / "Chart.yaml").write_text("")
        check_refused(generate(folder, *options), message)

    def test_this_program_itself_has_a_time_limit(self, folder: Path) -> None:
        (folder / "a.yaml").write_text("".join(f"---\n{KNOWN}" for _ in range(20_000)))
        check_refused(generate(folder, "--time-limit", "1"), "error: has not ended after 1 seconds, which is all")


class TestParameters:
    def test_static(self, folder: Path) -> None:
        (folder / "a.yaml").write_text(KNOWN)
        announced = {each["name"]: each for each in json.loads(call("argocd", "parameters", cwd=folder).stdout)}
        assert {*announced} == {*BY_KNOWN_NAME, *BY_NAME} - {"max-input"}
        assert announced["values-files"]["collectionType"] == "array"
        assert announced["unknown-image"]["string"] == "skip"
        assert announced["image-uid"]["map"] == {"ghcr.io/kagent-dev/kagent/app:0.9.1": "1001"}

    def test_a_bomb_of_values(self, folder: Path) -> None:
        lines = ["a0: &a0 []"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
        (folder / "Chart.yaml").write_text("name: web\n")
        (folder / "values.yaml").write_text("\n".join([*lines, ""]))
        found = call("argocd", "parameters", "--helm", "/bin/false", cwd=folder)
        assert found.returncode == 0
        assert b"warning: helm: failed with exit code 1" in found.stderr

    @pytest.mark.parametrize("text", ["a: [", "\xff", "- a\n", "", "a.b: {c: 1}\n"])
    def test_values_of_any_kind(self, folder: Path, text: str) -> None:
        (folder / "Chart.yaml").write_text("name: web\n")
        (folder / "values.yaml").write_text(text, encoding="latin-1")
        announced = {each["name"]: each for each in json.loads(call("argocd", "parameters", cwd=folder).stdout)}
        assert announced["helm-parameters"].get("map", {}) == ({"a\\.b.c": "1"} if text.startswith("a.b") else {})


def test_plugin_yaml() -> None:
    plugin = yaml.safe_load(call("argocd", "plugin").stdout)
    assert plugin["metadata"]["name"] == "sandbox-postrenderer"
    assert plugin["spec"]["version"] == f"v{to_semver(__version__)}"
    assert "discover" not in plugin["spec"]
    discovering = yaml.safe_load(call("argocd", "plugin", "--discover").stdout)
    assert discovering["spec"].pop("discover") == {"fileName": ".sandbox-postrenderer"}
    assert discovering == plugin
