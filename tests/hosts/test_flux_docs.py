"""The commands of `docs/flux.md` are run as a reader would paste them, and do what a comment in front of each says.

`runs`: it prints patches, or what they add. `fails: MESSAGE`: so it does. `lacking`: something would be added.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml

from tests.hosts.programs import SANDBOX, Home, write_chart
from tests.support import ROOT

pytestmark = pytest.mark.e2e
TEXT = (ROOT / "docs" / "flux.md").read_text()
_BLOCK = re.compile(r"(?:<!-- (\w+)(?:: ([^>]+))? -->\n)?```(\w*)\n(.*?)```\n", re.DOTALL)
BLOCKS = _BLOCK.findall(TEXT)


@pytest.fixture
def reader(helm3: Home) -> Home:
    """Somebody with Helm 3 and kubectl, manifests, a chart and a kustomization."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed")
    helm3.add("kubectl", kubectl)
    write_chart(helm3.path / "chart", one=SANDBOX)
    (helm3.path / "values.yaml").write_text("{}\n")
    for name in ("manifests", "app"):
        (helm3.path / name).mkdir()
        (helm3.path / name / "one.yaml").write_text(SANDBOX)
    (helm3.path / "app/kustomization.yaml").write_text("resources:\n- one.yaml\n")
    return helm3


def run(reader: Home, body: str) -> tuple[int, str]:
    done = reader.run("sh", "-euc", body)
    return done.returncode, done.stderr.decode() if done.returncode else done.stdout.decode()


def test_blocks_run(reader: Home) -> None:
    bodies = [(how, message, body) for how, message, language, body in BLOCKS if language == "shell"]
    assert [how for how, _, _ in bodies] == ["runs", "runs", "runs", "fails", "lacking"]
    for how, message, body in bodies:
        if how == "lacking":
            assert run(reader, body)[0] == 1
            continue
        code, output = run(reader, body)
        if how == "fails":
            assert code != 0
            assert message in output
            (reader.path / "app/kustomization.yaml").write_text("resources:\n- one.yaml\n")
            (reader.path / "app/one.yaml").write_text(SANDBOX)
        else:
            assert code == 0, output
            assert "runAsUser: 1000" in output


def test_nothing_is_lacking_where_there_are_patches(reader: Home) -> None:
    (body,) = [body for how, _, _, body in BLOCKS if how == "lacking"]
    (append,) = [body for _, _, _, body in BLOCKS if ">>kustomization.yaml" in body]
    assert run(reader, append)[0] == 0
    assert run(reader, body) == (0, "")


def test_the_patch_that_is_shown(reader: Home) -> None:
    (shown,) = [body for _, _, language, body in BLOCKS if language == "yaml"]
    assert run(reader, BLOCKS[0][3]) == (0, shown)
    assert yaml.safe_load(shown)


def test_every_shell_block_says_what_it_does() -> None:
    for how, _, language, body in BLOCKS:
        assert bool(how) is (language == "shell"), body


def test_links_lead_somewhere() -> None:
    for link in re.findall(r"\]\(([^)#:]+)\)", TEXT):
        assert (Path(ROOT / "docs") / link).exists()
