"""Helm 4's plugin of type `postrenderer/v1`: a directory that `helm plugin install` links, or a package for others.

Measured with Helm 4.3: unknown keys of plugin.yaml are fatal; `command` is split at blanks before
`${HELM_PLUGIN_DIR}` is put in, so that an interpreter's path with a blank needs a launcher; a version that is no strict
semver hides the plugin.
"""

from __future__ import annotations

import gzip
import io
import os
import re
import tarfile

from postrenderer.files import read_file, write_file
from postrenderer.hosts.contract import HELM_4_ARGUMENTS
from postrenderer.hosts.launcher import write_launcher
from postrenderer.model import Refused

NAME = "sandbox-postrenderer"
_MAX_PLUGIN = 1 << 16
_PEP_440 = re.compile(r"(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:(a|b|rc)(\d+))?(?:\.post\d+)?(?:\.dev(\d+))?(?:\+.*)?\Z")
_PACKAGE = re.compile(r"(.+)(?:\.tgz|\.tar\.gz)\Z")
_PACKAGE_VERSION = re.compile(r"(.+)-[0-9]+\..*")
_STAGES = {"a": "alpha", "b": "beta", "rc": "rc"}

_PLUGIN = """\
apiVersion: v1
type: postrenderer/v1
name: {name}
version: {version}
runtime: subprocess
runtimeConfig:
  platformCommand:
    - command: {command}
      args: [{arguments}]
"""


def to_semver(version: str) -> str:
    """Turn a version of PEP 440 into one that Helm accepts: `0.2.0rc1` to `0.2.0-rc.1`, `0.2.dev3` to `0.2.0-dev.3`."""
    match = _PEP_440.match(version)
    if match is None:
        raise Refused(f"version {version} cannot be turned into a semantic version, which Helm 4 asks for")
    major, minor, patch, stage, number, dev = match.groups()
    parts = [f"{_STAGES[stage]}.{int(number)}"] if stage else []
    if dev is not None:
        parts.append(f"dev.{int(dev)}")
    release = ".".join(str(int(part or 0)) for part in (major, minor, patch))
    return f"{release}-{'.'.join(parts)}" if parts else release


def format_plugin(version: str, command: str) -> str:
    """Write plugin.yaml."""
    arguments = ", ".join(f'"{argument}"' for argument in HELM_4_ARGUMENTS)
    return _PLUGIN.format(name=NAME, version=to_semver(version), command=command, arguments=arguments)


def get_default_directory(environment: dict[str, str]) -> str:
    """A directory of the user's own that stays: Helm links it, and a new version is written over it."""
    data = environment.get("XDG_DATA_HOME") or os.path.join(os.path.expanduser("~"), ".local", "share")
    return os.path.join(data, NAME, "helm4", NAME)


def write_plugin(directory: str, version: str) -> str:
    """Write the plugin for this very installation, whether it is on PATH or not. Returns the directory, absolute."""
    directory = os.path.abspath(directory)
    os.makedirs(directory, exist_ok=True)
    path = os.path.join(directory, "plugin.yaml")
    _check_directory(directory, path)
    write_file(path, [format_plugin(version, "${HELM_PLUGIN_DIR}/run").encode()])
    write_launcher(os.path.join(directory, "run"))
    return directory


def _check_directory(directory: str, path: str) -> None:
    """Refuse to write over somebody else's files: `--dir .` in a project that has a `run` of its own."""
    if all(name.startswith(".") for name in os.listdir(directory)):
        return
    if not os.path.isfile(path) or f"name: {NAME}\n".encode() not in read_file(path, _MAX_PLUGIN):
        raise Refused(f"{directory}: holds files that are not this plugin's; name a new or an empty directory")


def get_package_directory(path: str) -> str:
    """The directory in a package in which Helm looks for plugin.yaml: the file's name, less version and suffix."""
    match = _PACKAGE.match(os.path.basename(path))
    if match is None:
        raise Refused(f"{path}: Helm goes by a package's name: call it {NAME}-VERSION.tgz")
    return _PACKAGE_VERSION.sub(r"\1", match[1])


def package_plugin(path: str, version: str) -> None:
    """Write a package for others, a `.tgz`: its plugin looks for the command on PATH. No clock goes into it."""
    directory = get_package_directory(path)
    content = format_plugin(version, NAME).encode()
    stream = io.BytesIO()
    with gzip.GzipFile(fileobj=stream, mode="wb", mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as archive:
        member = tarfile.TarInfo(f"{directory}/plugin.yaml")
        member.size = len(content)
        member.mode = 0o644
        archive.addfile(member, io.BytesIO(content))
    write_file(path, [stream.getvalue()])
