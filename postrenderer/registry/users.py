"""The text of an image's `USER` and the files `/etc/passwd` and `/etc/group`: who that is, as a container runtime says.

After containerd's `oci.WithUser` (what is a number, what is a name, the group of a user that passwd does not know) and
moby/sys/user, which containerd and runc read the two files with.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from postrenderer.model import UID_MAX
from postrenderer.registry.errors import RegistryError, quote_text

PASSWD = "etc/passwd"  # noqa: S105
GROUP = "etc/group"

_NUMBER = re.compile("[+-]?[0-9]{1,40}", re.ASCII)


@dataclass(frozen=True, slots=True)
class UserText:
    """`USER` taken apart: a number or a name each; `group` is None where no colon was written."""

    user: int | str
    group: int | str | None


@dataclass(frozen=True, slots=True)
class User:
    """Whom an image runs as. `gid` is None where finding it would take reading layers that the UID does not need."""

    uid: int
    gid: int | None
    named: bool


def parse_user_text(text: str) -> UserText:
    """Take `USER` apart; `RegistryError` where a runtime would refuse it.

    Nothing is root; so is what stands before the colon of `:1001`. The group of `1001:` is 0, not the user's own.
    """
    parts = text.split(":")
    if len(parts) > 2:
        raise RegistryError(f"its USER {quote_text(text)} has more than one colon: no container runtime starts it")
    user = _parse_part(parts[0])
    group = _parse_part(parts[1]) if len(parts) == 2 else None
    return UserText(user if user != "" else 0, group if group != "" else 0)


def list_needed_files(spec: UserText) -> tuple[str, ...]:
    """The files without which the user, and a group that was written, stay names.

    A number alone needs none: its group would be passwd's, but no layer is worth reading for it.
    """
    needed = [PASSWD] if isinstance(spec.user, str) else []
    return tuple([*needed, GROUP] if isinstance(spec.group, str) else needed)


def find_user(spec: UserText, passwd: bytes | None = None, group: bytes | None = None) -> User:
    """Who `spec` is; `RegistryError` where the image's files do not say, which a runtime refuses to start.

    `passwd` and `group` are the files' content, None where the image has no such file (or it was not needed).
    """
    gid: int | None
    if isinstance(spec.user, str):
        uid, gid = _find_named(spec.user, passwd, _list_users(passwd or b""), "user", "/etc/passwd")
    else:
        uid, gid = spec.user, _find_primary_group(spec.user, passwd)
    if spec.group is not None:
        gid = _find_group(spec.group, group)
    _check_id(uid, "user", spec.user)
    if gid is not None:
        _check_id(gid, "group", spec.group if spec.group is not None else spec.user)
    return User(uid, gid, named=isinstance(spec.user, str))


def _parse_part(text: str) -> int | str:
    """Go's `strconv.Atoi` between 0 and 2147483647 is a number (`007` too); all else is a name (`-1`, `0x10`)."""
    if _NUMBER.fullmatch(text) and 0 <= int(text) <= UID_MAX:
        return int(text)
    return text


def _find_named(
    name: str, data: bytes | None, entries: Iterator[tuple[str, int, int]], what: str, path: str
) -> tuple[int, int]:
    """The first entry of that name counts."""
    for each, first, second in entries:
        if each == name:
            return first, second
    shown = quote_text(name)
    if data is None:
        raise RegistryError(
            f"its {what} {shown} is a name, and the image has no {path}: no container runtime starts it"
        )
    raise RegistryError(
        f"its {what} {shown} is not in the image's {path}: no container runtime starts it "
        f"(unable to find {what} {shown}: no matching entries in {path.rpartition('/')[2]} file)"
    )


def _find_primary_group(uid: int, passwd: bytes | None) -> int | None:
    if passwd is None:
        # Root without passwd is 0:0; for others nobody has looked.
        return 0 if uid == 0 else None
    return next((gid for _, each, gid in _list_users(passwd) if each == uid), 0)


def _find_group(group: int | str, data: bytes | None) -> int:
    if isinstance(group, int):
        return group
    return _find_named(group, data, _list_groups(data or b""), "group", "/etc/group")[0]


def _check_id(value: int, what: str, text: int | str) -> None:
    if not 0 <= value <= UID_MAX:
        raise RegistryError(
            f"its {what} {quote_text(str(text))} has the number {value}, which is none Kubernetes accepts"
        )


def _list_users(data: bytes) -> Iterator[tuple[str, int, int]]:
    """Name, UID and GID of every line. Missing and unreadable numbers are 0, as moby/sys/user reads them."""
    for fields in _list_lines(data):
        yield fields[0], _read_number(fields, 2), _read_number(fields, 3)


def _list_groups(data: bytes) -> Iterator[tuple[str, int, int]]:
    for fields in _list_lines(data):
        yield fields[0], _read_number(fields, 2), 0


def _list_lines(data: bytes) -> Iterator[list[str]]:
    for line in data.split(b"\n"):
        text = line.decode("utf-8", "surrogateescape").strip()
        if text:
            yield text.split(":")


def _read_number(fields: list[str], index: int) -> int:
    text = fields[index] if index < len(fields) else ""
    return int(text) if _NUMBER.fullmatch(text) else 0
