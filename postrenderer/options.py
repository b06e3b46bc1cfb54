"""From the command line, the environment and the configuration file to settings and capabilities."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

from postrenderer.files import read_file
from postrenderer.model import Capabilities, Refused, Settings
from postrenderer.settings import BY_NAME, DEFAULTS, EVERYWHERE, Setting, merge_settings, read_environment, suggest_name

if TYPE_CHECKING:
    from postrenderer.hosts.runtime_identity import Function

CONFIG_VARIABLE = "SANDBOX_POSTRENDERER_CONFIG"
REPORT_VARIABLE = "SANDBOX_POSTRENDERER_REPORT"
PLUGIN_VARIABLE = "SANDBOX_POSTRENDERER_PLUGIN"
LOCKED_VARIABLE = "SANDBOX_POSTRENDERER_LOCKED"
IMAGE_LOCK_VARIABLE = "SANDBOX_POSTRENDERER_IMAGE_LOCK"

_MAX_CONFIG = 1 << 20
Command = TypeVar("Command", bound=Callable[..., Any])
Decorator = Callable[[Any], Any]


def common_options(command: Command) -> Command:
    """What every command that renders takes: all settings, all capabilities, and how much is said."""
    command = verbosity_options(command)
    return setting_options(*EVERYWHERE)(capability_options(*_CAPABILITIES)(command))


def verbosity_options(command: Command) -> Command:
    """How much is said on standard error."""
    verbosity = [
        click.option("-v", "--verbose", is_flag=True, help="Print notes as well."),
        click.option("-q", "--quiet", is_flag=True, help="Print nothing but what ends the run."),
    ]
    return _apply(verbosity, command)


def setting_options(*names: str) -> Callable[[Command], Command]:
    """An option for each of these settings. Absent ones are None, so that lower levels count."""
    return lambda command: _apply([_make_option(BY_NAME[name]) for name in names], command)


def capability_options(*names: str) -> Callable[[Command], Command]:
    """Options for what only a command line and the environment may say."""
    return lambda command: _apply([_make_capability(name) for name in names], command)


def _apply(decorators: list[Decorator], command: Command) -> Command:
    for decorate in reversed(decorators):
        command = decorate(command)
    return command


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
            return tuple(entry for text in value for entry in setting.parse(text)) if value else None
        except ValueError as error:
            raise click.BadParameter(str(error).removeprefix(f"{setting.name}: ")) from None

    return parse


_CAPABILITIES: Mapping[str, tuple[str, bool, str]] = {
    "config": ("FILE", False, "Read settings from a YAML file."),
    "image-lock": ("FILE", False, "Whom images run as, as `images lock` wrote it down; no registry is asked."),
    "report": ("FILE", False, "Write all findings to FILE, as JSON; also where the run fails."),
    "plugin": ("NAME", True, "Use an installed plugin; repeatable."),
    "locked": ("NAME,...", False, "Settings that a configuration file must not set (for operators)."),
}


def _make_capability(name: str) -> Decorator:
    metavar, multiple, text = _CAPABILITIES[name]
    return click.option(f"--{name}", metavar=metavar, multiple=multiple, help=text)


def read_report_path(options: Mapping[str, Any], environment: Mapping[str, str]) -> str | None:
    """Where the report goes; known before all else, since a run that fails is reported as well."""
    return options.get("report") or environment.get(REPORT_VARIABLE) or None


def read_capabilities(options: Mapping[str, Any], environment: Mapping[str, str]) -> Capabilities:
    """Read what executes or writes; an option stands above its variable."""
    locked = _split(options.get("locked") or environment.get(LOCKED_VARIABLE, ""))
    for name in locked:
        if name not in BY_NAME:
            raise Refused(f"locked: {name} is no setting; {suggest_name(name, BY_NAME)}")
    return Capabilities(
        plugins=tuple(options.get("plugin") or ()) or _split(environment.get(PLUGIN_VARIABLE, "")),
        report=read_report_path(options, environment),
        locked=locked,
        image_lock=options.get("image_lock") or environment.get(IMAGE_LOCK_VARIABLE) or None,
    )


def _split(text: str) -> tuple[str, ...]:
    return tuple(name for part in text.split(",") if (name := part.strip()))


def read_settings(
    options: Mapping[str, Any], environment: Mapping[str, str], function: Function | None = None
) -> Settings:
    """Read the settings: built in, below the configuration file, below the environment, below options.

    What a host's document says stands directly below the options.
    """
    settings = DEFAULTS
    path = options.get("config") or environment.get(CONFIG_VARIABLE)
    if path:
        settings = merge_settings(settings, _read_config_file(path, read_capabilities(options, environment)), path)
    settings = merge_settings(settings, read_environment(environment), "environment")
    if function is not None:
        settings = merge_settings(settings, function.values, function.name)
    given = {name: options[name] for name in options if name in _FIELDS and options[name] is not None}
    return merge_settings(settings, given, "options")


_FIELDS = {setting.field for setting in BY_NAME.values()}


def _read_config_file(path: str, capabilities: Capabilities) -> dict[str, Any]:
    from postrenderer.config import read_config  # pydantic, which takes longer to import than a run takes

    data = read_file(path, _MAX_CONFIG)
    if len(data) > _MAX_CONFIG:
        raise Refused(f"{path}: is larger than {_MAX_CONFIG} bytes, and no configuration file")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Refused(f"{path}: is not UTF-8: convert the file") from None
    return read_config(text, path, capabilities.locked)
