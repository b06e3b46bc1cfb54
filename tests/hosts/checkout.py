"""This project as others get it: the checkout's working tree as a repository, and what an installation of it needs."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support import ROOT

GIT = {
    "GIT_AUTHOR_NAME": "Somebody",
    "GIT_AUTHOR_EMAIL": "somebody@example.com",
    "GIT_COMMITTER_NAME": "Somebody",
    "GIT_COMMITTER_EMAIL": "somebody@example.com",
    "GIT_CONFIG_NOSYSTEM": "1",
}
"""An author, and no configuration: neither the machine's nor, with a home of one's own, the caller's."""

OWNER_REPOSITORY = "OWNER/sandbox-postrenderer"
REPOSITORY = f"https://git.example.com/{OWNER_REPOSITORY}"
REVISION = "REVISION"
"""What examples and documentation say for the place of this project, and for a commit of it."""

_PROXIES_AND_CERTIFICATES = (
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
)


def get_index_variables() -> dict[str, str]:
    """What pip has to be told to reach the caller's package index from another home."""
    found = {
        name: value
        for name, value in os.environ.items()
        if name.startswith("PIP_") or name.upper() in _PROXIES_AND_CERTIFICATES
    }
    for place in (".config/pip/pip.conf", ".pip/pip.conf", "Library/Application Support/pip/pip.conf"):
        if (Path.home() / place).is_file():
            found.setdefault("PIP_CONFIG_FILE", str(Path.home() / place))
    return found


def run_git(folder: Path, *arguments: str) -> str:
    """Run git, which has to succeed; returns its output."""
    done = subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder.parent), **GIT},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def snapshot_checkout(folder: Path) -> str:
    """Make a repository of the working tree, ignored files left out; returns its commit."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no checkout: what belongs to it is known to git only")
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, check=True
    )
    names = [name for name in os.fsdecode(listed.stdout).split("\0") if (ROOT / name).is_file()]
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    return commit_all(folder)


def commit_all(folder: Path) -> str:
    """Make a repository of a folder; returns its commit."""
    run_git(folder, "init", "-q", "-b", "main")
    run_git(folder, "add", "-A")
    run_git(folder, "commit", "-q", "-m", "all")
    return run_git(folder, "rev-parse", "HEAD").strip()
