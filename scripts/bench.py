"""Measure whole processes: this program, the same edit by others, and a copy. `make bench` prints one table.

Each figure is the median of a few runs, in seconds, and the largest resident memory, in MB. Programs that are not
installed are left out. kustomize takes minutes for 10,000 documents and is asked for 1,000 at most.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
PEERS_IMPORTS = "import click, pluggy, ruamel.yaml"
FIELDS = "{%srunAsNonRoot%s: true, %srunAsUser%s: 1001}"
YQ_EDIT = (
    'with(select(.kind == "Sandbox").spec.podTemplate.spec; '
    ".securityContext = {f} | .containers[].securityContext = {f})"
)
JAQ_EDIT = (
    'if .kind == "Sandbox" then .spec.podTemplate.spec |= '
    "(.securityContext = {f} | .containers[].securityContext = {f}) else . end"
)

SANDBOX = """\
apiVersion: agents.x-k8s.io/v1alpha1
kind: Sandbox
metadata:
  name: agent-{i:06d}
  namespace: agents
  labels:
    app.kubernetes.io/name: agent-{i:06d}
    app.kubernetes.io/part-of: bench
  annotations:
    description: "one of many" # a comment
spec:
  replicas: 1
  podTemplate:
    metadata:
      labels: {{app: agent, tier: "backend"}}
    spec:
      serviceAccountName: agents
      containers:
      - name: kagent
        image: cr.kagent.dev/kagent-dev/kagent/app:0.9.4
        args: ["--port", "8080"]
        env:
        - name: LOG_LEVEL
          value: "info"
        resources:
          requests: {{cpu: 100m, memory: 256Mi}}
          limits: {{memory: 512Mi}}
        volumeMounts:
        - name: config
          mountPath: /config
      volumes:
      - name: config
        secret: {{secretName: agent-{i:06d}}}
"""

OTHER = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web-{i:06d}
  namespace: agents
  labels:
    app.kubernetes.io/name: web-{i:06d}
    app.kubernetes.io/part-of: bench
spec:
  replicas: 2
  selector:
    matchLabels: {{app: web-{i:06d}}}
  template:
    metadata:
      labels: {{app: web-{i:06d}}}
    spec:
      containers:
      - name: web
        image: registry.example.com/team/web:1.2.3
        ports:
        - containerPort: 8080
        env:
        - name: LOG_LEVEL
          value: "info"
        resources:
          requests: {{cpu: 100m, memory: 256Mi}}
          limits: {{memory: 512Mi}}
        readinessProbe:
          httpGet: {{path: /healthz, port: 8080}}
"""


@dataclass(frozen=True)
class Measured:
    """The median of some runs (seconds), and their largest resident memory (MB)."""

    seconds: float
    megabytes: float


def write_stream(path: Path, count: int, every: int) -> None:
    """Write a stream of documents of which every `every`-th is a Sandbox (0: none)."""
    # Piece by piece: what this process holds would count as its children's memory, from fork to exec.
    with path.open("w", encoding="utf-8") as stream:
        for i in range(count):
            stream.write("---\n" + (SANDBOX if every and i % every == 0 else OTHER).format(i=i))


def measure(command: list[str], stdin: Path | None, runs: int, cwd: Path | None = None) -> Measured:
    """Run a command some times, its output going to a file, as into a pipe that is read at once."""
    seconds, peak = [], 0
    for _ in range(runs + 1):  # the first, which may have to compile modules, does not count
        source = open(stdin, "rb") if stdin else subprocess.DEVNULL  # noqa: SIM115
        with tempfile.TemporaryFile() as sink:
            start = time.perf_counter()
            process = subprocess.Popen(
                command, stdin=source, stdout=sink, stderr=subprocess.DEVNULL, cwd=cwd, env=ENVIRONMENT
            )
            _, status, usage = os.wait4(process.pid, 0)
            seconds.append(time.perf_counter() - start)
            process.returncode = os.waitstatus_to_exitcode(status)
            if stdin and not isinstance(source, int):
                source.close()
        if process.returncode:
            raise SystemExit(f"{command[0]} failed with {process.returncode}")
        peak = max(peak, usage.ru_maxrss)
    return Measured(statistics.median(seconds[1:]), peak / 1024)


