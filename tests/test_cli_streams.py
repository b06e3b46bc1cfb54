"""Standard streams that are closed, full, slow, huge or a terminal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.cli import DONE, KNOWN, OTHER, call, check_refused, find_command, read_report

pty = pytest.importorskip("pty")

MANY = "---\n".join(KNOWN.replace("web", f"web-{number}") for number in range(400))
"""Far more than a pipe holds."""
PLAIN = OTHER + "---\n".join([OTHER] * 5000)


# Run by a small process: a child counts the memory of whoever started it as its own.
MEASURED = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[2:]).returncode
with open(sys.argv[1], "w") as file:
    file.write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(code)
"""


def shell(script: str, data: str = KNOWN, **options: object) -> subprocess.CompletedProcess[str]:
    """Run a line of sh, in which `$cmd` is the command."""
    return subprocess.run(
        ["sh", "-c", script],
        input=data,
        text=True,
        capture_output=True,
        check=False,
        timeout=60,
        env={**os.environ, "cmd": find_command()[0]},
        **options,  # type: ignore[call-overload]
    )


@pytest.mark.parametrize("data", [MANY, PLAIN], ids=["rendered", "copied"])
def test_a_closed_pipe_is_141_and_silent(data: str) -> None:
    found = shell('{ "$cmd" -q; echo $? >&2; } | head -n 1 >/dev/null', data)
    assert found.stderr == "141\n"
    if data is PLAIN:  # without an option, the stream takes the short way
        found = shell('{ "$cmd"; echo $? >&2; } | head -n 1 >/dev/null', data)
        assert found.stderr == "141\n"


