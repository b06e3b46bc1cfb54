"""Manifests, indexes and image configurations: Docker's schema 2 and OCI's, which differ in media types only."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from postrenderer.registry.errors import RegistryError, quote_text
from postrenderer.registry.mirrors import is_digest

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
MANIFESTS = (OCI_MANIFEST, DOCKER_MANIFEST)
INDEXES = (OCI_INDEX, DOCKER_INDEX)
ACCEPT = ", ".join((*INDEXES, *MANIFESTS))
CONFIGS = ("application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json")
_SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1"
_USER_LENGTH = 1024


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What points at a blob or manifest. `platform` is `os/architecture[/variant]`, empty where it is not stated."""

    media_type: str
    digest: str
    size: int
    platform: str = ""


@dataclass(frozen=True, slots=True)
class Manifest:
    """One platform's image: its configuration, and its layers from the bottom up."""

    config: Descriptor
    layers: tuple[Descriptor, ...]


@dataclass(frozen=True, slots=True)
class Index:
    """The images of several platforms; attestations and what else is no image are left out."""

    manifests: tuple[Descriptor, ...]


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """What of an image's configuration matters here: the text of `USER`, and the platform."""

    user: str
    platform: str


def digest_data(data: bytes) -> str:
    """The digest that registries give a manifest by default."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def verify_digest(data: bytes, digest: str, what: str) -> None:
    """Refuse data that is not what its digest says. `digest` is a valid one."""
    if hashlib.new(digest.partition(":")[0], data).hexdigest() != digest.partition(":")[2]:
        raise digest_error(digest, what)


def digest_error(digest: str, what: str) -> RegistryError:
    return RegistryError(f"{what} is not what its digest {digest[:19]}... says: the registry or a proxy changed it")


def parse_manifest(data: bytes, media_type: str, layer_limit: int, manifest_limit: int) -> Manifest | Index:
    """Read a manifest or an index; `RegistryError` where it is neither, or is one of something else than an image.

    `media_type` is what the registry states, for the OCI documents that do not state it themselves.
    """
    values = _parse_object(data, "its manifest")
    stated = values.get("mediaType", media_type)
    if not isinstance(stated, str) or stated.startswith(_SCHEMA_1) or values.get("schemaVersion") == 1:
        raise RegistryError("is stored in the withdrawn schema 1: push it again with a current tool")
    if "manifests" in values and ("layers" in values or "config" in values):
        # GHSA-mc8v-mgrf-8f4m: one digest, two readings.
        raise RegistryError("its manifest is a manifest and an index at once: it is not what it seems")
    if stated in INDEXES or (stated not in MANIFESTS and "manifests" in values):
        return _parse_index(values, manifest_limit)
    if stated in MANIFESTS or "layers" in values:
        return _parse_image(values, layer_limit)
    raise RegistryError("its manifest is neither an image's nor an index: its host may be no registry")


def parse_config(data: bytes) -> ImageConfig:
    """Read an image configuration. A missing `config` or `User` is the empty user, as Docker writes it."""
    values = _parse_object(data, "its configuration")
    config = values.get("config")
    user = config.get("User") if isinstance(config, dict) else None
    if user is None:
        user = ""
    if not isinstance(user, str) or not isinstance(config, (dict, type(None))):
        raise RegistryError("its configuration has a user that is no text")
    if len(user) > _USER_LENGTH or (user and not user.isprintable()):
        raise RegistryError(f"its USER {quote_text(user, 40)} cannot be a user")
    return ImageConfig(user, _read_platform(values))


def _parse_image(values: dict[str, Any], limit: int) -> Manifest:
    layers = _read_list(values, "layers")
    if len(layers) > limit:
        raise RegistryError(f"has {len(layers)} layers, more than {limit}: state its user with --image-uid instead")
    config = _parse_descriptor(values.get("config"))
    if config.media_type not in CONFIGS:
        raise RegistryError(f"is no container image but {quote_text(config.media_type)}")
    return Manifest(config, tuple(_parse_descriptor(layer) for layer in layers))


def _parse_index(values: dict[str, Any], limit: int) -> Index:
    entries = _read_list(values, "manifests")
    if len(entries) > limit:
        raise RegistryError(f"its index names {len(entries)} images, more than {limit}")
    return Index(tuple(_parse_descriptor(entry) for entry in entries if not _is_attestation(entry)))


def _is_attestation(entry: Any) -> bool:
    """BuildKit puts provenance and bills of materials beside the images, for the platform unknown/unknown."""
    if not isinstance(entry, dict):
        return False
    annotations = entry.get("annotations")
    if isinstance(annotations, dict) and "vnd.docker.reference.type" in annotations:
        return True
    platform, media_type = entry.get("platform"), entry.get("mediaType")
    if isinstance(platform, dict) and platform.get("os") == platform.get("architecture") == "unknown":
        return True
    return isinstance(media_type, str) and media_type not in (*MANIFESTS, *INDEXES)


def _parse_descriptor(value: Any) -> Descriptor:
    if not isinstance(value, dict):
        raise RegistryError("its manifest has an entry that points nowhere")
    media_type, digest, size = value.get("mediaType", ""), value.get("digest"), value.get("size")
    if not isinstance(digest, str) or not is_digest(digest):
        raise RegistryError("its manifest has a digest that is none, or of an unknown algorithm")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0 or not isinstance(media_type, str):
        raise RegistryError("its manifest has an entry without a size or media type")
    platform = value.get("platform")
    return Descriptor(media_type, digest, size, _read_platform(platform) if isinstance(platform, dict) else "")


def _read_platform(values: dict[str, Any]) -> str:
    parts = [values.get(key) for key in ("os", "architecture", "variant")]
    return quote_text("/".join(part for part in parts if isinstance(part, str) and part), 60)


def _parse_object(data: bytes, what: str) -> dict[str, Any]:
    try:
        values = json.loads(data)
    # UnicodeDecodeError is a ValueError; deep nesting is a RecursionError.
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise RegistryError(f"{what} is no JSON object: its host may be no registry")
    return values


def _read_list(values: dict[str, Any], key: str) -> Sequence[Any]:
    value = values.get(key)
    if not isinstance(value, list):
        raise RegistryError(f"its manifest has no list of {key}")
    return value
