"""What is said about a decision: each value that was added or kept, and each container that still lacks one."""

from __future__ import annotations

from collections.abc import Iterator

from postrenderer.identity import (
    Decision,
    Outcome,
    get_root_choice,
    group_by_context,
    is_root_value,
)
from postrenderer.missing import explain_range, is_out_of_range, remark_container, remark_missing
from postrenderer.model import (
    RUN_AS_NON_ROOT,
    RUN_AS_USER,
    Addition,
    Container,
    Context,
    Path,
    Remark,
    Settings,
    UserValue,
    Workload,
)
from postrenderer.wording import describe_container, format_path, format_value

_WANTED = {
    RUN_AS_NON_ROOT: "a boolean, true or false",
    RUN_AS_USER: "an integer from 0 to 2147483647, without quotes",
}


def remark_decision(
    workload: Workload, decision: Decision, settings: Settings, *, with_notes: bool = True
) -> list[Remark]:
    """All remarks about a workload, in the order in which a person would look at it.

    Without `with_notes`, those that are made for every value that was added are left out.
    """
    return [
        *workload.remarks,
        *(_remark_additions(workload, decision) if with_notes else ()),
        *_remark_user_values(workload, decision),
        *_remark_images(decision),
        *_remark_containers(workload, decision, settings),
        *_remark_shared_contexts(decision, settings),
        *_remark_pod(workload, decision, settings),
    ]


def _remark_additions(workload: Workload, decision: Decision) -> Iterator[Remark]:
    lines: dict[Path, int] = {}
    for container in workload.containers:
        lines.setdefault(container.context.path, container.context.line or container.line)
    for addition in decision.additions:
        yield _remark_addition(addition, lines.get(addition.path, workload.resource.node.line))


def _remark_addition(addition: Addition, line: int) -> Remark:
    origin = f" ({addition.origin})" if addition.origin else ""
    message = f"{format_path(addition.path)}.{addition.key}: {format_value(addition.value)} added{origin}"
    return Remark(
        "identity-defaulted", "note", message, line, addition.path, addition.key, addition.value, addition.origin
    )


def _remark_user_values(workload: Workload, decision: Decision) -> Iterator[Remark]:
    groups = group_by_context([outcome.standing for outcome in decision.outcomes])
    for context in (workload.pod, *(group[0].container.context for group in groups)):
        if context.supplied:
            for name in (RUN_AS_NON_ROOT, RUN_AS_USER):
                user = context.user_value(name)
                if user is not None:
                    yield _remark_user_value(context, name, user)


def _remark_user_value(context: Context, name: str, user: UserValue) -> Remark:
    where = f"{format_path(context.path)}.{name}"
    if user.valid:
        message = f"{where}: {format_value(user.value)} was written by hand: kept"
        return Remark("user-value-kept", "note", message, user.line, context.path, name, user.value)
    what = "no single value" if user.value is None else format_value(user.value)
    message = f"{where} is {what}, which the API server will refuse: write {_WANTED[name]} (kept as it is)"
    return Remark("user-value-invalid", "error", message, user.line, context.path, name, user.value)


def _remark_images(decision: Decision) -> Iterator[Remark]:
    seen = set()
    for outcome in decision.outcomes:
        container, identity = outcome.container, outcome.identity
        if container.image is None or not (identity.by_name_only or identity.newer_than_table):
            continue
        if container.image in seen:
            continue
        seen.add(container.image)
        image = container.image.reference
        if identity.by_name_only:
            message = (
                f"image {image} is taken for a mirror of the one that the built-in table knows, by its name only; "
                "say --image-uid if it runs as another user"
            )
            yield remark_container(container, "matched-by-name-only", "note", message, origin=identity.source)
        if identity.newer_than_table:
            message = f"image {image} is newer than the built-in table: update sandbox-postrenderer, or say --image-uid"
            yield remark_container(container, "newer-than-table", "note", message)


def _remark_containers(workload: Workload, decision: Decision, settings: Settings) -> Iterator[Remark]:
    for outcome in decision.outcomes:
        if outcome.standing.is_root_by_choice:
            yield _remark_root_choice(workload, outcome.container)
            continue
        if not outcome.effective.has_identity:
            remark = remark_missing(workload, outcome, settings)
            if remark is not None:
                yield remark
        yield from _remark_uid(workload, outcome, settings)


def _remark_root_choice(workload: Workload, container: Container) -> Remark:
    choice = get_root_choice(workload, container)
    assert choice is not None
    name, user = choice
    message = (
        f"{describe_container(container)} is root by choice ({name}: {format_value(user.value)} was written by hand): "
        "left alone; the Pod Security level `restricted` refuses a pod with such a container, "
        "so change that, or let the pod run where root is allowed"
    )
    own = container.context.user_value(name) is not None
    path = container.context.path if own else workload.pod.path
    return Remark("root-by-choice", "warning", message, user.line, path, name, user.value)


