"""Why a container ends up without an identity, and the ways to give it one."""

from __future__ import annotations

from functools import lru_cache

from postrenderer.identity import (
    HOST_USERS_UID_MAX,
    RESTRICTED_V3_UIDS,
    Outcome,
    get_user_value,
    is_usable_uid,
)
from postrenderer.images import look_up_table
from postrenderer.model import RUN_AS_USER, Container, Image, Level, Remark, Settings, Value, Workload
from postrenderer.wording import describe_container, format_path

_SOME_VERSION = "0.9"


def remark_missing(workload: Workload, outcome: Outcome, settings: Settings) -> Remark | None:
    """Say what a container lacks, why, and what to do; None where `shared-context` says it."""
    missing = outcome.effective.missing
    if any(is_invalid(workload, outcome.container, name) for name in missing):
        reason = "the value that was written by hand is not valid; correct it"
        return _remark(outcome, "user-value-invalid", "error", reason)
    if all(name in outcome.standing.answers for name in missing):
        return _remark_withheld(outcome, settings)
    if outcome.identity.uid is None:
        return _remark_unknown(outcome, settings)
    if outcome.identity.uid == 0:
        return _remark_root_image(outcome)
    if is_out_of_range(workload, outcome.identity.uid, outcome, settings):
        return _remark_out_of_range(workload, outcome)
    reason = (
        f"its image's user has a name and no usable number ({outcome.identity.source}), and the kubelet refuses "
        "runAsNonRoot for a name; use an image whose USER is a number"
    )
    return _remark(outcome, "image-unknown", "warning", reason)


def is_invalid(workload: Workload, container: Container, name: str) -> bool:
    user = get_user_value(workload, container, name)
    return user is not None and not user.valid


def is_out_of_range(workload: Workload, uid: int, outcome: Outcome, settings: Settings) -> bool:
    return outcome.effective.uid_applies and not is_usable_uid(workload, uid, settings)


def explain_range(workload: Workload, uid: int) -> str:
    """Say which of the limits a UID breaks."""
    if workload.host_users is False and uid > HOST_USERS_UID_MAX:
        return f"hostUsers: false allows UIDs up to {HOST_USERS_UID_MAX}"
    return f"restricted-v3 admits UIDs from {RESTRICTED_V3_UIDS[0]} to {RESTRICTED_V3_UIDS[-1]}"


def remark_container(
    container: Container, id: str, level: Level, message: str, field: str = "", value: Value = None, origin: str = ""
) -> Remark:
    """A remark that stands at a container: at its security context, if it has one."""
    line = container.context.line or container.line
    return Remark(id, level, message, line, container.context.path, field, value, origin)


def _remark(outcome: Outcome, id: str, level: Level, reason: str, value: Value = None) -> Remark:
    missing = outcome.effective.missing
    message = f"{describe_container(outcome.container)} ends up without {' and '.join(missing)}: {reason}"
    return remark_container(outcome.container, id, level, message, missing[-1], value, outcome.identity.source)


def _remark_withheld(outcome: Outcome, settings: Settings) -> Remark | None:
    """The value is known, and yet not written."""
    if not (outcome.container.context.supplied and settings.override == "objects"):
        return None
    reason = f"its securityContext is kept whole (override: objects); {_suggest_writing(outcome)}"
    return _remark(outcome, "user-value-kept", "warning", reason)


def _remark_unknown(outcome: Outcome, settings: Settings) -> Remark:
    reason = f"whom it runs as is unknown ({outcome.identity.reason})"
    if outcome.effective.non_root and not outcome.effective.uid and outcome.effective.uid_applies:
        reason += ", and the kubelet refuses runAsNonRoot without a number if the image's user is a name"
    ways = [*_suggest_options(outcome, settings), _suggest_writing(outcome)]
    return _remark(outcome, "image-unknown", "warning", f"{reason}; {', or '.join(ways)}")


def _remark_root_image(outcome: Outcome) -> Remark:
    reason = (
        f"its image runs as root ({outcome.identity.source}); use an image with another USER, "
        f"or, if it can run as another user, {_suggest_writing(outcome)}"
    )
    return _remark(outcome, "image-runs-as-root", "warning", reason, 0)


def _remark_out_of_range(workload: Workload, outcome: Outcome) -> Remark:
    uid = outcome.identity.uid or 0
    reason = (
        f"its image runs as {uid} ({outcome.identity.source}), but {explain_range(workload, uid)}; "
        f"use an image with another user, or, if it can run as another, {_suggest_writing(outcome)}"
    )
    return _remark(outcome, "uid-out-of-range", "warning", reason, uid)


def _suggest_options(outcome: Outcome, settings: Settings) -> list[str]:
    image = outcome.container.image
    if image is None:
        return []
    ways = [f"say --image-uid {image.reference.partition('@')[0]}=UID"]
    if settings.kagent_version is None and _is_known_by_version(image):
        ways.append("say --kagent-version VERSION")
    return ways


@lru_cache(maxsize=256)
def _is_known_by_version(image: Image) -> bool:
    return look_up_table(image, _SOME_VERSION).uid is not None


def _suggest_writing(outcome: Outcome) -> str:
    values = {name: "UID" if name == RUN_AS_USER else "true" for name in outcome.effective.missing}
    fields = " and ".join(f"{name}: {value}" for name, value in values.items())
    return f"write {fields} into {format_path(outcome.container.context.path)}"
