"""The hooks under the real pre-commit, in the repository of `examples/pre-commit`; and the commands of its page."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli import BROKEN, DONE, KNOWN, UNKNOWN
from tests.hosts.checkout import GIT, REPOSITORY, REVISION, commit_all, get_index_variables, snapshot_checkout
from tests.hosts.programs import PLUGIN, Home, find_command
from tests.support import EXAMPLES, ROOT, check_insertions_only

pytestmark = pytest.mark.e2e
EXAMPLE = EXAMPLES / "pre-commit"
FIX, CHECK = "sandbox-postrenderer", "sandbox-postrenderer-check"
JSON = (
    '{"apiVersion": "agents.x-k8s.io/v1alpha1", "kind": "Sandbox", "metadata": {"name": "web"}, "spec": '
    '{"podTemplate": {"spec": {"containers": [{"name": "main", "image": "ghcr.io/kagent-dev/kagent/app:0.9.1"}]}}}}\n'
)
UNCONCERNED: dict[str, str | bytes] = {
    "done.yaml": DONE,
    "empty.yaml": "",
    "comment.yaml": "# kind: Sandbox\n",
    "broken.yaml": "a: [\n",
    "latin.yaml": b"name: caf\xe9\n",
    "tabs.yaml": "a:\n\t- b\n",
    "values.yaml": "image: {repository: a, tag: b}\nkind: [Sandbox\n",
    "kustomization.yaml": "kind: Kustomization\nresources: [done.yaml]\n",
    "package.json": '{"name": "x",}\n',
    "lines.json": '{"a": 1}\n{"a": 2}\n',
    "notebook.ipynb": '{"cells": []}\n',
    "README.md": "```yaml\n" + KNOWN + "```\n",
    "chart/Chart.yaml": "apiVersion: v2\nname: small\nversion: 0.1.0\n",
    "chart/templates/bare.yaml": KNOWN.replace("image: ghcr", "image: {{ .Values.image }} # ghcr"),
    "chart/templates/quoted.yaml": UNKNOWN.replace("registry.example.com/team/app:1", '"{{ .Values.image }}"'),
    "chart/templates/if.yaml": "{{- if .Values.on }}\n" + KNOWN + "{{- end }}\n",
    "chart/templates/context.yaml": KNOWN + "        securityContext:\n          {{- toYaml .x | nindent 10 }}\n",
}
PAGE = (ROOT / "docs" / "pre-commit.md").read_text(encoding="utf-8")
_BLOCK = re.compile(r"(?:<!-- ([a-z ]+)(?:: ([^ ]+))? -->\n)?```(\w*)\n(.*?)```\n", re.DOTALL)


@dataclass
class Hooks:
    """This project as pre-commit gets it, and the home in which pre-commit has installed it."""

    path: Path
    revision: str
    home: Home

    def place(self, text: str) -> str:
        """Put in what a reader has to."""
        assert REPOSITORY in text
        return text.replace(REPOSITORY, str(self.path)).replace(REVISION, self.revision)


@dataclass
class Repository:
    """A user's repository, with the hooks installed."""

    path: Path
    home: Home

    def run(self, *arguments: str) -> tuple[int, str]:
        """Run a program; returns its exit code and what it printed."""
        done = self.home.run(*arguments, cwd=self.path)
        return done.returncode, (done.stdout + done.stderr).decode()

    def git(self, *arguments: str) -> str:
        """Run git, which has to succeed; returns its standard output."""
        return self.home.get_output("git", *arguments, cwd=self.path).decode()

    def commit(self) -> tuple[int, str]:
        """Commit everything; returns the exit code, and what the hooks said."""
        self.git("add", "-A")
        return self.run("git", "commit", "-m", "change")

    def count_changed_lines(self) -> dict[str, tuple[int, int]]:
        """The lines that were added to files, and removed from them, since they were added to the index."""
        lines = self.git("diff", "--numstat", "-z").split("\0")
        rows = [line.split("\t") for line in lines if line]
        return {name: (int(added), int(removed)) for added, removed, name in rows}


@pytest.fixture(scope="module")
def hooks(tmp_path_factory: pytest.TempPathFactory) -> Hooks:
    """The hooks' environment is installed once: that takes as long as all the rest."""
    folder = tmp_path_factory.mktemp("hooks")
    revision = snapshot_checkout(folder / "project")
    home = Home(folder / "home", {**GIT, **get_index_variables(), "PRE_COMMIT_HOME": str(folder / "cache")})
    home.write_script(home.bin / "pre-commit", f'exec "{sys.executable}" -m pre_commit "$@"')
    home.add(PLUGIN, find_command())
    hooks = Hooks(folder / "project", revision, home)
    repository = make_repository(hooks, folder / "first")
    done = subprocess.run(
        [home.bin / "pre-commit", "install-hooks"], cwd=repository.path, env=home.environment, capture_output=True
    )
    assert done.returncode == 0, (done.stdout + done.stderr).decode()
    return hooks


