"""Argo CD as a plugin meets it: its plugin server in a home of its own, and what its repo server asks of that.

The repo server's side is the repo server's own code, in `cmp-client`. What follows is said there, in
`reposerver/repository/repository.go` of Argo CD 3.6.

`newEnv` and `getPluginEnvs`: a command of the plugin sees the environment of the server, and after it, in this order,
`ARGOCD_APP_NAME`, `_NAMESPACE`, `_PROJECT_NAME`, `_REVISION`, `_REVISION_SHORT` (7 characters), `_REVISION_SHORT_8`,
`_SOURCE_REPO_URL`, `_SOURCE_PATH`, `_SOURCE_TARGET_REVISION`, `KUBE_VERSION` (of `v1.33.1-gke.7` it is `1.33.1`) and
`KUBE_API_VERSIONS` (joined by commas); what is not known is empty.

`getPluginParamEnvs`: if the source has a plugin section, its `env` follows as `ARGOCD_ENV_<name>`, where `$NAME` and
`${NAME}` stand for a variable of the list above (else for nothing) and `$$` for a `$`; then `ARGOCD_APP_PARAMETERS`, a
JSON array or `null`, and for each value in it a `PARAM_<NAME>`, `PARAM_<NAME>_<KEY>` or `PARAM_<NAME>_<INDEX>`. In
parameters nothing is substituted. Nothing of this has a limit but what the kernel sets: 128 KiB for one variable.

`generateManifestsCMP` sends all of the repository, also `.git`, less the globs that the repo server was given.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.hosts.programs import Home
from tests.support import find_tool

URL = "https://git.example.com/agents.git"


class AskError(Exception):
    """The server, or the repo server's code, answered with an error."""


@dataclass(frozen=True)
class Answer:
    """The manifests that Argo CD goes on with; or none, and the message that its user sees."""

    manifests: list[Any]
    error: str | None = None
    source_type: str = ""
    commands: tuple[str, ...] = ()
    """The commands that Argo CD itself ran, if no plugin made the manifests."""


def ask(home: Home, command: str, *flags: str | Path, timeout: float = 30, request: Any = None) -> Any:
    """Run a command of `cmp-client`; returns the answer."""
    limit = f"{timeout * 1000:.0f}ms"
    data = json.dumps(request).encode()
    done = home.run(find_tool("cmp-client"), "--timeout", limit, *flags, command, data=data)
    if done.returncode != 0:
        raise AskError(done.stderr.decode().rstrip("\n"))
    return json.loads(done.stdout)


def render(home: Home, repo: Path, source: Mapping[str, Any], *flags: str | Path, **request: Any) -> Answer:
    """What the repo server makes of a source; without a plugin it does it itself, with helm and kustomize of the home.

    `request` is of a ManifestRequest (`appName`, `namespace`, `kubeVersion`, `apiVersions` ...), and `timeout`.
    """
    timeout = request.pop("timeout", 30)
    whole = {"repo": {"repo": URL}, "applicationSource": {"repoURL": URL, **source}, **request}
    try:
        answer = ask(home, "render", "--repo", repo, *flags, timeout=timeout, request=whole)
    except AskError as error:
        return Answer([], str(error))
    manifests = [json.loads(manifest) for manifest in answer.get("manifests", ())]
    return Answer(manifests, None, answer["sourceType"], tuple(answer.get("commands", ())))


