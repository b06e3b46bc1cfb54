"""The values that travel between the rooms: what is read, what is decided, what is reported.

Nothing here knows YAML text, a host, or the command line.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Path = tuple["str | int", ...]
"""Where a value stands in a document: mapping keys and sequence indexes from the root."""

Value = bool | int | float | str | None
"""A scalar as `kubectl` reads it."""

Level = Literal["error", "warning", "note"]
Role = Literal["init", "sidecar", "regular"]

RUN_AS_NON_ROOT = "runAsNonRoot"
RUN_AS_USER = "runAsUser"
UID_MAX = 2147483647
"""The largest `runAsUser` that Kubernetes accepts (validation `IsValidUserID`)."""


class Refused(Exception):
    """Input or usage that this program declines; the message says where and what to do. Exit code 2."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


class PolicyFailure(Exception):
    """The input is sound, but a policy that was asked for (`strict`, `unknown-image: fail`) is not met. Exit code 1."""


class TimeOver(BaseException):
    """The time that a host gives is over. No `Exception`: whoever goes on after one must not go on after this."""


class Node(Protocol):
    """One YAML value as a kind's reader sees it: aliases and merge keys are already followed, null is absent.

    A look-up raises `Refused` where the value has another shape than asked for, or where its key stands twice.
    """

    @property
    def line(self) -> int:
        """The line of the document, counted from 1."""

    @property
    def value(self) -> Value:
        """The scalar's value; `Refused` for a mapping or a sequence."""

    @property
    def is_mapping(self) -> bool: ...

    @property
    def is_scalar(self) -> bool: ...

    def get(self, key: str) -> Node | None:
        """The value below `key` of this mapping, of any shape; None where it is absent or null."""

    def mapping(self, *keys: str) -> Node | None:
        """The mapping below `keys`, or None where one of them is absent or null."""

    def sequence(self, *keys: str) -> Sequence[Node]:
        """The entries of the sequence below `keys`; empty where it is absent, null or empty."""

    def scalar(self, *keys: str) -> Value:
        """The scalar below `keys`, or None where it is absent or null or no scalar."""

    def list_keys(self) -> Sequence[str]:
        """The keys of this mapping, merged ones included."""

    def items(self) -> Sequence[tuple[str, Node]]:
        """The pairs of this mapping whose value is not null."""


@dataclass(frozen=True, slots=True)
class ResourceId:
    """What names a resource in a report."""

    api_version: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


@dataclass(frozen=True, slots=True)
class Location:
    """Where a document comes from: the input's name, its number in the stream (from 1), its first line (from 1).

    Number and line are None where nobody can look them up: a host has made the stream, and nobody sees it.
    """

    source: str
    document: int | None
    line: int | None

    def find_line(self, line: int) -> int | None:
        """The line of the input that is this line of the document; both count from 1."""
        return None if self.line is None else self.line + line - 1


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource of a known kind, as it stands in a document (`path` is not empty for an item of a List)."""

    id: ResourceId
    group: str
    version: str
    node: Node
    path: Path
    location: Location


@dataclass(frozen=True, slots=True)
class Image:
    """The image of a container: the reference as written, or the one that kagent derives from its own version.

    `version` and `full` are set only for a derived image whose reference has no tag.
    """

    reference: str
    version: str | None = None
    full: bool = False


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom an image runs as, and who says so. `uid` is None for an unknown image and 0 for root."""

    uid: int | None
    gid: int | None = None
    named: bool = False
    source: str = ""
    reason: str = ""
    by_name_only: bool = False
    newer_than_table: bool = False


@dataclass(frozen=True, slots=True)
class UserValue:
    """A field that the user wrote. `value` is what `kubectl` reads; None, and not `valid`, where it is no scalar."""

    value: Value
    line: int
    valid: bool


@dataclass(frozen=True, slots=True)
class Context:
    """A security context as the user wrote it, or the place where it would stand."""

    path: Path
    supplied: bool = False
    line: int = 0
    run_as_non_root: UserValue | None = None
    run_as_user: UserValue | None = None

    def user_value(self, name: str) -> UserValue | None:
        return self.run_as_user if name == RUN_AS_USER else self.run_as_non_root


@dataclass(frozen=True, slots=True)
class Container:
    """A container of a pod template. Containers whose `context.path` is the same share one security context."""

    name: str
    role: Role
    image: Image | None
    context: Context
    line: int
    image_from: tuple[Path, ...] = ()
    """The fields from which the image was read or derived, written or not: where one changes, so may the answer."""


@dataclass(frozen=True, slots=True)
class Remark:
    """Something to say about a resource; `line` counts from 1 in its document, `origin` says where a UID came from."""

    id: str
    level: Level
    message: str
    line: int = 1
    path: Path = ()
    field: str = ""
    value: Value = None
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Workload:
    """A resource's pod template, reduced to what a runtime identity depends on."""

    resource: Resource
    pod: Context
    containers: tuple[Container, ...]
    windows: bool = False
    host_users: bool | None = None
    injected_by: str | None = None
    """The label or annotation that asks for an injected sidecar, as `key: value`."""
    persistent_volumes: bool = False
    fs_group: bool = False
    remarks: tuple[Remark, ...] = ()
    container_lists: tuple[Path, ...] = ()
    """The lists whose entries are containers, written or not."""


@dataclass(frozen=True, slots=True)
class Addition:
    """One value to insert: `key: value` into the mapping at `path`, which is made where it is missing or null."""

    path: Path
    key: str
    value: bool | int | str
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind that can carry a runtime identity. `read` answers a remark where a resource has to be left alone."""

    group: str
    kind: str
    read: Callable[[Resource, Settings], Workload | Remark]


@dataclass(frozen=True, slots=True)
class Finding:
    """A remark in its place: the resource, the input's name or Helm's template, the document's number.

    `line` counts from 1 in the whole input.
    """

    id: str
    level: Level
    message: str
    resource: ResourceId | None = None
    source: str = ""
    document: int | None = None
    line: int | None = None
    path: Path = ()
    field: str = ""
    value: Value = None
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """A document that was edited: where it begins in the input (offset, line from 1), and its text before and after."""

    start: int
    line: int
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Settings:
    """What the rule should be. Names and defaults are those of the options with the same name."""

    image_uid: tuple[tuple[str, int], ...] = ()
    default_uid: int | None = None
    unknown_image: Literal["skip", "nonroot", "fail"] = "skip"
    override: Literal["fields", "objects"] = "fields"
    levels: Literal["both", "container"] = "both"
    kagent_version: str | None = None
    scc: Literal["none", "restricted-v2", "restricted-v3", "nonroot-v2"] = "none"
    only_kind: tuple[str, ...] = ()
    skip_kind: tuple[str, ...] = ()
    strict: bool = False
    honor_skip: bool = True
    max_input: int = 256 * 1024 * 1024
    allow_empty: bool = False


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What executes or writes: given by the command line and the environment only, never by a document."""

    plugins: tuple[str, ...] = ()
    report: str | None = None
    locked: tuple[str, ...] = ()
    image_lock: str | None = None
