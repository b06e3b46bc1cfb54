"""The commands of `docs/images.md` are run, in order, as a reader would paste them.

A comment in front of each block says how: `runs` (offline, in a folder with the page's own files), `needs a registry`
or `needs a network` (only its options are tried). `file:` and `change:` are the files that the page shows, and `shows`
is what the block before it prints.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import pytest
import yaml

from postrenderer.lock import read_lock
from postrenderer.lock.format import format_lock
from postrenderer.registry import parse_mirror
from postrenderer.registry.limits import GIB, Limits
from tests.support import ROOT, command

TEXT = (ROOT / "docs" / "images.md").read_text(encoding="utf-8")
_BLOCK = re.compile(r"(?:<!-- ([a-z ]+)(?:: ([^ ]+))? -->\n)?```(\w*)\n(.*?)```\n", re.DOTALL)
BLOCKS = [match.groups() for match in _BLOCK.finditer(TEXT)]
MARKS = {"shell": {"runs", "needs a registry", "needs a network"}, "text": {"shows"}, "diff": {"change"}}


def get_files() -> dict[str, str]:
    return {name: body for mark, name, _, body in BLOCKS if mark == "file"}


def get_changed_lock() -> str:
    (change,) = [body for mark, _, _, body in BLOCKS if mark == "change"]
    (old,), (new,) = ([line[1:] for line in change.splitlines() if line[0] == sign] for sign in "-+")
    lock = get_files()["images.lock.yaml"]
    assert lock.count(old) == 1
    return lock.replace(old, new)


class Reader:
    """Somebody with the page's files, in a git repository, and the command on PATH."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "bin").mkdir()
        script = f'#!/bin/sh\nexec {shlex.join(command())} "$@"\n'
        (path / "bin" / "sandbox-postrenderer").write_text(script)
        (path / "bin" / "sandbox-postrenderer").chmod(0o755)
        self.work = path / "work"
        for name, body in get_files().items():
            (self.work / name).parent.mkdir(parents=True, exist_ok=True)
            (self.work / name).write_text(body)
        for arguments in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "x"]):
            self.run("git", "-c", "user.name=a", "-c", "user.email=a@example.com", *arguments)

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            arguments,
            cwd=self.work,
            env={
                "PATH": f"{self.path / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}",
                "HOME": str(self.path),
                "GIT_CONFIG_NOSYSTEM": "1",
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, f"{arguments[-1]}\n{done.stderr}"
        return done.stdout


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    return Reader(tmp_path)


def test_blocks_run(reader: Reader) -> None:
    printed = ""
    ran = 0
    for mark, _, _, body in BLOCKS:
        if mark == "change":
            (reader.work / "images.lock.yaml").write_text(get_changed_lock())
        elif mark == "runs":
            printed = reader.run("sh", "-euc", body)
            ran += 1
            if "render " in body or "<manifests" in body:
                rendered = printed or (reader.work / "rendered.yaml").read_text()
                assert "runAsUser: 1001" in rendered or "runAsUser: 65532" in rendered
        elif mark == "shows":
            assert printed == body
    assert ran >= 7


def test_every_block_says_how_it_is_run() -> None:
    for mark, _, language, body in BLOCKS:
        assert mark in MARKS.get(language, {"file", None}), body


@lru_cache
def get_options(*names: str) -> set[str]:
    done = subprocess.run([*command(), *names, "--help"], capture_output=True, text=True, check=True)
    return set(re.findall(r"(?<![\w-])(--?[a-z][a-z-]*)", done.stdout))


def list_calls() -> list[list[str]]:
    """Every call of the program on the page, in blocks of any language and in the text."""
    calls = []
    for _, _, language, body in BLOCKS:
        if language not in ("text", "diff"):
            joined = body.replace("\\\n", " ")
            for found in re.findall(r"sandbox-postrenderer ((?:[a-z]+ |<)[^|`\"\n]*)", joined):
                calls.append(shlex.split(found.partition(">")[0]))
    return calls


def test_commands_and_options_exist() -> None:
    calls = list_calls()
    assert len(calls) >= 20
    for call in calls:
        names = call[:2] if call[0] == "images" else call[:1] if not call[0].startswith("<") else []
        known = get_options(*names)
        options = {word.partition("=")[0] for word in call if word.startswith("-") and word != "-"}
        assert options <= known, call


def test_options_in_the_text_exist() -> None:
    known = {option for names in (["render"], ["diff"], ["images", "lock"]) for option in get_options(*names)}
    text = _BLOCK.sub("", TEXT)
    foreign = {"--compat-auth-file"}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)) <= known | foreign


def test_the_lock_file_is_as_it_would_be_written() -> None:
    for text in (get_files()["images.lock.yaml"], get_changed_lock()):
        assert format_lock(read_lock(text, "lock").entries) == text


def test_its_keys_are_explained() -> None:
    section = TEXT.partition("## What the lock file holds")[2].partition("\n## ")[0]
    schema = (ROOT / "postrenderer" / "schemas" / "lock.json").read_text(encoding="utf-8")
    for key in ("reference", "user", "seen", "uid", "gid", "named", "text", "digest", "pinned", "registry", "date"):
        assert f"`{key}`" in section
        assert f'"{key}"' in schema


def test_other_files_can_be_read() -> None:
    for _, _, language, body in BLOCKS:
        if language == "yaml":
            assert yaml.safe_load(body)
        elif language == "json":
            assert json.loads(body)


def test_what_the_kubelet_says() -> None:
    from postrenderer.commands.images.wording import quote_kubelet

    for said in (quote_kubelet("agent", 1001, True), quote_kubelet("", 0, False)):
        assert f"`{said}`" in TEXT


def test_limits() -> None:
    limits = Limits()
    assert f"{limits.seconds / 60:g} minutes, {limits.compressed // GIB} GiB to download" in TEXT
    assert f"{limits.manifests} platforms" in TEXT


def test_mirrors_are_mirrors() -> None:
    for text in re.findall(r"--registry-mirror ([^ `]+)", TEXT):
        assert parse_mirror(text)


def test_links_within_the_page() -> None:
    headings = re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\(#([^)]+)\)", TEXT)) <= anchors
