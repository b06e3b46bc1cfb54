"""Argo CD's plugin, without Argo CD: `tests/hosts` has its real server."""
