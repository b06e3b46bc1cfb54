"""The hooks: what a plugin may answer. A plugin looks and returns data; it never writes text.

A plugin is a module or an object with functions of these names, marked with `hookimpl`. It is found by an entry point
of the group `sandbox_postrenderer`, and used when it is named, by `--plugin NAME` or `SANDBOX_POSTRENDERER_PLUGIN`:

    [project.entry-points.sandbox_postrenderer]
    team-images = "team_images"

    # team_images.py
    from postrenderer.hookspecs import Identity, hookimpl

    @hookimpl
    def image_identity(image):
        if image.registry == "registry.example.com":
            return Identity(1001, source="team-images")

A function may leave out arguments that it does not need. Plugins are asked in this order: the built-in kinds, then
those that are named, as they are named. What a plugin returns is validated; what it raises, and what has a wrong shape,
ends the run with exit code 2, an error that names the plugin and the hook, and no output. What it prints goes to
standard error. None, or a missing function, means that it has nothing to say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

from postrenderer.kinds.kagent import read_kagent_agent
from postrenderer.kinds.pods import read_pod_template
from postrenderer.model import Addition, Identity, Kind, Remark, Resource, Settings, Workload

if TYPE_CHECKING:
    from postrenderer.images.reference import ImageReference

__all__ = [
    "HOOKS",
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
    "read_kagent_agent",
    "read_pod_template",
]

PROJECT = "sandbox_postrenderer"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

HOOKS = ("kinds", "image_identity", "additions")
"""The hooks' names, in the order in which a run calls them."""


@hookspec
def kinds() -> list[Kind] | None:
    """The kinds that the plugin knows.

    Called once a run: after the byte search has hit a built-in name, or at the start when a plugin is named.
    Return a list of `Kind(group, kind, read)`, or None. `read(resource, settings)` is called for each resource of that
    kind; it returns a `Workload` (`read_pod_template` makes one of a pod template), or a `Remark` that says why the
    resource is left alone. Two plugins that know the same kind of the same group are an error.
    """


@hookspec(firstresult=True)
def image_identity(image: ImageReference) -> Identity | None:
    """Whom an image runs as.

    Called once for each distinct image that the user's own table does not answer. The first answer wins, in the order
    in which plugins are named. Return an `Identity` (`uid` 0: the image runs as root; `source` says who knows), or None
    where the plugin does not know; the built-in table is asked then.
    """


@hookspec
def additions(workload: Workload, settings: Settings) -> list[Addition] | None:
    """Further defaults for a workload.

    Called for each workload to which the rule applies, after it. Return a list of `Addition(path, key, value)`, or
    None. `path` leads from the document's root (`workload.resource.path` is where the resource begins) to the mapping
    that gets the key, and which is made where it is missing. A value is a boolean, an integer or a string. An addition
    whose key is there already, as text or from another plugin, is an error.
    """