def make_repository(hooks: Hooks, path: Path) -> Repository:
    """Copy the example; `repo` and `rev` are put in, and the rest is as it stands there."""
    shutil.copytree(EXAMPLE, path)
    config = path / ".pre-commit-config.yaml"
    config.write_text(hooks.place(config.read_text()))
    repository = Repository(path, hooks.home)
    repository.git("init", "-q", "-b", "main")
    return repository


@pytest.fixture
def repository(hooks: Hooks, tmp_path: Path) -> Repository:
    """The example's repository, its manifest mended and committed."""
    repository = make_repository(hooks, tmp_path / "repository")
    assert repository.run("pre-commit", "install")[0] == 0
    repository.commit()
    assert repository.commit()[0] == 0
    return repository


def configure(repository: Repository, hook: str, *arguments: str) -> None:
    """Leave one hook in the configuration, with arguments, and commit that."""
    path = repository.path / ".pre-commit-config.yaml"
    config = yaml.safe_load(path.read_text())
    config["repos"][0]["hooks"] = [{"id": hook, "args": list(arguments)}]
    path.write_text(yaml.safe_dump(config))
    assert repository.commit()[0] == 0


def write(repository: Repository, files: dict[str, str | bytes]) -> None:
    for name, text in files.items():
        path = repository.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)


def find_own_lines(said: str) -> list[str]:
    return [line for line in said.splitlines() if line.startswith("sandbox-postrenderer: ")]


class TestFixing:
    def test_the_example(self, hooks: Hooks, tmp_path: Path) -> None:
        """The commands of its README, in order; the comment behind one says how it ends."""
        repository = make_repository(hooks, tmp_path / "repository")
        before = (EXAMPLE / "manifests/notebook.yaml").read_bytes()
        commands = re.findall(r"^    (.+?)(?:  +# (\w+).*)?$", (EXAMPLE / "README.md").read_text(), re.MULTILINE)
        assert [outcome for _, outcome in commands if outcome] == ["stops", "six", "passes"]
        for command, outcome in commands:
            code, said = repository.run("sh", "-euc", command)
            assert code == (1 if outcome == "stops" else 0), said
            if outcome == "stops":
                assert "files were modified by this hook" in said
                assert "4 values added to 1 resource" in said
            if outcome == "six":
                assert repository.count_changed_lines() == {"manifests/notebook.yaml": (6, 0)}
                check_insertions_only(before, (repository.path / "manifests/notebook.yaml").read_bytes())
        assert "runAsUser: 1000" in repository.git("show", "HEAD:manifests/notebook.yaml")

    def test_several_files_at_once(self, repository: Repository) -> None:
        files: dict[str, str | bytes] = {
            "one.yaml": KNOWN,
            "a folder/with spaces.yml": KNOWN,
            "json/one.json": JSON,
            "crlf.yaml": KNOWN.replace("\n", "\r\n"),
            **{f"many/{number}.yaml": KNOWN for number in range(40)},
            **{f"others/{number}.yaml": "kind: ConfigMap\n" for number in range(40)},
        }
        write(repository, files)
        code, said = repository.commit()
        assert code == 1
        line, *names = find_own_lines(said)
        assert len(names) == 44
        assert all(name.endswith(": rewritten") for name in names)
        assert line.startswith("sandbox-postrenderer: 176 values added to 44 resources;")
        changed = repository.count_changed_lines()
        assert changed.pop("json/one.json") == (1, 1)
        assert changed == {name: (6, 0) for name, text in files.items() if text != JSON and "others" not in name}
        for name, text in files.items():
            assert isinstance(text, str)
            check_insertions_only(text.encode(), (repository.path / name).read_bytes())
        code, said = repository.commit()
        assert code == 0, said

    def test_what_is_in_the_index_counts(self, repository: Repository) -> None:
        """What was changed after `git add` is not in the commit, and is back afterwards."""
        write(repository, {"one.yaml": KNOWN})
        repository.git("add", "one.yaml")
        write(repository, {"manifests/later.yaml": KNOWN, "manifests/notebook.yaml": "# later\n"})
        code, _ = repository.run("git", "commit", "-m", "change")
        assert code == 1
        assert (repository.path / "one.yaml").read_text() == DONE
        assert (repository.path / "manifests/later.yaml").read_text() == KNOWN
        assert (repository.path / "manifests/notebook.yaml").read_text() == "# later\n"

    def test_a_file_that_cannot_be_read(self, repository: Repository) -> None:
        """One line says where, and no other file is changed."""
        configure(repository, FIX)
        write(repository, {"one.yaml": KNOWN, "two.yaml": "# the second\n" + BROKEN})
        code, said = repository.commit()
        assert code == 1
        (line,) = find_own_lines(said)
        assert line.startswith("sandbox-postrenderer: error: two.yaml, document 1, line 4: ")
        assert repository.count_changed_lines() == {}

    def test_arguments(self, repository: Repository) -> None:
        configure(repository, FIX, "--image-uid", "registry.example.com/team/app=4242")
        write(repository, {"odd.yaml": UNKNOWN})
        assert repository.commit()[0] == 1
        assert (repository.path / "odd.yaml").read_text().count("runAsUser: 4242") == 2


