"""A chart, rendered by the sidecar's helm as Argo CD renders it itself."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

from postrenderer.hosts.argocd.confine import (
    find_file,
    find_files,
    find_host,
    has_pattern,
    is_within,
    join_path,
    suggest_host,
)
from postrenderer.hosts.argocd.parameters import Parameters
from postrenderer.hosts.argocd.readers import check_case, load_plain, read_whole
from postrenderer.hosts.argocd.request import Request, check_name
from postrenderer.hosts.argocd.schema import check_schemas
from postrenderer.hosts.argocd.workspace import ProgramFailed, Workspace
from postrenderer.model import Refused
from postrenderer.yaml import Node, YamlError

CHART = "Chart.yaml"
_MAX_CHART = 1 << 20
_MISSING = "found in Chart.yaml, but missing in charts/ directory"
_COMMA = re.compile(r"([^\\]),")
_FILE_PARAMETER = "parameter helm-file-parameters"


def render_chart(
    request: Request, parameters: Parameters, workspace: Workspace, program: str, hosts: tuple[str, ...]
) -> bytes:
    """Render the chart in the application's directory. Raises `Refused`.

    Dependencies are built only where helm misses one, as Argo CD does it: from the repository's own directories, and
    from the hosts that the operator allows.
    """
    check_schemas(request.folder)
    arguments = list_arguments(request, parameters, workspace)
    try:
        return workspace.run(program, arguments, request.folder, name="helm")
    except ProgramFailed as error:
        if _MISSING not in error.said:
            raise
    _build_dependencies(request, workspace, program, hosts)
    check_schemas(request.folder)
    return workspace.run(program, arguments, request.folder, name="helm")


def list_arguments(request: Request, parameters: Parameters, workspace: Workspace) -> list[str]:
    """The arguments of `helm template`: those, and in that order, of Argo CD's `util/helm/cmd.go`.

    Each option is one word, so that no value can become an option of its own.
    """
    release = parameters.release_name or request.name
    if release:
        try:
            check_name(release)
        except ValueError as error:
            raise Refused(f"application {release!r}: as the release's name helm {error}: say release-name") from None
    arguments = ["template", ".", f"--name-template={release}"]
    if request.namespace:
        arguments.append(f"--namespace={request.namespace}")
    version = parameters.kube_version or request.kube_version
    if version:
        arguments.append(f"--kube-version={version}")
    for option, pairs in (("--set", parameters.helm_parameters), ("--set-string", parameters.helm_string_parameters)):
        arguments += [f"{option}={name}={_escape(request.substitute(value))}" for name, value in pairs.items()]
    for name, path in parameters.helm_file_parameters.items():
        arguments.append(_set_file(name, find_file(request, request.substitute(path), f"{_FILE_PARAMETER}: {name}")))
    arguments += [_add_values(file) for file in _find_values_files(request, parameters)]
    if parameters.values is not None:
        arguments.append(_add_values(workspace.write("values.yaml", parameters.values.encode())))
    arguments += [f"--api-versions={each}" for each in parameters.api_versions or request.api_versions]
    flags = (
        ("--include-crds", not parameters.skip_crds),
        ("--skip-schema-validation", parameters.skip_schema_validation),
        ("--skip-tests", parameters.skip_tests),
    )
    return [*arguments, *(flag for flag, is_wanted in flags if is_wanted)]


def _find_values_files(request: Request, parameters: Parameters) -> Iterator[str]:
    """The values files in order: a pattern's matches stand in its place, less those that are named themselves."""
    what = "parameter values-files"
    paths = [request.substitute(path) for path in parameters.values_files]
    named = {find_file(request, path, what) for path in paths if not has_pattern(path)}
    seen: set[str] = set()
    for path in paths:
        found = [each for each in find_files(request, path, what) if each not in named] if has_pattern(path) else None
        for file in [find_file(request, path, what)] if found is None else found:
            if file not in seen:
                seen.add(file)
                yield file


def _escape(value: str) -> str:
    """Keep a comma from ending a value, unless it is a list in braces or escaped already."""
    if value.startswith("{") and value.endswith("}"):
        return value
    return _COMMA.sub(r"\1\\,", value)


def _set_file(name: str, file: str) -> str:
    """The option for a file's content. helm reads one path for each `=` that it finds: `x=/etc/passwd,y`."""
    if any(char in name for char in "=,{}") or name.endswith("\\"):
        raise Refused(f"{_FILE_PARAMETER}: {name!r} is no name of one value")
    path = file.replace("\\", "\\\\").replace(",", "\\,")
    return f"--set-file={name}={path}"


def _add_values(file: str) -> str:
    """The option for a values file. helm reads CSV there: to it `x,/etc/passwd` is two files."""
    quoted = file.replace('"', '""')
    return f'--values="{quoted}"' if any(char in file for char in ',"') else f"--values={file}"


@dataclass(frozen=True, slots=True)
class _Dependency:
    """A dependency as Chart.yaml or Chart.lock names it; `repository` is empty for a directory below charts/."""

    source: str
    name: str
    repository: str


def _build_dependencies(request: Request, workspace: Workspace, program: str, hosts: tuple[str, ...]) -> None:
    remote = []
    for dependency in _find_dependencies(request.folder):
        if dependency.repository.startswith("file://"):
            _check_local(request, dependency)
        elif dependency.repository:
            remote.append(_check_remote(dependency, hosts))
    added: dict[str, str] = {}
    for address in dict.fromkeys(remote):
        if not address.startswith("oci://"):
            added[address] = f"repository-{len(added)}"
            workspace.run(program, ["repo", "add", added[address], address], request.folder, name="helm repo add")
    workspace.run(program, ["dependency", "build", "."], request.folder, name="helm dependency build")


def _find_dependencies(folder: str) -> Iterator[_Dependency]:
    for name in (CHART, "Chart.lock", "requirements.yaml", "requirements.lock"):
        path = os.path.join(folder, name)
        if not os.path.isfile(path):
            continue
        try:
            tree = load_plain(read_whole(path, _MAX_CHART, name).decode())
            if tree is None:
                continue
            check_case(tree.root, ("dependencies",))
            for entry in tree.root.sequence("dependencies"):
                check_case(entry, ("name", "repository"))
                yield _Dependency(name, _read_text(entry, "name"), _read_text(entry, "repository"))
        except (YamlError, UnicodeDecodeError) as error:
            raise Refused(f"{name}: cannot be read: {error}") from None


def _read_text(entry: Node, key: str) -> str:
    value = entry.scalar(key)
    return "" if value is None else str(value)


def _check_local(request: Request, dependency: _Dependency) -> None:
    path = dependency.repository.removeprefix("file://")
    found = join_path(request.folder, path)
    if path.startswith("/") or not is_within(found, request.root) or not os.path.isdir(found):
        raise Refused(
            f"{dependency.source}: dependency {dependency.name}: {dependency.repository!r} is no directory of the "
            "repository"
        )


def _check_remote(dependency: _Dependency, hosts: tuple[str, ...]) -> str:
    address = dependency.repository
    host = find_host(address, ("https", "oci"))
    if host is None or host not in hosts:
        raise Refused(
            f"{dependency.source}: dependency {dependency.name}: {address!r} is not fetched: put the chart into "
            f"charts/{suggest_host(host)}"
        )
    return address
