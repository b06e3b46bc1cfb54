"""A real registry on loopback, with images that a real tool pushed to it."""

from __future__ import annotations

import base64
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from postrenderer.registry import Access, RegistryError, Resolved, parse_mirror, resolve_image
from tests.registry.real import RealRegistry
from tests.registry.support import COMPRESSIONS, DIRECTORY, GROUP, PASSWD, Files, Link, make_image
from tests.registry.tls import make_certificate

pytestmark = pytest.mark.e2e

ETC: Files = {"etc": DIRECTORY, "etc/passwd": PASSWD, "etc/group": GROUP}
UPPER: Files = {"etc": DIRECTORY, "etc/passwd": PASSWD.replace(b"1001", b"4321")}
BASE: Files = {**{f"usr/share/file{n}": b"x" * 500 for n in range(50)}, **ETC}


@pytest.fixture(scope="module")
def real() -> Iterator[RealRegistry]:
    with tempfile.TemporaryDirectory() as directory, RealRegistry(Path(directory)) as started:
        yield started


def resolve(registry: RealRegistry, name: str, **kwargs: Any) -> Resolved:
    access = Access(plain_http=frozenset() if registry.certificate else frozenset({registry.host}), **kwargs)
    return resolve_image(f"{registry.host}/{name}", access)


@pytest.mark.parametrize(
    ("user", "uid", "gid", "named", "requests"),
    [
        ("", 0, 0, False, 2),
        ("0", 0, 0, False, 2),
        ("1001", 1001, None, False, 2),
        ("007", 7, None, False, 2),
        ("65532:65532", 65532, 65532, False, 2),
        ("python", 1001, 1002, True, 3),
        ("python:staff", 1001, 50, True, 3),
        ("1001:staff", 1001, 50, False, 3),
        ("root", 0, 0, True, 3),
    ],
)
def test_every_form_of_user(
    real: RealRegistry, user: str, uid: int, gid: int | None, named: bool, requests: int
) -> None:
    name = f"users/u{user.encode().hex()}:1"
    pushed = real.push([make_image([BASE], user)], name)
    resolved = resolve(real, name)
    assert (resolved.uid, resolved.gid, resolved.named, resolved.requests) == (uid, gid, named, requests)
    assert resolved.digest == pushed


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_compressions_and_no_layer_beyond_need(real: RealRegistry, compression: str) -> None:
    image = make_image([{"below": b"x" * 100_000}, UPPER, {"top": b"y"}], compression=compression)
    real.push([image], f"packed:{compression}")
    resolved = resolve(real, f"packed:{compression}")
    assert (resolved.uid, resolved.requests) == (4321, 4)
    below = len(image.blobs[image.layers[0]])
    assert resolved.bytes <= len(image.manifest) + sum(len(each) for each in image.blobs.values()) - below


@pytest.mark.parametrize("docker", [True, False])
def test_schema_2_and_oci_index(real: RealRegistry, docker: bool) -> None:
    images = [
        make_image([BASE], "python"),
        make_image([UPPER], "python", platform=("linux", "arm64")),
    ]
    name = f"index:{'docker' if docker else 'oci'}"
    pushed = real.push(images, name, docker=docker)
    resolved = resolve(real, name)
    assert (resolved.uid, resolved.named, resolved.digest, resolved.requests) == (None, True, pushed, 7)
    assert resolved.disagreement == "linux/amd64 runs as 1001, linux/arm64 as 4321"
    assert resolve(real, f"index@{pushed}", platforms=("linux/arm64",)).uid == 4321


@pytest.mark.parametrize(
    ("layers", "uid", "requests"),
    [
        ([BASE, UPPER], 4321, 3),
        ([BASE, {"app": b""}], 1001, 4),
        ([BASE, {"etc/.wh.passwd": b""}, UPPER], 4321, 3),
        ([{"etc/passwd": Link("/usr/lib/passwd"), "usr/lib/passwd": PASSWD}], 1001, 3),
        ([{"etc": Link("usr/etc"), "usr/etc/passwd": PASSWD}, {"app": b""}], 1001, 4),
        ([{"nix/store/p": PASSWD}, {"etc/passwd": Link("/nix/store/p")}], 1001, 5),
    ],
)
def test_where_passwd_is(real: RealRegistry, layers: list[Files], uid: int, requests: int) -> None:
    name = f"where:{requests}{len(layers)}{uid}{'link' if len(layers[0]) < 5 else ''}"
    real.push([make_image(layers)], name)
    resolved = resolve(real, name)
    assert (resolved.uid, resolved.requests) == (uid, requests)


@pytest.mark.parametrize(
    ("layers", "user", "message"),
    [
        ([{"app": b""}], "python", "the image has no /etc/passwd: no container runtime starts it"),
        ([BASE, {"etc/.wh..wh..opq": b""}], "python", "the image has no /etc/passwd"),
        ([BASE], "nobody", "nobody is not in the image's /etc/passwd"),
        ([BASE], "python:wheel", "wheel is not in the image's /etc/group"),
        ([{"etc/passwd": Link("../etc/passwd")}], "python", "is a link that leads on"),
    ],
)
def test_user_that_is_not_there(real: RealRegistry, layers: list[Files], user: str, message: str) -> None:
    name = f"missing:m{len(message)}"
    real.push([make_image(layers, user)], name)
    with pytest.raises(RegistryError, match=message):
        resolve(real, name)


def test_what_does_not_exist(real: RealRegistry) -> None:
    real.push([make_image([], "1")], "exists:1")
    for name in ("nothing:1", "exists:2", "exists@sha256:" + "0" * 64):
        with pytest.raises(RegistryError, match=f"does not exist at {real.host}, or you may not see it"):
            resolve(real, name)


def test_mirror(real: RealRegistry) -> None:
    real.push([make_image([], "11")], "hub/library/redis:7")
    access = Access(mirrors=(parse_mirror(f"docker.io={real.host}/hub"),), plain_http=frozenset({real.host}))
    assert resolve_image("redis:7", access).uid == 11


def test_htpasswd(tmp_path: Path, scrub: Path) -> None:
    with RealRegistry(tmp_path, password="secret") as registry:
        registry.push([make_image([BASE])], "private/app:1")
        with pytest.raises(RegistryError, match=f"wants to know who asks: .*`docker login {registry.host}`"):
            resolve(registry, "private/app:1")
        for password, message in [("wrong", "your credentials are refused"), ("secret", "")]:
            auth = base64.b64encode(f"user:{password}".encode()).decode()
            (scrub / "config.json").write_text(json.dumps({"auths": {registry.host: {"auth": auth}}}))
            if message:
                with pytest.raises(RegistryError, match=message):
                    resolve(registry, "private/app:1")
        resolved = resolve(registry, "private/app:1")
        # The first request is refused; the others carry the credentials from the start.
        assert (resolved.uid, resolved.requests) == (1001, 4)


def test_tls(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    with RealRegistry(tmp_path, certificate=certificate) as registry:
        registry.push([make_image([BASE])], "secure/app:1")
        with pytest.raises(RegistryError, match=r"is not trusted .*--registry-ca FILE"):
            resolve(registry, "secure/app:1")
        assert resolve(registry, "secure/app:1", ca_file=str(certificate[0])).uid == 1001
