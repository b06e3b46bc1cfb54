"""The rule: which fields of a runtime identity are missing, and which can be stated without changing who runs.

No default changes, shadows or contradicts anything the user wrote; no default reaches a container that it does not fit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from postrenderer.model import (
    RUN_AS_NON_ROOT,
    RUN_AS_USER,
    Addition,
    Container,
    Identity,
    Image,
    Path,
    Refused,
    Settings,
    UserValue,
    Value,
    Workload,
)
from postrenderer.wording import format_path

HOST_USERS_UID_MAX = 65535
"""With `hostUsers: false` the kubelet maps the UIDs 0 to 65535 of a pod, and no others."""

RESTRICTED_V3_UIDS = range(1000, 65534 + 1)
"""OpenShift's restricted-v3 admits these UIDs, inside a user namespace."""

Answers = Mapping[str, bool | int]
Added = Mapping[tuple[Path, str], Value]


@dataclass(frozen=True, slots=True)
class Effective:
    """What counts for a container in the end. `uid` is None where no integer does."""

    non_root: bool | None
    uid: int | None
    uid_applies: bool

    @property
    def has_identity(self) -> bool:
        return self.non_root is True and (bool(self.uid) or not self.uid_applies)

    @property
    def missing(self) -> tuple[str, ...]:
        """The fields that stand between the container and an identity."""
        non_root = () if self.non_root is True else (RUN_AS_NON_ROOT,)
        return non_root if self.uid or not self.uid_applies else (*non_root, RUN_AS_USER)


@dataclass(frozen=True, slots=True)
class Standing:
    """A container before the rule: whom its image runs as, the user's values that count for it, what it answers.

    `needs_number`: it answers `runAsNonRoot` only together with `runAsUser`, as its image's user is a name.
    """

    container: Container
    identity: Identity
    user: UserValue | None
    is_root_by_choice: bool
    answers: Answers
    needs_number: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """A container after the rule."""

    standing: Standing
    effective: Effective

    @property
    def container(self) -> Container:
        return self.standing.container

    @property
    def identity(self) -> Identity:
        return self.standing.identity


@dataclass(frozen=True, slots=True)
class Decision:
    """What to add, and what becomes of each container, in the workload's order."""

    additions: tuple[Addition, ...]
    outcomes: tuple[Outcome, ...]


def decide(workload: Workload, identify: Callable[[Image | None], Identity], settings: Settings) -> Decision:
    """Apply the rule to a workload."""
    fields = get_applicable_fields(workload, settings)
    standings = [
        _find_standing(workload, container, identify(container.image), fields, settings)
        for container in workload.containers
    ]
    additions = _default_pod_context(workload, standings, fields, settings)
    inherited = frozenset(addition.key for addition in additions)
    for group in group_by_context(standings):
        additions += _default_container_context(workload, group, inherited, fields, settings)
    added = {(addition.path, addition.key): addition.value for addition in additions}
    outcomes = tuple(
        Outcome(standing, find_effective(workload, standing.container, added, fields)) for standing in standings
    )
    return Decision(tuple(additions), outcomes)


def get_applicable_fields(workload: Workload, settings: Settings) -> tuple[str, ...]:
    """The API server refuses `runAsUser` on Windows; restricted-v2 chooses the UID itself and refuses others."""
    if workload.windows or settings.scc == "restricted-v2":
        return (RUN_AS_NON_ROOT,)
    return (RUN_AS_NON_ROOT, RUN_AS_USER)


def get_user_value(workload: Workload, container: Container, name: str) -> UserValue | None:
    """The user's value that counts for a container: its own, else the pod's."""
    own = container.context.user_value(name)
    return own if own is not None else workload.pod.user_value(name)


def get_root_choice(workload: Workload, container: Container) -> tuple[str, UserValue] | None:
    """The user's value by which a container is root by choice, with its field; None where it is not."""
    for name in (RUN_AS_USER, RUN_AS_NON_ROOT):
        user = get_user_value(workload, container, name)
        if user is not None and is_root_value(name, user):
            return name, user
    return None


def is_root_value(name: str, user: UserValue) -> bool:
    """Tell whether a value asks for root; `runAsUser: false` is not 0 but invalid."""
    return user.valid and user.value == (0 if name == RUN_AS_USER else False)


def is_usable_uid(workload: Workload, uid: int, settings: Settings) -> bool:
    """Tell whether a pod can run as a UID at all."""
    if workload.host_users is False and uid > HOST_USERS_UID_MAX:
        return False
    return settings.scc != "restricted-v3" or uid in RESTRICTED_V3_UIDS


def _find_standing(
    workload: Workload, container: Container, identity: Identity, fields: tuple[str, ...], settings: Settings
) -> Standing:
    user = get_user_value(workload, container, RUN_AS_USER)
    if get_root_choice(workload, container) is not None:
        return Standing(container, identity, user, True, {})
    answers: dict[str, bool | int] = {}
    uid = identity.uid or None
    if uid is not None and RUN_AS_USER in fields and is_usable_uid(workload, uid, settings):
        answers[RUN_AS_USER] = uid
    needs_number = False
    if user is not None and user.valid:
        answers[RUN_AS_NON_ROOT] = True  # not 0, or it were root by choice
    elif uid is not None:
        # The kubelet refuses a named user under runAsNonRoot where it has no number to look at: what starts today
        # would not start any more. Under restricted-v2 the constraint gives a number.
        needs_number = identity.named and settings.scc != "restricted-v2"
        if not needs_number or (user is None and RUN_AS_USER in answers):
            answers[RUN_AS_NON_ROOT] = True
    elif identity.uid is None and settings.unknown_image == "nonroot":
        answers[RUN_AS_NON_ROOT] = True
    return Standing(container, identity, user, False, answers, needs_number)


