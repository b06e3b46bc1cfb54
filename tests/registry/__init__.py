"""Asking registries: unit tests, a hostile server on loopback, and a real registry on loopback (`e2e`)."""
