"""The hooks: what a plugin may answer. A plugin looks and returns data; it never writes text.

A plugin is a module or an object with functions of these names, marked with `hookimpl`. What it returns is validated,
and an error names the plugin. None, or a missing function, means that it has nothing to say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

from postrenderer.kinds.pods import read_pod_template
from postrenderer.model import Addition, Identity, Kind, Remark, Resource, Settings, Workload

if TYPE_CHECKING:
    from postrenderer.images.reference import ImageReference

__all__ = [
    "Addition",
    "Identity",
    "Kind",
    "Remark",
    "Resource",
    "Settings",
    "Workload",
    "additions",
    "hookimpl",
    "image_identity",
    "kinds",
    "read_pod_template",
]

PROJECT = "sandbox_postrenderer"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def kinds() -> list[Kind] | None:
    """The kinds that the plugin knows.

    Called once a run: after the byte search has hit a built-in name, or at the start when a plugin is named.
    Return a list of `Kind`. Its `read(resource, settings)` returns a `Workload`, or a `Remark` that says why the
    resource is left alone. Two plugins that know the same kind of the same group are an error.
    """


@hookspec(firstresult=True)
def image_identity(image: ImageReference) -> Identity | None:
    """Whom an image runs as.

    Called once for each distinct image that the user's own table does not answer. The first answer wins, in the order
    in which plugins are named. Return an `Identity` (`uid` 0: the image runs as root), or None where the plugin does
    not know.
    """


@hookspec
def additions(workload: Workload, settings: Settings) -> list[Addition] | None:
    """Further defaults for a workload.

    Called for each workload, after the identity rule. Return a list of `Addition`, each with a path from the document's
    root, or None. An addition whose key is there already, as text or from another plugin, is an error.
    """
