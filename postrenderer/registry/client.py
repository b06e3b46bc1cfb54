"""Pulling from one repository: manifests and blobs, as the distribution specification names them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from postrenderer.registry.credentials import Credentials
from postrenderer.registry.errors import RegistryError
from postrenderer.registry.manifest import ACCEPT, verify_digest
from postrenderer.registry.mirrors import Endpoint, is_digest
from postrenderer.registry.tokens import authorize, login_error, parse_challenges
from postrenderer.registry.transport import Answer, Transport


@dataclass(frozen=True, slots=True)
class Document:
    """A manifest as it came: its bytes, which its digest is made of, and the media type that the registry states."""

    data: bytes
    media_type: str


class Client:
    """Pulls from one repository. Credentials are looked for only once the registry asks who is there."""

    def __init__(
        self, endpoint: Endpoint, transport: Transport, look_up_credentials: Callable[[], Credentials | None]
    ) -> None:
        self._endpoint = endpoint
        self._transport = transport
        self._look_up_credentials = look_up_credentials
        self._authorization: str | None = None

    def fetch_manifest(self, name: str, limit: int) -> Document:
        """The manifest or index behind a tag or digest; a digest is verified."""
        with self._get(f"manifests/{name}", ACCEPT) as answer:
            data = answer.read(limit, "its manifest")
            media_type = answer.headers.get("Content-Type", "").partition(";")[0].strip()
        if is_digest(name):
            verify_digest(data, name, "its manifest")
        return Document(data, media_type)

    def fetch_blob(self, digest: str, limit: int, what: str) -> bytes:
        """A whole blob, verified."""
        with self._get(f"blobs/{digest}", "*/*") as answer:
            data = answer.read(limit, what)
        verify_digest(data, digest, what)
        return data

    def open_blob(self, digest: str) -> Answer:
        """A blob to be read from its beginning, as far as the caller likes; the caller closes it."""
        return self._get(f"blobs/{digest}", "*/*")

    def _get(self, path: str, accept: str) -> Answer:
        url = f"{self._endpoint.base}/{path}"
        answer = self._transport.send(url, accept=accept, authorization=self._authorization)
        # A host that a redirect led to has no say in whom the registry's credentials go to.
        if answer.status == 401 and answer.at_origin:
            answer.close()
            credentials = self._look_up_credentials()
            challenges = parse_challenges(answer.headers.get("WWW-Authenticate", ""))
            self._authorization = authorize(challenges, self._endpoint, credentials, self._transport)
            answer = self._transport.send(url, accept=accept, authorization=self._authorization)
            if answer.status == 401:
                answer.close()
                raise login_error(self._endpoint, credentials)
        if answer.status != 200:
            answer.close()
            raise self._explain_status(answer)
        return answer

    def _explain_status(self, answer: Answer) -> RegistryError:
        host, login = answer.host, self._endpoint.login
        if answer.status == 404:
            return RegistryError(
                f"does not exist at {host}, or you may not see it: check the name and tag, or `docker login {login}`"
            )
        if answer.status in (401, 403):
            return RegistryError(
                f"{host} denies access ({answer.status}): check your rights, or `docker login {login}`"
            )
        hint = "try again later" if answer.status >= 500 else "it may be no registry"
        return RegistryError(f"{host} answers {answer.status}: {hint}")