def group_by_context(standings: Sequence[Standing]) -> list[list[Standing]]:
    """The containers of each security context: mostly one, but kagent gives one context to two of its containers."""
    groups: dict[Path, list[Standing]] = {}
    for standing in standings:
        groups.setdefault(standing.container.context.path, []).append(standing)
    return list(groups.values())


def _agree(group: list[Standing]) -> Answers:
    """What all containers of a context answer alike."""
    first, *others = group
    if not others:
        return first.answers
    agreed = {
        name: value
        for name, value in first.answers.items()
        if all(name in other.answers and other.answers[name] == value for other in others)
    }
    if RUN_AS_USER not in agreed and any(standing.needs_number for standing in group):
        agreed.pop(RUN_AS_NON_ROOT, None)
    return agreed


def _default_pod_context(
    workload: Workload, standings: list[Standing], fields: tuple[str, ...], settings: Settings
) -> list[Addition]:
    """A missing pod context is created with all fields that apply, or not at all: every container inherits it."""
    if workload.pod.supplied or workload.injected_by or settings.levels == "container":
        return []
    additions = []
    for name in fields:
        lacking = [standing for standing in standings if standing.container.context.user_value(name) is None]
        values = {standing.answers[name] for standing in standings if name in standing.answers}
        if not lacking or len(values) != 1 or not all(name in standing.answers for standing in lacking):
            return []
        origin = _find_origin(standings, name, settings)
        additions.append(Addition(workload.pod.path, name, values.pop(), origin))
    return additions


def _default_container_context(
    workload: Workload,
    group: list[Standing],
    inherited: frozenset[str],
    fields: tuple[str, ...],
    settings: Settings,
) -> list[Addition]:
    """A missing context is created with what its container answers; a supplied one is completed."""
    context = group[0].container.context
    if context.supplied and settings.override == "objects":
        return []
    answers = _agree(group)
    return [
        Addition(context.path, name, answers[name], _find_origin(group, name, settings))
        for name in fields
        if name in answers
        and context.user_value(name) is None
        and workload.pod.user_value(name) is None
        and not (context.supplied and name in inherited)
    ]


def _find_origin(standings: Sequence[Standing], name: str, settings: Settings) -> str:
    """Where the knowledge behind an answer comes from."""
    origins: dict[str, None] = {}
    for standing in standings:
        if name in standing.answers:
            user = standing.user
            if name == RUN_AS_NON_ROOT and user is not None and user.valid:
                origins[f"the user's runAsUser {user.value}"] = None
            else:
                origins[standing.identity.source or f"unknown-image {settings.unknown_image}"] = None
    return "; ".join(origins)


def find_effective(workload: Workload, container: Container, added: Added, fields: tuple[str, ...]) -> Effective:
    """Find what counts for a container: its own value, written or added, else the pod's."""
    non_root = _find_effective_value(workload, container, RUN_AS_NON_ROOT, added)
    uid = _find_effective_value(workload, container, RUN_AS_USER, added)
    return Effective(
        non_root if isinstance(non_root, bool) else None,
        uid if type(uid) is int else None,
        RUN_AS_USER in fields,
    )


def _find_effective_value(workload: Workload, container: Container, name: str, added: Added) -> Value:
    for context in (container.context, workload.pod):
        user = context.user_value(name)
        if user is not None:
            return user.value if user.valid else None
        if (context.path, name) in added:
            return added[context.path, name]
    return None


def extend_decision(
    workload: Workload, decision: Decision, further: Sequence[Addition], settings: Settings
) -> Decision:
    """Put further additions (a plugin's) beside the rule's. Raises `Refused` where they contradict each other."""
    added: dict[tuple[Path, str], Value] = {}
    origins: dict[tuple[Path, str], str] = {}
    for addition in (*decision.additions, *further):
        place = (addition.path, addition.key)
        if place in added:
            raise Refused(
                f"{addition.origin}: cannot add {format_path(addition.path)}.{addition.key} to "
                f"{workload.resource.id}: it was added already ({origins[place]}); use one of them"
            )
        added[place] = addition.value
        origins[place] = addition.origin
    fields = get_applicable_fields(workload, settings)
    outcomes = tuple(
        Outcome(outcome.standing, find_effective(workload, outcome.container, added, fields))
        for outcome in decision.outcomes
    )
    return Decision((*decision.additions, *further), outcomes)


def find_containers_without_identity(
    workload: Workload, additions: Sequence[Addition], settings: Settings
) -> list[Container]:
    """The containers that `strict` would not accept: no `runAsNonRoot: true`, no UID but 0, or root by choice."""
    fields = get_applicable_fields(workload, settings)
    added = {(addition.path, addition.key): addition.value for addition in additions}
    return [
        container
        for container in workload.containers
        if get_root_choice(workload, container) is not None
        or not find_effective(workload, container, added, fields).has_identity
    ]


def find_unknown_containers(decision: Decision) -> list[Container]:
    """The containers that `unknown-image: fail` would not accept."""
    return [
        outcome.container
        for outcome in decision.outcomes
        if outcome.identity.uid is None
        and not outcome.standing.is_root_by_choice
        and not outcome.effective.has_identity
    ]
