"""Asking registries about several images at once, and making entries of the answers. The only part that needs them."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence

from postrenderer.images.reference import normalize_reference, parse_reference
from postrenderer.lock.collect import Wanted
from postrenderer.lock.entry import LockEntry
from postrenderer.registry import Access, RegistryError, Resolved, resolve_image
from postrenderer.registry.mirrors import find_endpoint

WORKERS = 4
_TEXT_MAX = 1024

Answer = Resolved | BaseException


def resolve_all(images: Sequence[str], access: Access) -> Iterator[tuple[int, Answer]]:
    """Ask about each image; yields its number and the answer, or the error, as they come.

    Threads of its own, and no pool: one that hangs must not hold up the end of an interrupted run.
    """
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    answers: queue.SimpleQueue[tuple[int, Answer]] = queue.SimpleQueue()
    for number in range(len(images)):
        waiting.put(number)

    def work() -> None:
        while True:
            try:
                number = waiting.get_nowait()
            except queue.Empty:
                return
            answers.put((number, _resolve(images[number], access)))

    for _ in range(min(WORKERS, len(images))):
        threading.Thread(target=work, daemon=True, name="images").start()
    for _ in images:
        number, answer = answers.get()
        if not isinstance(answer, (Resolved, RegistryError)):
            raise answer  # a bug
        yield number, answer


def _resolve(image: str, access: Access) -> Answer:
    try:
        return resolve_image(image, access)
    except BaseException as error:  # handed on to the caller, whatever it is
        return error


def make_entry(wanted: Wanted, resolved: Resolved, access: Access, date: str) -> LockEntry:
    """Write down what was learned."""
    reference = normalize_reference(parse_reference(wanted.image))
    if len(resolved.text) > _TEXT_MAX:
        raise RegistryError(
            f"{wanted.image}: its USER has {len(resolved.text)} characters: state its user with --image-uid instead"
        )
    return LockEntry(
        reference=wanted.reference,
        digest=resolved.digest,
        uid=resolved.uid,
        gid=None if resolved.uid is None else resolved.gid,
        named=resolved.named,
        text=resolved.text,
        registry=find_endpoint(reference, access.mirrors, access.plain_http).host,
        date=date,
        pinned=bool(wanted.digest),
        disagreement=resolved.disagreement,
    )
