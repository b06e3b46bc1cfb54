"""What a lock file should hold, what has to be asked for that, and what that changes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from postrenderer.lock.collect import Wanted
from postrenderer.lock.entry import LockEntry, LockFile

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is `missing` from the file, and what is in it: used (`present`) or not (`unused`). All are sorted."""

    present: tuple[Wanted, ...]
    missing: tuple[Wanted, ...]
    unused: tuple[LockEntry, ...]


def make_plan(lock: LockFile, wanted: Iterable[Wanted]) -> Plan:
    """Compare a lock file with what is wanted."""
    known = {entry.key for entry in lock.entries}
    by_key = {each.key: each for each in sorted(wanted, key=lambda each: each.key)}
    return Plan(
        present=tuple(each for key, each in by_key.items() if key in known),
        missing=tuple(each for key, each in by_key.items() if key not in known),
        unused=tuple(entry for entry in sort_entries(lock.entries) if entry.key not in by_key),
    )


def merge_entries(lock: LockFile, answers: Iterable[LockEntry], unused: Collection[Key]) -> tuple[LockEntry, ...]:
    """The file's entries with the answers among them and without the unused, in order.

    An entry that is confirmed stays as it was, with its date, so that a second run changes nothing.
    """
    entries = {entry.key: entry for entry in lock.entries if entry.key not in unused}
    for answer in answers:
        old = entries.get(answer.key)
        if old is None or not old.says_the_same(answer):
            entries[answer.key] = answer
    return sort_entries(entries.values())


def sort_entries(entries: Iterable[LockEntry]) -> tuple[LockEntry, ...]:
    return tuple(sorted(entries, key=lambda entry: entry.key))


@dataclass(frozen=True, slots=True)
class Change:
    """An entry before and after; one of them is None where it came or went."""

    before: LockEntry | None
    after: LockEntry | None

    @property
    def reference(self) -> str:
        entry = self.after or self.before
        assert entry is not None
        return entry.reference

    @property
    def user_differs(self) -> bool:
        return get_user(self.before) != get_user(self.after)


def compare_entries(before: Iterable[LockEntry], after: Iterable[LockEntry]) -> Iterator[Change]:
    """Yield what differs, by reference: a new digest that the manifests pin is a change, not one entry for another."""
    old, new = _group(before), _group(after)
    for reference in sorted({*old, *new}):
        olds, news = old.get(reference, {}), new.get(reference, {})
        if len(olds) == len(news) == 1:
            [(_, one)], [(_, other)] = olds.items(), news.items()
            if one != other:
                yield Change(one, other)
            continue
        for key in sorted({*olds, *news}):
            if olds.get(key) != news.get(key):
                yield Change(olds.get(key), news.get(key))


def get_user(entry: LockEntry | None) -> tuple[object, ...]:
    """What rendering makes use of."""
    return () if entry is None else (entry.uid, entry.gid, entry.named, entry.disagreement)


def _group(entries: Iterable[LockEntry]) -> dict[str, dict[Key, LockEntry]]:
    found: dict[str, dict[Key, LockEntry]] = {}
    for entry in entries:
        found.setdefault(entry.reference, {})[entry.key] = entry
    return found
