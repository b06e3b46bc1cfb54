"""A registry that means harm, or is none, or is out of order: one clear line each, in bounded time and memory."""

from __future__ import annotations

import gzip
import io
import json
import socket
import tarfile
import threading
import time
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from postrenderer.registry.manifest import OCI_INDEX
from tests.registry.support import FakeRegistry, Reply, digest, make_image, make_tar, refuse, resolve
from tests.registry.tls import make_certificate

MANIFEST = "/v2/team/app/manifests/1.0"
MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (Reply(404), "does not exist at HOST, or you may not see it: check the name and tag, or `docker login HOST`"),
        (Reply(403), "HOST denies access (403): check your rights"),
        (Reply(500), "HOST answers 500: try again later"),
        (Reply(418), "HOST answers 418: it may be no registry"),
        (Reply(204), "HOST answers 204"),
        (Reply(304), "HOST answers 304"),
        (Reply(302), "HOST answers 302"),
        (Reply(body=b"<html>\x1b[2Jhello"), "its manifest is no JSON object"),
        (Reply(body=b""), "its manifest is no JSON object"),
        (Reply(body=b"{}"), "its manifest is neither"),
        (Reply(body=b'{"a":' * 100_000), "its manifest is no JSON object"),
        (Reply(body=b"{}", headers={"Content-Length": "50"}), "HOST"),
        (
            Reply(body=b"x", headers={"Content-Length": "104857600"}),
            "its manifest has 104857600 bytes, more than 4194304",
        ),
        (Reply(body=b"{}", headers={"Content-Encoding": "gzip"}), "its manifest is neither"),
    ],
)
def test_answers_that_are_none(registry: FakeRegistry, reply: Reply, message: str) -> None:
    registry.routes[MANIFEST] = reply
    assert message.replace("HOST", registry.host) in refuse(registry, limits={"read_seconds": 0.3})


def test_manifest_of_100_mb_is_not_read(registry: FakeRegistry) -> None:
    registry.routes[MANIFEST] = Reply(body=b"[" * 100_000_000, headers={"Transfer-Encoding": "x"})
    assert "more than 4194304" in refuse(registry)


def test_manifest_of_unknown_length_is_read_to_the_limit(registry: FakeRegistry) -> None:
    def endless(handler: BaseHTTPRequestHandler) -> Reply:
        handler.protocol_version = "HTTP/1.0"
        handler.close_connection = True
        handler.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n")
        for _ in range(200):
            handler.wfile.write(b" " * 500_000)
            registry.sent += 500_000
        raise ConnectionError

    registry.routes[MANIFEST] = endless
    assert "its manifest has more than 4194304 bytes" in refuse(registry)
    assert registry.sent < 50 * MIB


def test_stall_before_and_within_the_body(registry: FakeRegistry) -> None:

    def stall(_: BaseHTTPRequestHandler) -> Reply:
        registry.stop.wait(5)
        return Reply()

    registry.routes[MANIFEST] = stall
    assert "does not answer in time" in refuse(registry, limits={"read_seconds": 0.2})
    registry.routes[MANIFEST] = Reply(body=b"{}", pause=5)
    assert "does not answer in time" in refuse(registry, limits={"read_seconds": 0.2})


def test_body_that_drips(registry: FakeRegistry) -> None:
    registry.routes[MANIFEST] = Reply(body=b" " * 1000, pause=0.05, chunk=1)
    start = time.monotonic()
    assert "took longer than 0.5 seconds" in refuse(registry, limits={"seconds": 0.5})
    assert time.monotonic() - start < 5


def test_headers_that_drip(registry: FakeRegistry) -> None:
    """Every byte is in time, and the end never comes: only the clock around everything helps."""

    def drip(handler: BaseHTTPRequestHandler) -> Reply:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
        while not registry.stop.wait(0.05):
            handler.wfile.write(b"x")
            handler.wfile.flush()
        raise ConnectionError

    registry.routes[MANIFEST] = drip
    assert "took longer than 0.5 seconds" in refuse(registry, limits={"seconds": 0.5})


