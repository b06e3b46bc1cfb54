"""The lock file: whom images run as, asked of their registries once, written down, and reviewed like code.

Reading and looking up need no network, and import nothing that does: rendering uses no more than that.
"""

from __future__ import annotations

from postrenderer.lock.entry import LockEntry, LockFile
from postrenderer.lock.lookup import look_up_lock
from postrenderer.lock.read import load_lock, read_lock

__all__ = ["LockEntry", "LockFile", "load_lock", "look_up_lock", "read_lock"]
