"""Plugins that not everyone wants, used by name: `--plugin NAME`.

In a wheel they are this package's modules; in a checkout they are the files of the folder `plugins`.
"""

from __future__ import annotations

from pathlib import Path

_checkout = Path(__file__).parents[2] / "plugins"
if not any(path.name != "__init__.py" for path in Path(__file__).parent.glob("*.py")) and _checkout.is_dir():
    __path__.append(str(_checkout))
