"""Images made in memory, and a registry in a thread that misbehaves as it is told to."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import ssl
import tarfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from postrenderer.registry import Access, Limits, RegistryError, Resolved, resolve_image
from postrenderer.registry.manifest import DOCKER_INDEX, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST

PASSWD = b"root:x:0:0:root:/root:/bin/sh\npython:x:1001:1002:,,,:/home/python:/bin/sh\n"
GROUP = b"root:x:0:\nstaff:x:50:python\n"


@dataclass(frozen=True)
class Link:
    target: str
    hard: bool = False


DIRECTORY = object()
Files = dict[str, Any]
"""Names and what they are: bytes, a `Link`, `DIRECTORY`."""


def make_tar(files: Files, *, format: int = tarfile.PAX_FORMAT) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=format) as archive:
        for name, what in files.items():
            entry = tarfile.TarInfo(name)
            data = b""
            if isinstance(what, Link):
                entry.type = tarfile.LNKTYPE if what.hard else tarfile.SYMTYPE
                entry.linkname = what.target
            elif what is DIRECTORY:
                entry.type = tarfile.DIRTYPE
            else:
                data = what
                entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return target.getvalue()


def compress_zstd(data: bytes) -> bytes:
    import sys

    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return bytes(zstd.compress(data))


COMPRESSIONS: dict[str, tuple[Callable[[bytes], bytes], str, str]] = {
    "none": (bytes, "application/vnd.oci.image.layer.v1.tar", "application/vnd.docker.image.rootfs.diff.tar"),
    "gzip": (
        lambda data: gzip.compress(data, mtime=0),
        "application/vnd.oci.image.layer.v1.tar+gzip",
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
    ),
    "zstd": (compress_zstd, "application/vnd.oci.image.layer.v1.tar+zstd", ""),
}


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@dataclass
class Image:
    """An image of one platform: its manifest, and its blobs by digest."""

    manifest: bytes
    blobs: dict[str, bytes]
    layers: list[str]
    platform: tuple[str, str] = ("linux", "amd64")
    docker: bool = False

    @property
    def media_type(self) -> str:
        return DOCKER_MANIFEST if self.docker else OCI_MANIFEST


def make_image(
    layers: Sequence[Files | bytes] = (),
    user: Any = "python",
    *,
    compression: str = "gzip",
    docker: bool = False,
    platform: tuple[str, str] = ("linux", "amd64"),
) -> Image:
    """`layers` from the bottom up; bytes are taken as they are."""
    pack, oci_type, docker_type = COMPRESSIONS[compression]
    tars = [make_tar(layer) if isinstance(layer, dict) else None for layer in layers]
    packed = [
        pack(tar) if tar is not None else bytes(layer)  # type: ignore[arg-type]
        for tar, layer in zip(tars, layers, strict=True)
    ]
    config = json.dumps(
        {
            "architecture": platform[1],
            "os": platform[0],
            "config": {"User": user},
            "rootfs": {"type": "layers", "diff_ids": [digest(tar or b"") for tar in tars]},
        }
    ).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": DOCKER_MANIFEST if docker else OCI_MANIFEST,
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json"
            if docker
            else "application/vnd.oci.image.config.v1+json",
            "digest": digest(config),
            "size": len(config),
        },
        "layers": [
            {"mediaType": docker_type if docker else oci_type, "digest": digest(data), "size": len(data)}
            for data in packed
        ],
    }
    blobs = {digest(data): data for data in (config, *packed)}
    return Image(json.dumps(manifest).encode(), blobs, [digest(data) for data in packed], platform, docker)


def make_index(images: Sequence[Image], *, docker: bool = False, attest: bool = False) -> bytes:
    entries: list[dict[str, Any]] = [
        {
            "mediaType": image.media_type,
            "digest": digest(image.manifest),
            "size": len(image.manifest),
            "platform": {"os": image.platform[0], "architecture": image.platform[1]},
        }
        for image in images
    ]
    if attest:
        entries.append(
            {
                "mediaType": OCI_MANIFEST,
                "digest": digest(b"attestation"),
                "size": 7,
                "platform": {"os": "unknown", "architecture": "unknown"},
                "annotations": {"vnd.docker.reference.type": "attestation-manifest"},
            }
        )
    media_type = DOCKER_INDEX if docker else OCI_INDEX
    return json.dumps({"schemaVersion": 2, "mediaType": media_type, "manifests": entries}).encode()


@dataclass
class Reply:
    """What the fake registry answers. `chunks` are written one by one, with `pause` seconds before each."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    pause: float = 0
    chunk: int = 0


