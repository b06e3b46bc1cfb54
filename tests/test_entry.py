"""The short way of a stream without candidates: as fast as a copy, and no other than the long way."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postrenderer import entry
from postrenderer.kinds import NAMES
from postrenderer.plugins import Plugins
from postrenderer.settings import DEFAULTS
from tests.cli import KNOWN, OTHER, call

LIST_MODULES = """
import json, sys
before = set(sys.modules)
sys.argv = ["sandbox-postrenderer", *sys.argv[1:]]
from postrenderer.entry import main
code = main()
print(json.dumps(sorted(set(sys.modules) - before)), file=sys.stderr)
sys.exit(code)
"""
ALWAYS = {
    "__future__",
    "errno",
    "gc",
    "os",
    "postrenderer",
    "postrenderer.descriptors",
    "postrenderer.hosts",
    "postrenderer.hosts.contract",
    "postrenderer.entry",
    "postrenderer.kinds",
}


def find_imports(*arguments: str, data: str) -> set[str]:
    """The modules that a run adds to those of a bare interpreter."""
    found = subprocess.run(
        [sys.executable, "-I", "-c", LIST_MODULES, *arguments],
        input=data.encode(),
        capture_output=True,
        check=True,
        env=os.environ,
    )
    return set(json.loads(found.stderr.splitlines()[-1]))


class TestImports:
    @pytest.mark.parametrize("arguments", [[], ["--host", "helm4"]])
    def test_a_run_without_candidates_imports_next_to_nothing(self, arguments: list[str]) -> None:
        assert find_imports(*arguments, data=OTHER) <= ALWAYS

    def test_a_name_that_is_no_candidate_costs_the_search(self) -> None:
        names = {name for name in find_imports(data="# a Sandbox\n") if name.startswith("postrenderer")}
        assert names <= ALWAYS | {"postrenderer.stream"}

    def test_a_run_with_a_candidate_imports_what_it_uses(self) -> None:
        names = find_imports(data=KNOWN)
        for costly in ("pydantic", "importlib.metadata", "difflib", "tempfile", "random", "hashlib", "tarfile"):
            assert costly not in names
        for ours in (
            "config",
            "contrib",
            "output.report",
            "output.diff",
            "commands.diff",
            "commands.images",
            "hosts.helm4",
        ):
            assert f"postrenderer.{ours}" not in names

    def test_a_report_costs_no_pydantic(self) -> None:
        assert "pydantic" not in find_imports("--report", os.devnull, data=KNOWN)


class TestNames:
    def test_they_are_those_of_the_built_in_kinds(self) -> None:
        assert sorted(NAMES) == Plugins().kind_names

    def test_each_contains_the_first(self) -> None:
        assert all(NAMES[0] in name for name in NAMES)

    def test_the_limit_is_the_setting(self) -> None:
        assert DEFAULTS.max_input == entry._MAX_INPUT


PARTS = st.sampled_from(
    ["kind: ", "Sandbox", "SandboxAgent", "\n", "---\n", "# ", '"', "{", "a: b", "\0", "\ufeff", "é", " "]
)


@given(st.lists(PARTS, max_size=12).map("".join))
def test_whatever_is_plain_has_no_candidate(text: str) -> None:
    from postrenderer.stream import find_candidates, find_encoding_problem

    data = bytearray(text.encode())
    if entry._is_plain(data):
        assert not list(find_candidates(data, NAMES))
        assert find_encoding_problem(data) is None


@pytest.mark.parametrize(
    "data", ["", OTHER, "a: \r\n", "\ufeffa: b", "{}", "# Sandbox", "kind: Sandboxer\n", "\xff".encode("latin-1")]
)
def test_both_ways_end_alike(data: str | bytes) -> None:
    short, long = call(data=data), call("render", data=data)
    assert (short.returncode, short.stdout, short.stderr) == (long.returncode, long.stdout, long.stderr)
    assert short.stdout == (data.encode() if isinstance(data, str) else data)


def test_an_interruption_while_libraries_are_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_arguments: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(entry, "_run", interrupt)
    assert entry.main() == 130
