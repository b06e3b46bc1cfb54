"""The blocks of `docs/kustomize.md` in order, as a reader would paste them: files are written, commands are run."""

from __future__ import annotations

import os
import re
import shutil

import pytest

from tests.hosts.pages import get_anchors
from tests.hosts.programs import PLUGIN, Home
from tests.support import EXAMPLES, ROOT, find_tool

pytestmark = pytest.mark.e2e
TEXT = (ROOT / "docs" / "kustomize.md").read_text()
_BLOCK = re.compile(r"(?:<!-- (runs|file)(?:: ([a-zA-Z. ]+))? -->\n)?```(\w+)\n(.*?)```\n", re.DOTALL)


def test_blocks_run(home: Home) -> None:
    home.add("kustomize", find_tool("kustomize"))
    folder = home.path / "agents"
    folder.mkdir()
    shutil.copy(EXAMPLES / "kustomize" / "base" / "agents.yaml", folder)
    with_kpt = shutil.which("kpt") is not None
    if with_kpt:
        home.add("kpt", os.path.realpath(str(shutil.which("kpt"))))
    home.extra["SANDBOX_POSTRENDERER_IMAGE_UID"] = "registry.example.com/recorder=4242"
    builds = 0
    for what, detail, language, body in _BLOCK.findall(TEXT):
        if what == "file":
            (folder / detail).write_text(body)
        elif what == "runs" and (detail != "kpt" or with_kpt):
            for line in body.splitlines():
                done = home.run("sh", "-euc", line, cwd=folder)
                assert done.returncode == 0, f"{line}\n{done.stderr.decode()}"
                if "build" in line or line.startswith("kubectl"):
                    assert done.stdout.count(b"runAsNonRoot: true") == 4, line
                    builds += 1
        else:
            assert (language, what) in (("yaml", ""), ("shell", "runs")), body
    assert builds == 5
    if with_kpt:
        assert b"runAsNonRoot: true" in (folder / "agents.yaml").read_bytes()


def test_links_within_the_page() -> None:
    assert set(re.findall(r"\(#([^)]+)\)", TEXT)) <= get_anchors(TEXT)


def test_a_pipe_needs_nothing_in_kustomize(home: Home) -> None:
    home.add("kustomize", find_tool("kustomize"))
    built = home.get_output("sh", "-c", f"kustomize build base | {PLUGIN}", cwd=EXAMPLES / "kustomize")
    assert built.count(b"runAsUser: 65532") == 2
