"""Debian's `docker-registry` on loopback, and `skopeo` to push to it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from postrenderer.registry.manifest import OCI_INDEX
from tests.registry.support import Image, digest, make_index


def find_program(name: str) -> str:
    """The path of a program of Debian's; skips the test where it is not installed, and fails with `CI` set."""
    path = shutil.which(name)
    if path is not None:
        return path
    if os.environ.get("CI"):
        pytest.fail(f"{name} is not installed: apt-get install {name}")
    pytest.skip(f"{name} is not installed: apt-get install {name}")


class RealRegistry:
    """A registry with its own configuration and storage, on a free port of 127.0.0.1. Used as a context manager."""

    def __init__(self, directory: Path, *, password: str = "", certificate: tuple[Path, Path] | None = None) -> None:
        self.program = find_program("docker-registry")
        self.directory = directory
        self.password = password
        self.certificate = certificate

    def __enter__(self) -> RealRegistry:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.host = f"127.0.0.1:{listener.getsockname()[1]}"
        configuration = self.directory / "config.json"
        configuration.write_text(json.dumps(self._configure()))
        with (self.directory / "log").open("wb") as log:
            command = [self.program, "serve", str(configuration)]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        self._wait()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(10)

    def _configure(self) -> dict[str, Any]:
        http: dict[str, Any] = {"addr": self.host, "secret": "only for tests"}
        values: dict[str, Any] = {
            "version": 0.1,
            "log": {"level": "error", "accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": str(self.directory / "data")}},
            "http": http,
        }
        if self.certificate is not None:
            http["tls"] = {"certificate": str(self.certificate[0]), "key": str(self.certificate[1])}
        if self.password:
            command = [find_program("htpasswd"), "-nbB", "user", self.password]
            users = subprocess.run(command, capture_output=True, check=True).stdout
            (self.directory / "htpasswd").write_bytes(users)
            values["auth"] = {"htpasswd": {"realm": "Registry Realm", "path": str(self.directory / "htpasswd")}}
        return values

    def _wait(self) -> None:
        end = time.monotonic() + 20
        host, _, port = self.host.partition(":")
        while True:
            assert self.process.poll() is None, (self.directory / "log").read_text()
            try:
                socket.create_connection((host, int(port)), 1).close()
            except OSError:
                assert time.monotonic() < end, "docker-registry does not listen"
                time.sleep(0.05)
            else:
                return

    def push(self, images: Sequence[Image], name: str, *, docker: bool = False) -> str:
        """Push an OCI image, or several as an index, as they are or as Docker's schema 2; answers the digest."""
        layout = self.directory / "layouts" / name.replace("/", "_").replace(":", "_")
        manifest, media_type = images[0].manifest, images[0].media_type
        if len(images) > 1:
            manifest, media_type = make_index(images), OCI_INDEX
        _write_layout(layout, images, manifest, media_type)
        digest_file = layout / "digest"
        command = [find_program("skopeo"), "--insecure-policy", "copy", "--quiet", "--all", "--dest-tls-verify=false"]
        command += ["--digestfile", str(digest_file), *(["--format", "v2s2"] if docker else ["--preserve-digests"])]
        command += ["--dest-creds", f"user:{self.password}"] if self.password else []
        pushed = subprocess.run(
            [*command, f"oci:{layout}:x", f"docker://{self.host}/{name}"], capture_output=True, text=True, check=False
        )
        assert pushed.returncode == 0, pushed.stderr
        return digest_file.read_text().strip()


def _write_layout(layout: Path, images: Sequence[Image], manifest: bytes, media_type: str) -> None:
    """An OCI image layout: https://github.com/opencontainers/image-spec/blob/main/image-layout.md."""
    blobs = layout / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    data = {digest(manifest): manifest}
    for image in images:
        data |= {digest(image.manifest): image.manifest, **image.blobs}
    for name, content in data.items():
        (blobs / name.partition(":")[2]).write_bytes(content)
    entry = {"mediaType": media_type, "digest": digest(manifest), "size": len(manifest)}
    entry["annotations"] = {"org.opencontainers.image.ref.name": "x"}  # type: ignore[assignment]
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
