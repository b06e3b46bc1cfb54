"""`images resolve`, `images lock` and `--image-lock`, as a user calls them; registries are on 127.0.0.1."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from postrenderer.lock.format import format_lock
from tests.cli import KNOWN, OTHER, POD, UNKNOWN, call, check_refused, find_command, read_report
from tests.lock.conftest import registry, scrub
from tests.lock.support import DIGEST, OTHER_DIGEST, lines_of, make_entry, run, write_pods
from tests.registry.support import DIRECTORY, GROUP, PASSWD, FakeRegistry, Reply, digest, make_image, wait_until

__all__ = ["registry", "scrub"]

BASE = {"etc": DIRECTORY, "etc/passwd": PASSWD, "etc/group": GROUP}
APP = "registry.example.com/team/app:1"
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  template:
    spec:
      containers:
      - name: main
        image: {image}
"""


@pytest.fixture
def ask(registry: FakeRegistry, tmp_path: Path) -> Iterator[Any]:
    """Run the command in an empty directory, with the registry as the one for everything."""

    def call_with_registry(*arguments: str, **options: Any) -> Any:
        named = ["--plain-http", registry.host, "--registry-mirror", f"registry.example.com={registry.host}"]
        return run("images", *arguments, *named, cwd=tmp_path, **options)

    return call_with_registry


def read_entries(folder: Path) -> list[str]:
    return (folder / "images.lock.yaml").read_text().partition("images:\n")[2].splitlines()


class TestResolve:
    def test_says_who_runs_and_what_the_kubelet_would_say(self, ask: Any, registry: FakeRegistry) -> None:
        image = make_image([BASE], "python")
        registry.add(image, "team/app", "1")
        registry.add(make_image([], ""), "team/root", "1")
        registry.add(make_image([], "65532:65532"), "team/number", "1")
        names = [f"registry.example.com/team/{name}:1" for name in ("app", "root", "number")]
        found = ask("resolve", *names)
        assert found.returncode == 0, found.stderr
        lines = found.stdout.splitlines()
        kubelet = "    with runAsNonRoot and without runAsUser the kubelet says: container has runAsNonRoot and image"
        assert lines[0] == f"{names[0]}: runs as 1001, group 1002, a named user (USER python)"
        assert lines[1] == f"    {names[0]}@{digest(image.manifest)} (linux/amd64)"
        assert lines[2] == f"{kubelet} has non-numeric user (python), cannot verify user is non-root"
        assert lines[3] == f"{names[1]}: runs as root (0), group 0 (no USER)"
        assert lines[5] == f"{kubelet} will run as root"
        assert lines[6] == f"{names[2]}: runs as 65532, group 65532 (USER 65532:65532)"
        assert len(lines) == 8

    def test_platforms_that_disagree(self, ask: Any, registry: FakeRegistry) -> None:
        arm = make_image([], "2", platform=("linux", "arm64"))
        registry.add_index([make_image([], "1"), arm], "team/app")
        found = ask("resolve", f"{registry.host}/team/app:1.0")
        assert "platforms do not agree: linux/amd64 runs as 1, linux/arm64 as 2 (USER 1, 2)" in found.stdout
        assert "(linux/amd64, linux/arm64)" in found.stdout
        found = ask("resolve", f"{registry.host}/team/app:1.0", "--platform", "linux/arm64")
        assert "runs as 2 (USER 2)" in found.stdout

    def test_tries_all_before_it_fails(self, ask: Any, registry: FakeRegistry) -> None:
        registry.add(make_image([], "1"), "team/app", "1")
        found = ask("resolve", f"{registry.host}/no/1:1", APP, f"{registry.host}/no/2:1", "A B")
        assert found.returncode == 2
        assert found.stdout.startswith(f"{APP}: runs as 1")
        errors = lines_of(found.stderr)
        assert [line.split(": ")[1] for line in errors] == [f"{registry.host}/no/1:1", f"{registry.host}/no/2:1", "A B"]
        assert all(line.startswith("error: ") for line in errors)

    def test_a_strangers_text_is_written_out(self, ask: Any, registry: FakeRegistry) -> None:
        registry.add(make_image([BASE], "1001:\x1b[2J"), "team/app", "1")
        found = ask("resolve", APP)
        assert "\x1b" not in found.stdout + found.stderr
        assert "\\x1b[2J" in found.stdout + found.stderr

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["--registry-mirror", "a"], "is not FROM=TO"),
            (["--plain-http", "http://a"], "is no HOST[:PORT]"),
            (["--platform", "amd64"], "'amd64' is no OS/ARCH, such as linux/amd64"),
            (["--registry-ca", "no.pem"], "no.pem: cannot be read: No such file or directory"),
            (["--registry-ca", os.devnull], "holds no certificate: name a PEM file"),
        ],
    )
    def test_refuses_options_that_make_no_sense(self, arguments: list[str], words: str) -> None:
        check_refused(call("images", "resolve", APP, *arguments), words)

    def test_says_how_to_get_what_is_missing(self) -> None:
        code = (
            "import sys; sys.modules['docker'] = None; from postrenderer.cli import main; "
            f"sys.exit(main(['images', 'resolve', '{APP}']))"
        )
        found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert found.returncode == 2
        assert "pip install 'sandbox-postrenderer[registry]'" in found.stderr
        assert "Traceback" not in found.stderr


