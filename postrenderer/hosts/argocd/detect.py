"""Which tool an application is for, where it does not say."""

from __future__ import annotations

import os

from postrenderer.hosts.kustomize import FILE_NAMES


def detect_tool(folder: str) -> str:
    """helm, kustomize or directory, by the files of the application's directory, as Argo CD finds it out.

    (`Discover` of its `util/app/discovery` lets a later name win, and so a kustomization over a chart.)
    """
    tool = "directory"
    for name in sorted(os.listdir(folder)):
        if name in FILE_NAMES:
            tool = "kustomize"
        elif name.endswith("Chart.yaml"):
            tool = "helm"
    return tool
