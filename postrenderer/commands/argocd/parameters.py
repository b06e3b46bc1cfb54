"""`argocd parameters`: what an application can ask for, for Argo CD's user interface."""

from __future__ import annotations

import os
from typing import Any

import click

from postrenderer.commands.argocd.operator import operator_options, read_operator
from postrenderer.console import say, write_output
from postrenderer.hosts.argocd.request import read_request
from postrenderer.images import resolve_identity
from postrenderer.model import Refused
from postrenderer.options import common_options, read_settings
from postrenderer.session import Input, Session, load_lock_file, open_session


@click.command(name="parameters", short_help="Print the parameters, for Argo CD's user interface.")
@operator_options
@common_options
def parameters(**options: Any) -> None:
    """Print the parameters that an application takes, as JSON: with a chart's values, and whom the images run as.

    Where the application cannot be rendered, what is known without that is printed all the same.
    """
    from postrenderer.commands.argocd.source import render_source, set_alarm
    from postrenderer.hosts.argocd import announce
    from postrenderer.hosts.argocd.detect import detect_tool
    from postrenderer.hosts.argocd.parameters import read_parameters
    from postrenderer.hosts.argocd.workspace import Workspace
    from postrenderer.hosts.runtime_identity import Function

    with open_session(options) as session:
        operator = read_operator(options, os.environ)
        set_alarm(operator.limits.seconds)
        request = read_request(os.environ, os.getcwd())
        tool = detect_tool(request.folder)
        users: dict[str, int | None] = {}
        try:
            given = read_parameters(request.parameters, session.capabilities.locked)
            tool = given.tool or tool
            session.settings = read_settings(options, os.environ, Function("parameters", values=given.settings))
            with Workspace(operator.limits, os.environ, with_network=bool(operator.hosts)) as workspace:
                inputs = render_source(request, given, tool, operator, workspace)
            users = _find_users(session, inputs)
        except Refused as error:
            say(f"warning: {error}", "yellow")
        dynamic = announce.list_dynamic(request, tool, users)
        text = announce.format_announcements(announce.merge_announcements(announce.list_static(), dynamic))
        write_output([text.encode("utf-8", "surrogateescape")])


def _find_users(session: Session, inputs: list[Input]) -> dict[str, int | None]:
    """Whom each image runs as."""
    lock = load_lock_file(session.capabilities)
    users: dict[str, int | None] = {}
    for _, workloads in session.read_workloads(inputs):
        for workload in workloads:
            for container in workload.containers:
                if container.image is not None:
                    known = resolve_identity(container.image, session.settings, session.plugins.ask_image, lock)
                    users[container.image.reference] = known.uid
    return users
