"""Authorisation as a registry asks for it: HTTP Basic, or a bearer token from the token server that it names.

After the distribution project's "Token Authentication Specification" and its OAuth2 variant for identity tokens.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from urllib.request import parse_http_list

from postrenderer.registry.credentials import Credentials
from postrenderer.registry.errors import RegistryError
from postrenderer.registry.mirrors import Endpoint
from postrenderer.registry.transport import Answer, Transport

CLIENT_ID = "sandbox-postrenderer"
_CHALLENGE = re.compile(r"(?:^|,)\s*(basic|bearer)\s+", re.IGNORECASE)
_PULL = re.compile("repository:[^\\s,:]+:pull")


@dataclass(frozen=True, slots=True)
class Challenge:
    """One challenge of a `WWW-Authenticate` header; the last three are for `bearer` only."""

    scheme: str
    realm: str = ""
    service: str = ""
    scope: str = ""


def parse_challenges(header: str) -> list[Challenge]:
    """The Basic and Bearer challenges of a header, in order; others are passed over."""
    pieces = _CHALLENGE.split(header[:8192])
    return [_make_challenge(scheme, text) for scheme, text in zip(pieces[1::2], pieces[2::2], strict=True)]


def _make_challenge(scheme: str, text: str) -> Challenge:
    pairs = [item.partition("=") for item in parse_http_list(text)]
    values = {key.strip().lower(): value.strip().strip('"') for key, _, value in pairs}
    return Challenge(scheme.lower(), values.get("realm", ""), values.get("service", ""), values.get("scope", ""))


def authorize(
    challenges: list[Challenge], endpoint: Endpoint, credentials: Credentials | None, transport: Transport
) -> str:
    """The `Authorization` header that answers the challenges; `RegistryError` where none can be answered."""
    for challenge in challenges:
        if challenge.scheme == "bearer" and challenge.realm:
            return f"Bearer {_fetch_token(challenge, endpoint, credentials, transport)}"
        if challenge.scheme == "basic" and credentials is not None and credentials.username:
            return f"Basic {_encode_basic(credentials)}"
    if any(challenge.scheme == "basic" for challenge in challenges):
        raise login_error(endpoint, credentials)
    raise RegistryError(f"{endpoint.host} asks for a kind of login that is not known here: it may be no registry")


def login_error(endpoint: Endpoint, credentials: Credentials | None) -> RegistryError:
    """What a refused login comes to. Docker Hub answers so for a repository that does not exist, too."""
    if credentials is None:
        return RegistryError(
            f"does not exist at {endpoint.host}, or it wants to know who asks: check the name, or `docker login "
            f"{endpoint.login}`"
        )
    return RegistryError(
        f"does not exist at {endpoint.host}, or your credentials are refused: check the name, or `docker login "
        f"{endpoint.login}` again"
    )


def _encode_basic(credentials: Credentials) -> str:
    return base64.b64encode(f"{credentials.username}:{credentials.password}".encode()).decode("ascii")


def _fetch_token(
    challenge: Challenge, endpoint: Endpoint, credentials: Credentials | None, transport: Transport
) -> str:
    scheme = challenge.realm.partition(":")[0]
    # The realm is where the protocol sends the credentials: never in the clear where the registry itself is not.
    transport.check_url(challenge.realm, scheme if scheme == endpoint.scheme else "https")
    query = {"service": challenge.service, "scope": _choose_scope(challenge, endpoint)}
    with _ask_token_server(challenge.realm, query, credentials, transport) as answer:
        if answer.status in (400, 401, 403):
            raise login_error(endpoint, credentials)
        if answer.status != 200:
            raise RegistryError(f"the token server {answer.host} answers {answer.status}: try again later")
        return _read_token(answer.read(transport.token_limit, "a token"), answer.host)


def _choose_scope(challenge: Challenge, endpoint: Endpoint) -> str:
    """No more than pulling, whatever the registry asks for; but by the name that it knows the repository by."""
    if _PULL.fullmatch(challenge.scope):
        return challenge.scope
    return f"repository:{endpoint.repository}:pull"


def _ask_token_server(
    realm: str, query: dict[str, str], credentials: Credentials | None, transport: Transport
) -> Answer:
    if credentials is not None and credentials.identity_token:
        secret = {
            "grant_type": "refresh_token",
            "client_id": CLIENT_ID,
            "refresh_token": credentials.identity_token,
        }
        return transport.send(realm, form={**query, **secret})
    url = f"{realm}{'&' if '?' in realm else '?'}{urlencode({key: value for key, value in query.items() if value})}"
    return transport.send(url, authorization=f"Basic {_encode_basic(credentials)}" if credentials else None)


def _read_token(data: bytes, host: str) -> str:
    try:
        values: Any = json.loads(data)
    except (ValueError, RecursionError):
        values = None
    token = (values.get("token") or values.get("access_token")) if isinstance(values, dict) else None
    # A line break would end the header; requests refuses it too, but with less to say.
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise RegistryError(f"the token server {host} answers without a token: it may be none")
    return token
