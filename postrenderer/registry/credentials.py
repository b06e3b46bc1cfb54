"""The credentials that `docker login` keeps: in Docker's configuration file, or with a credential helper.

Read by Docker's own Python library, which knows the file's places and forms, the Hub's many names, and how to ask a
helper. A helper is a program of the user's own that the user's configuration names; it may ask the user for a password.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

from postrenderer.registry.errors import RegistryError, import_extra


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user name and password, or an identity token in their place. Secrets stay out of `repr`."""

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)


def find_credentials(login: str) -> Credentials | None:
    """What `docker login` stored for the registry that it calls `login`, or None where it stored nothing.

    Read are `$DOCKER_CONFIG/config.json` or `~/.docker/config.json`; `RegistryError` where that does not work.
    """
    auth = import_extra("docker.auth")
    try:
        with warnings.catch_warnings():
            # docker-py warns of a missing helper, and then raises as well.
            warnings.simplefilter("ignore")
            entry = auth.load_config().resolve_authconfig(login)
    # Malformed files and helpers raise whatever their content leads to: docker-py checks little of it.
    except Exception as error:
        raise RegistryError(
            f"the credentials for {login} could not be read ({type(error).__name__}): "
            f"check Docker's config.json and its credential helper, or run `docker login {login}` again"
        ) from error
    return _read_entry(entry) if isinstance(entry, dict) else None


def _read_entry(entry: dict[str, Any]) -> Credentials | None:
    # A helper's answer has capitals, an entry of the file has none.
    values = {str(key).lower(): value for key, value in entry.items() if isinstance(value, str)}
    if values.get("identitytoken"):
        return Credentials(identity_token=values["identitytoken"])
    if values.get("username"):
        return Credentials(values["username"], values.get("password", ""))
    return None