@pytest.mark.parametrize(
    "greeting", [b"SSH-2.0-OpenSSH_9.2\r\n", b"", b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 1000, b"\0" * 70000]
)
def test_server_that_speaks_something_else(registry: FakeRegistry, greeting: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(greeting)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        registry.host = f"127.0.0.1:{listener.getsockname()[1]}"
        message = refuse(registry)
        assert registry.host in message
        thread.join(5)


def test_nobody_is_there(registry: FakeRegistry) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        registry.host = f"127.0.0.1:{listener.getsockname()[1]}"
    assert "cannot be reached: check its name, the network and proxy settings" in refuse(registry)


# Asked to wait


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured(registry: FakeRegistry, status: int) -> None:
    registry.add(make_image([], "5"))
    good, waits = registry.routes[MANIFEST], list[float]()
    replies = [Reply(status, headers={"Retry-After": "2"}), Reply(status, headers={"Retry-After": "1"})]
    registry.routes[MANIFEST] = lambda _: replies.pop(0) if replies else good  # type: ignore[arg-type,return-value]
    resolved = resolve(registry, sleep=waits.append)
    assert (resolved.uid, resolved.requests, waits) == (5, 4, [2, 1])


def test_retry_after_is_honoured_a_few_times_only(registry: FakeRegistry) -> None:
    waits = list[float]()
    registry.routes[MANIFEST] = Reply(429)
    assert "answers 429 4 times over: too many requests" in refuse(registry, sleep=waits.append)
    assert waits == [1, 2, 4]
    assert len(registry.asked) == 4


@pytest.mark.parametrize("after", ["3600", formatdate(time.time() + 3600, usegmt=True), "9" * 5000])
def test_long_waits_are_not_waited_for(registry: FakeRegistry, after: str) -> None:
    registry.routes[MANIFEST] = Reply(429, headers={"Retry-After": after})
    assert "asks to wait" in refuse(registry, sleep=pytest.fail)
    assert len(registry.asked) == 1


@pytest.mark.parametrize("after", ["-5", "soon", "Wed, 99 Nope", formatdate(0)])
def test_waits_that_are_none(registry: FakeRegistry, after: str) -> None:
    registry.routes[MANIFEST] = Reply(429, headers={"Retry-After": after})
    waits = list[float]()
    assert "answers 429" in refuse(registry, sleep=waits.append)
    assert all(0 <= each <= 4 for each in waits)


# Redirects


def test_redirect_to_another_host_without_credentials(registry: FakeRegistry, scrub: Path) -> None:
    image = make_image([{"etc/passwd": b"python:x:1001:1::/:"}])
    registry.add(image)
    login(scrub, registry.host)
    layer = f"/v2/team/app/blobs/{image.layers[0]}"
    with FakeRegistry() as storage:
        storage.routes["/blob?signature=x"] = Reply(body=image.blobs[image.layers[0]])
        registry.routes[layer] = Reply(307, headers={"Location": f"http://{storage.host}/blob?signature=x"})
        for path, route in list(registry.routes.items()):
            registry.routes[path] = with_basic(route)
        resolved = resolve(registry, plain_http=frozenset({registry.host, storage.host}))
        assert resolved.uid == 1001
        assert "Authorization" in registry.asked[-1][1]
        assert [set(headers) & {"Authorization", "Cookie"} for _, headers in storage.asked] == [set()]


def test_credentials_do_not_come_back_with_a_redirect(registry: FakeRegistry, scrub: Path) -> None:
    login(scrub, registry.host)
    with FakeRegistry() as other:
        other.routes["/x"] = Reply(307, headers={"Location": f"http://{registry.host}/v2/team/secret"})
        registry.routes[MANIFEST] = with_basic(Reply(307, headers={"Location": f"http://{other.host}/x"}))
        refuse(registry, plain_http=frozenset({registry.host, other.host}))
        path, headers = registry.asked[-1]
        assert (path, "Authorization" in headers) == ("/v2/team/secret", False)


def test_host_behind_a_redirect_cannot_ask_for_credentials(registry: FakeRegistry, scrub: Path) -> None:
    login(scrub, registry.host)
    with FakeRegistry() as other:
        other.routes["/x"] = Reply(401, headers={"WWW-Authenticate": 'Basic realm="x"'})
        registry.routes[MANIFEST] = Reply(307, headers={"Location": f"http://{other.host}/x"})
        assert "denies access (401)" in refuse(registry, plain_http=frozenset({registry.host, other.host}))
        assert "Authorization" not in other.asked[0][1]


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("https://127.0.0.1:1/x", "which is not http: not followed"),
        ("file:///etc/passwd", "which is not http: not followed"),
        ("ftp://127.0.0.1/x", "not followed"),
        ("http://127.0.0.1:1/x", "if you trust it, --plain-http 127.0.0.1:1"),
        ("http://user:secret@HOST/x", "not followed"),
        ("http://[::1/x", "no address"),
        ("MANIFEST", "redirects more than 5 times"),
    ],
)
def test_redirects_that_are_not_followed(registry: FakeRegistry, location: str, message: str) -> None:
    location = location.replace("HOST", registry.host).replace("MANIFEST", MANIFEST)
    registry.routes[MANIFEST] = Reply(302, headers={"Location": location})
    assert message in refuse(registry)
    assert len(registry.asked) <= 6


