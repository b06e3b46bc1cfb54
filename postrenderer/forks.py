"""Both cores for streams of many candidates: documents do not depend on each other, so a fork takes a share of them."""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def count_cores() -> int:
    """The cores that this process may use; 1 where it cannot fork."""
    if not hasattr(os, "fork") or sys.platform == "darwin":  # system libraries of macOS do not survive a fork
        return 1
    return len(os.sched_getaffinity(0))


def map_shares(work: Callable[[Sequence[Item]], Result], items: Sequence[Item], shares: int) -> list[Result]:
    """Cut items into shares and work on each in a process of its own, the first in this one.

    Results are in the items' order. What a share raises is raised here, of several the first. A share whose process dies
    (of memory, say) is worked on here once more.
    """
    size = -(-len(items) // shares)
    parts = [items[start : start + size] for start in range(0, len(items), size)]
    forks = [_fork(work, part) for part in parts[1:]]
    outcomes = [_try(work, parts[0])]
    for part, fork in zip(parts[1:], forks, strict=True):
        outcomes.append(_collect(*fork) or _try(work, part))
    results = []
    for result, error in outcomes:
        if error is not None:
            raise error
        results.append(result)
    return results


Outcome = tuple[Any, "Exception | None"]


def _try(work: Callable[[Sequence[Item]], Result], part: Sequence[Item]) -> Outcome:
    try:
        return work(part), None
    except Exception as error:
        return None, error


def _fork(work: Callable[[Sequence[Item]], Result], part: Sequence[Item]) -> tuple[int, int]:
    """Start a process; returns its id and the pipe from which its outcome is read."""
    source, sink = os.pipe()
    child = os.fork()
    if child:
        os.close(sink)
        return child, source
    code = 1
    try:
        os.close(source)
        with os.fdopen(sink, "wb") as stream:
            pickle.dump(_try(work, part), stream, pickle.HIGHEST_PROTOCOL)
        code = 0
    finally:
        os._exit(code)  # nothing of the parent's (its buffers, its exit handlers) may run a second time


def _collect(child: int, source: int) -> Outcome | None:
    with os.fdopen(source, "rb") as stream:
        data = stream.read()
    _, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        return None
    outcome: Outcome = pickle.loads(data)  # noqa: S301  # written by this program, a moment ago
    return outcome