class TestLock:
    def test_then_rendering_needs_no_network(self, ask: Any, registry: FakeRegistry, tmp_path: Path) -> None:
        registry.add(make_image([BASE], "python"), "team/app", "1")
        pods = write_pods(tmp_path, one=APP, two=APP)
        found = ask("lock", "pods.yaml")
        assert found.returncode == 0, found.stderr
        assert found.stdout == ""
        assert lines_of(found.stderr) == [f"[1/1] {APP}  1001", f"{APP}  + 1001", "images.lock.yaml: 1 image"]
        registry.server.shutdown()
        done = call("render", "pods.yaml", "--image-lock", "images.lock.yaml", cwd=tmp_path)
        assert done.stdout.count(b"runAsUser: 1001") == 4
        assert call("images", "show", APP, "--image-lock", "images.lock.yaml", cwd=tmp_path).stdout.decode() == (
            f"{APP}: runs as 1001, group 1002, a named user (images.lock.yaml: USER python)\n"
        )
        variable = {"SANDBOX_POSTRENDERER_IMAGE_LOCK": str(tmp_path / "images.lock.yaml")}
        assert call("diff", str(pods), environment=variable).stdout.count(b"+") > 8

    def test_a_second_run_asks_nobody_and_changes_nothing(
        self, ask: Any, registry: FakeRegistry, tmp_path: Path
    ) -> None:
        registry.add(make_image([], "1"), "team/app", "1")
        write_pods(tmp_path, one=APP)
        ask("lock", "pods.yaml")
        lock = tmp_path / "images.lock.yaml"
        old = lock.read_text().replace(re.findall(r"date: (\S+)}", lock.read_text())[0], '"2020-02-20"')
        lock.write_text(old)
        asked = len(registry.asked)
        found = ask("lock", ".")
        assert lines_of(found.stderr) == ["images.lock.yaml: 1 image"]
        assert len(registry.asked) == asked
        assert ask("lock", "--update", "-q").stderr == ""
        assert len(registry.asked) > asked
        assert lock.read_text() == old, "what is confirmed keeps its date"
        assert sorted(os.listdir(tmp_path)) == ["images.lock.yaml", "pods.yaml"]

    def test_an_updated_image_is_one_line(self, ask: Any, registry: FakeRegistry, tmp_path: Path) -> None:
        for name in "abc":
            registry.add(make_image([], "1001"), f"team/{name}", "1")
        write_pods(tmp_path, **{name: f"registry.example.com/team/{name}:1" for name in "cab"})
        ask("lock", "pods.yaml")
        before = read_entries(tmp_path)
        registry.add(make_image([], "65532"), "team/b", "1")
        check = ask("lock", "--check", "-q", "pods.yaml")
        assert check.returncode == 1
        changed = "registry.example.com/team/b:1"
        assert lines_of(check.stderr) == [
            f"error: {changed}  1001 -> 65532: run `images lock --update {changed} -o images.lock.yaml`"
        ]
        assert read_entries(tmp_path) == before
        found = ask("lock", "--update")
        said = [line for line in lines_of(found.stderr) if not line.startswith("[")]
        assert said == ["registry.example.com/team/b:1  1001 -> 65532", "images.lock.yaml: 3 images"]
        after = read_entries(tmp_path)
        assert [line for line in before if line.startswith("-")] == sorted(
            line for line in after if line.startswith("-")
        )
        numbers = [number for number, (one, other) in enumerate(zip(before, after, strict=True)) if one != other]
        assert numbers == [4, 5]

    def test_update_asks_about_what_is_named(self, ask: Any, registry: FakeRegistry, tmp_path: Path) -> None:
        for name in "ab":
            registry.add(make_image([], "1"), f"team/{name}", "1")
        write_pods(tmp_path, a="registry.example.com/team/a:1", b="registry.example.com/team/b:1")
        ask("lock", "pods.yaml")
        registry.asked.clear()
        for name in "ab":
            registry.add(make_image([], "2"), f"team/{name}", "1")
        found = ask("lock", "--update", "registry.example.com/team/a:1", "-q")
        assert found.returncode == 0, found.stderr
        assert {path.split("/")[3] for path in registry.paths} == {"a"}
        assert [line for line in read_entries(tmp_path) if "uid: 2" in line] == [read_entries(tmp_path)[1]]
        check_refused(
            call("images", "lock", "--update", "redis", cwd=tmp_path), "redis: is no file, and no image of images.lock"
        )
        check_refused(call("images", "lock", "--update", "redis", "pods.yaml", cwd=tmp_path), "no image of the FILEs")

    def test_entries_come_and_go_with_the_manifests(self, ask: Any, registry: FakeRegistry, tmp_path: Path) -> None:
        registry.add(make_image([], "1"), "team/app", "1")
        (tmp_path / "images.lock.yaml").write_text(format_lock([make_entry("old.example.com/x:1")]))
        found = ask("lock", "-", data=POD.format(name="web", image=APP))
        assert found.returncode == 0
        assert "old.example.com/x:1  no longer used: removed" in found.stderr
        assert f"- reference: {APP}" in read_entries(tmp_path)
        assert not any("old.example.com" in line for line in read_entries(tmp_path))

    def test_a_failure_writes_nothing(self, ask: Any, registry: FakeRegistry, tmp_path: Path) -> None:
        registry.add(make_image([], "1"), "team/app", "1")
        write_pods(tmp_path, one=APP, two=f"{registry.host}/no/a:1", three=f"{registry.host}/no/b:1")
        found = ask("lock", "pods.yaml", "-q")
        assert found.returncode == 2
        errors = lines_of(found.stderr)
        assert [line.split(": ")[1] for line in errors] == [f"{registry.host}/no/{name}:1" for name in "ab"]
        assert errors[0].endswith("(used by Sandbox/two in pods.yaml)")
        assert os.listdir(tmp_path) == ["pods.yaml"]

    def test_an_entry_outlives_a_failure(self, ask: Any, registry: FakeRegistry, tmp_path: Path) -> None:
        """What can be brought up to date is; the file says no less than before."""
        registry.add(make_image([], "1"), "team/app", "1")
        gone = make_entry(f"{registry.host}/team/gone:1")
        (tmp_path / "images.lock.yaml").write_text(format_lock([gone, make_entry(APP)]))
        found = ask("lock", "--update", "-q")
        assert found.returncode == 2
        assert found.stderr.endswith("; its entry in images.lock.yaml stays as it was\n")
        assert '  user: {uid: 1, gid: null, named: false, text: "1"}' in read_entries(tmp_path)
        assert format_lock([gone]).partition("images:\n")[2] in (tmp_path / "images.lock.yaml").read_text()

    def test_root_and_disagreements_are_recorded_and_said(
        self, ask: Any, registry: FakeRegistry, tmp_path: Path
    ) -> None:
        registry.add(make_image([], ""), "team/root", "1")
        arm = make_image([], "2", platform=("linux", "arm64"))
        registry.add_index([make_image([], "1"), arm], "team/app")
        write_pods(tmp_path, a=f"{registry.host}/team/root:1", b=f"{registry.host}/team/app:1.0")
        found = ask("lock", "pods.yaml")
        assert found.returncode == 0, found.stderr
        assert "warning: " in found.stderr
        assert "container has runAsNonRoot and image will run as root" in found.stderr
        assert "platforms disagree (linux/amd64 runs as 1, linux/arm64 as 2)" in found.stderr
        done = call("render", "pods.yaml", "--image-lock", "images.lock.yaml", cwd=tmp_path)
        assert done.stdout == (tmp_path / "pods.yaml").read_bytes()
        assert b"its image runs as root (images.lock.yaml: no USER)" in done.stderr
        assert b"its platforms do not agree, says images.lock.yaml: linux/amd64 runs as 1" in done.stderr

    def test_a_pinned_digest(self, ask: Any, registry: FakeRegistry, tmp_path: Path) -> None:
        old, new = make_image([], "1"), make_image([], "2")
        registry.add(old, "team/app", "1")
        registry.add(new, "team/app", "1")
        pinned = f"{APP}@{digest(old.manifest)}"
        write_pods(tmp_path, one=pinned, two=APP)
        ask("lock", "pods.yaml")
        assert sum("pinned: true" in line for line in read_entries(tmp_path)) == 1
        shown = call("images", "show", pinned, APP, f"{APP}@{DIGEST}", "--image-lock", "images.lock.yaml", cwd=tmp_path)
        assert [line.split(" (")[0].removeprefix(APP) for line in shown.stdout.decode().splitlines()] == [
            f"@{digest(old.manifest)}: runs as 1",
            ": runs as 2",
            f"@{DIGEST}: unknown",
        ]
        write_pods(tmp_path, one=f"{APP}@{digest(new.manifest)}")
        ask("lock", "pods.yaml")
        write_pods(tmp_path, one=pinned)
        found = ask("lock", "pods.yaml", "-q")
        assert found.stderr == ""
        assert ask("lock", "--check", "--offline", "pods.yaml").returncode == 0

    def test_kagents_own_images(self, ask: Any, registry: FakeRegistry, tmp_path: Path) -> None:
        registry.add(make_image([], "1001"), "kagent-dev/kagent/app", "0.9.4")
        agent = "apiVersion: kagent.dev/v1alpha2\nkind: SandboxAgent\nmetadata: {name: a}\nspec: {declarative: {}}\n"
        found = ask("lock", "-", data=agent)
        assert found.returncode == 0, found.stderr
        assert lines_of(found.stderr)[0] == (
            "note: cr.kagent.dev/kagent-dev/kagent/app (SandboxAgent/a in standard input) has kagent's own version: "
            "passed over without --kagent-version"
        )
        mirror = ["--registry-mirror", f"cr.kagent.dev={registry.host}"]
        found = ask("lock", "-", *mirror, "--kagent-version", "0.9.4", data=agent)
        assert "- reference: cr.kagent.dev/kagent-dev/kagent/app:0.9.4" in read_entries(tmp_path)
        assert f'registry: "{registry.host}"' in read_entries(tmp_path)[2]

    def test_all_kinds(self, ask: Any, registry: FakeRegistry, tmp_path: Path) -> None:
        registry.add(make_image([], "1"), "team/app", "1")
        (tmp_path / "web.yaml").write_text(DEPLOYMENT.format(image=APP))
        ask("lock", "web.yaml", "-o", "a")
        assert "images: []" in (tmp_path / "a").read_text()
        for number, option in enumerate(
            (["--all-kinds"], ["--plugin", "workloads"], ["--plugin", "workloads", "--all-kinds"])
        ):
            found = ask("lock", "web.yaml", "-o", f"b{number}", *option)
            assert APP in (tmp_path / f"b{number}").read_text(), found.stderr

    def test_skipped_resources_need_no_entry(self, ask: Any, registry: FakeRegistry, tmp_path: Path) -> None:
        registry.add(make_image([], "1"), "team/app", "1")
        skipped = POD.format(name="{name: a, annotations: {sandbox-postrenderer.io/skip: 'true'}}", image=APP)
        skipped = skipped.replace("metadata:\n  name: ", "metadata: ")
        ask("lock", "-", data=skipped)
        assert "images: []" in (tmp_path / "images.lock.yaml").read_text()
        ask("lock", "-", "--no-honor-skip", data=skipped)
        assert APP in (tmp_path / "images.lock.yaml").read_text()

    def test_more_than_fits_into_one_process(self, ask: Any, registry: FakeRegistry, tmp_path: Path) -> None:
        """Large inputs are shared among processes elsewhere; here what is found must not be lost with one."""
        registry.add(make_image([], "1"), "team/app", "1")
        registry.add(make_image([], "2"), "team/app", "2")
        padding = f"# {'x' * 1000}\n"
        texts = [POD.format(name=f"n{n}", image=APP if n < 500 else f"{APP[:-1]}2") + padding for n in range(600)]
        ask("lock", "-", data="---\n".join(texts))
        assert sum(line.startswith("- ") for line in read_entries(tmp_path)) == 2

    def test_to_standard_output(self, ask: Any, registry: FakeRegistry, tmp_path: Path) -> None:
        registry.add(make_image([], "1"), "team/app", "1")
        found = ask("lock", "-", "-o", "-", data=POD.format(name="a", image=APP))
        assert f"- reference: {APP}\n" in found.stdout
        assert os.listdir(tmp_path) == []

    def test_an_unrendered_template_is_named(self, ask: Any, tmp_path: Path) -> None:
        (tmp_path / "t.yaml").write_text("apiVersion: agents.x-k8s.io/v1alpha1\nkind: Sandbox\nmetadata: {{ x }}: {\n")
        found = ask("lock", "t.yaml")
        assert "t.yaml: is a Helm template that was not rendered" in found.stderr

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ([], "standard input is empty: pipe manifests in, or name files"),
            (["no.yaml"], "no.yaml: cannot be read"),
            (["--update", "--check"], "exclude each other"),
            (["--update", "--offline"], "exclude each other"),
            (["--check", "-o", "-"], "need a file"),
            (["--update"], "images.lock.yaml: does not exist: write it with `images lock"),
            (["--check", "-"], "images.lock.yaml: does not exist"),
            (["-", "-o", "no/such/l.yaml"], "the folder"),
        ],
    )
    def test_refuses_what_makes_no_sense(self, tmp_path: Path, arguments: list[str], words: str) -> None:
        check_refused(call("images", "lock", *arguments, cwd=tmp_path), words)
        assert os.listdir(tmp_path) == []

    def test_a_broken_file_is_not_replaced(self, tmp_path: Path) -> None:
        (tmp_path / "images.lock.yaml").write_text("version: 1\nimages:\n<<<<<<< HEAD\n")
        check_refused(
            call("images", "lock", "-", cwd=tmp_path), "images.lock.yaml, line 3: is in the middle of a merge"
        )
        assert "<<<" in (tmp_path / "images.lock.yaml").read_text()

    def test_runs_side_by_side_leave_a_whole_file(self, registry: FakeRegistry, tmp_path: Path) -> None:
        for number in range(20):
            registry.add(make_image([], "1"), f"team/n{number}", "1")
        write_pods(tmp_path, **{f"n{n}": f"{registry.host}/team/n{n}:1" for n in range(20)})
        command = [*find_command(), "images", "lock", "pods.yaml", "-q", "--plain-http", registry.host]
        runs = [subprocess.Popen(command, cwd=tmp_path, stdin=subprocess.DEVNULL) for _ in range(4)]
        assert [run.wait(60) for run in runs] == [0] * 4
        assert sorted(os.listdir(tmp_path)) == ["images.lock.yaml", "pods.yaml"]
        assert sum(line.startswith("- ") for line in read_entries(tmp_path)) == 20

    @pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
    def test_an_interruption_waits_for_nobody(self, registry: FakeRegistry, tmp_path: Path) -> None:
        registry.routes["/v2/team/app/manifests/1"] = Reply(body=b"{}" * 100, pause=1, chunk=1)
        write_pods(tmp_path, a=f"{registry.host}/team/app:1")
        command = [*find_command(), "images", "lock", "pods.yaml", "--plain-http", registry.host]
        started = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE)
        wait_until(lambda: bool(registry.asked))
        started.send_signal(signal.SIGINT)
        assert started.wait(5) == 130
        assert started.stderr is not None
        assert started.stderr.read() == b""
        started.stderr.close()
        assert os.listdir(tmp_path) == ["pods.yaml"]

    @pytest.mark.skipif(os.name == "nt", reason="pseudo-terminals")
    def test_a_terminal_has_one_line_of_progress(self, registry: FakeRegistry, tmp_path: Path) -> None:
        registry.add(make_image([], "1"), "team/app", "1")
        write_pods(tmp_path, a=f"{registry.host}/team/app:1")
        leader, terminal = os.openpty()
        command = [*find_command(), "images", "lock", "pods.yaml", "--plain-http", registry.host]
        environment = {**os.environ, "TERM": "xterm", "COLUMNS": "40"}
        subprocess.run(command, cwd=tmp_path, stderr=terminal, check=True, env=environment)
        os.close(terminal)
        said = os.read(leader, 4096).decode()
        os.close(leader)
        shown = said.split("\r\x1b[K")
        assert shown[1] == "[0/1] asking registries"
        assert shown[2].startswith("[1/1] ")
        assert len(shown[2]) <= 39
        assert shown[3].startswith("sandbox-postrenderer: ")


