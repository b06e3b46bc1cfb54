"""HTTP that is on its guard: bounded in requests, bytes, time and redirects, and careful whom it tells what.

Over `requests`, for proxies, certificates and connection reuse. Redirects are followed here and not there, since
`requests` follows them from https to http.
"""

from __future__ import annotations

import contextlib
import email.utils
import http.client
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from http.cookiejar import DefaultCookiePolicy
from types import TracebackType
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from postrenderer.registry.errors import RegistryError, quote_text
from postrenderer.registry.limits import Budget

CHUNK = 64 * 1024
_REDIRECTS = (301, 302, 303, 307, 308)
_NETWORK_ERRORS = (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException, OSError)


class Answer:
    """A response whose body has not been read. `at_origin` is false where a redirect led to another host."""

    def __init__(self, response: requests.Response, budget: Budget, at_origin: bool) -> None:
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers
        self.host = quote_text(urlsplit(response.url).netloc)
        self.at_origin = at_origin
        self._response = response
        self._budget = budget

    def __enter__(self) -> Answer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Drop the connection where its body was not read to the end."""
        with contextlib.suppress(*_NETWORK_ERRORS):
            self._response.close()

    def read_chunks(self) -> Iterator[bytes]:
        """The body as it comes; `RegistryError` where a limit is passed or the connection breaks."""
        raw = self._response.raw
        while True:
            try:
                # read1: what is there, and not until the chunk is full, so that a dripping server meets the deadline.
                data: bytes = raw.read1(CHUNK, decode_content=False)
            except _NETWORK_ERRORS as error:
                raise explain_network_error(error, self.host) from error
            if not data:
                return
            self._budget.spend_bytes(len(data))
            yield data

    def read(self, limit: int, what: str) -> bytes:
        """The whole body; `RegistryError` where it is longer than `limit`, before the rest is read."""
        length = self.headers.get("Content-Length", "")
        if length.isdecimal() and int(length[:20]) > limit:
            raise RegistryError(f"{what} has {length[:20]} bytes, more than {limit}: {self.host} may be no registry")
        body = bytearray()
        for chunk in self.read_chunks():
            body += chunk
            if len(body) > limit:
                raise RegistryError(f"{what} has more than {limit} bytes: {self.host} may be no registry")
        if length.isdecimal() and len(body) < int(length[:20]):
            raise RegistryError(f"{self.host} broke off in the middle of {what}: try again")
        return bytes(body)


class Transport:
    """Sends requests for one image. Hosts in `plain_http` may be spoken to without TLS, no others."""

    def __init__(
        self,
        budget: Budget,
        plain_http: frozenset[str] = frozenset(),
        ca_file: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._budget = budget
        self._limits = budget.limits
        self._plain_http = plain_http
        self._verify: bool | str = ca_file or True
        self.token_limit = budget.limits.token
        self._sleep = sleep
        self._session = _Session()
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.mount("https://", _SystemTrust())

    def close(self) -> None:
        self._session.close()

    def send(
        self, url: str, *, accept: str = "*/*", authorization: str | None = None, form: Mapping[str, str] | None = None
    ) -> Answer:
        """GET `url`, or POST a `form` to it; redirects are followed, and a server that asks to wait is waited for."""
        for attempt in range(self._limits.retries + 1):
            answer = self._follow(url, accept, authorization, form)
            seconds = _read_retry(answer, attempt)
            if seconds is None:
                return answer
            answer.close()
            if seconds > self._limits.retry_seconds:
                raise RegistryError(
                    f"{answer.host} answers {answer.status} and asks to wait {seconds:g} seconds: try again later, "
                    "or log in for a higher limit"
                )
            if attempt < self._limits.retries:
                self._sleep(seconds)
        raise RegistryError(
            f"{answer.host} answers {answer.status} {attempt + 1} times over: too many requests; try again later, "
            "or log in for a higher limit"
        )

    def check_url(self, url: str, scheme: str) -> SplitResult:
        """Refuse a URL that a server named, unless it is of `scheme`, and plain HTTP only to hosts it was asked for."""
        parts = urlsplit(url)
        shown = quote_text(parts.netloc)
        if parts.scheme != scheme or not parts.hostname:
            raise RegistryError(f"sends to {quote_text(parts.scheme)}://{shown}, which is not {scheme}: not followed")
        if scheme == "http" and parts.netloc.lower() not in self._plain_http:
            raise RegistryError(f"sends to http://{shown}: not followed; if you trust it, --plain-http {shown}")
        return parts

    def _follow(self, url: str, accept: str, authorization: str | None, form: Mapping[str, str] | None) -> Answer:
        origin = urlsplit(url)
        at_origin = True
        for _ in range(self._limits.redirects + 1):
            # Once it has left, the way back does not get the credentials again: its path is another host's choice.
            at_origin = at_origin and _is_same_origin(urlsplit(url), origin)
            response = self._request(url, accept, authorization if at_origin else None, form)
            location = response.headers.get("Location")
            if response.status_code not in _REDIRECTS or not location:
                return Answer(response, self._budget, at_origin)
            response.close()
            if form is not None:
                raise RegistryError(f"{quote_text(origin.netloc)} redirects a request with a secret: not followed")
            url = _join(url, location)
            self.check_url(url, origin.scheme)
        raise RegistryError(f"{quote_text(origin.netloc)} redirects more than {self._limits.redirects} times")

    def _request(
        self, url: str, accept: str, authorization: str | None, form: Mapping[str, str] | None
    ) -> requests.Response:
        self._budget.spend_request()
        headers = {"Accept": accept, "Accept-Encoding": "identity", "User-Agent": "sandbox-postrenderer"}
        if authorization is not None:
            headers["Authorization"] = authorization
        try:
            return self._session.request(
                "GET" if form is None else "POST",
                url,
                headers=headers,
                data=form,
                auth=_keep_authorization,
                allow_redirects=False,
                stream=True,
                timeout=(self._limits.connect_seconds, self._limits.read_seconds),
                verify=self._verify,
            )
        except (*_NETWORK_ERRORS, ValueError) as error:
            raise explain_network_error(error, quote_text(urlsplit(url).netloc)) from error


def _keep_authorization(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Without an `auth`, requests puts ~/.netrc's or the URL's own user in the place of the header that was set."""
    return request


