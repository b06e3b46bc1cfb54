"""The registries of the tests in `tests/registry`, and their empty home."""

from __future__ import annotations

from tests.registry.conftest import registry, scrub

__all__ = ["registry", "scrub"]