class TestOffline:
    def test_compares_the_file_with_the_manifests(self, tmp_path: Path) -> None:
        lock = tmp_path / "images.lock.yaml"
        lock.write_text(format_lock([make_entry(APP), make_entry("old.example.com/x:1")]))
        before = lock.read_text()
        pods = write_pods(tmp_path, one=APP, two="new.example.com/y:2")
        remedy = "run `images lock`"
        for arguments in (["--offline"], ["--check", "--offline"]):
            found = call("images", "lock", *arguments, "pods.yaml", cwd=tmp_path)
            assert found.returncode == 1
            assert lines_of(found.stderr.decode()) == [
                f"error: new.example.com/y:2: is missing from {lock.name} (used by Sandbox/two in pods.yaml): {remedy}",
                f"error: old.example.com/x:1: is in {lock.name}, but nothing uses it: {remedy}",
            ]
        assert lock.read_text() == before
        lock.write_text(format_lock([make_entry(APP)]))
        write_pods(tmp_path, one=APP)
        assert pods.exists()
        found = call("images", "lock", "--offline", "pods.yaml", cwd=tmp_path)
        assert lines_of(found.stderr.decode()) == ["images.lock.yaml is up to date"]

    def test_a_digest_that_moved_alone_is_only_said(self, ask: Any, registry: FakeRegistry, tmp_path: Path) -> None:
        registry.add(make_image([], "4242"), "team/app", "1")
        (tmp_path / "images.lock.yaml").write_text(format_lock([make_entry(APP)]))
        write_pods(tmp_path, one=APP)
        found = ask("lock", "--check", "pods.yaml")
        assert found.returncode == 0
        assert f"note: {APP}  4242 as before, in another digest" in found.stderr

    def test_a_registry_that_fails_is_no_policy(self, ask: Any, registry: FakeRegistry, tmp_path: Path) -> None:
        gone = f"{registry.host}/team/gone:1"
        (tmp_path / "images.lock.yaml").write_text(format_lock([make_entry(gone)]))
        write_pods(tmp_path, one=gone)
        assert ask("lock", "--check", "pods.yaml").returncode == 2