class CmpServer:
    """Argo CD's plugin server, as it runs in a sidecar, from `with` to the end of it.

    It runs in a directory with a short name: the path of a socket is limited to about 100 bytes.
    """

    def __init__(self, home: Home, plugin_yaml: str) -> None:
        self.home = home
        self._text = plugin_yaml
        self._program = find_tool("argocd-cmp-server")

    def __enter__(self) -> CmpServer:
        self._directory = tempfile.TemporaryDirectory(prefix="cmp", ignore_cleanup_errors=True)
        self.path = Path(self._directory.name)
        (self.path / "plugin.yaml").write_text(self._text)
        extra = {"ARGOCD_PLUGINSOCKFILEPATH": str(self.path), "ARGOCD_CMP_WORKDIR": str(self.path)}
        with (self.path / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [self._program, "--config-dir-path", str(self.path)],
                cwd=self.home.path,
                env={**self.home.environment, **extra},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            self.socket = self._wait_for_socket()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop()

    def _wait_for_socket(self) -> Path:
        end = time.monotonic() + 30
        while not (sockets := list(self.path.glob("*.sock"))):
            if self._process.poll() is not None or time.monotonic() > end:
                raise AskError(f"the server does not start: {self.log}")
            time.sleep(0.01)
        return sockets[0]

    def _stop(self) -> None:
        self._process.kill()  # SIGTERM makes it remove its socket, and run on
        self._process.wait()
        self._directory.cleanup()

    @property
    def name(self) -> str:
        """The name by which an application asks for the plugin: with the version, if it has one."""
        return self.socket.stem

    @property
    def log(self) -> list[dict[str, Any]]:
        """What the server has logged so far; of the commands that succeeded it has the stderr."""
        return [json.loads(line) for line in (self.path / "log").read_text().splitlines() if line.startswith("{")]

    @property
    def work(self) -> list[Path]:
        """The copies of repositories that are there just now."""
        return list((self.path / "_cmp_server").iterdir())

    def generate(
        self,
        repo: Path,
        app_path: str = ".",
        *,
        parameters: Sequence[Mapping[str, Any]] | None = None,
        env: Mapping[str, str] | None = None,
        app_name: str = "app",
        named: bool = True,
        exclude: Sequence[str] = (),
        **request: Any,
    ) -> Answer:
        """What the repo server makes of an application that names this plugin, or has no plugin section.

        `parameters` and `env` are those of the section. For `request` see `render`.
        """
        source: dict[str, Any] = {"path": app_path}
        if named:
            source["plugin"] = self._section(parameters, env, name=self.name)
        flags = [part for glob in exclude for part in ("--exclude", glob)]
        request = {"appName": app_name, "namespace": "default", **request}
        return render(self.home, repo, source, "--socket", self.socket, *flags, **request)

    def match(self, repo: Path, app_path: str = ".", *, env: Mapping[str, str] | None = None) -> tuple[bool, bool]:
        """Whether the server says that the plugin supports the application, and whether it has a `discover` rule.

        Without such a rule it says no, and the repo server takes the plugin only for an application that names it; with
        one, the named plugin has to match too (`cmpSupports` in `util/app/discovery/discovery.go`). The repo server's
        own verdict is what `generate` shows, with and without `named`.
        """
        flags = [part for name, value in (env or {}).items() for part in ("--env", f"{name}={value}")]
        answer = self.ask("match", repo, app_path, *flags)
        return answer.get("isSupported", False), answer.get("isDiscoveryEnabled", False)

    def parameters(
        self,
        repo: Path,
        app_path: str = ".",
        *,
        parameters: Sequence[Mapping[str, Any]] | None = None,
        env: Mapping[str, str] | None = None,
        app_name: str = "app",
    ) -> list[dict[str, Any]]:
        """The parameters that the plugin announces; what is empty or false in them is left out.

        `populatePluginAppDetails`: the command sees less than `generate`, neither a namespace nor versions.
        """
        entries = {"NAME": app_name, "SOURCE_REPO_URL": URL, "SOURCE_PATH": app_path, "SOURCE_TARGET_REVISION": ""}
        flags = [part for name, value in entries.items() for part in ("--env", f"ARGOCD_APP_{name}={value}")]
        section = json.dumps(self._section(parameters, env))
        answer = self.ask("parameters", repo, app_path, *flags, "--plugin", section)
        announced: list[dict[str, Any]] = answer.get("parameterAnnouncements", [])
        return announced

    def ask(self, command: str, repo: Path, app_path: str = ".", *flags: str | Path, timeout: float = 30) -> Any:
        """Ask the server itself; returns the answer as it came, where the manifests are texts."""
        where = ("--socket", self.socket, "--repo", repo, "--app-path", app_path)
        return ask(self.home, command, *where, *flags, timeout=timeout)

    @staticmethod
    def _section(
        parameters: Sequence[Mapping[str, Any]] | None, env: Mapping[str, str] | None, **rest: str
    ) -> dict[str, Any]:
        pairs = [{"name": name, "value": value} for name, value in (env or {}).items()]
        return {**rest, "env": pairs, "parameters": list(parameters or ())}
