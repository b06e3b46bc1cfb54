"""The plugin's own description for Argo CD's sidecar server."""

from __future__ import annotations

from postrenderer.hosts.helm4 import to_semver

NAME = "sandbox-postrenderer"
COMMAND = "sandbox-postrenderer"
MARKER = ".sandbox-postrenderer"

_PLUGIN = """\
apiVersion: argoproj.io/v1alpha1
kind: ConfigManagementPlugin
metadata:
  name: {name}
spec:
  # Argo CD's cache knows a plugin by name and version: another version renders anew. Applications say
  # plugin: {{name: {name}-{version}}}
  version: "{version}"
  generate:
    command: [{command}, argocd, generate]
  parameters:
    dynamic:
      command: [{command}, argocd, parameters]
"""

_DISCOVER = """\
  # Applications that name no plugin come here where this file is in their directory. Argo CD asks for it with a copy of
  # the repository, for every application of the instance.
  discover:
    fileName: {marker}
"""


def format_plugin(version: str, *, with_discovery: bool = False) -> str:
    """Write plugin.yaml: without discovery, which would ask for every application of the instance."""
    plugin = _PLUGIN.format(name=NAME, version=f"v{to_semver(version)}", command=COMMAND)
    return plugin + _DISCOVER.format(marker=MARKER) if with_discovery else plugin
