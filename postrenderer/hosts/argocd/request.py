"""What Argo CD says of an application in a plugin's environment."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from postrenderer.model import Refused

PREFIX = "ARGOCD_APP_"
VARIABLES = tuple(
    PREFIX + name
    for name in (
        "NAME",
        "NAMESPACE",
        "PROJECT_NAME",
        "REVISION",
        "REVISION_SHORT",
        "REVISION_SHORT_8",
        "SOURCE_PATH",
        "SOURCE_REPO_URL",
        "SOURCE_TARGET_REVISION",
    )
)
_VARIABLE = re.compile(r"\$(?:\{(\w*)\}|([*#$@!?0-9-])|([A-Za-z_]\w*))", re.ASCII)
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?\Z")
_VERSION = re.compile(r"v?([0-9]+(?:\.[0-9]+){0,2})([-+.][0-9A-Za-z.+-]*)?\Z")
_API_VERSION = re.compile(r"[A-Za-z0-9]([A-Za-z0-9./-]*[A-Za-z0-9])?\Z")


@dataclass(frozen=True, slots=True)
class Request:
    """An application: its name without a namespace, where it is deployed, the cluster's versions, and where it stands.

    `folder` is the application's directory, `root` the repository's; both are absolute, and free of links.
    """

    name: str
    namespace: str
    kube_version: str
    api_versions: tuple[str, ...]
    parameters: str
    folder: str
    root: str
    variables: Mapping[str, str] = field(default_factory=dict)
    """What Argo CD substitutes in a chart's parameters and in the paths of its files."""

    def substitute(self, text: str) -> str:
        """Put variables in, as Argo CD's `Env.Envsubst` does: `$$` is a dollar, and what nobody knows is empty."""
        return _VARIABLE.sub(lambda found: self._look_up(found[1] or found[2] or found[3] or ""), text)

    def _look_up(self, name: str) -> str:
        return "$" if name == "$" else self.variables.get(name, "")


def read_request(environment: Mapping[str, str], folder: str) -> Request:
    """Read the request. Raises `Refused` for what no Argo CD says."""
    name = environment.get("ARGOCD_APP_NAME", "")
    # An application outside the control plane's namespace is called NAMESPACE_NAME.
    name = name.partition("_")[2] or name
    folder = os.path.realpath(folder)
    return Request(
        name=_check("ARGOCD_APP_NAME", name, _NAME),
        namespace=_check("ARGOCD_APP_NAMESPACE", environment.get("ARGOCD_APP_NAMESPACE", ""), _NAME),
        kube_version=_check("KUBE_VERSION", environment.get("KUBE_VERSION", ""), _VERSION),
        api_versions=tuple(
            _check("KUBE_API_VERSIONS", version, _API_VERSION)
            for version in environment.get("KUBE_API_VERSIONS", "").split(",")
            if version
        ),
        parameters=environment.get("ARGOCD_APP_PARAMETERS", ""),
        folder=folder,
        root=find_root(folder, environment.get("ARGOCD_APP_SOURCE_PATH", "")),
        variables={name: environment[name] for name in VARIABLES if name in environment},
    )


def _check(variable: str, value: str, pattern: re.Pattern[str]) -> str:
    if value and not pattern.match(value):
        raise Refused(f"environment variable {variable}: {value!r} is nothing that Argo CD says")
    return value


def check_version(value: str) -> str:
    """Read a version of Kubernetes as Argo CD does: 1.34.2 of v1.34.2-gke.1. Raises `ValueError`."""
    match = _VERSION.match(value)
    if match is None:
        raise ValueError("takes a version of Kubernetes, such as 1.34")
    return match[1]


def check_api_version(value: str) -> str:
    """Accept an API version as `helm template --api-versions` takes it. Raises `ValueError`."""
    if not _API_VERSION.match(value):
        raise ValueError("takes API versions, such as monitoring.coreos.com/v1/ServiceMonitor")
    return value


def check_name(value: str) -> str:
    """Accept the name of a release. Raises `ValueError`."""
    if not _NAME.match(value) or len(value) > 53:
        raise ValueError("takes a name of at most 53 lower-case letters, digits and dashes")
    return value


def find_root(folder: str, source_path: str) -> str:
    """The repository's copy that an application's directory lies in.

    The path is the tenant's own word: only where the directory ends in it is there something to take off; else the
    directory itself is all that may be read.
    """
    parts = [part for part in source_path.split("/") if part not in ("", ".")]
    if not parts or ".." in parts:
        return folder
    at = folder.split(os.sep)
    if at[-len(parts) :] != parts:
        return folder
    return os.sep.join(at[: -len(parts)]) or os.sep
