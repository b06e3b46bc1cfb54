"""The built distributions: installed into fresh environments, they hold what a run needs, and run.

Slow, and in need of a package index: marked `packaging`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from postrenderer import __version__
from tests.cli import DONE, KNOWN
from tests.support import ROOT

pytestmark = pytest.mark.packaging

DATA = ["py.typed", "injection.json", "images/table.json", "schemas/config.json", "schemas/report.json"]
IGNORED = shutil.ignore_patterns(
    ".git", "__pycache__", ".*_cache", ".hypothesis", "dist", "build", ".venv", "*.egg-info"
)
DEPLOYMENT = KNOWN.replace("agents.x-k8s.io/v1alpha1", "apps/v1").replace("Sandbox", "Deployment")


def run(*arguments: str | Path, data: str = "", cwd: Path | None = None) -> str:
    """Run a program in an environment without anything of the checkout's; answer its output."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV_", "COVERAGE"))}
    found = subprocess.run(
        [str(argument) for argument in arguments],
        input=data,
        text=True,
        capture_output=True,
        check=False,
        cwd=cwd,
        env=clean,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the sdist, and of the wheel that is built from it."""
    source = tmp_path_factory.mktemp("source") / "checkout"
    shutil.copytree(ROOT, source, ignore=IGNORED)
    target = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", target, source)
    return target


@pytest.fixture(scope="module")
def wheel(distributions: Path) -> Path:
    (found,) = distributions.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def sdist(distributions: Path) -> Path:
    (found,) = distributions.glob("*.tar.gz")
    return found


def install(folder: Path, *requirements: str | Path) -> Path:
    """A fresh environment with these installed; answers where its programs are."""
    venv.create(folder, with_pip=True)
    programs = Path(sysconfig.get_path("scripts", "venv", {"base": str(folder), "platbase": str(folder)}))
    run(programs / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements)
    return programs


@pytest.fixture(scope="module", params=["wheel", "sdist"])
def programs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the programs of an environment are into which the wheel, or the sdist, was installed."""
    return install(tmp_path_factory.mktemp("env") / request.param, request.getfixturevalue(request.param))


class TestContents:
    def test_of_the_wheel(self, wheel: Path) -> None:
        assert wheel.name == f"sandbox_postrenderer-{__version__}-py3-none-any.whl"
        names = zipfile.ZipFile(wheel).namelist()
        for name in [*DATA, "contrib/workloads.py"]:
            assert f"postrenderer/{name}" in names
        assert [name for name in names if name.endswith("/LICENSE")]
        assert {name.partition("/")[0] for name in names} == {
            "postrenderer",
            f"sandbox_postrenderer-{__version__}.dist-info",
        }
        assert not [name for name in names if "__pycache__" in name]
        assert len(names) == len(set(names))

    def test_of_the_sdist(self, sdist: Path) -> None:
        with tarfile.open(sdist) as archive:
            names = {name.partition("/")[2] for name in archive.getnames()}
        for name in ["LICENSE", "README.md", "pyproject.toml", "plugins/workloads.py", "tests/test_packaging.py"]:
            assert name in names
        assert not [name for name in names if "_cache" in name or "__pycache__" in name]


class TestInstalled:
    def test_the_script(self, programs: Path, tmp_path: Path) -> None:
        command = programs / "sandbox-postrenderer"
        assert run(command, "--version").split()[-1] == __version__
        assert run(command, data=KNOWN, cwd=tmp_path) == DONE
        assert run(command, "images", "list")

    def test_the_module(self, programs: Path, tmp_path: Path) -> None:
        assert run(programs / "python", "-m", "postrenderer", data=KNOWN, cwd=tmp_path) == DONE

    def test_a_shipped_plugin(self, programs: Path, tmp_path: Path) -> None:
        data = DEPLOYMENT.replace("podTemplate", "template")
        found = run(programs / "sandbox-postrenderer", "--plugin", "workloads", data=data, cwd=tmp_path)
        assert found.count("runAsUser: 1001") == 2

    def test_it_needs_no_more_than_it_says(self, programs: Path) -> None:
        run(programs / "python", "-m", "pip", "--disable-pip-version-check", "check")

    def test_a_configuration_file(self, programs: Path, tmp_path: Path) -> None:
        (tmp_path / "c.yaml").write_text("levels: container\n")
        found = run(programs / "sandbox-postrenderer", "--config", "c.yaml", data=KNOWN, cwd=tmp_path)
        assert found.count("runAsUser: 1001") == 1

    def test_data_files(self, programs: Path, tmp_path: Path) -> None:
        program = """if True:
            import importlib.resources, sys
            package = importlib.resources.files("postrenderer")
            print([package.joinpath(name).is_file() for name in sys.argv[1:]])
        """
        assert run(programs / "python", "-c", program, *DATA, cwd=tmp_path) == f"{[True] * len(DATA)}\n"


def test_pipx_runs_it_from_the_wheel(wheel: Path, tmp_path: Path) -> None:
    pipx = install(tmp_path / "env", "pipx") / "pipx"
    assert run(pipx, "run", "--no-cache", "--spec", wheel, "sandbox-postrenderer", data=KNOWN, cwd=tmp_path) == DONE
