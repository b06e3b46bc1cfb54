"""What a copy made by `entry` and a run of `render` have to do alike. Imports nothing, since every run reads it."""

HELM_4_ARGUMENTS = ["--host", "helm4"]
"""What Helm 4's plugin.yaml passes."""

HELM_4_EMPTY = b"# nothing was rendered\n"
"""Helm 4 takes an empty output for an error, also where its input was empty."""

KUSTOMIZE_ROOT = "KUSTOMIZE_PLUGIN_CONFIG_ROOT"
"""What kustomize sets for a legacy exec plugin: the kustomization's directory."""

RESOURCE_LIST = b"ResourceList"
"""The kind of what a KRM function reads and writes."""

NOTHING_FOUND = "nothing to add: no SandboxAgent, Sandbox or SandboxTemplate in the input"
"""The line on standard error where there is no resource of a built-in kind."""