def _remark_uid(workload: Workload, outcome: Outcome, settings: Settings) -> Iterator[Remark]:
    """Say where a UID that counts, or the image's own, is not one that the pod will run as."""
    container = outcome.container
    user = outcome.standing.user
    if user is not None and user.valid:
        uid = int(user.value or 0)
        if not outcome.effective.uid_applies:
            yield _remark_refused_uid(workload, container, uid)
        elif is_out_of_range(workload, uid, outcome, settings):
            message = (
                f"{describe_container(container)} was given runAsUser: {uid} by hand (kept), "
                f"but {explain_range(workload, uid)}: write another"
            )
            yield remark_container(container, "uid-out-of-range", "warning", message, RUN_AS_USER, uid)
    elif settings.scc == "restricted-v2" and outcome.identity.uid and not workload.windows:
        message = (
            f"{describe_container(container)} will run with a UID of its namespace's range (restricted-v2), "
            f"not as the {outcome.identity.uid} of its image: what belongs to that user, such as a home directory, "
            "may not be writable"
        )
        yield remark_container(
            container,
            "uid-out-of-range",
            "note",
            message,
            RUN_AS_USER,
            outcome.identity.uid,
            outcome.identity.source,
        )


def _remark_refused_uid(workload: Workload, container: Container, uid: int) -> Remark:
    """A UID that was written by hand where none may be."""
    given = f"{describe_container(container)} was given runAsUser: {uid} by hand (kept), but"
    if workload.windows:
        message = f"{given} the API server refuses it on Windows: take it out"
        return remark_container(container, "user-value-invalid", "error", message, RUN_AS_USER, uid)
    message = f"{given} restricted-v2 takes UIDs of the namespace's range and refuses others: take it out"
    return remark_container(container, "uid-out-of-range", "warning", message, RUN_AS_USER, uid)


def _remark_shared_contexts(decision: Decision, settings: Settings) -> Iterator[Remark]:
    groups: dict[Path, list[Outcome]] = {}
    for outcome in decision.outcomes:
        groups.setdefault(outcome.container.context.path, []).append(outcome)
    for group in groups.values():
        if len(group) > 1:
            yield from _remark_shared_context(group, settings)


def _remark_shared_context(group: list[Outcome], settings: Settings) -> Iterator[Remark]:
    """Several containers of one context: what one of them answers and does not get, another stands in the way of."""
    context = group[0].container.context
    if context.supplied and settings.override == "objects":
        return
    answered = {name for outcome in group for name in outcome.standing.answers}
    withheld = [name for name in group[0].effective.missing if name in answered]
    if not withheld:
        return
    who = " and ".join(
        f"{describe_container(outcome.container)}, which {_describe_user(outcome)}," for outcome in group
    )
    message = (
        f"{who} share {format_path(context.path)}: {' and '.join(withheld)} not added there, as it would not fit both; "
        "write by hand what both can run as, or use images with the same user"
    )
    line = context.line or group[0].container.line
    yield Remark("shared-context", "warning", message, line, context.path, withheld[-1])


def _describe_user(outcome: Outcome) -> str:
    uid = outcome.identity.uid
    if uid is None:
        return "runs as nobody knows whom"
    return f"runs as {'root' if uid == 0 else uid}"


def _remark_pod(workload: Workload, decision: Decision, settings: Settings) -> Iterator[Remark]:
    line = workload.resource.node.line
    yield from _remark_pod_root(workload, decision)
    if workload.injected_by and not workload.pod.supplied and settings.levels == "both":
        message = (
            f"asks for an injected sidecar ({workload.injected_by}), which would inherit a security context of the "
            "pod: none is added there, only to containers"
        )
        yield Remark("injected-sidecar", "note", message, line, workload.pod.path)
    if workload.persistent_volumes and not workload.fs_group and not workload.windows:
        message = (
            f"has a persistent volume and no {format_path(workload.pod.path)}.fsGroup: "
            "check that the user that runs can write to it"
        )
        yield Remark("volume-needs-fsgroup", "note", message, line, workload.pod.path, "fsGroup")
    if settings.scc == "restricted-v3" and workload.host_users is not False:
        message = (
            "has no hostUsers: false, without which restricted-v3 refuses a pod: write it into the pod's spec "
            "(kagent's kinds have no field for it)"
        )
        yield Remark("fields-without-effect", "warning", message, line, workload.pod.path)


def _remark_pod_root(workload: Workload, decision: Decision) -> Iterator[Remark]:
    """The level `restricted` looks at the pod's own values, too, even if no container inherits them."""
    if any(outcome.standing.is_root_by_choice for outcome in decision.outcomes):
        return
    for name in (RUN_AS_USER, RUN_AS_NON_ROOT):
        user = workload.pod.user_value(name)
        if user is not None and is_root_value(name, user):
            message = (
                f"{format_path(workload.pod.path)}.{name}: {format_value(user.value)} was written by hand and kept; "
                "no container inherits it, but the Pod Security level `restricted` refuses the pod all the same"
            )
            yield Remark("root-by-choice", "warning", message, user.line, workload.pod.path, name, user.value)
