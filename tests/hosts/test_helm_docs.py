"""The commands of `docs/helm.md` are run, in order, as a reader would paste them.

A comment in front of each block says with what: `runs: helm3 helm4`, or `needs a cluster: helm3`. Of the latter only
the flags are tried, with `--help` behind each call of Helm.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.hosts.pages import check_blocks_say_how_they_run, get_anchors, get_blocks
from tests.hosts.programs import SANDBOX, Home, write_chart
from tests.support import ROOT

pytestmark = pytest.mark.e2e
TEXT = (ROOT / "docs" / "helm.md").read_text()


@pytest.fixture(params=["helm3", "helm4"])
def reader(request: pytest.FixtureRequest) -> tuple[str, Home]:
    """Somebody with one of the Helms, the command, and a chart."""
    home: Home = request.getfixturevalue("bare_helm4" if request.param == "helm4" else "helm3")
    stated = SANDBOX.replace("one", "two").replace("    spec:", "    spec:\n      securityContext: {runAsUser: 7}")
    write_chart(home.path / "chart", one=SANDBOX, two=stated)
    return request.param, home


def test_blocks_run(reader: tuple[str, Home]) -> None:
    host, home = reader
    blocks = get_blocks(TEXT, host, "runs")
    assert len(blocks) >= 5
    for block in blocks:
        if "--post-renderer sandbox" in block and host == "helm4" and "plugin install" not in block:
            home.run("sh", "-c", 'helm plugin install "$(sandbox-postrenderer helm-plugin)"')
        done = home.run("sh", "-euc", block)
        assert done.returncode == 0, f"{block}\n{done.stderr.decode()}"
        if "helm template" in block and "/dev/null" not in block and ">rendered" not in block:
            assert b"runAsNonRoot: true" in done.stdout, block


def test_flags_of_the_rest(reader: tuple[str, Home]) -> None:
    """What needs a cluster is not run, but its flags are read."""
    host, home = reader
    if host == "helm4":
        home.get_output("sh", "-c", 'helm plugin install "$(sandbox-postrenderer helm-plugin)"')
    blocks = get_blocks(TEXT, host, "needs a cluster")
    assert blocks
    for block in blocks:
        first, _, rest = block.strip().partition(" | ")
        assert first.startswith("helm ")
        assert b"Usage:" in home.get_output("sh", "-euc", f"{first} --help")
        if rest:
            manifest = (home.path / "chart/templates/one.yaml").read_bytes()
            assert home.run("sh", "-euc", rest, data=manifest).returncode == 1, "something would be added"


def test_every_shell_block_says_how_it_is_run() -> None:
    check_blocks_say_how_they_run(TEXT)


def test_links_within_the_page() -> None:
    assert set(re.findall(r"\(#([^)]+)\)", TEXT)) <= get_anchors(TEXT)


def test_files_named_in_the_text_of_helm_3(helm3: Home, tmp_path: Path) -> None:
    """`--output-dir`, and then `render --in-place`: the way out that the page names."""
    chart = write_chart(helm3.path / "chart", one=SANDBOX)
    helm3.get_output("helm", "template", "web", chart, "--output-dir", tmp_path / "out")
    helm3.get_output("sandbox-postrenderer", "render", "--in-place", tmp_path / "out")
    assert "runAsUser: 1000" in (tmp_path / "out/small/templates/one.yaml").read_text()
