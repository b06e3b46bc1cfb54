"""The built-in kinds: one module each, registered like any other plugin.

This module itself imports nothing, since every run reads it.
"""

NAMES = ("Sandbox", "SandboxAgent", "SandboxTemplate")
"""What the byte search looks for; a test compares it with what the modules' `kinds()` return."""
