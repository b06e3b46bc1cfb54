"""The rule: which fields of a runtime identity are missing, and which can be stated without changing who runs.

No default changes, shadows or contradicts anything the user wrote; no default reaches a container that it does not fit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from postrenderer.model import (
    RUN_AS_NON_ROOT,
    RUN_AS_USER,
    Addition,
    Container,
    Context,
    Identity,
    Image,
    Path,
    Settings,
    UserValue,
    Workload,
)

HOST_USERS_UID_MAX = 65535
"""With `hostUsers: false` the kubelet maps the UIDs 0 to 65535 of a pod, and no others."""

_RESTRICTED_V3_UIDS = range(1000, 65534 + 1)
"""OpenShift's restricted-v3 admits these UIDs, inside a user namespace."""

Answers = Mapping[str, bool | int]


@dataclass(frozen=True, slots=True)
class Decision:
    """What to add, and for each container (in the workload's order) the identity of its image."""

    additions: tuple[Addition, ...]
    identities: tuple[Identity, ...]


def decide(workload: Workload, identify: Callable[[Image | None], Identity], settings: Settings) -> Decision:
    """Apply the rule to a workload."""
    identities = tuple(identify(container.image) for container in workload.containers)
    answers = [
        answer_fields(workload, container, identity, settings)
        for container, identity in zip(workload.containers, identities, strict=True)
    ]
    pod = _default_pod_context(workload, answers, settings)
    additions = [*pod]
    for context, group in group_by_context(workload).items():
        shared = _agree([answers[index] for index in group])
        additions.extend(_default_container_context(workload, context, shared, pod, settings))
    return Decision(tuple(_with_origins(additions, workload, identities)), identities)


def get_applicable_fields(workload: Workload, settings: Settings) -> tuple[str, ...]:
    """The API server refuses `runAsUser` on Windows; restricted-v2 chooses the UID itself and refuses others."""
    if workload.windows or settings.scc == "restricted-v2":
        return (RUN_AS_NON_ROOT,)
    return (RUN_AS_NON_ROOT, RUN_AS_USER)


def get_user_value(workload: Workload, container: Container, name: str) -> UserValue | None:
    """The user's value that counts for a container: its own, else the pod's."""
    own = container.context.user_value(name)
    return own if own is not None else workload.pod.user_value(name)


def is_root_by_choice(workload: Workload, container: Container) -> bool:
    user = get_user_value(workload, container, RUN_AS_USER)
    non_root = get_user_value(workload, container, RUN_AS_NON_ROOT)
    return (user is not None and user.valid and user.value == 0) or (non_root is not None and non_root.value is False)


def is_usable_uid(workload: Workload, uid: int, settings: Settings) -> bool:
    """Tell whether a pod can run as a UID at all."""
    if workload.host_users is False and uid > HOST_USERS_UID_MAX:
        return False
    return settings.scc != "restricted-v3" or uid in _RESTRICTED_V3_UIDS


def answer_fields(workload: Workload, container: Container, identity: Identity, settings: Settings) -> Answers:
    """What a container answers: for each field that applies, the value that states what is so anyway."""
    if is_root_by_choice(workload, container):
        return {}
    fields = get_applicable_fields(workload, settings)
    answers: dict[str, bool | int] = {}
    uid = identity.uid or None
    if uid is not None and RUN_AS_USER in fields and is_usable_uid(workload, uid, settings):
        answers[RUN_AS_USER] = uid
    user = get_user_value(workload, container, RUN_AS_USER)
    if user is not None and user.valid:
        answers[RUN_AS_NON_ROOT] = True  # not 0, or it were root by choice
    elif uid is not None:
        # The kubelet refuses a named user under runAsNonRoot where it has no number to look at: what starts today
        # would not start any more. Under restricted-v2 the constraint gives a number.
        has_number = user is None and RUN_AS_USER in answers
        if has_number or not identity.named or settings.scc == "restricted-v2":
            answers[RUN_AS_NON_ROOT] = True
    elif identity.uid is None and settings.unknown_image == "nonroot":
        answers[RUN_AS_NON_ROOT] = True
    return answers


