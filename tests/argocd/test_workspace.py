"""A request's place, and what runs in it: what it sees, what it may use, and that nothing is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from postrenderer.hosts.argocd.seccomp import make_filter
from postrenderer.hosts.argocd.workspace import PREFIX, Limits, ProgramFailed, Workspace, find_seconds
from postrenderer.model import Refused

SECRETS = {
    "PATH": "/usr/bin:/bin",
    "SECRET": "s3cret",
    "ARGOCD_APP_NAME": "web",
    "ARGOCD_ENV_X": "x",
    "SSL_CERT_FILE": "/c",
}


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def run(script: str, folder: Path, limits: Limits | None = None, *, with_network: bool = False) -> str:
    with Workspace(limits or Limits(20), SECRETS, with_network=with_network) as workspace:
        return workspace.run("/bin/sh", ["-c", script], str(folder), name="tool").decode()


def is_gone(process: int) -> bool:
    """Whether a process that was killed is gone, or waits for its parent; nobody waits longer than 30 s for it."""
    stat = Path(f"/proc/{process}/stat")
    end = time.monotonic() + 30
    while stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z":
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


class TestSurroundings:
    def test_nothing_of_the_sidecar_is_seen(self, tmp_path: Path, temporary: Path) -> None:
        seen = dict(line.split("=", 1) for line in run("/usr/bin/env", tmp_path).splitlines())
        assert {
            key: value for key, value in seen.items() if str(temporary) not in value and not key.startswith("_")
        } == {
            "ARGOCD_APP_NAME": "web",
            "GIT_ALLOW_PROTOCOL": "https",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GOMEMLIMIT": str(1024**3),
            "HELM_NO_PLUGINS": "1",
            "HTTPS_PROXY": "http://127.0.0.1:9",
            "HTTP_PROXY": "http://127.0.0.1:9",
            "LC_ALL": "C.UTF-8",
            "NO_PROXY": "",
            "PWD": str(tmp_path),
            "SSL_CERT_FILE": "/c",
            "http_proxy": "http://127.0.0.1:9",
            "https_proxy": "http://127.0.0.1:9",
            "no_proxy": "",
        }
        assert {"HOME", "TMPDIR", "HELM_CACHE_HOME", "XDG_CONFIG_HOME", "KUBECONFIG", "HELM_PLUGINS", "PATH"} <= {*seen}

    def test_with_the_network_there_are_programs_and_proxies(self, tmp_path: Path) -> None:
        seen = run("/usr/bin/env", tmp_path, with_network=True)
        assert "PATH=/usr/bin:/bin\n" in seen
        assert "127.0.0.1:9" not in seen

    @pytest.mark.skipif(make_filter() is None, reason="there is no filter for this machine")
    def test_without_the_network_there_are_no_sockets(self, tmp_path: Path) -> None:
        script = f"{sys.executable} -c 'import socket; socket.socket(); print(1)'"
        with pytest.raises(ProgramFailed, match="PermissionError: .* Permission denied"):
            run(script, tmp_path)
        assert run(script, tmp_path, with_network=True) == "1\n"

    def test_standard_input_is_empty(self, tmp_path: Path) -> None:
        assert run("/bin/cat", tmp_path) == ""

    def test_nothing_is_left(self, tmp_path: Path, temporary: Path) -> None:
        run("echo >$HOME/x; echo >$TMPDIR/y", tmp_path)
        with pytest.raises(Refused):
            run("echo >$HOME/x; exit 1", tmp_path)
        assert list(temporary.iterdir()) == []

    def test_its_files_are_private(self, temporary: Path) -> None:
        with Workspace(Limits(1), {}, with_network=False) as workspace:
            assert os.stat(workspace.path).st_mode & 0o077 == 0
            assert os.stat(workspace.write("values.yaml", b"x")).st_mode & 0o077 == 0


class TestFailures:
    @pytest.mark.parametrize(
        ("script", "message"),
        [
            ("echo 'WARNING: x' >&2; echo 'Error: no' >&2; echo 'more' >&2; exit 1", "tool: Error: no more"),
            ("exit 3", "tool: failed with exit code 3"),
            ("printf 'panic: no\\n\\ngoroutine 1 [running]:\\nmain.main()\\n' >&2; exit 2", "tool: panic: no"),
            (
                "echo 'fatal error: out of memory' >&2; exit 2",
                "needs more memory than it may use (2147483648 bytes): f",
            ),
            ("printf 'a\\033[31mb' >&2; exit 1", "tool: a\\x1b[31mb"),
            ("/usr/bin/printf '%09000d' 1 >&2; exit 1", " ..."),
            ("echo $PWD/chart.yaml in $HOME >&2; exit 1", "tool: chart.yaml in home"),
            ("kill -SEGV $$", "was ended by signal 11 (SIGSEGV)"),
        ],
    )
    def test_what_a_program_says_is_one_line(self, tmp_path: Path, script: str, message: str) -> None:
        with pytest.raises(ProgramFailed) as found:
            run(script, tmp_path)
        assert message in found.value.message
        assert "\n" not in found.value.message
        assert "goroutine" not in found.value.message
        assert len(found.value.message) < 2100

    def test_a_program_that_is_missing(self, tmp_path: Path) -> None:
        with Workspace(Limits(1), {}, with_network=False) as workspace, pytest.raises(Refused) as found:
            workspace.run("/no/helm", [], str(tmp_path), name="helm")
        assert found.value.message.startswith("helm: cannot be started (/no/helm): ")

    def test_too_many_arguments(self, tmp_path: Path) -> None:
        with (
            Workspace(Limits(5), {}, with_network=False) as workspace,
            pytest.raises(Refused, match="longer than a comm"),
        ):
            workspace.run("/bin/sh", ["-c", "true", "x" * 200_000], str(tmp_path), name="helm")


class TestLimits:
    def test_time(self, tmp_path: Path) -> None:
        with pytest.raises(Refused, match=r"tool: has not ended after 0\.3 seconds"):
            run("while true; do :; done", tmp_path, Limits(0.3))

    def test_time_ends_also_for_what_never_stops_talking(self, tmp_path: Path) -> None:
        with pytest.raises(Refused, match=r"tool: has not ended after 0\.3 seconds"):
            run("while true; do echo x >&2; done", tmp_path, Limits(0.3))

    def test_what_it_has_started_ends_with_it(self, tmp_path: Path) -> None:
        with pytest.raises(Refused, match="has not ended"):
            run(f"/bin/sh -c 'echo $$ >{tmp_path}/child; exec /bin/sleep 60 >/dev/null 2>&1'; :", tmp_path, Limits(0.5))
        assert is_gone(int((tmp_path / "child").read_text()))

    def test_time_is_for_all_programs_together(self, tmp_path: Path) -> None:
        with Workspace(Limits(0.5), SECRETS, with_network=False) as workspace:
            workspace.run("/bin/sh", ["-c", "/bin/sleep 0.4"], str(tmp_path), name="one")
            with pytest.raises(Refused, match="two: has not ended"):
                workspace.run("/bin/sh", ["-c", "/bin/sleep 0.4"], str(tmp_path), name="two")

    def test_output(self, tmp_path: Path) -> None:
        with pytest.raises(Refused, match="tool: renders more than 100000 bytes"):
            run("while true; do echo xxxxxxxxxxxxxxxxxxxxxxxx; done", tmp_path, Limits(20, output=100_000))

    def test_messages_are_not_kept_without_end(self, tmp_path: Path) -> None:
        script = "i=0; while [ $i -lt 20000 ]; do echo xxxxxxxxxxxxxxxxxx >&2; i=$((i+1)); done; echo done"
        assert run(script, tmp_path) == "done\n"

    def test_files(self, tmp_path: Path) -> None:
        with pytest.raises(Refused):
            run("/bin/dd if=/dev/zero of=$TMPDIR/x bs=1000 count=1000", tmp_path, Limits(20, output=100_000))

    def test_memory(self, tmp_path: Path) -> None:
        with Workspace(Limits(20, memory=200 * 1024**2), {}, with_network=False) as workspace:
            code = "x = bytearray(400 * 1024 * 1024)"
            with pytest.raises(Refused, match="MemoryError"):
                workspace.run(sys.executable, ["-I", "-c", code], str(tmp_path), name="tool")

    def test_what_closes_its_output_and_stays_is_ended(self, tmp_path: Path) -> None:
        with pytest.raises(Refused, match="has closed its output and does not end"):
            run("exec >&- 2>&-; exec /bin/sleep 30", tmp_path, Limits(0.5))


def test_a_killed_request_leaves_no_process_and_the_next_takes_its_files_away(tmp_path: Path, temporary: Path) -> None:
    mark = tmp_path / "pid"
    code = (
        "from postrenderer.hosts.argocd.workspace import Limits, Workspace\n"
        "with Workspace(Limits(60), {}, with_network=False) as workspace:\n"
        f"    workspace.run('/bin/sh', ['-c', 'echo $$ >{mark}; exec /bin/sleep 60'], '/', name='x')\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "TMPDIR": str(temporary)})
    end = time.monotonic() + 30
    while not (mark.exists() and mark.read_text().strip()):
        assert time.monotonic() < end
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert is_gone(int(mark.read_text()))
    (left,) = temporary.iterdir()
    assert left.name.startswith(PREFIX)
    foreign = temporary / f"{PREFIX}{os.getpid()}-x"
    foreign.mkdir()
    run("true", tmp_path)
    assert list(temporary.iterdir()) == [foreign]


@pytest.mark.parametrize(
    ("timeout", "seconds"),
    [
        ("", 55),
        ("30s", 25),
        ("90s", 55),
        ("2m30s", 55),
        ("1h", 55),
        ("6s", 3),
        ("1.5s", 0.75),
        ("soon", 55),
        ("10", 55),
    ],
)
def test_the_time_is_less_than_argo_cd_waits(timeout: str, seconds: float) -> None:
    assert find_seconds({"ARGOCD_EXEC_TIMEOUT": timeout}) == seconds
    assert find_seconds({}) == 55


def test_signals_have_names() -> None:
    assert "SIGKILL" in ProgramFailed("helm", -signal.SIGKILL, "").message
