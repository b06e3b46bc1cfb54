"""Whom an image runs as, asked of its registry: the user that its configuration names, as a number.

Needs the extra `sandbox-postrenderer[registry]`. Nothing here is imported while manifests are rendered, nothing of an
image is executed, and nothing is written.
"""

from __future__ import annotations

from postrenderer.registry.errors import RegistryError
from postrenderer.registry.limits import Limits
from postrenderer.registry.mirrors import parse_mirror, parse_plain_http
from postrenderer.registry.resolve import Access, PlatformUser, Resolved, resolve_image

__all__ = [
    "Access",
    "Limits",
    "PlatformUser",
    "RegistryError",
    "Resolved",
    "parse_mirror",
    "parse_plain_http",
    "resolve_image",
]