@pytest.mark.parametrize("arguments", ["--help", "--version", "images list", "diff a.yaml"])
def test_every_command_bears_a_closed_pipe(arguments: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(MANY)
    # `exec` of a reader that reads nothing; the sleep lets it end before the command writes.
    found = shell(f'{{ sleep 0.2; "$cmd" {arguments}; echo $? >&2; }} | true', "", cwd=tmp_path)
    assert found.stderr == "141\n"


def test_a_closed_pipe_is_reported(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    shell(f'{{ "$cmd" --report {report}; }} | true', MANY)
    assert "closed before everything was written" in read_report(report)["error"]


@pytest.mark.parametrize("option", ["-o", "--report"])
def test_a_fifo_whose_reader_leaves(option: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    notes = MANY.replace("kagent-dev", "unknown")
    found = shell(f'head -c 1 {tmp_path}/fifo >/dev/null & "$cmd" -q {option} {tmp_path}/fifo >/dev/null', notes)
    assert (found.returncode, found.stderr) == (141, "")


def test_a_report_to_a_fifo_is_written_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    found = shell(f'cat {tmp_path}/fifo >&2 & "$cmd" -q --report {tmp_path}/fifo >&-; wait')
    assert '"error": null' in found.stderr
    assert "standard output is closed" in found.stderr


@pytest.mark.parametrize("data", [KNOWN, OTHER], ids=["rendered", "copied"])
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
class TestFullDisk:
    def test_as_standard_output(self, data: str) -> None:
        found = shell('"$cmd" >/dev/full', data)
        assert found.returncode == 2
        assert "error: standard output cannot be written: No space left on device" in found.stderr

    def test_as_report(self, data: str) -> None:
        check_refused(call("--report", "/dev/full", data=data), "/dev/full: cannot be written: No space left on device")

    def test_as_standard_error_of_a_failure(self, data: str) -> None:
        assert shell('"$cmd" --nonsense 2>/dev/full', data).returncode == 2
        assert shell('"$cmd" --max-input 1 2>/dev/full', data).returncode == 2

    def test_as_standard_error(self, data: str) -> None:
        found = shell('"$cmd" 2>/dev/full', data)
        assert (found.returncode, found.stdout) == (0, DONE if data is KNOWN else data)


@pytest.mark.parametrize("data", [KNOWN, OTHER], ids=["rendered", "copied"])
class TestClosed:
    def test_standard_input(self, data: str) -> None:
        found = shell('"$cmd" <&-', data)
        assert found.returncode == 2
        assert "error: standard input: cannot be read: Bad file descriptor" in found.stderr
        assert found.stdout == ""

    def test_standard_output(self, data: str, tmp_path: Path) -> None:
        found = shell(f'"$cmd" --report {tmp_path}/r.json >&-', data)
        assert found.returncode == 2
        assert "error: standard output is closed" in found.stderr
        assert shell('"$cmd" >&-', data).returncode == 2
        assert read_report(tmp_path / "r.json")["error"] == "standard output is closed"

    def test_standard_error(self, data: str) -> None:
        found = shell('"$cmd" 2>&-', data)
        assert (found.returncode, found.stdout) == (0, DONE if data is KNOWN else data)

    def test_all(self, data: str, tmp_path: Path) -> None:
        file = tmp_path / "a.yaml"
        file.write_text(data)
        found = shell(f'"$cmd" render {file} -o {file} <&- >&- 2>&-', "")
        assert found.returncode == 0
        assert file.read_text() == (DONE if data is KNOWN else data)


@pytest.mark.parametrize("command", ["--help", "--version", "images list"])
def test_an_output_of_another_command_is_not_lost_silently(command: str) -> None:
    if os.path.exists("/dev/full"):
        found = shell(f'"$cmd" {command} >/dev/full', "")
        assert found.returncode == 2
        assert "Traceback" not in found.stderr


@pytest.mark.parametrize("arguments", [[], ["-q"]])
def test_interrupted_is_130(arguments: list[str], tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    arguments = [*arguments, "--report", str(report)] if arguments else arguments
    process = subprocess.Popen(
        [*find_command(), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdin is not None
    process.stdin.write(b"a: b\n" * 40_000)  # more than a pipe holds: it has begun to read
    process.stdin.flush()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, b"")
    assert err.strip() == b""
    if arguments:
        assert read_report(report)["error"] == "interrupted"


@pytest.mark.parametrize("arguments", [[], ["render"]], ids=["short way", "long way"])
def test_a_huge_stream_is_refused_in_bounded_memory(arguments: list[str], tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    environment = {**os.environ, "SANDBOX_POSTRENDERER_REPORT": str(report)} if arguments else dict(os.environ)
    out, err = tmp_path / "out", tmp_path / "err"
    with out.open("wb") as output, err.open("wb") as message:
        process = subprocess.Popen(
            [sys.executable, "-c", MEASURED, str(tmp_path / "peak"), *find_command(), *arguments],
            stdin=-1,
            stdout=output,
            stderr=message,
            env=environment,
        )
    assert process.stdin is not None
    chunk = b"a: b\n" * 200_000
    try:
        for _ in range(300 * 1024 * 1024 // len(chunk) + 1):
            process.stdin.write(chunk)
    except BrokenPipeError:
        pass
    with suppress(BrokenPipeError):
        process.stdin.close()
    assert (process.wait(timeout=60), out.read_bytes()) == (2, b"")
    assert b"standard input: larger than 268435456 bytes; raise the limit with --max-input BYTES" in err.read_bytes()
    unit = 1 if sys.platform == "darwin" else 1024
    # The limit of 256 MiB, what a growing buffer spares, and the interpreter.
    assert int((tmp_path / "peak").read_text()) * unit < 420 << 20
    if arguments:
        assert "larger than" in read_report(report)["error"]


def test_max_input_counts_bytes(tmp_path: Path) -> None:
    size = len(KNOWN)
    assert call("--max-input", str(size), data=KNOWN).returncode == 0
    found = call("--max-input", str(size - 1), data=KNOWN)
    check_refused(found, f"larger than {size - 1} bytes")
    (tmp_path / "a.yaml").write_text(OTHER)
    check_refused(call("render", "--max-input", "5", "a.yaml", cwd=tmp_path), "a.yaml: larger than 5 bytes")


def run_on_terminal(*arguments: str, environment: dict[str, str] | None = None) -> tuple[int, str]:
    """Run with a terminal as all three streams; answer the exit code and what it shows."""
    code, master = None, -1
    pid, master = pty.fork()
    if pid == 0:  # pragma: no cover
        os.execve(find_command()[0], [*find_command(), *arguments], {**os.environ, **(environment or {})})
    shown = b""
    while True:
        try:
            part = os.read(master, 4096)
        except OSError:
            break
        if not part:
            break
        shown += part
    os.close(master)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    return code, shown.decode()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # forkpty in a process with threads
class TestTerminal:
    @pytest.mark.parametrize(("arguments", "name"), [([], "render"), (["render"], "render"), (["diff"], "diff")])
    def test_without_files_there_is_a_hint(self, arguments: list[str], name: str) -> None:
        code, shown = run_on_terminal(*arguments)
        assert code == 2
        assert "error: nothing to read: pipe manifests in" in shown
        assert f"name files (sandbox-postrenderer {name} FILE)" in shown

    def test_helm_4_gets_the_same_hint(self) -> None:
        code, shown = run_on_terminal("--host", "helm4")
        assert code == 2
        assert "nothing to read" in shown

    def test_colours_on_a_terminal_only(self, tmp_path: Path) -> None:
        file = tmp_path / "a.yaml"
        file.write_text(KNOWN.replace("kagent-dev", "x").replace("app:0.9.1", "odd:1"))
        yellow = "\033[33mwarning: "
        terminal = {"TERM": "xterm", "NO_COLOR": ""}
        assert yellow in run_on_terminal("render", str(file), environment=terminal)[1]
        assert "\033" not in run_on_terminal("render", str(file), environment={"NO_COLOR": "1", "TERM": "xterm"})[1]
        assert "\033" not in run_on_terminal("render", str(file), environment={"TERM": "dumb"})[1]
        assert b"\033" not in call("render", str(file), environment=terminal).stderr

    def test_a_diff_has_colours(self, tmp_path: Path) -> None:
        file = tmp_path / "a.yaml"
        file.write_text(KNOWN)
        _, shown = run_on_terminal("diff", str(file), environment={"TERM": "xterm"})
        assert "\033[32m+          runAsUser: 1001\033[0m\r\n" in shown
        assert "\033[36m@@ " in shown
        assert "\033" not in run_on_terminal("diff", str(file), environment={"TERM": "xterm", "NO_COLOR": "1"})[1]


def test_pipes_in_non_blocking_mode() -> None:
    # As Node.js leaves them to its children.
    reading, feeding = os.pipe()
    draining, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    process = subprocess.Popen([*find_command(), "-q"], stdin=reading, stdout=writing)
    os.close(reading)
    os.close(writing)
    time.sleep(0.3)  # nothing to read yet
    with os.fdopen(feeding, "wb") as feed:
        feed.write(MANY.encode())
    time.sleep(0.3)  # the pipe is full by now
    with os.fdopen(draining, "rb") as drain:
        shown = drain.read()
    assert process.wait(30) == 0
    assert shown.count(b"runAsUser: 1001") == 800


class TestHelm4:
    @pytest.mark.parametrize("data", ["", "\n", " \n\t"])
    @pytest.mark.parametrize("more", [[], ["-q"]], ids=["short way", "long way"])
    def test_an_empty_input_gives_one_comment_line(self, data: str, more: list[str]) -> None:
        found = call("--host", "helm4", *more, data=data)
        assert found.returncode == 0
        assert found.stdout.decode() == f"{data}# nothing was rendered\n"

    def test_anything_else_is_as_ever(self) -> None:
        assert call("--host", "helm4", data=KNOWN).stdout.decode() == DONE
        assert call("--host", "helm4", data=OTHER).stdout.decode() == OTHER
        assert call("--host=helm4", data="# c\n").stdout.decode() == "# c\n"
        assert call(data="").stdout == b""
