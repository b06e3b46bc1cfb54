"""A place of its own for each request, and the programs that run in it: nothing of the sidecar, and within limits."""

from __future__ import annotations

import errno
import os
import re
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import takewhile
from types import TracebackType

from postrenderer.hosts.argocd.request import VARIABLES
from postrenderer.model import Refused
from postrenderer.outcome import escape

PREFIX = "sandbox-postrenderer-request-"
_KEPT = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
_NOWHERE = "http://127.0.0.1:9"
_CHUNK = 1 << 16
_MESSAGE = 1 << 16
_SHOWN = 2000
_DURATION = re.compile(r"(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+(?:\.[0-9]+)?)s)?\Z")
_CALLER_SECONDS = 60.0
_RESERVE = 5.0
_OUT_OF_MEMORY = ("out of memory", "cannot allocate memory", "pthread_create failed")
_GO_STACK = ("goroutine ", "runtime stack:", "SIGABRT:")
"""How a line begins behind which Go shows where it has ended, on hundreds of lines."""
_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38


@dataclass(frozen=True, slots=True)
class Limits:
    """What a program may use: seconds for all of a request's programs together, bytes of memory and of output."""

    seconds: float
    memory: int = 2 * 1024**3
    output: int = 64 * 1024**2


def find_seconds(environment: Mapping[str, str]) -> float:
    """The time for a request: below Argo CD's own, which ends with SIGKILL and says nothing.

    The repo server's callers wait 60 seconds for all of a request, unless told otherwise. `ARGOCD_EXEC_TIMEOUT` (a
    duration of Go, such as 90s or 2m30s) can only shorten that: a plugin's server does not read it, and a caller that
    waits longer is the operator's to tell.
    """
    text = environment.get("ARGOCD_EXEC_TIMEOUT", "")
    match = _DURATION.match(text) if text else None
    if match is None or not any(match.groups()):
        return _CALLER_SECONDS - _RESERVE
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    total = min(3600 * hours + 60 * minutes + seconds, _CALLER_SECONDS)
    return max(total - _RESERVE, total / 2)


