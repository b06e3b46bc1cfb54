from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from postrenderer.registry.errors import RegistryError
from postrenderer.registry.manifest import (
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    OCI_MANIFEST,
    ImageConfig,
    Index,
    Manifest,
    parse_config,
    parse_manifest,
    verify_digest,
)
from tests.registry.support import digest, make_image, make_index

D = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(b""), "size": 0}


def parse(values: Any, media_type: str = OCI_MANIFEST) -> Manifest | Index:
    data = values if isinstance(values, bytes) else json.dumps(values).encode()
    return parse_manifest(data, media_type, 10, 10)


@pytest.mark.parametrize("docker", [True, False])
def test_image_manifest(docker: bool) -> None:
    image = make_image([{"a": b"1"}, {"b": b"2"}], docker=docker)
    manifest = parse(image.manifest, "text/plain")
    assert isinstance(manifest, Manifest)
    assert [layer.digest for layer in manifest.layers] == image.layers


@pytest.mark.parametrize("docker", [True, False])
def test_index_without_attestations(docker: bool) -> None:
    images = [make_image(docker=docker), make_image(platform=("linux", "arm64"), docker=docker)]
    index = parse(make_index(images, docker=docker, attest=True))
    assert isinstance(index, Index)
    assert [each.platform for each in index.manifests] == ["linux/amd64", "linux/arm64"]


def test_oci_manifest_that_does_not_state_its_type() -> None:
    assert isinstance(parse({"schemaVersion": 2, "config": D, "layers": []}), Manifest)
    assert isinstance(parse({"schemaVersion": 2, "config": D, "layers": []}, "application/json"), Manifest)
    assert isinstance(parse({"schemaVersion": 2, "manifests": []}, DOCKER_INDEX), Index)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (b"<html>", "no JSON object"),
        (b"[" * 200_000, "no JSON object"),
        (b"\xff\xfe", "no JSON object"),
        (b"[]", "no JSON object"),
        (b"{}", "no list of layers"),
        ({"schemaVersion": 1}, "schema 1"),
        ({"mediaType": 7}, "schema 1"),
        ({"mediaType": "application/vnd.docker.distribution.manifest.v1+prettyjws"}, "schema 1"),
        ({"mediaType": "text/html"}, "neither"),
        ({"manifests": [], "layers": [], "config": D}, "at once"),
        (
            {"layers": [], "config": {**D, "mediaType": "application/vnd.cncf.helm.config.v1+json"}},
            "no container image",
        ),
        ({"layers": [D] * 11, "config": D}, "11 layers"),
        ({"manifests": [D] * 11, "mediaType": DOCKER_INDEX}, "names 11 images"),
        ({"layers": {}, "config": D}, "no list of layers"),
        ({"layers": [], "config": "x"}, "points nowhere"),
        ({"layers": [], "config": {**D, "digest": "sha256:../../etc/passwd"}}, "digest that is none"),
        ({"layers": [], "config": {**D, "digest": "md5:" + "0" * 32}}, "unknown algorithm"),
        ({"layers": [], "config": {**D, "digest": None}}, "digest"),
        ({"layers": [], "config": {**D, "size": -1}}, "without a size"),
        ({"layers": [], "config": {**D, "size": True}}, "without a size"),
        ({"layers": [], "config": {**D, "size": "1"}}, "without a size"),
        ({"layers": [], "config": {**D, "mediaType": 1}}, "media type"),
    ],
)
def test_what_is_no_manifest(values: Any, message: str) -> None:
    with pytest.raises(RegistryError, match=message):
        parse(values)


@pytest.mark.parametrize(
    ("values", "user"),
    [
        ({}, ""),
        ({"config": None}, ""),
        ({"config": {}}, ""),
        ({"config": {"User": None}}, ""),
        ({"config": {"User": "python"}}, "python"),
    ],
)
def test_config(values: dict[str, Any], user: str) -> None:
    assert parse_config(json.dumps(values | {"os": "linux", "architecture": "arm", "variant": "v7"}).encode()) == (
        ImageConfig(user, "linux/arm/v7")
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "no JSON object"),
        ({"config": []}, "no text"),
        ({"config": {"User": 1001}}, "no text"),
        ({"config": {"User": "a\nb"}}, "cannot be a user"),
        ({"config": {"User": "\x1b[2J"}}, r"cannot be a user"),
        ({"config": {"User": "a" * 1025}}, "cannot be a user"),
    ],
)
def test_what_is_no_config(values: Any, message: str) -> None:
    with pytest.raises(RegistryError, match=message) as caught:
        parse_config(json.dumps(values).encode())
    assert caught.value.message.isprintable()


def test_digests_of_both_algorithms() -> None:
    verify_digest(b"a", digest(b"a"), "it")
    verify_digest(b"a", f"sha512:{hashlib.sha512(b'a').hexdigest()}", "it")
    with pytest.raises(RegistryError, match="it is not what its digest"):
        verify_digest(b"b", digest(b"a"), "it")


def test_docker_manifest_type_is_the_documents_own() -> None:
    assert isinstance(parse({"mediaType": DOCKER_MANIFEST, "config": D, "layers": []}, DOCKER_INDEX), Manifest)
