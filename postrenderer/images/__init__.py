"""Whom an image runs as, and who says so. To teach the program another image, see `table.json`."""

from __future__ import annotations

from postrenderer.images.lookup import look_up_table
from postrenderer.images.overrides import check_user_table, look_up_user_table, parse_image_uid
from postrenderer.images.reference import ImageReference, normalize_reference, parse_reference
from postrenderer.images.resolve import resolve_identity
from postrenderer.images.table import Row, list_table
from postrenderer.images.version import Version, parse_version

__all__ = [
    "ImageReference",
    "Row",
    "Version",
    "check_user_table",
    "list_table",
    "look_up_table",
    "look_up_user_table",
    "normalize_reference",
    "parse_image_uid",
    "parse_reference",
    "parse_version",
    "resolve_identity",
]