class TestNothingToDo:
    """Both hooks, `strict` included, let pass what is none of their business."""

    def test_files(self, repository: Repository) -> None:
        write(repository, UNCONCERNED)
        (repository.path / "link.yaml").symlink_to("done.yaml")
        (repository.path / "nowhere.yaml").symlink_to("nothing.yaml")
        code, said = repository.commit()
        assert code == 0, said
        assert not find_own_lines(said), "pre-commit shows what a hook says only where it fails"
        for name, text in UNCONCERNED.items():
            assert (repository.path / name).read_bytes() == (text.encode() if isinstance(text, str) else text)

    def test_a_deleted_file(self, repository: Repository) -> None:
        write(repository, {"done.yaml": DONE})
        assert repository.commit()[0] == 0
        (repository.path / "done.yaml").unlink()
        assert repository.run("pre-commit", "run", "--all-files")[0] == 0
        code, said = repository.commit()
        assert code == 0, said

    def test_other_files_start_nothing(self, repository: Repository) -> None:
        write(repository, {"notes.txt": "kind: Sandbox\n"})
        code, said = repository.commit()
        assert code == 0
        assert said.count("(no files to check)Skipped") == 2


class TestChecking:
    def test_a_manifest_without_identity(self, repository: Repository) -> None:
        configure(repository, CHECK)
        write(repository, {"one.yaml": KNOWN})
        code, said = repository.commit()
        assert code == 1
        assert "+++ b/one.yaml" in said
        assert said.count("+          runAsUser: 1001\n") == 1
        assert "files were modified" not in said
        assert (repository.path / "one.yaml").read_text() == KNOWN

    def test_an_image_that_nobody_knows(self, repository: Repository) -> None:
        configure(repository, CHECK)
        write(repository, {"odd.yaml": UNKNOWN})
        code, said = repository.commit()
        assert code == 1
        assert "odd.yaml, document 1, Sandbox/odd" in said
        assert "say --image-uid registry.example.com/team/app:1=UID, or write runAsNonRoot: true" in said

    def test_a_file_that_cannot_be_read(self, repository: Repository) -> None:
        configure(repository, CHECK)
        write(repository, {"two.yaml": BROKEN})
        code, said = repository.commit()
        assert code == 1
        (line,) = find_own_lines(said)
        assert line.startswith("sandbox-postrenderer: error: two.yaml, document 1, line 3: ")

    def test_after_the_fixing_hook(self, repository: Repository) -> None:
        """Nothing is missing any more, so only the first of the two fails."""
        write(repository, {"one.yaml": KNOWN})
        _, said = repository.commit()
        assert re.findall(r"\.(Passed|Failed)$", said, re.MULTILINE) == ["Failed", "Passed"]


class TestPage:
    def test_in_order(self, hooks: Hooks, tmp_path: Path) -> None:
        repository = make_repository(hooks, tmp_path / "repository")
        (repository.path / ".pre-commit-config.yaml").unlink()
        runs = 0
        for mark, name, _, body in _BLOCK.findall(PAGE):
            if mark == "file":
                write(repository, {name: hooks.place(body) if REPOSITORY in body else body})
                repository.git("add", name)  # pre-commit refuses a configuration that is not
            elif mark in ("runs", "stops"):
                code, said = repository.run("sh", "-euc", body)
                assert code == (1 if mark == "stops" else 0), f"{body}\n{said}"
                runs += 1
        assert runs == 5
        assert "runAsUser: 1000" in repository.git("show", "HEAD:manifests/notebook.yaml")

    def test_ci_refuses_what_was_committed_without_the_hooks(self, hooks: Hooks, tmp_path: Path) -> None:
        repository = make_repository(hooks, tmp_path / "repository")
        commit_all(repository.path)
        (command,) = [body for *_, body in _BLOCK.findall(PAGE) if "--all-files" in body]
        code, said = repository.run("sh", "-euc", command)
        assert code == 1
        assert "+          runAsUser: 1000\n" in said

    def test_every_block_says_what_it_is(self) -> None:
        marks = {"shell": {"runs", "stops"}, "yaml": {"file", "workflow"}}
        for mark, _, language, body in _BLOCK.findall(PAGE):
            assert mark in marks[language], body

    def test_the_example_is_the_page(self) -> None:
        shown = [body for mark, _, _, body in _BLOCK.findall(PAGE) if mark == "file"]
        assert shown[0] == (EXAMPLE / ".pre-commit-config.yaml").read_text()

    def test_the_table_is_the_manifest(self) -> None:
        rows = re.findall(r"^\| `(sandbox-[a-z-]+)` \| `([^`]+)` \|", PAGE, re.MULTILINE)
        assert rows == [(hook["id"], hook["entry"].partition(" ")[2]) for hook in read_manifest()]


def read_manifest() -> list[dict[str, Any]]:
    return list(yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text()))


def test_the_manifest_is_valid(hooks: Hooks) -> None:
    hooks.home.get_output("pre-commit", "validate-manifest", ROOT / ".pre-commit-hooks.yaml")
