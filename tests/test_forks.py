"""Shares of a large stream in several processes: the outcome is that of one process, whatever happens to the others."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence

import pytest

from postrenderer import forks, pipeline
from postrenderer.model import Refused
from tests.support import EXAMPLES, run

HERE = os.getpid()


def test_results_are_in_order_and_made_by_several_processes() -> None:
    results = forks.map_shares(lambda part: (os.getpid(), list(part)), range(7), 3)
    assert [number for _, part in results for number in part] == list(range(7))
    assert len({process for process, _ in results}) == 3
    assert results[0][0] == HERE


def test_nothing_to_do_and_less_than_there_are_processes() -> None:
    assert forks.map_shares(list, [1], 4) == [[1]]


def test_of_several_errors_the_first_in_order_is_raised() -> None:
    def work(part: Sequence[int]) -> None:
        if part[0] >= 2:
            raise Refused(f"no {part[0]}", line=part[0])

    with pytest.raises(Refused, match="no 2") as refused:
        forks.map_shares(work, range(6), 3)
    assert refused.value.line == 2


def test_a_share_whose_process_dies_is_worked_on_here() -> None:
    def work(part: Sequence[int]) -> list[int]:
        if os.getpid() != HERE:
            os.kill(os.getpid(), signal.SIGKILL)
        return list(part)

    assert forks.map_shares(work, range(4), 2) == [[0, 1], [2, 3]]


def test_where_no_process_is_left_all_is_worked_on_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise BlockingIOError

    monkeypatch.setattr(os, "fork", refuse)
    assert forks.map_shares(lambda part: (os.getpid(), *part), range(4), 2) == [(HERE, 0, 1), (HERE, 2, 3)]


def test_an_interruption_leaves_no_process_behind() -> None:
    def work(_part: Sequence[int]) -> None:
        if os.getpid() == HERE:
            raise KeyboardInterrupt
        signal.pause()

    with pytest.raises(KeyboardInterrupt):
        forks.map_shares(work, range(4), 4)
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@pytest.mark.parametrize("keep_changes", [False, True])
def test_a_stream_is_rendered_alike_by_one_process_and_by_several(
    monkeypatch: pytest.MonkeyPatch, keep_changes: bool
) -> None:
    names = ("issue-1900.yaml", "plain/comments.yaml", "sandbox.yaml", "plain/list.yaml", "rendered.yaml")
    stream = b"".join(b"---\n" + (EXAMPLES / name).read_bytes().removesuffix(b"...\n") for name in names)
    alone = run(stream, keep_changes=keep_changes)
    monkeypatch.setattr(pipeline, "WORTH_A_FORK", 0)
    monkeypatch.setattr(forks, "count_cores", lambda: 3)
    together = run(stream, keep_changes=keep_changes)
    assert b"".join(together.pieces) == b"".join(alone.pieces) != stream
    assert together.findings == alone.findings
    assert together.changes == alone.changes
    assert (together.resources, together.edited, together.additions) == (
        alone.resources,
        alone.edited,
        alone.additions,
    )


def test_the_first_document_that_is_refused_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "WORTH_A_FORK", 0)
    monkeypatch.setattr(forks, "count_cores", lambda: 3)
    broken = "---\napiVersion: agents.x-k8s.io/v1alpha1\nkind: Sandbox\nmetadata: {\n"
    fine = (EXAMPLES / "sandbox.yaml").read_text()
    with pytest.raises(Refused, match="document 3"):
        run("---\n" + fine + "---\n" + fine + broken + broken + broken)
