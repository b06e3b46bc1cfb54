"""A home for each test, and the programs in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hosts.programs import PLUGIN, Home, find_command, write_plugin
from tests.support import find_tool


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.add(PLUGIN, find_command())
    return home


@pytest.fixture
def helm3(home: Home) -> Home:
    """A home in which `helm` is Helm 3."""
    home.add("helm", find_tool("helm3"))
    return home


@pytest.fixture
def bare_helm4(home: Home) -> Home:
    """A home in which `helm` is Helm 4, and nothing is installed."""
    home.add("helm", find_tool("helm4"))
    return home


@pytest.fixture
def helm4(bare_helm4: Home) -> Home:
    """Helm 4 with our plugin, and with `spy`, which returns its input as it is and keeps it in the file `$SPY`."""
    home = bare_helm4
    home.get_output("sh", "-c", f'helm plugin install "$({PLUGIN} helm-plugin)"')
    spy = write_plugin(home.path / "plugins", "spy", "${HELM_PLUGIN_DIR}/run")
    home.write_script(spy / "run", 'exec tee "$SPY"')
    home.get_output("helm", "plugin", "install", spy)
    home.extra["SPY"] = str(home.path / "spied")
    return home


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A directory with modules under the names of ours and of libraries: an import leaves the file `imported` there."""
    directory = tmp_path / "hostile"
    directory.mkdir()
    code = f"open({str(directory / 'imported')!r}, 'w').close()\nraise SystemExit(3)\n"
    for name in ("yaml", "click", "json", "ruamel", "pluggy", "pydantic", "sitecustomize", "usercustomize"):
        (directory / f"{name}.py").write_text(code)
    (directory / "postrenderer").mkdir()
    for name in ("__init__", "entry", "cli"):
        (directory / "postrenderer" / f"{name}.py").write_text(code)
    return directory
