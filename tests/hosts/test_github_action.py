"""`action.yml` under act, which runs a workflow's steps as GitHub's runner does; and what linters say of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli import DONE, KNOWN, UNKNOWN
from tests.hosts.checkout import OWNER_REPOSITORY, REVISION, commit_all, get_index_variables, snapshot_checkout
from tests.hosts.programs import Home
from tests.support import EXAMPLES, ROOT, find_tool

pytestmark = pytest.mark.e2e
WORKFLOW = (EXAMPLES / "github-action" / "workflow.yml").read_text(encoding="utf-8")
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
PAGE = (ROOT / "docs" / "pre-commit.md").read_text(encoding="utf-8")
HEAD = """\
on: push
jobs:
  job:
    runs-on: ubuntu-latest
    steps:
    - uses: actions/checkout@v6
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This project as a runner gets it."""
    path = tmp_path_factory.mktemp("action") / "project"
    snapshot_checkout(path)
    return path


class Runner:
    """A repository with one workflow, and the machine on which act runs it."""

    def __init__(self, folder: Path, project: Path) -> None:
        self.act = find_tool("act")
        self.project = project
        self.path = folder / "repository"
        self.home = Home(folder / "home")
        self.home.write_script(self.home.bin / "python3", f'exec "{sys.executable}" "$@"')

    def run(self, workflow: str, **files: str) -> tuple[int, str]:
        """Commit the files and push; returns the exit code, and the log without the text of the script."""
        for name, text in {".github/workflows/workflow.yml": workflow, **files}.items():
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            (self.path / name).write_text(text)
        commit_all(self.path)
        arguments = [self.act, "push", "-P", "ubuntu-latest=-self-hosted"]
        arguments += ["--local-repository", f"{OWNER_REPOSITORY}@{REVISION}={self.project}"]
        for name, value in get_index_variables().items():
            arguments += ["--env", f"{name}={value}"]
        done = subprocess.run(
            arguments,
            cwd=self.path,
            env=self.home.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        # act names a step without a name by its script, of many lines; what a step prints stands behind `  | `.
        return done.returncode, done.stdout.decode()

    def run_steps(self, steps: str, **files: str) -> tuple[int, str]:
        return self.run(HEAD + steps.replace("./", f"{OWNER_REPOSITORY}@{REVISION}"), **files)


@pytest.fixture
def runner(tmp_path: Path, project: Path) -> Runner:
    return Runner(tmp_path, project)


def find_printed(log: str) -> list[str]:
    return re.findall(r"^\[[^]]+\]   \| (.*)$", log, re.MULTILINE)


class TestCheck:
    def test_the_example(self, runner: Runner) -> None:
        code, log = runner.run(WORKFLOW, **{"manifests/one.yaml": KNOWN, "elsewhere.yaml": UNKNOWN})
        assert code == 1
        assert "+++ b/manifests/one.yaml" in find_printed(log)
        assert "+          runAsUser: 1001" in find_printed(log)
        assert "\n    +          runAsUser: 1001\n" in log, "the summary is indented"
        assert "set-output:: changed=true" in log

    def test_what_passes(self, runner: Runner) -> None:
        """Options, paths with spaces; and no code of the repository is run, and no text of an input or a manifest."""
        steps = """\
    - uses: ./
      id: one
      with:
        paths: |

          a folder
          --help.yaml
          $(touch ran).yaml
        args: |
          --image-uid=registry.example.com/team/app=4242

          --report
          $(touch ran).json
    - run: ls -1 | cat; echo "changed is ${{ steps.one.outputs.changed }}"
"""
        stated = KNOWN + "      securityContext: {runAsNonRoot: true, runAsUser: 7}\n"
        hostile = "open('ran', 'w').close()\n"
        names = ("a folder/one.yaml", "--help.yaml", "$(touch ran).yaml")
        modules = {f"{name}.py": hostile for name in ("venv", "pip", "secrets", "click", "postrenderer")}
        files = {**dict.fromkeys(names, DONE), **modules, "left out.yaml": stated}
        code, log = runner.run_steps(steps, **files)
        assert code == 0, log
        printed = find_printed(log)
        assert "sandbox-postrenderer: nothing to add to 3 resources" in printed
        assert "changed is false" in printed
        assert "$(touch ran).json" in printed
        assert "ran" not in printed

    def test_an_image_that_nobody_knows(self, runner: Runner) -> None:
        code, log = runner.run_steps("    - uses: ./\n", **{"odd.yaml": UNKNOWN})
        assert code == 1
        assert any("Sandbox/odd" in line and "(strict)" in line for line in find_printed(log))

    @pytest.mark.parametrize(
        ("inputs", "message"),
        [
            ("{mode: Check}", "the input mode must be check or fix"),
            ("{paths: ' '}", "the input paths names no file or folder"),
            ("{paths: missing}", "missing: cannot be read"),
        ],
    )
    def test_refused(self, runner: Runner, inputs: str, message: str) -> None:
        """A check that has looked at nothing does not pass."""
        code, log = runner.run_steps(f"    - uses: ./\n      with: {inputs}\n", **{"done.yaml": DONE})
        assert code == 1
        assert any(message in line for line in find_printed(log))
        assert "exit status 2" in log


class TestFix:
    STEPS = """\
    - uses: ./
      id: one
      with: {mode: fix}
    - run: echo "changed is ${{ steps.one.outputs.changed }}"; cat one.yaml; env
    - uses: ./
      id: two
    - run: echo "then it is ${{ steps.two.outputs.changed }}"