def test_body_of_a_redirect_is_not_read(registry: FakeRegistry) -> None:
    registry.routes[MANIFEST] = Reply(302, b"x" * 100_000_000, {"Location": "/x"})
    assert "does not exist" in refuse(registry)
    assert registry.sent < 50 * MIB


# Who is asking


def login(docker: Path, host: str, **entry: str) -> None:
    entry = entry or {"auth": "dXNlcjpzZWNyZXQ="}
    (docker / "config.json").write_text(json.dumps({"auths": {host: entry}}))


def with_basic(route: Any) -> Any:
    def answer(handler: BaseHTTPRequestHandler) -> Reply:
        if handler.headers.get("Authorization") != "Basic dXNlcjpzZWNyZXQ=":
            return Reply(401, headers={"WWW-Authenticate": 'Basic realm="here"'})
        return route if isinstance(route, Reply) else route(handler)  # type: ignore[no-any-return]

    return answer


def with_token(registry: FakeRegistry, route: Any, token: str = "t0ken") -> Any:
    challenge = f'Bearer realm="http://{registry.host}/token",service="here, there",scope="repository:team/app:pull"'

    def answer(handler: BaseHTTPRequestHandler) -> Reply:
        if handler.headers.get("Authorization") != f"Bearer {token}":
            return Reply(401, headers={"WWW-Authenticate": challenge})
        return route if isinstance(route, Reply) else route(handler)  # type: ignore[no-any-return]

    return answer


TOKEN = "/token?service=here%2C+there&scope=repository%3Ateam%2Fapp%3Apull"


def test_anonymous_token(registry: FakeRegistry) -> None:
    registry.add(make_image([], "5"))
    registry.routes = {path: with_token(registry, route) for path, route in registry.routes.items()}
    registry.routes[TOKEN] = Reply(body=b'{"token": "t0ken"}')
    assert resolve(registry).requests == 4
    assert "Authorization" not in dict(registry.asked)[TOKEN]


@pytest.mark.parametrize(("field", "challenge"), [("token", "Bearer"), ("access_token", "Bearer")])
def test_token_for_credentials(registry: FakeRegistry, scrub: Path, field: str, challenge: str) -> None:
    registry.add(make_image([], "5"))
    login(scrub, registry.host)
    registry.routes = {path: with_token(registry, route) for path, route in registry.routes.items()}
    registry.routes[TOKEN] = with_basic(Reply(body=json.dumps({field: "t0ken"}).encode()))
    registry.routes[TOKEN] = Reply(body=json.dumps({field: "t0ken"}).encode())
    assert resolve(registry).uid == 5
    assert dict(registry.asked)[TOKEN]["Authorization"] == "Basic dXNlcjpzZWNyZXQ="


def test_identity_token_is_exchanged(registry: FakeRegistry, scrub: Path) -> None:
    registry.add(make_image([], "5"))
    login(scrub, registry.host, auth="dXNlcjpzZWNyZXQ=", identitytoken="refresh")
    registry.routes = {path: with_token(registry, route) for path, route in registry.routes.items()}
    registry.routes["/token"] = Reply(body=b'{"access_token": "t0ken"}')
    assert resolve(registry).uid == 5
    form = dict(registry.asked)["/token"]["body"]
    assert "grant_type=refresh_token" in form
    assert "refresh_token=refresh" in form
    registry.routes["/token"] = Reply(307, headers={"Location": "/elsewhere"})
    assert "redirects a request with a secret" in refuse(registry)


