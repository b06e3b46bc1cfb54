"""What stops a resolution, and text from strangers made fit for one line."""

from __future__ import annotations

import importlib
from typing import Any

from postrenderer.model import Refused

EXTRA = "sandbox-postrenderer[registry]"


class RegistryError(Refused):
    """An image could not be resolved: the message says which, why, and what to do, in one line. Exit code 2."""


def quote_text(text: str, length: int = 200) -> str:
    """A stranger's text for a message: without control characters (a terminal obeys them), and not without end."""
    shown = text if len(text) <= length else f"{text[:length]}..."
    return ascii(shown) if not shown.isprintable() else shown


def import_extra(name: str) -> Any:
    """A module of the optional extra; `RegistryError` says how to install it where it is missing."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        missing = error.name or name
        raise RegistryError(
            f"asking a registry needs an optional part that is not installed (no module {missing}): "
            f"pip install '{EXTRA}'"
        ) from None
