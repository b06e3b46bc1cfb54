"""What is said about resolved images, about entries of a lock file, and about their changes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from postrenderer.lock.entry import LockEntry
from postrenderer.lock.plan import Change

if TYPE_CHECKING:
    from postrenderer.registry import Resolved


def format_resolved(image: str, resolved: Resolved) -> Iterator[str]:
    """Yield the lines about one image: whom it runs as, what the registry has, what the kubelet would say."""
    if resolved.uid is None:
        yield f"{image}: its platforms do not agree: {resolved.disagreement} ({describe_text(resolved.text)})"
    else:
        group = "" if resolved.gid is None else f", group {resolved.gid}"
        name = ", a named user" if resolved.named else ""
        yield f"{image}: runs as {describe_uid(resolved.uid)}{group}{name} ({describe_text(resolved.text)})"
    platforms = ", ".join(each.platform for each in resolved.platforms if each.platform)
    yield f"    {resolved.reference}@{resolved.digest}{f' ({platforms})' if platforms else ''}"
    for each in dict.fromkeys((each.text, each.uid, each.named) for each in resolved.platforms):
        complaint = quote_kubelet(*each)
        if complaint:
            yield f"    with runAsNonRoot and without runAsUser the kubelet says: {complaint}"


def quote_kubelet(text: str, uid: int, named: bool) -> str:
    """What the kubelet says about an image where a pod states `runAsNonRoot: true` and no number; empty: nothing."""
    if named:
        user = text.partition(":")[0]
        return f"container has runAsNonRoot and image has non-numeric user ({user}), cannot verify user is non-root"
    return "container has runAsNonRoot and image will run as root" if uid == 0 else ""


def describe_text(text: str) -> str:
    return f"USER {text}" if text else "no USER"


def describe_uid(uid: int) -> str:
    return "root (0)" if uid == 0 else str(uid)


def describe_entry(entry: LockEntry) -> str:
    """Whom an entry's image runs as, in short."""
    return f"platforms disagree ({entry.disagreement})" if entry.uid is None else describe_uid(entry.uid)


def format_change(change: Change) -> str:
    """`registry.example.com/app:1  1001 -> 65532`."""
    return f"{change.reference}  {_describe_change(change)}"


def _describe_change(change: Change) -> str:
    before, after = change.before, change.after
    if before is None or after is None:
        return f"+ {describe_entry(after)}" if after is not None else "no longer used: removed"
    if describe_entry(before) != describe_entry(after):
        return f"{describe_entry(before)} -> {describe_entry(after)}"
    if change.user_differs:
        return f"{_describe_in_full(before)} -> {_describe_in_full(after)}"
    if before.digest != after.digest:
        return f"{describe_entry(after)} as before, in another digest"
    return f"{describe_entry(after)} as before, but {describe_text(after.text)}"


def _describe_in_full(entry: LockEntry) -> str:
    group = "no known group" if entry.gid is None else f"group {entry.gid}"
    return f"{describe_entry(entry)} ({group}{', named' if entry.named else ''})"


def warn_about(entry: LockEntry) -> str:
    """What an engineer should know about an entry before a pod tells them; empty where there is nothing."""
    if entry.uid is None:
        return (
            f"{entry.reference}: platforms disagree ({entry.disagreement}), so no user is stated for it: name the one "
            "that the cluster has with --platform, or state a user with --image-uid"
        )
    if entry.uid == 0:
        return (
            f"{entry.reference}: runs as root ({describe_text(entry.text)}), so the kubelet refuses it with "
            f"runAsNonRoot ({quote_kubelet(entry.text, 0, entry.named)}): use an image with another USER, or state one "
            "that it can run as with --image-uid"
        )
    return ""
