"""Whole resolutions against a registry in a thread, which keeps count of what it is asked for."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from postrenderer.registry import Access, RegistryError, resolve_image
from tests.registry.support import (
    DIRECTORY,
    GROUP,
    PASSWD,
    FakeRegistry,
    Files,
    Link,
    Reply,
    digest,
    make_image,
    make_index,
    refuse,
    resolve,
)

ETC: Files = {"etc": DIRECTORY, "etc/passwd": PASSWD, "etc/group": GROUP}


@pytest.mark.parametrize(
    ("user", "uid", "gid", "named", "requests"),
    [
        ("", 0, 0, False, 2),
        (None, 0, 0, False, 2),
        ("0", 0, 0, False, 2),
        ("1001", 1001, None, False, 2),
        ("65532:65532", 65532, 65532, False, 2),
        ("python", 1001, 1002, True, 3),
        ("python:staff", 1001, 50, True, 3),
        ("1001:staff", 1001, 50, False, 3),
        ("root", 0, 0, True, 3),
    ],
)
def test_every_form_of_user(
    registry: FakeRegistry, user: str | None, uid: int, gid: int | None, named: bool, requests: int
) -> None:
    image = make_image([ETC, {"app/main.py": b"x"}] if requests == 2 else [ETC], user)
    registry.add(image)
    resolved = resolve(registry)
    assert (resolved.uid, resolved.gid, resolved.named, resolved.requests) == (uid, gid, named, requests)
    assert resolved.text == (user or "")
    assert resolved.reference == f"{registry.host}/team/app:1.0"
    assert resolved.digest == digest(image.manifest)
    assert resolved.disagreement == ""
    assert [each.platform for each in resolved.platforms] == ["linux/amd64"]


@pytest.mark.parametrize(
    ("compression", "docker"), [("none", False), ("gzip", False), ("zstd", False), ("none", True), ("gzip", True)]
)
def test_layers_are_read_from_the_top_and_no_more_than_needed(
    registry: FakeRegistry, compression: str, docker: bool
) -> None:
    image = make_image([{"base": b"x" * 9999}, ETC, {"top": b"y"}], compression=compression, docker=docker)
    registry.add(image)
    resolved = resolve(registry)
    _, middle, top = image.layers
    config = next(each for each in image.blobs if each not in image.layers)
    prefix = "/v2/team/app"
    assert registry.paths == [f"{prefix}/manifests/1.0", *(f"{prefix}/blobs/{each}" for each in (config, top, middle))]
    needed = [image.manifest, *(image.blobs[each] for each in (config, top, middle))]
    assert (resolved.uid, resolved.requests) == (1001, 4)
    # A layer that is not compressed is left in the middle, before the padding behind its last file.
    assert resolved.bytes == sum(map(len, needed)) or (compression == "none" and resolved.bytes < sum(map(len, needed)))


def test_large_layer_is_left_once_passwd_was_seen(registry: FakeRegistry) -> None:
    files: Files = {**ETC, "large": bytes(20_000_000)}
    image = make_image([files], compression="none")
    registry.add(image)
    resolved = resolve(registry)
    assert resolved.uid == 1001
    assert resolved.bytes < 200_000


def test_whiteout_symlink_and_upper_layer(registry: FakeRegistry) -> None:
    upper = PASSWD.replace(b"1001", b"4321")
    registry.add(make_image([ETC, {"etc/passwd": upper}]), tag="upper")
    registry.add(make_image([ETC, {"etc/.wh.passwd": b""}]), tag="whiteout")
    registry.add(make_image([{"etc/passwd": Link("/usr/lib/passwd"), "usr/lib/passwd": upper}]), tag="linked")
    registry.add(make_image([{"a": b""}]), tag="none")
    registry.add(make_image([ETC], "nobody"), tag="missing")
    assert resolve(registry, "team/app:upper").uid == 4321
    assert resolve(registry, "team/app:linked").uid == 4321
    assert "has no /etc/passwd" in refuse(registry, "team/app:whiteout")
    assert "has no /etc/passwd" in refuse(registry, "team/app:none")
    assert "nobody is not in the image's /etc/passwd" in refuse(registry, "team/app:missing")


def test_platforms_that_agree(registry: FakeRegistry) -> None:
    images = [
        make_image([ETC], "python"),
        make_image([ETC], "1001", platform=("linux", "arm64")),
        make_image([], "ContainerUser", platform=("windows", "amd64")),
    ]
    registry.add_index(images, attest=True)
    resolved = resolve(registry)
    assert (resolved.uid, resolved.gid, resolved.named, resolved.text) == (1001, None, True, "python, 1001")
    assert resolved.digest == digest(make_index(images, attest=True))
    assert [(each.platform, each.digest) for each in resolved.platforms] == [
        ("linux/amd64", digest(images[0].manifest)),
        ("linux/arm64", digest(images[1].manifest)),
    ]
    assert resolved.requests == 6


def test_platforms_that_disagree(registry: FakeRegistry) -> None:
    registry.add_index(
        [
            make_image([], user, platform=("linux", name))
            for name, user in [("amd64", "1001"), ("arm64", "65532"), ("s390x", "1001")]
        ]
    )
    resolved = resolve(registry)
    assert resolved.uid is None
    assert resolved.disagreement == "linux/amd64 and linux/s390x run as 1001, linux/arm64 as 65532"
    only = resolve(registry, platforms=("linux/arm64",))
    assert (only.uid, only.disagreement) == (65532, "")


def test_platform_of_an_index_that_is_not_there(registry: FakeRegistry) -> None:
    present, absent = make_image([], "1"), make_image([], "2", platform=("linux", "arm64"))
    registry.add(present, tag=digest(present.manifest))
    registry.add_manifest(make_index([present, absent]))
    assert refuse(registry).startswith("linux/arm64: does not exist at ")
    assert resolve(registry, platforms=("linux/amd64",)).uid == 1
    assert "is made for linux/amd64, linux/arm64" in refuse(registry, platforms=("linux/mips",))


def test_windows_alone_and_index_in_an_index(registry: FakeRegistry) -> None:
    windows = make_image([], "ContainerUser", platform=("windows", "amd64"))
    registry.add_index([windows])
    registry.add(windows, tag="single")
    inner = make_index([make_image()])
    registry.add_manifest(inner)
    outer = json.loads(inner)
    outer["manifests"][0] |= {"digest": digest(inner), "mediaType": outer["mediaType"]}
    registry.add_manifest(json.dumps(outer).encode(), tag="nested")
    registry.add_index([windows], name="win/app")
    assert "nothing there whose user" in refuse(registry, "win/app:1.0")
    assert "Windows image" in refuse(registry, "team/app:single")
    assert "names another index" in refuse(registry, "team/app:nested")


def test_pinned_digest_is_verified(registry: FakeRegistry) -> None:
    image = make_image([], "7")
    registry.add(image)
    pinned = digest(image.manifest)
    resolved = resolve(registry, f"team/app@{pinned}")
    assert (resolved.uid, resolved.digest, resolved.reference) == (7, pinned, f"{registry.host}/team/app")
    assert resolve(registry, f"team/app:other@{pinned}").reference == f"{registry.host}/team/app:other"
    registry.routes[f"/v2/team/app/manifests/{pinned}"] = Reply(body=make_image([], "8").manifest)
    assert "its manifest is not what its digest sha256:" in refuse(registry, f"team/app@{pinned}")


def test_changed_config_and_layers_are_refused(registry: FakeRegistry) -> None:
    image = make_image([{"a": b"1"}], compression="none")
    registry.add(image)
    config = next(each for each in image.blobs if each not in image.layers)
    layer = f"/v2/team/app/blobs/{image.layers[0]}"
    data = image.blobs[image.layers[0]]
    for body, message in [
        (data[:512] + b"2" + data[513:], "a layer is not what its digest"),
        (data + b"x", "longer than the"),
        (data[:-1], "broke off in the middle of a layer"),
    ]:
        registry.routes[layer] = Reply(body=body)
        assert message in refuse(registry)
    registry.routes[f"/v2/team/app/blobs/{config}"] = Reply(body=b"{}")
    assert "its configuration is not what its digest" in refuse(registry)


def test_mirror_is_asked_and_nobody_else(registry: FakeRegistry) -> None:
    from postrenderer.registry import parse_mirror

    registry.add(make_image([], "11"), name="hub/library/redis", tag="latest")
    access = Access(mirrors=(parse_mirror(f"docker.io={registry.host}/hub"),), plain_http=frozenset({registry.host}))
    resolved = resolve_image("redis", access)
    assert (resolved.uid, resolved.reference) == (11, "docker.io/library/redis:latest")
    with pytest.raises(RegistryError, match=rf"^nginx: does not exist at {registry.host}"):
        resolve_image("nginx", access)


def test_encrypted_layer_and_foreign_artifact(registry: FakeRegistry) -> None:
    image = make_image([ETC])
    manifest = json.loads(image.manifest)
    manifest["layers"][0]["mediaType"] += "+encrypted"
    registry.add(image)
    registry.add_manifest(json.dumps(manifest).encode())
    assert "encrypted layer" in refuse(registry)
    manifest["config"]["mediaType"] = "application/vnd.cncf.helm.config.v1+json"
    registry.add_manifest(json.dumps(manifest).encode())
    assert "no container image but application/vnd.cncf.helm.config.v1+json" in refuse(registry)


def test_missing_extra_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "docker.auth", None)
    with pytest.raises(RegistryError, match=r"pip install 'sandbox-postrenderer\[registry\]'"):
        resolve_image("redis")


def test_importing_the_package_needs_no_extra() -> None:
    code = (
        "import sys; sys.modules.update(dict.fromkeys(('requests', 'urllib3', 'docker', 'backports.zstd')));"
        "import postrenderer.registry"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
