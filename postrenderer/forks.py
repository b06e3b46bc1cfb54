"""Both cores for streams of many candidates: documents do not depend on each other, so a fork takes a share of them."""

from __future__ import annotations

import os
import pickle
import signal
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

    Results are in the items' order. What a share raises is raised here, of several the first. A share whose process
    dies (of memory, say) is worked on here once more.
    """
    size = -(-len(items) // shares)
    parts = [items[start : start + size] for start in range(0, len(items), size)]
    forks = [_fork(work, part) for part in parts[1:]]
    try:
        outcomes = [_try(work, part) for part in parts[:1]]
        for part in parts[1:]:
            outcomes.append(_collect(forks[0]) or _try(work, part))
            del forks[0]
    finally:
        _kill(forks)  # there are some only where this process was interrupted
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


Fork = tuple[int, int]
"""A process: its id, and the pipe from which its outcome is read."""


def _fork(work: Callable[[Sequence[Item]], Result], part: Sequence[Item]) -> Fork | None:
    """Start a process; None where the system has none left."""
    source, sink = os.pipe()
    try:
        child = os.fork()
    except OSError:
        os.close(source)
        os.close(sink)
        return None
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


def _collect(fork: Fork | None) -> Outcome | None:
    if fork is None:
        return None
    child, source = fork
    with os.fdopen(source, "rb") as stream:
        data = stream.read()
    _, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        return None
    outcome: Outcome = pickle.loads(data)  # noqa: S301  # written by this program, a moment ago
    return outcome


def _kill(forks: list[Fork | None]) -> None:
    for fork in forks:
        if fork is not None:
            os.kill(fork[0], signal.SIGKILL)
            os.waitpid(fork[0], 0)
