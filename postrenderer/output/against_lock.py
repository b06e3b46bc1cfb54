"""What two lock files mean for workloads, as a report for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from postrenderer.against_lock import UserChange
from postrenderer.claims import Claim
from postrenderer.output.text import WHAT_NEXT
from postrenderer.wording import format_path, format_place


class Line(NamedTuple):
    """A line of the report, without its line break, and the colour that it has on a terminal."""

    text: str
    color: str | None = None


def format_changes(changes: Iterable[UserChange]) -> Iterator[Line]:
    """Yield the report: for each container who runs, what that means for its volumes, and what to do."""
    for number, change in enumerate(changes):
        if number:
            yield Line("")
        yield _format_heading(change)
        yield Line(f"  {_format_place(change)}")
        for text in (*_explain_user(change), *_explain_volumes(change)):
            yield Line(f"  {text}")


def format_count(changes: int, resources: int) -> str:
    """The report in one line."""
    found = f"{resources} resource{'' if resources == 1 else 's'}"
    if not changes:
        return f"whom containers run as stays the same in {found}"
    return f"whom {changes} container{'' if changes == 1 else 's'} of {found} would run as differs; {WHAT_NEXT}"


def _format_heading(change: UserChange) -> Line:
    resource = change.workload.resource.id
    namespace = f" ({resource.namespace})" if resource.namespace else ""
    role = "" if change.container.role == "regular" else f"{change.container.role} "
    image = change.container.image.reference if change.container.image else "none"
    replaced = f", was {change.replaced}" if change.replaced else ""
    return Line(
        f"{resource}{namespace}, {role}container {change.container.name}: "
        f"{_format_uid(change.before)} -> {_format_uid(change.after)} (image {image}{replaced})",
        "red" if not change.after else "yellow" if change.before is not None else "green",
    )


def _format_uid(uid: int | None) -> str:
    return "unknown" if uid is None else "root (0)" if uid == 0 else str(uid)


def _format_place(change: UserChange) -> str:
    location = change.workload.resource.location
    return format_place(location.source, location.document, None, location.find_line(change.container.line))


def _explain_user(change: UserChange) -> Iterator[str]:
    if change.after is None:
        yield f"whom it runs as is unknown now ({change.reason}), so that it would be left without an identity;"
        yield f"bring the lock file up to date with `images lock`, or say {_suggest_option(change, 'UID')}"
    elif change.after == 0:
        yield f"its image runs as root now ({change.reason}), so that it would be left without an identity, and the"
        yield "Pod Security level `restricted` refuses the pod; use an image with another USER, or, if it can run as"
        yield f"another user, say {_suggest_option(change, change.before or 'UID')}"
    elif change.before == 0:
        yield f"its image no longer runs as root ({change.reason}): it gets an identity"
    elif change.before is None:
        yield f"whom it runs as was unknown before: it gets an identity ({change.reason})"


def _explain_volumes(change: UserChange) -> Iterator[str]:
    lasting = [claim for claim in change.claims if claim.origin != "ephemeral"]
    for claim in lasting:
        yield f"{_describe_claim(claim)}: its files belong to {_describe_owner(change.before)}"
    for claim in change.claims:
        if claim.origin == "ephemeral":
            yield f"{_describe_claim(claim)}: is made anew with the pod, and needs nothing"
    if lasting and change.after:
        yield from _suggest_ways(change, lasting, change.after)


def _describe_claim(claim: Claim) -> str:
    what = {
        "claim": f"claim {claim.name}",
        "template": f"claims of the template {claim.name}",
        "ephemeral": f"ephemeral volume {claim.name}",
    }[claim.origin]
    return f"{what}, mounted at {claim.mount_path}"


def _describe_owner(uid: int | None) -> str:
    return "a user that the old lock file does not know (`ls -ln` tells)" if uid is None else f"{_format_uid(uid)}"


def _suggest_ways(change: UserChange, claims: list[Claim], uid: int) -> Iterator[str]:
    """The ways to let the new user read and write what the old one has written."""
    if change.workload.fs_group:
        yield "fsGroup is set: as a pod starts, the kubelet lets that group read and write all of that, where the"
        yield "volume's driver supports it; a program that insists on owning its files needs one of these all the same:"
    else:
        yield "before pods are created anew, do one of these:"
        yield f"- write fsGroup: {uid} into {format_path(change.workload.pod.path)}: as a pod starts, the kubelet lets"
        yield "  that group read and write all of that, where the volume's driver supports it"
    paths = " ".join(dict.fromkeys(claim.mount_path for claim in claims))
    yield f"- run `chown -R {uid} {paths}` once, as root, such as in an init container (which `restricted` refuses)"
    if change.before:
        yield f"- keep the old user, if the image can run as it: {_suggest_option(change, change.before)}"


def _suggest_option(change: UserChange, uid: int | str) -> str:
    image = change.container.image
    reference = image.reference.partition("@")[0] if image else "IMAGE"
    return f"--image-uid {reference}={uid}"