"""

    def test_then_check(self, runner: Runner) -> None:
        forged = KNOWN + "        args: |\n          ::set-output name=changed::forged\n          ::set-env name=A::B\n"
        code, log = runner.run_steps(self.STEPS, **{"one.yaml": KNOWN, "two.yaml": forged})
        assert code == 0, log
        printed = find_printed(log)
        assert "changed is true" in printed
        assert "then it is false" in printed
        start = printed.index("changed is true") + 1
        assert printed[start : start + len(DONE.splitlines())] == DONE.splitlines()
        assert "changed=forged" not in log
        # act reads a command at a line's start only, GitHub's runner behind blanks as well: none is read in between.
        (token,) = set(re.findall(r"::stop-commands::([0-9a-f]{64})", log[: log.index("changed is")]))
        stop, resume = log.index(f"::stop-commands::{token}"), log.rindex(f"::{token}::")
        assert stop < log.index("   ::set-output name=changed::forged") < resume

    def test_what_cannot_be_fixed(self, runner: Runner) -> None:
        """As the first hook: it is reported, and no error."""
        code, log = runner.run_steps(
            "    - uses: ./\n      with: {mode: fix}\n    - run: cat odd.yaml\n", **{"odd.yaml": UNKNOWN}
        )
        assert code == 0, log
        assert any("[image-unknown]" in line for line in find_printed(log))
        assert find_printed(log)[-len(UNKNOWN.splitlines()) :] == UNKNOWN.splitlines()


class TestText:
    def test_scripts_hold_no_expressions(self) -> None:
        for step in ACTION["runs"]["steps"]:
            assert "${{" not in step["run"]
            assert step["shell"] == "bash"
            assert step["run"].startswith("set -euo pipefail\n")
            assert "uses" not in step

    def test_the_page_names_the_inputs_and_their_defaults(self) -> None:
        rows = dict(re.findall(r"^\| `([a-z]+)` \| (?:`([^`]*)`)? ?\|", PAGE, re.MULTILINE))
        assert rows == {name: spec["default"] for name, spec in ACTION["inputs"].items()}

    def test_the_step_of_the_page(self) -> None:
        (step,) = re.findall(r"<!-- workflow -->\n```yaml\n(.*?)```", PAGE, re.DOTALL)
        (read,) = yaml.safe_load(step)
        assert read["uses"] == f"{OWNER_REPOSITORY}@{REVISION}"
        assert set(read["with"]) <= set(ACTION["inputs"])

    def test_zizmor(self, tmp_path: Path) -> None:
        """With a commit put in for the placeholder, as a reader does."""
        workflow = tmp_path / ".github" / "workflows" / "workflow.yml"
        workflow.parent.mkdir(parents=True)
        workflow.write_text(WORKFLOW.replace(REVISION, "0123456789" * 4))
        zizmor = Path(sys.executable).with_name("zizmor")
        check_silent(str(zizmor), "--offline", "--no-progress", str(ROOT / "action.yml"), str(workflow))

    def test_actionlint(self, tmp_path: Path) -> None:
        """It reads the action, too, where a workflow uses it from its own repository."""
        workflow = tmp_path / ".github" / "workflows" / "workflow.yml"
        workflow.parent.mkdir(parents=True)
        workflow.write_text(WORKFLOW.replace(f"{OWNER_REPOSITORY}@{REVISION}", "./"))
        (tmp_path / "action.yml").write_text((ROOT / "action.yml").read_text())
        commit_all(tmp_path)
        check_silent(find_tool("actionlint"), cwd=tmp_path)


def check_silent(*arguments: str, cwd: Path | None = None) -> None:
    done = subprocess.run(arguments, cwd=cwd, env=dict(os.environ), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