def find_peers() -> dict[str, Callable[[Path], tuple[list[str], Path | None, Path | None]]]:
    """The programs to compare with: for an input, the command, its standard input and its directory."""
    peers: dict[str, Callable[[Path], tuple[list[str], Path | None, Path | None]]] = {
        "cat": lambda path: (["cat"], path, None),
    }
    yq, kustomize = _find_tool("yq"), _find_tool("kustomize")
    jaq = shutil.which("jaq", path=f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}")
    if yq:
        edit = YQ_EDIT.replace("{f}", FIELDS % ('"', '"', '"', '"'))
        peers["yq"] = lambda path: ([yq, edit], path, None)
    if jaq:
        filter_ = JAQ_EDIT.replace("{f}", FIELDS % ("", "", "", ""))
        peers["jaq"] = lambda path: ([jaq, "--from", "yaml", "--to", "yaml", filter_], path, None)
    if kustomize:
        peers["kustomize build"] = lambda path: ([kustomize, "build", "."], None, _make_kustomization(path))
    return peers


def _find_tool(name: str) -> str | None:
    found = subprocess.run([ROOT / "tools" / "install", "--path", name], capture_output=True, text=True, check=False)
    path = found.stdout.strip()
    return path if found.returncode == 0 and os.access(path, os.X_OK) else None


def _make_kustomization(path: Path) -> Path:
    directory = path.with_suffix(".kustomization")
    if not directory.exists():
        directory.mkdir()
        shutil.copy(path, directory / "resources.yaml")
        fields = "{runAsNonRoot: true, runAsUser: 1001}"
        operations = "".join(
            f"      - {{op: add, path: /spec/podTemplate/spec/{place}securityContext, value: {fields}}}\n"
            for place in ("", "containers/0/")
        )
        (directory / "kustomization.yaml").write_text(
            "resources: [resources.yaml]\npatches:\n  - target: {group: agents.x-k8s.io, kind: Sandbox}\n"
            f"    patch: |-\n{operations}"
        )
    return directory


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="runs of each small case; large ones get 3 at most")
    runs = parser.parse_args().runs
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    with tempfile.TemporaryDirectory() as directory:
        _print_start_up(Path(directory), runs * 4)
        print()
        _print_streams(Path(directory), runs)


def _print_start_up(directory: Path, runs: int) -> None:
    without, with_one = directory / "without.yaml", directory / "with.yaml"
    write_stream(without, 1, 0)
    write_stream(with_one, 1, 1)
    command = [str(BIN / "sandbox-postrenderer")]
    bare = measure([sys.executable, "-c", "pass"], None, runs)
    imports = measure([sys.executable, "-c", PEERS_IMPORTS], None, runs)
    copied, edited = measure(command, without, runs), measure(command, with_one, runs)
    print(f"{'start-up':46} {'ms':>7}  {'ratio':>5}  goal")
    for name, measured, base, goal in (
        ("python -c pass", bare, bare, ""),
        (f"python -c '{PEERS_IMPORTS}'", imports, imports, ""),
        ("1 document without a candidate", copied, bare, "3 x python -c pass"),
        ("1 document, edited", edited, imports, "1.5 x the imports"),
    ):
        print(f"{name:46} {measured.seconds * 1000:7.1f}  {measured.seconds / base.seconds:5.2f}  {goal}")


def _print_streams(directory: Path, runs: int) -> None:
    peers = find_peers()
    names = "   ".join(f"{name:>18}" for name in ("this program", *peers))
    print(f"{'documents':>9} {'edited':>7} {'MB':>6}   {names}")
    for count, every in ((1, 0), (1, 1), (1_000, 1), (10_000, 1), (10_000, 100), (100_000, 100)):
        path = directory / f"{count}-{every}.yaml"
        write_stream(path, count, every)
        size = path.stat().st_size / 1e6
        rounds = runs if count <= 1_000 else min(3, runs)
        cells = [_format(measure([str(BIN / "sandbox-postrenderer")], path, rounds))]
        for name, make in peers.items():
            if name == "kustomize build" and count > 1_000:
                cells.append("-")
                continue
            command, stdin, cwd = make(path)
            cells.append(_format(measure(command, stdin, 1 if name == "kustomize build" else rounds, cwd)))
        edited = count if every == 1 else count // every if every else 0
        print(f"{count:9} {edited:7} {size:6.1f}   " + "   ".join(f"{cell:>18}" for cell in cells), flush=True)
    print("\nEach cell: seconds, MB of memory. Goals: all edited no slower than yq; one in a hundred 0.6 x jaq;")
    print("memory at most 64 MB + 1.25 x input.")


def _format(measured: Measured) -> str:
    return f"{measured.seconds:.3f} s {measured.megabytes:5.0f} MB"


if __name__ == "__main__":
    main()
