"""`docs/other-hosts.md`: its commands are run, as a reader would paste them, and its folders of examples are looked at.

Blocks are marked as in `docs/helm.md`. No Terraform and no werf is run: what they hand over is, with Helm 3.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml

from tests.hosts.pages import BLOCK, check_blocks_say_how_they_run, get_anchors, get_blocks
from tests.hosts.programs import CHART, SANDBOX, Home, find_resource, write_chart
from tests.support import EXAMPLES, ROOT, check_output, find_tool, run_to_bytes

pytestmark = pytest.mark.e2e
PAGE = ROOT / "docs" / "other-hosts.md"
TEXT = PAGE.read_text()
EXAMPLE_HCL = (EXAMPLES / "terraform" / "main.tf").read_text()
FOLDERS = ("helmfile", "terraform", "skaffold", "werf")


def get_yaml(file: str) -> str:
    """The YAML block whose first line names the file."""
    (body,) = [
        body for _, _, language, body in BLOCK.findall(TEXT) if language == "yaml" and file in body.split("\n")[0]
    ]
    return str(body)


def get_hcl() -> str:
    (body,) = [body for _, _, language, body in BLOCK.findall(TEXT) if language == "hcl"]
    return str(body)


def check_blocks_run(home: Home, host: str) -> None:
    write_chart(home.path / "chart", one=SANDBOX)
    (home.path / f"{host}.yaml").write_text(get_yaml(f"{host}.yaml"))
    blocks = get_blocks(TEXT, host, "runs")
    assert blocks
    for block in blocks:
        assert home.get_output("sh", "-euc", block).count(b"runAsUser: 1000") == 2, block
    for block in get_blocks(TEXT, host, "needs a cluster"):
        assert b"Usage:" in home.get_output("sh", "-euc", f"{block.strip()} --help")


@pytest.mark.parametrize("helm", ["helm3", "helm4"])
def test_helmfile(request: pytest.FixtureRequest, helm: str) -> None:
    home: Home = request.getfixturevalue(helm)
    home.add("helmfile", find_tool("helmfile"))
    check_blocks_run(home, "helmfile")


def test_skaffold(home: Home) -> None:
    home.add("skaffold", find_tool("skaffold"))
    check_blocks_run(home, "skaffold")


@pytest.mark.parametrize("text", [get_hcl(), EXAMPLE_HCL], ids=["page", "example"])
def test_terraform(helm3: Home, text: str) -> None:
    """The provider gives path and arguments to the same package of Helm 3 as `--post-renderer` does."""
    (path,) = re.findall(r'binary_path\s*= "(.+)"', text)
    (listed,) = re.findall(r"args\s*= \[(.+)\]", text)
    arguments = [f"--post-renderer-args={argument}" for argument in re.findall(r'"([^"]+)"', listed)]
    assert arguments
    before = helm3.get_output("helm", "template", "agents", CHART)
    after = helm3.get_output("helm", "template", "agents", CHART, "--post-renderer", path, *arguments)
    assert after != before
    image, _, uid = arguments[-1].rpartition("=")
    check_output(before, after, image_uid=((image.removeprefix("--post-renderer-args="), int(uid)),))


def test_the_image_of_the_terraform_example_is_in_its_chart(helm3: Home) -> None:
    (image,) = re.findall(r'"([^"]+)=4242"', EXAMPLE_HCL)
    assert image in str(find_resource(helm3.get_output("helm", "template", "agents", CHART), "agents-search"))


def test_werf(helm3: Home, tmp_path: Path) -> None:
    """The chart of the example, rendered by Helm, through the commands of the page that follow `werf render`."""
    chart = tmp_path / "chart"
    shutil.copytree(EXAMPLES / "werf" / ".helm", chart)
    assert not (chart / "Chart.yaml").exists(), "werf writes one itself; Helm does not"
    name = yaml.safe_load((EXAMPLES / "werf" / "werf.yaml").read_text())["project"]
    (chart / "Chart.yaml").write_text(f"apiVersion: v2\nname: {name}\nversion: 1.0.0\n")
    rendered = helm3.get_output("helm", "template", name, chart)
    helm3.write_script(helm3.bin / "kubectl", "exec cat")
    apply, check = [
        block.strip().removeprefix("werf render | ") for block in get_blocks(TEXT, "werf", "needs a cluster")
    ]
    assert helm3.get_output("sh", "-euc", apply, data=rendered) == run_to_bytes(rendered) != rendered
    assert helm3.run("sh", "-euc", check, data=rendered).returncode == 1, "something would be added"


def test_every_shell_block_says_how_it_is_run() -> None:
    check_blocks_say_how_they_run(TEXT)


@pytest.mark.parametrize("folder", FOLDERS)
def test_each_folder_has_a_short_page_that_links_here(folder: str) -> None:
    text = (EXAMPLES / folder / "README.md").read_text()
    assert len(text.splitlines()) <= 12
    (anchor,) = re.findall(r"\(\.\./\.\./docs/other-hosts\.md#([a-z-]+)\)", text)
    assert anchor in get_anchors(TEXT)
    assert f"`{folder}/`" in (EXAMPLES / "README.md").read_text()


def test_links_to_anchors() -> None:
    for page, anchor in re.findall(r"\]\(([^)#:]+\.md)#([^)]+)\)", TEXT):
        assert anchor in get_anchors((PAGE.parent / page).read_text()), f"{page}#{anchor}"