def test_credential_helper(registry: FakeRegistry, scrub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry.add(make_image([], "5"))
    registry.routes = {path: with_basic(route) for path, route in registry.routes.items()}
    helper = scrub / "docker-credential-test"
    helper.write_text('#!/bin/sh\nread host\necho "{\\"Username\\":\\"user\\",\\"Secret\\":\\"secret\\"}"\n')
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{scrub}:/usr/bin:/bin")
    (scrub / "config.json").write_text(json.dumps({"credHelpers": {registry.host: "test"}}))
    assert resolve(registry).uid == 5
    (scrub / "config.json").write_text(json.dumps({"credsStore": "missing"}))
    assert "check Docker's config.json and its credential helper" in refuse(registry)
    helper.write_text("#!/bin/sh\necho garbage\n")
    (scrub / "config.json").write_text(json.dumps({"credsStore": "test"}))
    assert "credentials for" in refuse(registry)


def test_credentials_are_not_looked_for_unasked(registry: FakeRegistry, scrub: Path) -> None:
    registry.add(make_image([], "5"))
    (scrub / "config.json").write_text(json.dumps({"credsStore": "missing"}))
    assert resolve(registry).uid == 5


def test_netrc_stays_home(registry: FakeRegistry, scrub: Path) -> None:
    (scrub.parent / ".netrc").write_text("machine 127.0.0.1 login user password secret\n")
    (scrub.parent / ".netrc").chmod(0o600)
    registry.add(make_image([], "5"))
    resolve(registry)
    assert all("Authorization" not in headers for _, headers in registry.asked)


@pytest.mark.parametrize(
    ("challenge", "token", "message"),
    [
        ('Basic realm="x"', Reply(), "or it wants to know who asks: check the name, or `docker login HOST`"),
        ("Negotiate", Reply(), "a kind of login that is not known here"),
        ("", Reply(), "a kind of login that is not known here"),
        ("Bearer ", Reply(), "not known here"),
        ('Bearer realm="http://HOST/t"', Reply(401), "wants to know who asks"),
        ('Bearer realm="http://HOST/t"', Reply(500), "the token server HOST answers 500"),
        ('Bearer realm="http://HOST/t"', Reply(body=b"<html>"), "answers without a token"),
        ('Bearer realm="http://HOST/t"', Reply(body=b"{}"), "answers without a token"),
        ('Bearer realm="http://HOST/t"', Reply(body=b'{"token": "a\\r\\nX: b"}'), "answers without a token"),
        ('Bearer realm="http://HOST/t"', Reply(body=b'{"token": "wrong"}'), "wants to know who asks"),
        ('Bearer realm="http://HOST/t"', Reply(body=b" " * 2 * MIB), "a token has 2097152 bytes, more than"),
        ('Bearer realm="http://127.0.0.1:1/t"', Reply(), "if you trust it, --plain-http 127.0.0.1:1"),
        ('Bearer realm="file:///etc/passwd"', Reply(), "not followed"),
        ('Bearer realm="//x"', Reply(), "not followed"),
    ],
)
def test_challenges_that_lead_nowhere(registry: FakeRegistry, challenge: str, token: Reply, message: str) -> None:
    challenge = challenge.replace("HOST", registry.host)
    registry.routes[MANIFEST] = Reply(401, headers={"WWW-Authenticate": challenge})
    registry.routes["/t?scope=repository%3Ateam%2Fapp%3Apull"] = token
    assert message.replace("HOST", registry.host) in refuse(registry)


def test_scope_is_pulling_and_nothing_more(registry: FakeRegistry) -> None:
    challenge = (
        f'Bearer realm="http://{registry.host}/t?a=b",scope="repository:team/app:pull,push repository:other:delete"'
    )
    registry.routes[MANIFEST] = Reply(401, headers={"WWW-Authenticate": challenge})
    refuse(registry)
    assert registry.paths[-1] == "/t?a=b&scope=repository%3Ateam%2Fapp%3Apull"


def test_refused_credentials(registry: FakeRegistry, scrub: Path) -> None:
    login(scrub, registry.host)
    registry.routes[MANIFEST] = Reply(401, headers={"WWW-Authenticate": 'Basic realm="x"'})
    assert "your credentials are refused" in refuse(registry)
    assert len(registry.asked) == 2


# TLS


def test_tls_that_is_not_trusted_and_then_is(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    with FakeRegistry(certificate) as registry:
        registry.add(make_image([], "5"))
        message = refuse(registry, plain_http=frozenset())
        assert f"the certificate of {registry.host} is not trusted" in message
        assert "--registry-ca FILE" in message
        assert registry.asked == []
        assert resolve(registry, plain_http=frozenset(), ca_file=str(certificate[0])).uid == 5


def test_certificate_that_the_system_trusts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = make_certificate(tmp_path)
    # OpenSSL's own name for another file of the system's certificates.
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    with FakeRegistry(certificate) as registry:
        registry.add(make_image([], "5"))
        assert resolve(registry, plain_http=frozenset()).uid == 5


def test_proxy_of_the_environment(registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that does not connect: for https it is asked, and its refusal is one line."""
    monkeypatch.setenv("HTTPS_PROXY", f"http://{registry.host}")
    assert "the connection to" in refuse(registry, plain_http=frozenset())
    monkeypatch.setenv("HTTP_PROXY", f"http://{registry.host}")
    registry.routes[f"http://{registry.host}{MANIFEST}"] = Reply(403)
    assert "denies access" in refuse(registry)


def test_https_never_leads_to_http(tmp_path: Path, registry: FakeRegistry) -> None:
    certificate = make_certificate(tmp_path)
    with FakeRegistry(certificate) as secure:
        both = frozenset({registry.host})
        secure.routes[MANIFEST] = Reply(302, headers={"Location": f"http://{registry.host}/x"})
        assert "which is not https: not followed" in refuse(secure, plain_http=both, ca_file=str(certificate[0]))
        challenge = f'Bearer realm="http://{registry.host}/token"'
        secure.routes[MANIFEST] = Reply(401, headers={"WWW-Authenticate": challenge})
        assert "which is not https: not followed" in refuse(secure, plain_http=both, ca_file=str(certificate[0]))
        assert registry.asked == []


def test_plain_http_only_when_asked(registry: FakeRegistry) -> None:
    registry.add(make_image([], "5"))
    assert f"does not speak TLS: if it speaks plain HTTP on purpose, --plain-http {registry.host}" in refuse(
        registry, plain_http=frozenset()
    )
    assert registry.asked == []


# Layers


def gzip_bomb(size: int) -> bytes:
    """A file of zeros before anything else, in a layer of a thousandth of its size."""
    entry = tarfile.TarInfo("zeros")
    entry.size = size
    target = io.BytesIO()
    with gzip.GzipFile(fileobj=target, mode="wb", mtime=0) as packed:
        packed.write(entry.tobuf())
        for _ in range(size // MIB):
            packed.write(bytes(MIB))
    return target.getvalue()


@pytest.mark.parametrize(
    ("layers", "limits", "message"),
    [
        ([gzip_bomb(64 * MIB)], {"decompressed": 8 * MIB}, "more than 8388608 bytes of decompressed layers"),
        ([gzip_bomb(4 * MIB)] * 20, {"decompressed": 8 * MIB}, "more than 8388608 bytes of decompressed"),
        ([gzip.compress(b"") * 50_000], {"seconds": 0}, "took longer than 0 seconds"),
        ([{f"f{n}": b"" for n in range(3000)}], {"entries": 1000}, "more than 1000 files in its layers"),
        ([{"a": b"x" * MIB}], {"compressed": 100_000}, "more than 100000 bytes to download"),
        ([{f"f{n}": b""} for n in range(60)], {"requests": 50}, "more than 50 requests"),
        ([{}] * 60, {"layers": 50}, "has 60 layers, more than 50"),
        ([{"etc/passwd": b"x" * 3000}], {"user_file": 2000}, "its /etc/passwd has more than 2000 bytes"),
        ([b"<html>not found</html>" * 50], {}, "no tar archive|cannot be read"),
        ([gzip.compress(make_tar({"a": b"x" * 5000}))[:-20]], {}, "middle of its compression"),
    ],
)
def test_layers_that_are_traps(registry: FakeRegistry, layers: list[Any], limits: dict[str, Any], message: str) -> None:
    import re

    registry.add(make_image(layers, compression="none"))
    found = refuse(registry, limits=limits)
    assert re.search(message, found), found


def test_many_layers_in_seconds(registry: FakeRegistry) -> None:
    """What 10,000 layers would cost is bounded by the limits; 500, with the answer at the bottom, are allowed."""
    image = make_image([{"etc/passwd": b"python:x:1001:1::/:"}, *({f"layer{n}": b""} for n in range(499))])
    registry.add(image)
    resolved = resolve(registry)
    assert (resolved.uid, resolved.requests) == (1001, 502)


def test_layer_that_stalls(registry: FakeRegistry) -> None:
    image = make_image([{"a": b"x" * 5000}], compression="none")
    registry.add(image)
    data = image.blobs[image.layers[0]]
    registry.routes[f"/v2/team/app/blobs/{image.layers[0]}"] = Reply(body=data, pause=1, chunk=1000)
    assert "does not answer in time" in refuse(registry, limits={"read_seconds": 0.2})


def test_index_of_hundreds(registry: FakeRegistry) -> None:
    entry = {"mediaType": make_image().media_type, "digest": digest(b""), "size": 1}
    registry.add_manifest(json.dumps({"schemaVersion": 2, "manifests": [entry] * 200}).encode(), OCI_INDEX)
    assert "its index names 200 images, more than 128" in refuse(registry)
