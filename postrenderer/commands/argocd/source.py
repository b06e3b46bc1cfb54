"""An application's source, rendered by its tool: what `generate` and `parameters` share."""

from __future__ import annotations

import signal

from postrenderer.commands.argocd.operator import Operator
from postrenderer.hosts.argocd.confine import check_repository
from postrenderer.hosts.argocd.parameters import Parameters
from postrenderer.hosts.argocd.request import Request
from postrenderer.hosts.argocd.workspace import Workspace
from postrenderer.model import TimeOver
from postrenderer.session import Input


def render_source(
    request: Request, parameters: Parameters, tool: str, operator: Operator, workspace: Workspace
) -> list[Input]:
    """The manifests of an application as Argo CD itself would have rendered them. Raises `Refused`."""
    check_repository(request.root)
    if tool == "helm":
        from postrenderer.hosts.argocd.helm import render_chart

        program = operator.find_program("helm")
        return [Input("helm", render_chart(request, parameters, workspace, program, operator.hosts), None)]
    if tool == "kustomize":
        from postrenderer.hosts.argocd.kustomize import build_kustomization

        program = operator.find_program("kustomize")
        data = build_kustomization(request, workspace, program, operator.hosts)
        return [Input("kustomize", data, None, has_places=False)]
    from postrenderer.hosts.argocd.directory import read_directory

    return [Input(name, data, None) for name, data in read_directory(request, parameters, operator.limits.output)]


def set_alarm(seconds: float) -> None:
    """End this very program with a message when the time is over, before Argo CD ends it without one."""

    def ring(_number: int, _frame: object) -> None:
        raise TimeOver(f"has not ended after {seconds:g} seconds, which is all that a request may take")

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds + 1)  # a program of the request is ended first, by its name
