"""What is said about a decision: each value that was added or kept, and each container that still lacks one."""

from __future__ import annotations

from collections.abc import Iterator

from postrenderer.identity import (
    Decision,
    Effective,
    answer_fields,
    find_effective,
    get_applicable_fields,
    group_by_context,
    is_root_by_choice,
    is_usable_uid,
)
from postrenderer.model import (
    RUN_AS_NON_ROOT,
    RUN_AS_USER,
    Addition,
    Container,
    Context,
    Identity,
    Path,
    Remark,
    Settings,
    UserValue,
    Workload,
)


def format_path(path: Path) -> str:
    """Write a path as people do: `spec.containers[0].image`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def remark_decision(workload: Workload, decision: Decision, settings: Settings) -> list[Remark]:
    """All remarks about a workload, in the order in which a person would look at it."""
    return [
        *workload.remarks,
        *_remark_additions(workload, decision, settings),
        *_remark_user_values(workload),
        *_remark_images(workload, decision),
        *_remark_containers(workload, decision, settings),
        *_remark_shared_contexts(workload, decision, settings),
        *_remark_pod(workload, settings),
    ]


def find_containers_without_identity(
    workload: Workload, additions: tuple[Addition, ...], settings: Settings
) -> list[Container]:
    """The containers that `strict` would not accept: no `runAsNonRoot: true`, no UID but 0, or root by choice."""
    return [
        container
        for container in workload.containers
        if is_root_by_choice(workload, container)
        or not find_effective(workload, container, additions, settings).has_identity
    ]


def find_unknown_containers(workload: Workload, decision: Decision, settings: Settings) -> list[Container]:
    """The containers that `unknown-image: fail` would not accept."""
    return [
        container
        for container, identity in zip(workload.containers, decision.identities, strict=True)
        if identity.uid is None
        and not is_root_by_choice(workload, container)
        and not find_effective(workload, container, decision.additions, settings).has_identity
    ]


def describe_container(container: Container) -> str:
    role = "" if container.role == "regular" else f"{container.role} "
    return f"{role}container {container.name}"


def _describe_image(container: Container) -> str:
    return f"image {container.image.reference}" if container.image else "no image"


def _remark_additions(workload: Workload, decision: Decision, settings: Settings) -> Iterator[Remark]:
    lines = {container.context.path: container.context.line or container.line for container in workload.containers}
    for addition in decision.additions:
        where = format_path(addition.path)
        value = str(addition.value).lower()
        message = f"{where}.{addition.key}: {value} added"
        if addition.origin:
            message += f" ({addition.origin})"
        if settings.scc == "restricted-v2":
            message += "; the namespace's range gives the UID, and the image's files may not be writable for it"
        yield Remark(
            "identity-defaulted",
            "note",
            message,
            line=lines.get(addition.path, workload.resource.node.line),
            path=addition.path,
            field=addition.key,
            value=addition.value,
            origin=addition.origin,
        )


def _remark_user_values(workload: Workload) -> Iterator[Remark]:
    for context in [workload.pod, *group_by_context(workload)]:
        for name in (RUN_AS_NON_ROOT, RUN_AS_USER):
            user = context.user_value(name)
            if user is not None:
                yield _remark_user_value(context, name, user)


def _remark_user_value(context: Context, name: str, user: UserValue) -> Remark:
    where = f"{format_path(context.path)}.{name}"
    if user.valid:
        message = f"{where}: {str(user.value).lower()} was written by hand: kept"
        return Remark("user-value-kept", "note", message, user.line, context.path, name, user.value)
    wanted = (
        "a boolean, true or false" if name == RUN_AS_NON_ROOT else "an integer from 0 to 2147483647, without quotes"
    )
    message = f"{where} is {user.value!r}, which the API server will refuse: write {wanted} (kept as it is)"
    if user.value is None:
        message = f"{where} is no single value, which the API server will refuse: write {wanted} (kept as it is)"
    return Remark("user-value-invalid", "error", message, user.line, context.path, name, user.value)


def _remark_images(workload: Workload, decision: Decision) -> Iterator[Remark]:
    seen = set()
    for container, identity in zip(workload.containers, decision.identities, strict=True):
        if container.image is None or container.image in seen:
            continue
        seen.add(container.image)
        image = container.image.reference
        if identity.by_name_only:
            message = f"{image} was taken for a mirror of kagent's or agent-sandbox's own image, by its name only"
            yield _remark_container(container, "matched-by-name-only", "note", message, origin=identity.source)
        if identity.newer_than_table:
            message = f"{image} is newer than the built-in table: update sandbox-postrenderer, or say --image-uid"
            yield _remark_container(container, "newer-than-table", "note", message)


def _remark_containers(workload: Workload, decision: Decision, settings: Settings) -> Iterator[Remark]:
    for container, identity in zip(workload.containers, decision.identities, strict=True):
        who = describe_container(container)
        if is_root_by_choice(workload, container):
            user = container.context.run_as_user or workload.pod.run_as_user
            chosen = f"runAsUser: {user.value}" if user is not None and user.value == 0 else "runAsNonRoot: false"
            message = (
                f"{who} runs as root by choice ({chosen}): kept; "
                "the level `restricted` still refuses the pod, so give it another UID or another namespace"
            )
            yield _remark_container(container, "root-by-choice", "warning", message)
            continue
        effective = find_effective(workload, container, decision.additions, settings)
        if not effective.has_identity:
            yield _remark_missing(workload, container, identity, effective, settings)
        elif identity.uid and _is_out_of_range(workload, identity, settings):
            yield _remark_out_of_range(workload, container, identity)


def _is_out_of_range(workload: Workload, identity: Identity, settings: Settings) -> bool:
    return (
        bool(identity.uid)
        and RUN_AS_USER in get_applicable_fields(workload, settings)
        and not is_usable_uid(workload, identity.uid or 0, settings)
    )


def _remark_out_of_range(workload: Workload, container: Container, identity: Identity) -> Remark:
    reason = (
        "hostUsers: false allows UIDs up to 65535"
        if workload.host_users is False
        else "restricted-v3 admits UIDs from 1000 to 65534"
    )
    message = (
        f"{describe_container(container)} has the image's UID {identity.uid}, but {reason}: "
        "no runAsUser added; use an image with another user"
    )
    return _remark_container(
        container, "uid-out-of-range", "warning", message, value=identity.uid, origin=identity.source
    )


def _remark_missing(
    workload: Workload, container: Container, identity: Identity, effective: Effective, settings: Settings
) -> Remark:
    """Say why a container ends without an identity, and how to give it one."""
    who = describe_container(container)
    missing = _name_missing(effective)
    if _is_out_of_range(workload, identity, settings):
        return _remark_out_of_range(workload, container, identity)
    if identity.uid == 0:
        message = (
            f"{who} has no {missing}: its {_describe_image(container)} runs as root ({identity.source}); "
            "set a runAsUser that the image can run as, or use an image with a USER"
        )
        return _remark_container(container, "image-runs-as-root", "warning", message, origin=identity.source)
    if identity.uid is None:
        message = f"{who} has no {missing}: its {_describe_image(container)} is unknown ({identity.reason})"
        if effective.non_root and not effective.uid:
            message += ", and the kubelet refuses runAsNonRoot without a number if the image's user is a name"
        return _remark_container(container, "image-unknown", "warning", f"{message}; {_suggest_uid(container)}")
    if container.context.supplied and settings.override == "objects":
        message = f"{who} has no {missing}: its securityContext is kept whole (override: objects); write it there"
        return _remark_container(container, "user-value-kept", "warning", message)
    if any(_is_invalid(context) for context in (container.context, workload.pod)):
        message = f"{who} has no {missing}, since a value that was written by hand is not valid: correct it"
        return _remark_container(container, "user-value-invalid", "error", message)
    if _is_shared(workload, container):
        message = f"{who} has no {missing}: it shares its securityContext with a container that runs as another user"
        return _remark_container(container, "shared-context", "warning", message)
    message = f"{who} has no {missing}, and its {_describe_image(container)} has a named user: set a runAsUser"
    return _remark_container(container, "image-unknown", "warning", message)


def _is_invalid(context: Context) -> bool:
    return any(user is not None and not user.valid for user in (context.run_as_user, context.run_as_non_root))


def _is_shared(workload: Workload, container: Container) -> bool:
    return len(group_by_context(workload)[container.context]) > 1


def _name_missing(effective: Effective) -> str:
    fields = []
    if effective.non_root is not True:
        fields.append(RUN_AS_NON_ROOT)
    if effective.uid_applies and not effective.uid:
        fields.append(RUN_AS_USER)
    return " and no ".join(fields)


def _suggest_uid(container: Container) -> str:
    if container.image is None:
        return "set runAsUser in its securityContext"
    name = container.image.reference.partition("@")[0]
    return f"say --image-uid {name}=UID, or set runAsUser in its securityContext"


def _remark_container(
    container: Container,
    remark_id: str,
    level: str,
    message: str,
    *,
    value: int | None = None,
    origin: str = "",
) -> Remark:
    return Remark(
        remark_id,
        level,  # type: ignore[arg-type]  # one of Level's words at every call
        message,
        line=container.context.line or container.line,
        path=container.context.path,
        value=value,
        origin=origin,
    )


def _remark_shared_contexts(workload: Workload, decision: Decision, settings: Settings) -> Iterator[Remark]:
    for context, group in group_by_context(workload).items():
        if len(group) < 2:
            continue
        answers = [
            answer_fields(workload, workload.containers[index], decision.identities[index], settings) for index in group
        ]
        differing = [
            name
            for name in get_applicable_fields(workload, settings)
            if len({answer.get(name) for answer in answers}) > 1 and context.user_value(name) is None
        ]
        if differing:
            names = " and ".join(workload.containers[index].name for index in group)
            message = (
                f"{names} share {format_path(context.path)}, but differ in {' and '.join(differing)}: not added there; "
                "set it by hand to what both can run as"
            )
            first = workload.containers[group[0]]
            yield Remark("shared-context", "warning", message, first.line, context.path, differing[-1])


def _remark_pod(workload: Workload, settings: Settings) -> Iterator[Remark]:
    line = workload.resource.node.line
    if workload.injected_by and not workload.pod.supplied and settings.levels == "both":
        message = (
            f"asks for an injected sidecar ({workload.injected_by}), which would inherit a pod's securityContext: "
            "identity stated at container level only"
        )
        yield Remark("injected-sidecar", "note", message, line, workload.pod.path)
    if workload.persistent_volumes and not workload.fs_group:
        message = "has a persistent volume and no fsGroup: check that its files belong to the UID that runs"
        yield Remark("volume-needs-fsgroup", "note", message, line, workload.pod.path, "fsGroup")
    if settings.scc == "restricted-v3" and workload.host_users is not False:
        message = "restricted-v3 admits pods with hostUsers: false only: set it in the pod's spec"
        yield Remark("fields-without-effect", "warning", message, line, workload.pod.path)