Route = Reply | Callable[[BaseHTTPRequestHandler], Reply]


class FakeRegistry:
    """Answers from `routes`, and remembers who asked for what. Used as a context manager."""

    def __init__(self, certificate: tuple[Path, Path] | None = None) -> None:
        self.routes: dict[str, Route] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.sent = 0
        self.stop = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                outer._answer(self)

            do_POST = do_GET

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: Any) -> None:
                """Clients that hang up on purpose are what is tested."""

        self.server = Server(("127.0.0.1", 0), Handler)
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.host = f"127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> FakeRegistry:
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)

    def add(self, image: Image, name: str = "team/app", tag: str = "1.0") -> None:
        self.add_manifest(image.manifest, image.media_type, name, tag)
        for blob_digest, data in image.blobs.items():
            self.routes[f"/v2/{name}/blobs/{blob_digest}"] = Reply(body=data)

    def add_manifest(
        self, data: bytes, media_type: str = OCI_MANIFEST, name: str = "team/app", tag: str = "1.0"
    ) -> None:
        reply = Reply(body=data, headers={"Content-Type": media_type})
        self.routes[f"/v2/{name}/manifests/{tag}"] = reply
        self.routes[f"/v2/{name}/manifests/{digest(data)}"] = reply

    def add_index(self, images: Sequence[Image], name: str = "team/app", **kwargs: Any) -> None:
        for image in images:
            self.add(image, name, digest(image.manifest))
        self.add_manifest(make_index(images, **kwargs), OCI_INDEX, name)

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers.get("Content-Length") or 0)
        body = handler.rfile.read(length).decode()
        headers = dict(handler.headers.items()) | ({"body": body} if body else {})
        self.asked.append((handler.path, headers))
        route = self.routes.get(handler.path, Reply(404, b"{}"))
        reply = route if isinstance(route, Reply) else route(handler)
        handler.send_response(reply.status)
        for name, value in ({"Content-Length": str(len(reply.body))} | reply.headers).items():
            handler.send_header(name, value)
        handler.end_headers()
        step = reply.chunk or len(reply.body) or 1
        for at in range(0, len(reply.body), step):
            if reply.pause and self.stop.wait(reply.pause):
                return
            handler.wfile.write(reply.body[at : at + step])
            self.sent += len(reply.body[at : at + step])


def resolve(registry: FakeRegistry, image: str = "team/app:1.0", **kwargs: Any) -> Resolved:
    """Resolve an image of a fake registry by plain HTTP, without waiting between repetitions."""
    limits = Limits(**({"connect_seconds": 2, "read_seconds": 2, "seconds": 20} | kwargs.pop("limits", {})))
    kwargs.setdefault("plain_http", frozenset({registry.host}))
    kwargs.setdefault("sleep", lambda _: None)
    return resolve_image(f"{registry.host}/{image}", Access(limits=limits, **kwargs))


def refuse(registry: FakeRegistry, image: str = "team/app:1.0", **kwargs: Any) -> str:
    """The message with which an image is refused: one line that names the image."""
    with pytest.raises(RegistryError) as caught:
        resolve(registry, image, **kwargs)
    message = caught.value.message
    assert message.startswith(f"{registry.host}/{image}: ")
    assert message.isprintable()
    return message.removeprefix(f"{registry.host}/{image}: ")


def wait_until(condition: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.02)
