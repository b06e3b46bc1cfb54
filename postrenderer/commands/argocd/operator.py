"""What the operator of the sidecar says, by options or variables, and no application can."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from postrenderer.hosts.argocd.workspace import Limits, find_seconds
from postrenderer.model import Refused
from postrenderer.settings import ENVIRONMENT_PREFIX, parse_bytes

Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS = (
    ("helm", "FILE", "The helm to run.  [default: the one on PATH]"),
    ("kustomize", "FILE", "The kustomize to run.  [default: the one on PATH]"),
    ("allow-host", "HOST,...", "Hosts from which dependencies and remote bases may be fetched.  [default: none]"),
    ("time-limit", "SECONDS", "For a whole request.  [default: 55, less with a short ARGOCD_EXEC_TIMEOUT]"),
    ("memory-limit", "BYTES", "For each program that is run.  [default: 2 GiB]"),
    ("output-limit", "BYTES", "For what helm or kustomize prints.  [default: 64 MiB]"),
)


@dataclass(frozen=True, slots=True)
class Operator:
    """Which programs may run, whom they may ask, and what they may use."""

    programs: Mapping[str, str | None]
    hosts: tuple[str, ...]
    limits: Limits

    def find_program(self, name: str) -> str:
        """The program's path. Raises `Refused` where there is none."""
        path = shutil.which(self.programs[name] or name)
        if path is None:
            raise Refused(
                f"{self.programs[name] or name}: is no program; put {name} on the sidecar's PATH, or say "
                f"{ENVIRONMENT_PREFIX}{name.upper()}"
            )
        return os.path.abspath(path)


def operator_options(command: Command) -> Command:
    """An option for each of what an operator says."""
    for name, metavar, text in reversed(_OPTIONS):
        command = click.option(f"--{name}", metavar=metavar, help=text)(command)
    return command


def read_operator(options: Mapping[str, Any], environment: Mapping[str, str]) -> Operator:
    """Read what the operator says; an option stands above its variable."""

    def read(name: str) -> str | None:
        field = name.replace("-", "_")
        return options.get(field) or environment.get(ENVIRONMENT_PREFIX + field.upper()) or None

    limits = Limits(find_seconds(environment))
    return Operator(
        programs={name: read(name) for name in ("helm", "kustomize")},
        hosts=tuple(host.lower() for part in (read("allow-host") or "").split(",") if (host := part.strip())),
        limits=Limits(
            seconds=_read_number("time-limit", read("time-limit"), limits.seconds),
            memory=_read_number("memory-limit", read("memory-limit"), limits.memory),
            output=_read_number("output-limit", read("output-limit"), limits.output),
        ),
    )


def _read_number(name: str, text: str | None, default: float) -> Any:
    if text is None:
        return default
    try:
        return parse_bytes(text)
    except ValueError:
        raise Refused(f"{name}: {text!r} is no number: write one such as 60") from None
