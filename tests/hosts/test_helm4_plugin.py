"""What is written for Helm 4, without Helm."""

from __future__ import annotations

import os
import subprocess
import tarfile
from pathlib import Path

import pytest
import yaml

from postrenderer.hosts import helm4, launcher
from postrenderer.model import Refused
from tests.hosts.programs import find_command


@pytest.mark.parametrize(
    ("version", "semver"),
    [
        ("0.1.0", "0.1.0"),
        ("1.2", "1.2.0"),
        ("2", "2.0.0"),
        ("0.1.0.dev1", "0.1.0-dev.1"),
        ("0.2.dev3", "0.2.0-dev.3"),
        ("0.2.0a1", "0.2.0-alpha.1"),
        ("0.2.0b02", "0.2.0-beta.2"),
        ("0.2.0rc1", "0.2.0-rc.1"),
        ("0.2.0rc1.dev3", "0.2.0-rc.1.dev.3"),
        ("1.0.0.post1", "1.0.0"),
        ("1.0.0+local.7", "1.0.0"),
        ("01.02.03", "1.2.3"),
    ],
)
def test_semver(version: str, semver: str) -> None:
    assert helm4.to_semver(version) == semver


@pytest.mark.parametrize("version", ["", "1.2.3.4", "1!2.0", "v1", "latest", "1.0\n"])
def test_no_semver(version: str) -> None:
    with pytest.raises(Refused, match="semantic version"):
        helm4.to_semver(version)


def test_plugin_is_what_helm_expects() -> None:
    """Unknown keys are fatal: these are all."""
    plugin = yaml.safe_load(helm4.format_plugin("0.1.0", "${HELM_PLUGIN_DIR}/run"))
    assert list(plugin) == ["apiVersion", "type", "name", "version", "runtime", "runtimeConfig"]
    assert plugin["runtimeConfig"] == {
        "platformCommand": [{"command": "${HELM_PLUGIN_DIR}/run", "args": ["--host", "helm4"]}]
    }
    assert " " not in plugin["runtimeConfig"]["platformCommand"][0]["command"]


def test_directory_can_be_run_by_whoever_can_read_it(tmp_path: Path) -> None:
    directory = Path(helm4.write_plugin(str(tmp_path / "a" / "b"), "0.1.0"))
    assert sorted(os.listdir(directory)) == ["plugin.yaml", "run"]
    assert os.access(directory / "run", os.X_OK)


def test_relative_directory_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert helm4.write_plugin("plugin", "0.1.0") == str(tmp_path / "plugin")