class _Session(requests.Session):
    """Even when it is told not to follow a redirect, requests prepares to, and reads the whole body for it."""

    def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002
        return None


class _SystemTrust(HTTPAdapter):
    """Trusts the system's certificates beside certifi's, as `docker` does: there a company's own stand."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=ssl.create_default_context(), **kwargs)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        return super().proxy_manager_for(*args, ssl_context=ssl.create_default_context(), **kwargs)


def _join(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        raise RegistryError(f"redirects to {quote_text(location)}, which is no address") from None


def _is_same_origin(one: SplitResult, other: SplitResult) -> bool:
    return (one.scheme, one.netloc.lower()) == (other.scheme, other.netloc.lower())


def _read_retry(answer: Answer, attempt: int) -> float | None:
    """How many seconds the server asks to wait (a number or a date), or None where it did not put the request off."""
    after = answer.headers.get("Retry-After", "").strip()
    if answer.status != 429 and not (answer.status == 503 and after):
        return None
    if after.isascii() and after.isdecimal():
        return float(after[:10])
    try:
        return max(0.0, email.utils.parsedate_to_datetime(after).timestamp() - time.time())
    except (ValueError, OverflowError):
        return float(2**attempt)


def explain_network_error(error: BaseException, host: str) -> RegistryError:
    """The one line for what can go wrong below HTTP, and what to do about it."""
    chain = list(_list_causes(error))
    if any(isinstance(each, ssl.SSLCertVerificationError) for each in chain):
        why = next(each.verify_message for each in chain if isinstance(each, ssl.SSLCertVerificationError))
        return RegistryError(
            f"the certificate of {host} is not trusted ({why}): give its authority with --registry-ca FILE"
        )
    if any(isinstance(each, ssl.SSLError) for each in chain):
        return RegistryError(f"{host} does not speak TLS: if it speaks plain HTTP on purpose, --plain-http {host}")
    # Before the timeouts, of which urllib3 takes every failed connection for one.
    if any(isinstance(each, (ConnectionRefusedError, urllib3.exceptions.NameResolutionError)) for each in chain):
        return RegistryError(f"{host} cannot be reached: check its name, the network and proxy settings")
    if any(isinstance(each, (TimeoutError, requests.Timeout, urllib3.exceptions.TimeoutError)) for each in chain):
        return RegistryError(f"{host} does not answer in time: check the network and proxy settings, or try again")
    return RegistryError(f"the connection to {host} failed ({type(chain[-1]).__name__}): it may be no registry")


def _list_causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it wraps: urllib3 and requests wrap in `args`, `reason` and `__context__` by turns."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        each = waiting.pop(0)
        if not isinstance(each, BaseException) or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting += [*each.args, getattr(each, "reason", None), each.__cause__, each.__context__]
