"""The sidecar's image, and a container of it, as far as both go without an engine and without a registry.

`buildah` builds the image on a root file system that `debootstrap` makes of Debian's packages. The container is a
process in namespaces of its own. Everything that is mounted is mounted in a namespace, and is gone with its process.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from tests.hosts.argocd import CmpServer
from tests.hosts.programs import Home
from tests.support import ROOT, find_tool

ARGOCD = ROOT / "argocd"
SUITE, PYTHON = "bookworm", "3.11"
IMAGE = "localhost/sandbox-postrenderer"
SERVER = "argocd-cmp-server"
ENTRYPOINT = ("/usr/bin/tini", "--", f"/var/run/argocd/{SERVER}")

# ROOT, the directory of the server's program and that of its socket, and a command line. The links of the root file
# system are absolute, and must not be followed from outside: /run is where Debian's /var/run leads.
_CONTAINER = """\
set -eu
root=$1 server=$2 sockets=$3
shift 3
mount --bind "$root" "$root"
mount -t tmpfs -o mode=1777 tmp "$root/tmp"
mount --bind "$server" "$root/run/argocd"
mount -o remount,bind,ro "$root/run/argocd"
mount --bind "$sockets" "$root/home/argocd/cmp-server/plugins"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=0755 dev "$root/dev"
for device in null zero random urandom; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mount -o remount,bind,ro "$root"
exec setpriv --no-new-privs unshare --root "$root" --wd /home/argocd --setgid 999 --setuid 999 -- "$@"
"""


def need_programs() -> None:
    """Skip the test where an image cannot be built; with `CI` set that is a failure."""
    missing = [name for name in ("buildah", "debootstrap", "unshare", "setpriv") if shutil.which(name) is None]
    reason = f"not installed: {', '.join(missing)}" if missing else "" if os.geteuid() == 0 else "needs root"
    if reason and os.environ.get("CI"):
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)


class Builder:
    """buildah, with all that it stores in one directory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def build(self) -> Path:
        """Build the image of `argocd/Dockerfile`; returns the root file system of a container."""
        self._import_base()
        self._import_programs()
        wheels = download_wheels(self.folder / "wheels")
        arguments = {
            "BASE": "localhost/base",
            "BUILDER": "localhost/programs",
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(wheels),
        }
        self.buildah(
            *("bud", "--isolation", "chroot", "--pull-never", "--volume", f"{wheels}:{wheels}:ro"),
            *(f"--build-arg={name}={value}" for name, value in arguments.items()),
            *("--file", ARGOCD / "Dockerfile", "--tag", IMAGE, ROOT),
        )
        container = self.buildah("from", "--pull-never", IMAGE)
        return Path(self.buildah("mount", container))

    def inspect(self) -> dict[str, Any]:
        """What the image says of itself: `User`, `Entrypoint`, `Env` ..."""
        config: dict[str, Any] = json.loads(self.buildah("inspect", "--type", "image", IMAGE))["OCIv1"]["config"]
        return config

    def buildah(self, *arguments: str | Path) -> str:
        """Run buildah; returns its output."""
        store = ("--root", self.folder / "store", "--runroot", self.folder / "run", "--storage-driver", "vfs")
        return run_apart("buildah", *store, *arguments)

    def _import_base(self) -> None:
        base = self.folder / "base"
        include = "--include=python3,python3-venv,ca-certificates,tini"
        run_apart("debootstrap", "--variant=minbase", include, SUITE, base)
        for downloaded in ("var/cache/apt/archives", "var/lib/apt/lists"):
            shutil.rmtree(base / downloaded)
        container = self.buildah("from", "scratch")
        self.buildah("copy", "--quiet", container, base, "/")
        self.buildah("commit", "--quiet", "--rm", container, "localhost/base")
        shutil.rmtree(base)

    def _import_programs(self) -> None:
        """The programs that the other tests drive, in the place of those that the image's first stage builds."""
        container = self.buildah("from", "--pull-never", "localhost/base")
        for tool, name in (("helm4", "helm"), ("kustomize", "kustomize")):
            self.buildah("copy", "--quiet", container, find_tool(tool), f"/out/{name}")
        self.buildah("commit", "--quiet", "--rm", container, "localhost/programs")


def download_wheels(folder: Path) -> Path:
    """Fetch what the image installs, for its Python, into a directory."""
    machine = platform.machine()
    platforms = [f"--platform=manylinux{tag}_{machine}" for tag in ("_2_28", "_2_17", "2014")]
    files = [f"--requirement={ARGOCD / name}" for name in ("requirements.txt", "requirements-build.txt")]
    run_apart(
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--require-hashes"),
        *("--only-binary=:all:", "--implementation=cp", f"--python-version={PYTHON}", *platforms, *files),
        *("--dest", folder),
    )
    return folder


def run_apart(*command: str | Path) -> str:
    """Run a program in mount and process namespaces of its own, so that nothing of it stays; returns its output."""
    apart = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
    done = subprocess.run([*apart, *map(str, command)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command[0]}: {done.stdout[-4000:]}{done.stderr[-4000:]}"
    return done.stdout.strip()


class Container(CmpServer):
    """Argo CD's server in a container of the image: the user 999, nothing to write on but /tmp, and no network.

    The image's own command is its first process; the server is mounted into it, as the kubelet does it.
    """

    def __init__(self, home: Home, image: Path, folder: Path) -> None:
        super().__init__(home, "")
        self._image = image
        self.path = folder / "sockets"
        self._programs = folder / "server"

    def __enter__(self) -> Container:
        self.path.mkdir()
        self.path.chmod(0o777)
        self._programs.mkdir()
        shutil.copy(find_tool(SERVER), self._programs / SERVER)
        self._log = (self.path / "log").open("wb")
        self._process = subprocess.Popen(
            self.enter(*ENTRYPOINT), env=self.environment, stdout=self._log, stderr=self._log
        )
        try:
            self.socket = self._wait_for_socket()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()
        self._log.close()

    @property
    def process(self) -> Path:
        """The first process of the container, as /proc has it from outside."""
        path = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        return Path("/proc", path.read_text().split()[0])

    @property
    def environment(self) -> dict[str, str]:
        return {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/tmp"}

    def enter(self, *command: str) -> list[str]:
        """The command line that runs a command in a container of the image."""
        apart = ("unshare", "--mount", "--net", "--ipc", "--uts", "--pid", "--fork", "--kill-child")
        places = (str(self._image), str(self._programs), str(self.path))
        return [*apart, "sh", "-c", _CONTAINER, "container", *places, *command]

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run another command, in another container of the image."""
        return subprocess.run(
            self.enter(*command), env=self.environment, capture_output=True, text=True, check=False, timeout=60
        )
