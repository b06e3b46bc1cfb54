"""`argocd generate`: the manifests of an application, with what they lack."""

from __future__ import annotations

import os
import re
from typing import Any

import click

from postrenderer.commands.argocd.operator import operator_options, read_operator
from postrenderer.console import write_output
from postrenderer.files import Pieces
from postrenderer.hosts.argocd.request import Request, read_request
from postrenderer.model import Refused
from postrenderer.options import common_options, read_settings, setting_options
from postrenderer.session import open_session
from postrenderer.stream import join_streams

# A line with more than a marker, a comment or blanks.
_CONTENT = re.compile(rb"^(?!(?:---|\.\.\.)?[ \t\r]*(?:#|$)|[ \t]*(?:#|\r?$))", re.MULTILINE)


@click.command(name="generate", short_help="Print an application's manifests.")
@operator_options
@setting_options("allow-empty")
@common_options
def generate(**options: Any) -> None:
    """Print the manifests of the application in the current directory, with what they lack.

    Reads the environment that Argo CD gives to a plugin. A chart is rendered by helm, a kustomization built by
    kustomize, a directory read, each as Argo CD does it itself.
    """
    from postrenderer.commands.argocd.source import render_source, set_alarm
    from postrenderer.hosts.argocd.detect import detect_tool
    from postrenderer.hosts.argocd.parameters import read_parameters
    from postrenderer.hosts.argocd.workspace import Workspace
    from postrenderer.hosts.runtime_identity import Function

    with open_session(options) as session:
        operator = read_operator(options, os.environ)
        set_alarm(operator.limits.seconds)
        request = read_request(os.environ, os.getcwd())
        parameters = read_parameters(request.parameters, session.capabilities.locked)
        function = Function("ARGOCD_APP_PARAMETERS", values=parameters.settings)
        session.settings = read_settings(options, os.environ, function)
        tool = parameters.tool or detect_tool(request.folder)
        with Workspace(operator.limits, os.environ, with_network=bool(operator.hosts)) as workspace:
            inputs = render_source(request, parameters, tool, operator, workspace)
        pieces = join_streams([(item.data, result.pieces) for item, result in session.render(inputs)])
        if not session.settings.allow_empty:
            _check_content(pieces, request, tool)
        session.check_policies()
        session.write_report()
        write_output(pieces)
        session.print_findings()


def _check_content(pieces: Pieces, request: Request, tool: str) -> None:
    """Refuse an empty result, which Argo CD takes for one: it deletes everything, where pruning is on."""
    if not any(_CONTENT.search(piece) for piece in pieces):
        raise Refused(
            f"{request.name or 'the application'}: {tool} rendered no resource at all, and Argo CD would delete what "
            "is there; say allow-empty: true if that is meant"
        )
