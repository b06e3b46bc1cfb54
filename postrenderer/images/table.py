"""The built-in table: whom the images of kagent and agent-sandbox run as, read from their Dockerfiles.

The facts are data, in `table.json` beside this module. To teach the program another image, add a row there; a row
without the Dockerfile that it was read from does not load. How a row is written:

- `images`: paths of repositories, matched as path suffixes, with any registry or mirror in front;
- `since` and `until`: the first and the last version, both included. `"until": "0.10"` is the newest 0.10.x, so that a
  line that was read up to a release candidate ends with that line and not with the candidate;
- `full`: whether the row is about tags that end in `-full` (which no other row matches);
- `uid`, `gid`: 0 is root; a `gid` of null: the Dockerfile names no group;
- `user`, `named`: the text of the Dockerfile's `USER` (null: it has none), and whether the image is left with a name
  instead of a number, which the kubelet cannot tell from root;
- `sources`: the Dockerfiles, each at a tag within the row's versions; `read`, in the project, has all tags that were
  read.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from postrenderer.images.version import Version, parse_version

if TYPE_CHECKING:
    from typing import Any

_FILE = os.path.join(os.path.dirname(__file__), "table.json")
_ROW_KEYS = {"project", "images", "since", "until", "full", "uid", "gid", "named", "user", "sources"}


@dataclass(frozen=True, slots=True)
class Project:
    """Who builds images: where its source is, which tags were read, where it publishes.

    `kagent_version` says whether a stated version of kagent is the version of these images.
    """

    name: str
    repository: str
    read: str
    registries: tuple[str, ...]
    kagent_version: bool


@dataclass(frozen=True, slots=True)
class Row:
    """Whom some versions of some images run as."""

    project: Project
    images: tuple[str, ...]
    since: Version
    until: Version
    full: bool
    uid: int
    gid: int | None
    named: bool
    user: str | None
    sources: tuple[str, ...]

    def covers(self, version: Version) -> bool:
        return self.since <= version <= self.until


@cache
def list_table() -> tuple[Row, ...]:
    """The rows of the built-in table, in its own order."""
    with open(_FILE, encoding="utf-8") as file:
        return read_table(file.read())


def read_table(text: str) -> tuple[Row, ...]:
    """Read the table's JSON. A `ValueError` names the row that cannot be believed, above all one without a source."""
    import json  # only a run that meets an image needs it

    data = json.loads(text)
    projects = {
        name: Project(
            name, entry["repository"], entry["read"], tuple(entry["registries"]), entry["kagent_version"] is True
        )
        for name, entry in data["projects"].items()
    }
    return tuple(_read_row(number, entry, projects) for number, entry in enumerate(data["rows"], start=1))


def _read_row(number: int, entry: dict[str, Any], projects: dict[str, Project]) -> Row:
    where = f"the image table, row {number} ({', '.join(entry.get('images') or ['no image'])})"
    # The sources first: this is what a row most likely lacks.
    if not entry.get("sources"):
        raise ValueError(f"{where} has no source: name the Dockerfile that it was read from")
    if set(entry) != _ROW_KEYS:
        raise ValueError(f"{where} has other keys than {', '.join(sorted(_ROW_KEYS))}")
    project = projects.get(entry["project"])
    if project is None:
        raise ValueError(f"{where} is of an unknown project {entry['project']!r}")
    for source in entry["sources"]:
        if not source.startswith(f"{project.repository}/blob/v"):
            raise ValueError(f"{where} has a source that is no file at a tag of {project.repository}: {source!r}")
    since, until = parse_version(entry["since"]), parse_version(entry["until"])
    if since is None or until is None or since > until:
        raise ValueError(f"{where} has no range of versions: since {entry['since']!r}, until {entry['until']!r}")
    if (entry["uid"] == 0) != (entry["user"] is None):
        raise ValueError(f"{where} contradicts itself: UID {entry['uid']}, USER {entry['user']}")
    return Row(
        project,
        tuple(entry["images"]),
        since,
        until,
        entry["full"],
        entry["uid"],
        entry["gid"],
        entry["named"],
        entry["user"],
        tuple(entry["sources"]),
    )