def test_foreign_files_are_not_written_over(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    helm4.write_plugin(str(tmp_path), "0.1.0")
    helm4.write_plugin(str(tmp_path), "0.2.0")
    assert "version: 0.2.0\n" in (tmp_path / "plugin.yaml").read_text()
    (tmp_path / "plugin.yaml").write_text("name: other\n")
    with pytest.raises(Refused, match="not this plugin's"):
        helm4.write_plugin(str(tmp_path), "0.1.0")
    (tmp_path / "plugin.yaml").unlink()
    with pytest.raises(Refused, match="not this plugin's"):
        helm4.write_plugin(str(tmp_path), "0.1.0")


@pytest.mark.parametrize("name", ["with space", "it's $HOME `id`", "caf\u00e9", "\udcff", 'say "x" & \\n'])
def test_launcher_runs_any_interpreter_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The path is a word of the shell, whatever is in it, also bytes that are no UTF-8."""
    python = tmp_path / name / "python"
    python.parent.mkdir()
    python.write_text('#!/bin/sh\nprintf "%s|" "$1" "$3" "$4"\n')
    python.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(python))
    directory = helm4.write_plugin(str(tmp_path / "plugin"), "0.1.0")
    done = subprocess.run([f"{directory}/run", "--host", "helm4"], capture_output=True, text=True, check=True)
    assert done.stdout == "-c|--host|helm4|"


def test_default_directory(tmp_path: Path) -> None:
    assert helm4.get_default_directory({"XDG_DATA_HOME": "/d"}) == "/d/sandbox-postrenderer/helm4/sandbox-postrenderer"
    assert helm4.get_default_directory({}).startswith(os.path.expanduser("~/.local/share/"))


def test_package(tmp_path: Path) -> None:
    path = tmp_path / "sandbox-postrenderer-0.2.0-rc.1.tgz"
    helm4.package_plugin(str(path), "0.2.0rc1")
    with tarfile.open(path) as archive:
        assert archive.getnames() == ["sandbox-postrenderer/plugin.yaml"]
        content = archive.extractfile("sandbox-postrenderer/plugin.yaml")
        assert content is not None
        plugin = yaml.safe_load(content.read())
    assert plugin["version"] == "0.2.0-rc.1"
    assert plugin["runtimeConfig"]["platformCommand"][0]["command"] == "sandbox-postrenderer"


@pytest.mark.parametrize(
    ("path", "directory"),
    [
        ("sandbox-postrenderer.tgz", "sandbox-postrenderer"),
        ("dist/sandbox-postrenderer-0.1.0.tgz", "sandbox-postrenderer"),
        ("sandbox-postrenderer-0.2.0-rc.1.tar.gz", "sandbox-postrenderer"),
        ("/a-1.0/plugin.tgz", "plugin"),
    ],
)
def test_package_directory(path: str, directory: str) -> None:
    assert helm4.get_package_directory(path) == directory


@pytest.mark.parametrize("path", ["plugin", "plugin.zip", ".tgz", "dir.tgz/"])
def test_package_that_helm_would_not_take(path: str) -> None:
    with pytest.raises(Refused, match=r"sandbox-postrenderer-VERSION\.tgz"):
        helm4.package_plugin(path, "0.1.0")


def test_package_is_the_same_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that its checksum can be published."""
    contents = set()
    for seconds in (1_700_000_000.0, 1_800_000_000.0):
        monkeypatch.setattr("time.time", lambda seconds=seconds: seconds)
        helm4.package_plugin(str(tmp_path / "plugin.tgz"), "0.1.0")
        contents.add((tmp_path / "plugin.tgz").read_bytes())
    assert len(contents) == 1


@pytest.mark.parametrize(
    ("executable", "expected"),
    [
        ("/home/me/.local/share/pipx/venvs/sandbox-postrenderer/bin/python", False),
        ("/home/me/.local/share/uv/tools/sandbox-postrenderer/bin/python", False),
        ("/usr/bin/python3", False),
        ("/home/me/.cache/pypoetry/virtualenvs/web-py3.12/bin/python", False),
        ("/srv/uv/.venv/bin/python", False),
        ("/home/me/.local/share/pipx/.cache/5ad0b9d9a3a1f7e/bin/python", True),
        ("/home/me/.cache/uv/archive-v0/kQ2x/bin/python", True),
        ("/var/cache/uv/archive-v0/kQ2x/bin/python", True),
        ("/home/me/.cache/uv/environments-v2/1f/bin/python", True),
        ("/opt/uv/builds-v0/.tmpAbc/bin/python", True),
    ],
)
def test_short_lived_interpreter(executable: str, expected: bool) -> None:
    assert launcher.is_short_lived(executable) is expected


def test_command(tmp_path: Path) -> None:
    """The command prints the path and nothing else, for `$(...)`."""
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    first, second = (
        subprocess.run([find_command(), "helm-plugin"], env=environment, capture_output=True, text=True, check=True)
        for _ in range(2)
    )
    expected = tmp_path / ".local/share/sandbox-postrenderer/helm4/sandbox-postrenderer"
    assert first.stdout == second.stdout == f"{expected}\n"
    assert (expected / "plugin.yaml").exists()


def test_command_that_cannot_write(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    environment = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path / "file"), "PATH": "/usr/bin:/bin"}
    done = subprocess.run([find_command(), "helm-plugin"], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert str(tmp_path / "file") in done.stderr


def test_command_with_both_options() -> None:
    arguments = [find_command(), "helm-plugin", "--dir", "x", "--package", "y.tgz"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
