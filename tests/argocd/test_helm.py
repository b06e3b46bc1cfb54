"""What helm is called with: no word of a repository or of a parameter becomes a second file, or another option."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from postrenderer.hosts.argocd.helm import list_arguments, render_chart
from postrenderer.hosts.argocd.parameters import Parameters
from postrenderer.hosts.argocd.request import Request
from postrenderer.hosts.argocd.workspace import Limits, Workspace
from postrenderer.model import Refused


@pytest.fixture
def request_(tmp_path: Path) -> Request:
    chart = tmp_path / "repository" / "chart"
    for name in ("x,", "x,,k=", "y\\,k="):
        (chart / name / "etc").mkdir(parents=True)
        (chart / name / "etc" / "passwd").write_text("")
    (chart / 'q".yaml').write_text("")
    return Request("web", "", "", (), "", str(chart), str(chart.parent))


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return Workspace(Limits(20), {}, with_network=False)


def test_a_values_file_is_one_to_a_reader_of_csv(request_: Request, workspace: Workspace) -> None:
    found = list_arguments(request_, Parameters(values_files=("x,/etc/passwd", 'q".yaml')), workspace)
    root = request_.folder
    assert f'--values="{root}/x,/etc/passwd"' in found
    assert f'--values="{root}/q"".yaml"' in found


@pytest.mark.parametrize(
    ("path", "written"),
    [("x,,k=/etc/passwd", "x\\,\\,k=/etc/passwd"), ("y\\,k=/etc/passwd", "y\\\\\\,k=/etc/passwd")],
)
def test_a_file_parameter_is_one_file(request_: Request, workspace: Workspace, path: str, written: str) -> None:
    found = list_arguments(request_, Parameters(helm_file_parameters={"a.b": path}), workspace)
    assert f"--set-file=a.b={request_.folder}/{written}" in found


@pytest.mark.parametrize("name", ["x=/etc/passwd,y", "x,y", "x=", "{x}", "x\\"])
def test_the_name_of_a_file_parameter_is_one_name(request_: Request, workspace: Workspace, name: str) -> None:
    with pytest.raises(Refused, match="parameter helm-file-parameters: .* is no name of one value"):
        list_arguments(request_, Parameters(helm_file_parameters={name: 'q".yaml'}), workspace)


class TestDependencies:
    """helm says that one is missing, and would build it."""

    def render(self, request: Request, workspace: Workspace, text: str) -> str:
        program = Path(request.root) / "helm"
        program.write_text(f"#!/bin/sh\necho $1 >>{request.root}/ran\n" + MISSING)
        program.chmod(0o755)
        (Path(request.folder) / "Chart.yaml").write_text(text)
        with workspace, pytest.raises(Refused) as found:
            render_chart(request, Parameters(), workspace, str(program), ())
        assert (Path(request.root) / "ran").read_text() == "template\n"
        return found.value.message

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("dependencies: [{name: a, Repository: https://x}]\n", "`Repository` has to be written as `repository`"),
            ("DEPENDENCIES: [{name: a, repository: https://x}]\n", "has to be written as `dependencies`"),
            ("dependencies: [{name: a, repository: !!binary aHR0cDovL3g=}]\n", "a tag changes"),
            ("dependencies: [{<<: {repository: file://.}, <<: {repository: https://x}}]\n", "has two merge keys"),
            ("#" * (1 << 20) + "\ndependencies: [{repository: https://x}]\n", "Chart.yaml: is larger than"),
            ("dependencies: [{name: a, repository: 'file://link/../../..'}]\n", "is no directory of the repository"),
            ("- a\n", "Chart.yaml: cannot be read: `the document` must be a mapping"),
        ],
    )
    def test_what_helm_would_read_otherwise(
        self, request_: Request, workspace: Workspace, text: str, message: str
    ) -> None:
        deep = Path(request_.root) / "a" / "b" / "c"
        os.makedirs(deep)
        (Path(request_.folder) / "link").symlink_to("../a/b/c")
        assert message in self.render(request_, workspace, text)


MISSING = "echo 'found in Chart.yaml, but missing in charts/ directory: a' >&2\nexit 1\n"