class Workspace:
    """A temporary directory of the request's own, which is gone afterwards, and what runs in it."""

    def __init__(self, limits: Limits, environment: Mapping[str, str], *, with_network: bool) -> None:
        self.limits = limits
        self._outer = environment
        self._with_network = with_network
        self._end = time.monotonic() + limits.seconds
        self.path = ""

    def __enter__(self) -> Workspace:
        folder = tempfile.gettempdir()
        _sweep(folder)
        self.path = os.path.realpath(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=folder))
        for name in ("home", "tmp", "empty", "helm", "helm/cache", "helm/config", "helm/data"):
            os.mkdir(os.path.join(self.path, name), 0o700)
        self.write("kubeconfig", b"")
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        _remove(self.path)

    def write(self, name: str, content: bytes) -> str:
        """Write a file that nobody else can read. Returns its path."""
        path = os.path.join(self.path, name)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:
            file.write(content)
        return path

    @property
    def environment(self) -> dict[str, str]:
        """What a program sees: nothing of the sidecar's but certificates, and proxies where it may use the network."""
        place = self.path
        # Everything below the request's own directory: helm's caches race with each other's.
        variables = {
            "HOME": f"{place}/home",
            "TMPDIR": f"{place}/tmp",  # noqa: S108  # the request's own
            "PATH": self._outer.get("PATH", os.defpath) if self._with_network else f"{place}/empty",
            "LC_ALL": "C.UTF-8",
            "XDG_CACHE_HOME": f"{place}/home/.cache",
            "XDG_CONFIG_HOME": f"{place}/home/.config",
            "XDG_DATA_HOME": f"{place}/home/.local/share",
            "HELM_CACHE_HOME": f"{place}/helm/cache",
            "HELM_CONFIG_HOME": f"{place}/helm/config",
            "HELM_DATA_HOME": f"{place}/helm/data",
            "HELM_PLUGINS": f"{place}/empty",
            "HELM_NO_PLUGINS": "1",
            "KUBECONFIG": f"{place}/kubeconfig",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_ALLOW_PROTOCOL": "https",  # of submodules as well
            "GOMEMLIMIT": str(self.limits.memory // 2),
        }
        variables.update({name: self._outer[name] for name in (*_KEPT, *VARIABLES) if name in self._outer})
        if self._with_network:
            variables.update({name: self._outer[name] for name in _PROXIES if name in self._outer})
        else:
            variables.update(dict.fromkeys(_PROXIES, _NOWHERE))
            variables["NO_PROXY"] = variables["no_proxy"] = ""
        return variables

    def run(self, program: str, arguments: list[str], folder: str, *, name: str) -> bytes:
        """Run a program to its end. Returns its output.

        Raises `Refused` where it fails, with what it says in one line; where it takes longer or writes more than it
        may; and where it cannot be started.
        """
        try:
            process = subprocess.Popen(  # noqa: S603  # the operator's program, without a shell
                [program, *arguments],
                cwd=folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                preexec_fn=_make_limiter(self.limits, with_network=self._with_network),
            )
        except (OSError, subprocess.SubprocessError) as error:
            if isinstance(error, OSError) and error.errno == errno.E2BIG:
                raise Refused(f"{name}: the parameters are longer than a command line can be") from None
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise Refused(f"{name}: cannot be started ({program}): {reason}") from None
        try:
            output, message = self._read(process, name)
        finally:
            _end(process)
            for stream in (process.stdout, process.stderr):
                if stream is not None:
                    stream.close()
        if process.returncode:
            said = self._clean(message.decode(errors="replace"), folder)
            if any(words in said for words in _OUT_OF_MEMORY):
                said = f"needs more memory than it may use ({self.limits.memory} bytes): {said}"
            raise ProgramFailed(name, process.returncode, said)
        return output

    def _read(self, process: subprocess.Popen[bytes], name: str) -> tuple[bytes, bytes]:
        """Read both outputs to their ends; of the messages only the first."""
        assert process.stdout is not None
        assert process.stderr is not None
        output, message = bytearray(), bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ, output)
            selector.register(process.stderr, selectors.EVENT_READ, message)
            while selector.get_map():
                ready = selector.select(max(0.0, self._end - time.monotonic()))
                if not ready or time.monotonic() >= self._end:
                    seconds = f"{self.limits.seconds:g}"
                    raise Refused(
                        f"{name}: has not ended after {seconds} seconds, which is all that a request may take"
                    )
                for key, _ in ready:
                    chunk = os.read(key.fd, _CHUNK)
                    if not chunk:
                        selector.unregister(key.fileobj)
                    elif key.data is output or len(message) < _MESSAGE:
                        key.data.extend(chunk)
                if len(output) > self.limits.output:
                    limit = self.limits.output
                    raise Refused(f"{name}: renders more than {limit} bytes, which is all that a request may render")
        try:
            process.wait(max(0.1, self._end - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise Refused(f"{name}: has closed its output and does not end") from None
        return bytes(output), bytes(message)

    def _clean(self, message: str, folder: str) -> str:
        """One line of a message, without the places of this request."""
        lines = [line.strip() for line in message.splitlines() if line.strip()]
        lines = list(takewhile(lambda line: not line.startswith(_GO_STACK), lines)) or lines
        errors = [line for line in lines if not line.startswith(("WARNING:", "level=", "W1", "I1"))] or lines
        text = " ".join(errors).replace(f"{self.path}/", "").replace(f"{folder}/", "").replace(folder, ".")
        return escape(text if len(text) <= _SHOWN else f"{text[:_SHOWN]} ...")


class ProgramFailed(Refused):
    """A program has ended with an error; `said` is what it says."""

    def __init__(self, name: str, code: int, said: str) -> None:
        if code < 0:
            said = (
                f"was ended by signal {-code} ({signal.Signals(-code).name}); it may need more memory. {said}".strip()
            )
        super().__init__(f"{name}: {said or f'failed with exit code {code}'}")
        self.said = said


def _make_limiter(limits: Limits, *, with_network: bool) -> Callable[[], None]:
    """What a program's process does before it becomes the program. All is prepared here: it runs after a fork."""
    import ctypes
    import resource

    from postrenderer.hosts.argocd.seccomp import MODE_FILTER, PR_SET_SECCOMP, make_filter

    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()
    # Where the kernel takes no filter, what was looked at before still holds.
    network = None if with_network else make_filter()
    # Not RLIMIT_AS: Go reserves far more than it uses, and with 1 GiB of that helm does not even start.
    bounds = ((resource.RLIMIT_DATA, limits.memory), (resource.RLIMIT_FSIZE, limits.output), (resource.RLIMIT_CORE, 0))

    def limit() -> None:
        # The server ends a request that takes too long with SIGKILL: only the kernel can end what it has started.
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)
        for what, bound in bounds:
            resource.setrlimit(what, (bound, bound))
        if network is not None:
            prctl(PR_SET_SECCOMP, MODE_FILTER, ctypes.byref(network), 0, 0)

    return limit


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program that still runs, and what it has started: kustomize's git does not end with it."""
    if process.poll() is None:
        children = _list_descendants(process.pid)
        process.kill()
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
    process.wait()


def _list_descendants(process: int) -> list[int]:
    """The processes that a process has started, and those that they have."""
    parents: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        with suppress(OSError, ValueError), open(f"/proc/{int(name)}/stat", "rb") as file:
            parent = int(file.read().rpartition(b")")[2].split()[1])  # a program's name can have parentheses
            parents.setdefault(parent, []).append(int(name))
    found = [process]
    for each in found:
        found.extend(parents.get(each, ()))
    return found[1:]


def _sweep(folder: str) -> None:
    """Take away what requests have left that were ended by SIGKILL: those whose process is gone."""
    try:
        names = [name for name in os.listdir(folder) if name.startswith(PREFIX)]
    except OSError:
        return
    for name in names:
        number = name.removeprefix(PREFIX).partition("-")[0]
        path = os.path.join(folder, name)
        if number.isdigit() and os.path.isdir(path) and not os.path.islink(path) and not _is_running(int(number)):
            _remove(path)


def _remove(folder: str) -> None:
    with suppress(RecursionError):  # up to Python 3.12 it calls itself for each directory in a directory
        shutil.rmtree(folder, ignore_errors=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
