"""Nothing outside an application's repository is read: links, special files, paths and addresses."""

from __future__ import annotations

import glob
import os
import re
import stat

from postrenderer.hosts.argocd.request import Request
from postrenderer.model import Refused
from postrenderer.outcome import escape

_PLAIN_ADDRESS = re.compile(r"([a-z]+)://([A-Za-z0-9.-]+(?::[0-9]+)?)(?:/[^\s#\\@%]*)?\Z", re.ASCII)
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|//|\\\\")


def check_repository(root: str) -> None:
    """Refuse a repository with a link that leads out of it, or with a file that is none (a FIFO, a device, a socket).

    Argo CD refuses such links as well, before a plugin sees them; here they are looked for once more, since helm and
    kustomize follow them.
    """
    folders = [root]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_symlink():
                    _check_link(entry.path, root)
                elif entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                elif not entry.is_file(follow_symlinks=False):
                    raise Refused(f"{show_path(entry.path, root)}: is no regular file: take it out")


def _check_link(path: str, root: str) -> None:
    target = os.path.realpath(path)
    if not is_within(target, root):
        raise Refused(f"{show_path(path, root)}: is a link that leads out of the repository: take it out")
    if os.path.exists(target) and not stat.S_ISREG(os.stat(target).st_mode) and not os.path.isdir(target):
        raise Refused(f"{show_path(path, root)}: is a link to what is no regular file: take it out")


def show_path(path: str, root: str) -> str:
    """A path in a message, from the repository's root; a line break in a name begins no line there."""
    return escape(os.path.relpath(path, root))


def is_within(path: str, root: str) -> bool:
    """Tell whether a path without links lies in a directory, or is it."""
    return path == root or path.startswith(root.rstrip(os.sep) + os.sep)


def join_path(folder: str, path: str) -> str:
    """Where a path leads from a directory, absolute and without links.

    A `..` is taken off first, as Go's `filepath.Join` does it: `link/../x` stands beside the link, not its target.
    """
    return os.path.realpath(os.path.normpath(os.path.join(folder, path)))


def is_address(text: str) -> bool:
    """Tell whether somebody would take a path for an address: `https://`, `secrets://`, `git@host:`, `c:`."""
    return bool(_ADDRESS.match(text)) or "://" in text or bool(re.match(r"[^/]*@[^/]*:", text))


def find_host(address: str, schemes: tuple[str, ...]) -> str | None:
    """The host, with its port if it has one, of an address with one of these schemes.

    None for any other, and for one that two readers could take for two: with a user, an escape, a fragment.
    """
    match = _PLAIN_ADDRESS.match(address)
    return match[2].lower() if match and match[1] in schemes else None


def suggest_host(host: str | None) -> str:
    """What an operator could do about an address that is not fetched."""
    return f", or let the operator allow the host {host} (SANDBOX_POSTRENDERER_ALLOW_HOST)" if host else ""


def find_file(request: Request, path: str, what: str) -> str:
    """The file of the repository that a path leads to, absolute.

    It is looked for from the application's directory, after a `/` from the repository's, as Argo CD does for values
    files. Raises `Refused`, with `what` in front, for an address, for what lies outside, and where there is no file.
    """
    if is_address(path):
        raise Refused(f"{what}: {path!r} is an address, and only files of the repository are read")
    if not path or not path.isprintable():
        raise Refused(f"{what}: {path!r} is no path")
    start = request.root if path.startswith("/") else request.folder
    found = os.path.realpath(os.path.join(start, path.lstrip("/")))
    if not is_within(found, request.root):
        raise Refused(f"{what}: {path!r} leads out of the repository")
    if not os.path.isfile(found):
        raise Refused(f"{what}: {path!r} is no file of the repository")
    return found


def has_pattern(path: str) -> bool:
    """Tell whether Argo CD takes a values file's path for a pattern."""
    return any(char in path for char in "*?[")


def find_files(request: Request, pattern: str, what: str) -> list[str]:
    """The files of the repository that a pattern matches, in order: `*` within a name, `**` for any directories."""
    if is_address(pattern) or not pattern.isprintable():
        raise Refused(f"{what}: {pattern!r} is an address, and only files of the repository are read")
    start = request.root if pattern.startswith("/") else request.folder
    path = os.path.normpath(os.path.join(start, pattern.lstrip("/")))
    if not is_within(path, request.root):
        raise Refused(f"{what}: {pattern!r} leads out of the repository")
    found = [os.path.realpath(each) for each in sorted(glob.glob(path, recursive=True)) if os.path.isfile(each)]
    if not found:
        raise Refused(f"{what}: {pattern!r} matches no file of the repository")
    for each in found:
        if not is_within(each, request.root):
            raise Refused(f"{what}: {pattern!r} leads out of the repository")
    return found
