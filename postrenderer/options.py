"""From the command line, the environment and the configuration file to settings and capabilities."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

from postrenderer.files import read_file
from postrenderer.model import Capabilities, Refused, Settings
from postrenderer.settings import BY_NAME, DEFAULTS, SETTINGS, Setting, merge_settings, read_environment, suggest_name

CONFIG_VARIABLE = "SANDBOX_POSTRENDERER_CONFIG"
REPORT_VARIABLE = "SANDBOX_POSTRENDERER_REPORT"
PLUGIN_VARIABLE = "SANDBOX_POSTRENDERER_PLUGIN"
LOCKED_VARIABLE = "SANDBOX_POSTRENDERER_LOCKED"

_MAX_CONFIG = 1 << 20
Decorator = Callable[[Any], Any]


def setting_options() -> list[Decorator]:
    """One option for each setting. Absent ones are None (or empty), so that lower levels count."""
    return [_make_option(setting) for setting in SETTINGS]


def _make_option(setting: Setting) -> Decorator:
    default = getattr(DEFAULTS, setting.field)
    text = setting.help if setting.is_list or default is None else f"{setting.help}  [default: {str(default).lower()}]"
    if setting.is_flag:
        return click.option(f"--{setting.name}/--no-{setting.name}", setting.field, default=None, help=text)
    return click.option(
        f"--{setting.name}",
        setting.field,
        metavar=setting.metavar,
        multiple=setting.is_list,
        callback=_make_callback(setting),
        help=text,
    )


def _make_callback(setting: Setting) -> Callable[[Any, Any, Any], Any]:
    def parse(_context: Any, _option: Any, value: Any) -> Any:
        try:
            if not setting.is_list:
                return None if value is None else setting.parse(value)
            return tuple(entry for text in value for entry in setting.parse(text)) or None
        except ValueError as error:
            raise click.BadParameter(str(error).removeprefix(f"{setting.name}: ")) from None

    return parse


def capability_options() -> list[Decorator]:
    """What only a command line and the environment may say."""
    return [
        click.option("--config", metavar="FILE", help="Read settings from a YAML file."),
        click.option("--report", metavar="FILE", help="Write all findings to FILE, as JSON."),
        click.option("--plugin", multiple=True, metavar="NAME", help="Use an installed plugin; repeatable."),
        click.option(
            "--locked", metavar="NAME,...", help="Settings that a configuration file must not set (for operators)."
        ),
    ]


def read_capabilities(options: Mapping[str, Any], environment: Mapping[str, str]) -> Capabilities:
    """Read what executes or writes; an option stands above its variable."""
    locked = _split(options.get("locked") or environment.get(LOCKED_VARIABLE, ""))
    for name in locked:
        if name not in BY_NAME:
            raise Refused(f"locked: {name} is no setting; {suggest_name(name, BY_NAME)}")
    return Capabilities(
        plugins=tuple(options.get("plugin") or ()) or _split(environment.get(PLUGIN_VARIABLE, "")),
        report=options.get("report") or environment.get(REPORT_VARIABLE) or None,
        locked=locked,
    )


def _split(text: str) -> tuple[str, ...]:
    return tuple(name for part in text.split(",") if (name := part.strip()))


def read_settings(options: Mapping[str, Any], environment: Mapping[str, str]) -> Settings:
    """Read the settings: built in, below the configuration file, below the environment, below options."""
    settings = DEFAULTS
    path = options.get("config") or environment.get(CONFIG_VARIABLE)
    if path:
        settings = merge_settings(settings, _read_config_file(path, read_capabilities(options, environment)), path)
    settings = merge_settings(settings, read_environment(environment), "environment")
    given = {setting.field: value for setting in SETTINGS if (value := options.get(setting.field)) is not None}
    return merge_settings(settings, given, "options")


def _read_config_file(path: str, capabilities: Capabilities) -> dict[str, Any]:
    from postrenderer.config import read_config  # pydantic, which takes longer to import than a run takes

    data = read_file(path, _MAX_CONFIG)
    if len(data) > _MAX_CONFIG:
        raise Refused(f"{path}: larger than {_MAX_CONFIG} bytes")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Refused(f"{path}: is not UTF-8") from None
    return read_config(text, path, capabilities.locked)
