"""Measure what the plugin adds to a request of Argo CD: its real server, with this plugin and with `helm template`.

Needs the programs of `tools/install`. Each figure is the median of requests for the chart of `examples/`, in
milliseconds, the client's own start included in both; ten at once is the time until the last answer.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.hosts.argocd import CmpServer  # noqa: E402
from tests.hosts.programs import PLUGIN, Home, find_command  # noqa: E402
from tests.support import EXAMPLES, find_tool  # noqa: E402

RUNS = 20
BARE = """\
apiVersion: argoproj.io/v1alpha1
kind: ConfigManagementPlugin
metadata: {name: bare}
spec: {generate: {command: [helm, template, ., --include-crds]}}
"""


def main() -> None:
    """Measure, and print the table."""
    print(f"{'Argo CD, a chart of 22 resources':34} {'ms':>7} {'ten at once':>12}")
    for helm in ("helm3", "helm4"):
        with tempfile.TemporaryDirectory() as directory:
            home = Home(Path(directory) / "home")
            home.add("helm", find_tool(helm))
            home.add(PLUGIN, find_command())
            own = home.get_output(PLUGIN, "argocd", "plugin").decode()
            bare, together = _measure(home, BARE)
            with_plugin, with_plugin_together = _measure(home, own)
        print(f"{helm + ' template':34} {bare:7.0f} {together:12.0f}")
        print(f"{helm + ', this plugin':34} {with_plugin:7.0f} {with_plugin_together:12.0f}")
        print(f"{'  more (goal: at most 150)':34} {with_plugin - bare:7.0f}")


def _measure(home: Home, plugin: str) -> tuple[float, float]:
    with CmpServer(home, plugin) as server:

        def ask(_: object = None) -> float:
            start = time.perf_counter()
            server.ask("generate", EXAMPLES / "chart")
            return (time.perf_counter() - start) * 1000

        ask()
        alone = statistics.median(ask() for _ in range(RUNS))
        with ThreadPoolExecutor(10) as pool:
            start = time.perf_counter()
            list(pool.map(ask, range(10)))
            together = (time.perf_counter() - start) * 1000
    return alone, together


if __name__ == "__main__":
    main()
