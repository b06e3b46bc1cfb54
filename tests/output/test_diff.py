"""Diffs: what `patch` and `git apply` take, and no line of a neighbour."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postrenderer.model import Change, Settings
from postrenderer.output.diff import colorize, format_diff, normalize_path, quote_name
from postrenderer.pipeline import render
from tests.cli import KNOWN, OTHER, UNKNOWN, call
from tests.support import EXAMPLES, built_in, run_to_bytes

SECRET = "apiVersion: v1\nkind: Secret\nstringData: {password: hunter2}\n"
FLOW = (
    KNOWN.partition("spec:")[0]
    + "spec: {podTemplate: {spec: {containers: [{name: a, image: 'kagent-dev/kagent/app:0.9.1'}]}}}"
)
TEXTS = {
    "one": KNOWN,
    "between secrets": f"{SECRET}---\n{KNOWN}---\n{SECRET}",
    "several": "---\n".join([KNOWN, OTHER, UNKNOWN, KNOWN, SECRET, KNOWN]),
    "no final newline": KNOWN.rstrip("\n"),
    "no final newline, and flow style": FLOW,
    "crlf": f"{OTHER}---\n{KNOWN}---\n{OTHER}".replace("\n", "\r\n"),
    "crlf, no final newline": KNOWN.replace("\n", "\r\n").rstrip(),
    "bom": "\ufeff" + KNOWN,
    "nulls": KNOWN.replace("      containers:", "      securityContext: null\n      containers:"),
    "far apart": KNOWN + "".join(f"      x{number}: {number}\n" for number in range(200)),
    "a list": "apiVersion: v1\nkind: List\nitems:\n"
    + "".join("- " + KNOWN.replace("\n", "\n  ").rstrip() + "\n" for _ in range(5)),
    "json": '{"apiVersion": "agents.x-k8s.io/v1alpha1", "kind": "Sandbox", "spec": {"podTemplate": {"spec": {\n'
    '"containers": [{"name": "a",\n"image": "kagent-dev/kagent/app:0.9.1"}]}}}}\n',
    "comments on markers": f"{OTHER}--- # here\n{KNOWN}--- # there\n{OTHER}---\n",
    "odd blanks": KNOWN.replace("web", "web  # a\u00a0b\u3000c"),
}
TOOLS = {
    "patch": ["patch", "--binary", "-p1", "--quiet"],
    "git": ["git", "apply", "--whitespace=nowarn", "-p1", "-"],
}


def make_diff(text: str, path: str) -> str:
    result = render(text.encode(), Settings(), built_in(), keep_changes=True)
    return "".join(format_diff(result.changes, text.encode(), path))


def apply(tool: str, folder: Path, diff: str) -> None:
    if shutil.which(TOOLS[tool][0]) is None:
        pytest.skip(f"{tool} is not installed")
    found = subprocess.run(TOOLS[tool], input=diff.encode(), cwd=folder, capture_output=True, check=False)
    assert found.returncode == 0, found.stderr.decode() + found.stdout.decode() + diff


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("name", TEXTS)
def test_they_apply(tool: str, name: str, tmp_path: Path) -> None:
    text = TEXTS[name]
    (tmp_path / "a.yaml").write_bytes(text.encode())
    diff = make_diff(text, "a.yaml")
    assert diff
    apply(tool, tmp_path, diff)
    assert (tmp_path / "a.yaml").read_bytes() == run_to_bytes(text)


@pytest.mark.parametrize("tool", TOOLS)
def test_those_of_the_examples_apply(tool: str, tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES / "plain", tmp_path / "plain")
    diff = call("diff", "plain", cwd=tmp_path).stdout.decode()
    apply(tool, tmp_path, diff)
    assert call("diff", "plain", cwd=tmp_path).stdout == b""


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("name", ["a b.yaml", 'q"\\.yaml', "tab\t.yaml", "größe.yaml", "new\nline.yaml", "-x.yaml"])
def test_names_that_need_care(tool: str, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(KNOWN)
    diff = call("diff", "--", name, cwd=tmp_path).stdout.decode()
    apply(tool, tmp_path, diff)
    assert (tmp_path / name).read_bytes() == run_to_bytes(KNOWN)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a.yaml", "a.yaml"),
        ("./a.yaml", "a.yaml"),
        ("x/../a.yaml", "a.yaml"),
        ("/x/a.yaml", "x/a.yaml"),
        ("a//b", "a/b"),
    ],
)
def test_paths(path: str, name: str) -> None:
    assert normalize_path(path) == name


def test_a_path_above_is_one_below_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert normalize_path("../a.yaml") == f"{tmp_path.parent}/a.yaml".lstrip("/")


def test_names_are_quoted_as_git_does() -> None:
    assert quote_name("a/b c") == "a/b c\t"
    assert quote_name('a/"\\') == '"a/\\"\\\\"'
    assert quote_name("a/\n") == '"a/\\012"'


def test_the_marker_behind_a_document_is_all_that_is_shown_of_a_neighbour() -> None:
    diff = make_diff(f"{KNOWN}--- # next\n{SECRET}", "a.yaml")
    assert diff.endswith("+        runAsUser: 1001\n --- # next\n")
    diff = make_diff(f"{KNOWN}--- {{kind: Secret, data: hunter2}}\n", "a.yaml")
    assert diff.endswith("+        runAsUser: 1001\n")


@pytest.mark.parametrize("name", ["between secrets", "several"])
def test_no_line_of_a_neighbour_is_shown(name: str) -> None:
    diff = make_diff(TEXTS[name], "a.yaml")
    assert "hunter2" not in diff
    assert "Secret" not in diff


def test_neighbours_on_one_line_are_not_shown_either() -> None:
    secret = '{"apiVersion": "v1", "kind": "Secret", "data": "hunter2"}'
    text = secret + " " + TEXTS["json"].replace("\n", "") + " " + secret
    assert "hunter2" not in make_diff(text, "a.yaml")


def test_context_is_three_lines() -> None:
    before = "".join(f"{number}\n" for number in range(30))
    after = before.replace("10\n", "10\nx\n").replace("\n16\n", "\n16\ny\n").replace("25\n", "25\nz\n")
    diff = list(format_diff([Change(0, 101, before, after)], b"", "a"))
    hunks = [line for line in diff if line.startswith("@@")]
    assert hunks == ["@@ -109,12 +109,14 @@\n", "@@ -124,6 +126,7 @@\n"]


def test_several_changes_shift_what_follows() -> None:
    changes = [Change(0, 1, "a\n", "a\nb\n"), Change(10, 5, "a\n", "a\nb\n")]
    hunks = [line for line in format_diff(changes, b"", None) if line.startswith(("@@", "---"))]
    assert hunks == ["--- a/stdin\n", "@@ -1 +1,2 @@\n", "@@ -5 +6,2 @@\n"]


def test_no_changes_no_diff() -> None:
    assert list(format_diff([], b"", "a")) == []


def test_a_long_list_takes_no_long_time() -> None:
    before = KNOWN * 3000
    after = run_to_bytes(KNOWN).decode() * 3000
    start = time.perf_counter()
    lines = list(format_diff([Change(0, 1, before, after)], b"", "a"))
    assert time.perf_counter() - start < 5
    assert sum(line.startswith("+ ") for line in lines) == 6 * 3000


LINES = st.lists(st.sampled_from(["a\n", "b\n", "c\n", "\n", "securityContext:\n"]), max_size=30)


@given(LINES, LINES, st.booleans())
def test_any_diff_applies(before: list[str], after: list[str], cut: bool) -> None:
    old, new = "".join(before), "".join(after)
    if cut:
        old, new = old.rstrip("\n"), new.rstrip("\n")
    if old and new:
        diff = "".join(format_diff([Change(0, 1, old, new)], old.encode(), "a"))
        assert patch_text(old, diff).removesuffix("\n" * cut) == new


def patch_text(text: str, diff: str) -> str:
    """Apply a diff by the letter, as strictly as no tool does."""
    diff = diff.replace("\\ No newline at end of file\n", "")
    lines, at, patched = text.splitlines(keepends=True), 0, []
    for header, body in re.findall(r"^(@@.*@@)\n((?:[ +-].*\n?)*)", diff, re.MULTILINE):
        start, count, new_start, new_count = parse_header(header)
        patched += lines[at:start]
        at = start
        assert new_start == len(patched)
        marked = re.findall(r"[ +-].*\n?", body)
        assert sum(line[0] != "+" for line in marked) == count
        assert sum(line[0] != "-" for line in marked) == new_count
        for line in marked:
            if line[0] != "+":
                assert lines[at].rstrip("\n") == line[1:].rstrip("\n")
                at += 1
            if line[0] != "-":
                patched.append(line[1:])
    return "".join(patched + lines[at:])


def parse_header(header: str) -> tuple[int, int, int, int]:
    found = re.fullmatch(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@", header)
    assert found is not None
    count, new_count = int(found[2] or 1), int(found[4] or 1)
    return int(found[1]) - bool(count), count, int(found[3]) - bool(new_count), new_count


def test_colours_stay_on_their_line() -> None:
    assert colorize("+a\r\n") == "\033[32m+a\033[0m\r\n"
    assert colorize("-a\n") == "\033[31m-a\033[0m\n"
    assert colorize("@@ -1 +1 @@\n").startswith("\033[36m")
    for line in (" a\n", "--- a/b\n", "+++ b/b\n"):
        assert colorize(line) == line