def group_by_context(workload: Workload) -> dict[Context, list[int]]:
    """The security contexts of a workload, each with the indexes of the containers that it is for."""
    groups: dict[Context, list[int]] = {}
    for index, container in enumerate(workload.containers):
        groups.setdefault(container.context, []).append(index)
    return groups


def _agree(answers: list[Answers]) -> Answers:
    first, *others = answers
    return {
        name: value for name, value in first.items() if all(name in other and other[name] == value for other in others)
    }


def _default_pod_context(workload: Workload, answers: list[Answers], settings: Settings) -> list[Addition]:
    """A missing pod context is created with all fields that apply, or not at all: every container inherits it."""
    if workload.pod.supplied or workload.injected_by or settings.levels == "container":
        return []
    additions = []
    for name in get_applicable_fields(workload, settings):
        is_needed = False
        values = set()
        for container, answer in zip(workload.containers, answers, strict=True):
            has_own = container.context.user_value(name) is not None
            is_needed = is_needed or not has_own
            if name in answer:
                values.add(answer[name])
            elif not has_own:
                return []
        if not is_needed or len(values) != 1:
            return []
        additions.append(Addition(workload.pod.path, name, values.pop()))
    return additions


def _default_container_context(
    workload: Workload, context: Context, answers: Answers, pod: list[Addition], settings: Settings
) -> list[Addition]:
    """A missing context is created with what its container answers; a supplied one is completed."""
    if context.supplied and settings.override == "objects":
        return []
    inherited = {addition.key for addition in pod} if context.supplied else set()
    return [
        Addition(context.path, name, answers[name])
        for name in get_applicable_fields(workload, settings)
        if name in answers
        and name not in inherited
        and context.user_value(name) is None
        and workload.pod.user_value(name) is None
    ]


def _with_origins(additions: list[Addition], workload: Workload, identities: tuple[Identity, ...]) -> list[Addition]:
    """Note for each addition where the knowledge behind it comes from."""
    described = []
    for addition in additions:
        sources = [
            identity.source if identity.uid else "the user's runAsUser"
            for container, identity in zip(workload.containers, identities, strict=True)
            if addition.path in (workload.pod.path, container.context.path)
            and not is_root_by_choice(workload, container)
            and (addition.key != RUN_AS_USER or identity.uid == addition.value)
        ]
        origin = "; ".join(dict.fromkeys(source for source in sources if source))
        described.append(Addition(addition.path, addition.key, addition.value, origin))
    return described


@dataclass(frozen=True, slots=True)
class Effective:
    """What counts for a container in the end. `uid` is None where no integer does."""

    non_root: bool | None
    uid: int | None
    uid_applies: bool

    @property
    def has_identity(self) -> bool:
        return self.non_root is True and (bool(self.uid) or not self.uid_applies)


def find_effective(
    workload: Workload, container: Container, additions: tuple[Addition, ...], settings: Settings
) -> Effective:
    """Find what counts for a container: its own value, written or added, else the pod's."""
    non_root = _find_effective_value(workload, container, RUN_AS_NON_ROOT, additions)
    uid = _find_effective_value(workload, container, RUN_AS_USER, additions)
    return Effective(
        non_root if isinstance(non_root, bool) else None,
        uid if type(uid) is int else None,
        RUN_AS_USER in get_applicable_fields(workload, settings),
    )


def _find_effective_value(
    workload: Workload, container: Container, name: str, additions: tuple[Addition, ...]
) -> bool | int | str | None:
    added: dict[Path, bool | int | str] = {
        addition.path: addition.value for addition in additions if addition.key == name
    }
    for context in (container.context, workload.pod):
        user = context.user_value(name)
        if user is not None:
            return user.value if user.valid and not isinstance(user.value, float) else None
        if context.path in added:
            return added[context.path]
    return None