class TestImageLock:
    @pytest.fixture
    def lock(self, tmp_path: Path) -> str:
        path = tmp_path / "l.yaml"
        path.write_text(format_lock([make_entry(UNKNOWN.rpartition("image: ")[2].strip())]))
        return str(path)

    def test_an_absent_image_is_explained(self, lock: str) -> None:
        found = call("render", "--image-lock", lock, data=UNKNOWN.replace("app:1", f"app:1@{OTHER_DIGEST}"))
        assert f"and {lock} has it with another digest: bring the file up to date with `images lock`" in (
            found.stderr.decode()
        )
        check_refused(
            call("--image-lock", lock, "--unknown-image", "fail", data=UNKNOWN.replace("app:1", "app:2")),
            f"and {lock} has no entry for it",
            code=1,
        )

    def test_says_where_a_uid_comes_from(self, lock: str, tmp_path: Path) -> None:
        call("render", "--image-lock", lock, "--report", str(tmp_path / "r.json"), data=UNKNOWN)
        origins = {finding["origin"] for finding in read_report(tmp_path / "r.json")["findings"] if finding["origin"]}
        assert origins == {f"{lock}: USER 4242"}

    def test_the_users_table_wins(self, lock: str) -> None:
        found = call("render", "--image-lock", lock, "--image-uid", "team/app=7", data=UNKNOWN)
        assert found.stdout.count(b"runAsUser: 7") == 2

    @pytest.mark.parametrize("data", [KNOWN, OTHER])
    def test_a_file_that_is_broken_or_missing_ends_the_run(self, tmp_path: Path, data: str) -> None:
        path = tmp_path / "l.yaml"
        check_refused(call("--image-lock", str(path), data=data), f"{path}: cannot be read: No such file")
        path.write_text("version: 3\nimages: []\n")
        check_refused(call("diff", "--image-lock", str(path), data=data), f"{path}, line 1: version: is 3")

    def test_no_document_can_name_it(self, lock: str, tmp_path: Path) -> None:
        config = tmp_path / "c.yaml"
        config.write_text(f"image-lock: {lock}\n")
        check_refused(call("--config", str(config), data=UNKNOWN), "image-lock is no setting")

    def test_rendering_imports_no_registry_and_no_pydantic(self, lock: str) -> None:
        code = (
            "import sys, json; before = set(sys.modules); from postrenderer.cli import main; "
            f"main(['render', '--image-lock', {lock!r}], {UNKNOWN.encode()!r}); "
            "print(json.dumps(sorted(set(sys.modules) - before)), file=sys.stderr)"
        )
        found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert "runAsUser: 4242" in found.stdout
        modules = json.loads(found.stderr.splitlines()[-1])
        assert "postrenderer.lock" in modules
        costly = (
            "pydantic",
            "postrenderer.registry",
            "requests",
            "socket",
            "postrenderer.lock.ask",
            "dataclasses_json",
        )
        assert [name for name in modules if name.startswith(costly)] == []

    def test_a_large_stream_is_shared_among_processes_all_the_same(self, lock: str) -> None:
        text = "---\n".join(UNKNOWN + f"# {'x' * 1000}\n" for _ in range(400))
        assert call("render", "-q", "--image-lock", lock, data=text).stdout.count(b"runAsUser: 4242") == 800
