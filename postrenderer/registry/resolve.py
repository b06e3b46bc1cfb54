"""From an image reference to the user that it runs as, on every platform that it is made for."""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from postrenderer.images.reference import ImageReference, normalize_reference, parse_reference
from postrenderer.registry.compression import decompress
from postrenderer.registry.credentials import find_credentials
from postrenderer.registry.errors import RegistryError, import_extra, quote_text
from postrenderer.registry.limits import Budget, Limits, time_error
from postrenderer.registry.manifest import (
    Descriptor,
    Index,
    Manifest,
    digest_data,
    digest_error,
    parse_config,
    parse_manifest,
)
from postrenderer.registry.mirrors import Endpoint, Mirror, check_reference, find_endpoint
from postrenderer.registry.rootfs import OpenLayer, RootFilesystem
from postrenderer.registry.tar import ByteStream, TarReader
from postrenderer.registry.users import GROUP, PASSWD, User, find_user, list_needed_files, parse_user_text

if TYPE_CHECKING:
    from postrenderer.registry.client import Client
    from postrenderer.registry.transport import Answer

_T = TypeVar("_T")
_NEEDED_MODULES = ("requests", "urllib3", "docker.auth")


@dataclass(frozen=True, slots=True)
class Access:
    """How registries are asked: given by the command line and the environment only, never by a document."""

    mirrors: tuple[Mirror, ...] = ()
    plain_http: frozenset[str] = frozenset()
    """Hosts (`HOST[:PORT]`) that are spoken to without TLS."""
    ca_file: str | None = None
    """A file of certificates that are trusted beside the system's."""
    platforms: tuple[str, ...] = ()
    """Of an index, only these (`linux/amd64`); empty for all."""
    limits: Limits = field(default_factory=Limits)
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True)
class PlatformUser:
    """Whom one platform's image runs as. `text` is its `USER`, `digest` its manifest's."""

    platform: str
    digest: str
    text: str
    uid: int
    gid: int | None
    named: bool


@dataclass(frozen=True, slots=True)
class Resolved:
    """Whom an image runs as. `digest` is that of the manifest or index that the reference names.

    `uid` is None where platforms disagree: then `disagreement` says who differs. `gid` is None where it is not known
    (`USER 1001` names no group) or differs. `named` where `USER` names its user on any platform. `text` is `USER`;
    where spellings differ, all of them.
    """

    reference: str
    digest: str
    text: str
    uid: int | None
    gid: int | None
    named: bool
    platforms: tuple[PlatformUser, ...]
    requests: int
    bytes: int

    @property
    def disagreement(self) -> str:
        """`linux/amd64 runs as 1001, linux/arm64 as 65532`, or nothing where all platforms agree."""
        if self.uid is not None:
            return ""
        uids = dict.fromkeys(each.uid for each in self.platforms)
        groups = [[each.platform for each in self.platforms if each.uid == uid] for uid in uids]
        parts = [f"{' and '.join(group)} as {uid}" for group, uid in zip(groups, uids, strict=True)]
        verb = "runs" if len(groups[0]) == 1 else "run"
        return ", ".join([parts[0].replace(" as ", f" {verb} as ", 1), *parts[1:]])


def resolve_image(image: str, access: Access | None = None) -> Resolved:
    """Ask `image`'s registry whom it runs as; `RegistryError`, in one line, where that cannot be found out."""
    access = access or Access()
    try:
        for module in _NEEDED_MODULES:
            import_extra(module)
        reference = normalize_reference(parse_reference(image.strip()))
        check_reference(reference)
        return _run_within(access.limits, lambda: _Resolution(reference, access).run())
    except RegistryError as error:
        raise RegistryError(f"{quote_text(image)}: {error.message}") from error


class _Resolution:
    """One image on its way."""

    def __init__(self, reference: ImageReference, access: Access) -> None:
        self._reference = reference
        self._access = access
        self._limits = access.limits
        self._budget = Budget(access.limits)
        self._endpoint: Endpoint = find_endpoint(reference, access.mirrors, access.plain_http)
        self._client: Client

    def run(self) -> Resolved:
        # Imported here: both need the extra, of which `resolve_image` says where it is missing.
        from postrenderer.registry.client import Client
        from postrenderer.registry.transport import Transport

        transport = Transport(self._budget, self._access.plain_http, self._access.ca_file, self._access.sleep)
        with contextlib.closing(transport):
            login = self._endpoint.login
            self._client = Client(self._endpoint, transport, lambda: find_credentials(login))
            return self._resolve()

    def _resolve(self) -> Resolved:
        name = self._reference.digest or self._reference.tag or "latest"
        manifest, digest = self._fetch_manifest(name)
        if isinstance(manifest, Index):
            platforms = tuple(self._resolve_index(manifest))
        else:
            platforms = (self._resolve_platform(manifest, digest, ""),)
        return self._combine(digest, platforms)

    def _fetch_manifest(self, name: str) -> tuple[Manifest | Index, str]:
        document = self._client.fetch_manifest(name, self._limits.manifest)
        manifest = parse_manifest(document.data, document.media_type, self._limits.layers, self._limits.manifests)
        # A pinned digest was verified, and may be of another algorithm.
        return manifest, name if ":" in name else digest_data(document.data)

    def _resolve_index(self, index: Index) -> Iterator[PlatformUser]:
        chosen = [each for each in index.manifests if self._is_asked_for(each.platform)]
        if not chosen:
            made_for = ", ".join(each.platform or "an unnamed platform" for each in index.manifests) or "no platform"
            raise RegistryError(f"is made for {made_for}: nothing there whose user is a number that could be stated")
        for descriptor in chosen:
            with _naming(descriptor.platform):
                manifest, digest = self._fetch_manifest(descriptor.digest)
                if isinstance(manifest, Index):
                    raise RegistryError("its index names another index: name the inner one by its digest")
                yield self._resolve_platform(manifest, digest, descriptor.platform)

    def _is_asked_for(self, platform: str) -> bool:
        """Windows has no UIDs: there, `runAsUser` is refused by the API server."""
        if self._access.platforms:
            return any(platform == each or platform.startswith(f"{each}/") for each in self._access.platforms)
        return not platform.startswith("windows/")

    def _resolve_platform(self, manifest: Manifest, digest: str, platform: str) -> PlatformUser:
        config = parse_config(self._client.fetch_blob(manifest.config.digest, self._limits.config, "its configuration"))
        platform = platform or config.platform
        if platform.startswith("windows"):
            raise RegistryError("is a Windows image, whose user has no number")
        spec = parse_user_text(config.user)
        files = self._read_files(manifest, list_needed_files(spec))
        user: User = find_user(spec, files.get(PASSWD), files.get(GROUP))
        return PlatformUser(platform, digest, config.user, user.uid, user.gid, user.named)

    def _read_files(self, manifest: Manifest, paths: tuple[str, ...]) -> dict[str, bytes | None]:
        if not paths:
            return {}
        layers = [self._make_opener(layer) for layer in reversed(manifest.layers)]
        return RootFilesystem(layers, self._limits).read_files(paths)

    def _make_opener(self, layer: Descriptor) -> OpenLayer:
        @contextlib.contextmanager
        def open_layer() -> Iterator[TarReader]:
            if layer.media_type.endswith("+encrypted"):
                raise RegistryError("has an encrypted layer: state its user with --image-uid instead")
            with self._client.open_blob(layer.digest) as answer:
                chunks = _verify_chunks(answer, layer)
                content = decompress(chunks, self._budget.spend_decompressed)
                yield TarReader(ByteStream(content), self._budget.spend_entry)

        return open_layer

    def _combine(self, digest: str, platforms: tuple[PlatformUser, ...]) -> Resolved:
        uids = {each.uid for each in platforms}
        gids = {each.gid for each in platforms}
        tag = self._reference.tag or ("latest" if self._reference.digest is None else None)
        return Resolved(
            reference=f"{self._reference.registry}/{self._reference.repository}{f':{tag}' if tag else ''}",
            digest=digest,
            text=", ".join(dict.fromkeys(each.text for each in platforms)),
            uid=uids.pop() if len(uids) == 1 else None,
            gid=gids.pop() if len(gids) == 1 else None,
            named=any(each.named for each in platforms),
            platforms=platforms,
            requests=self._budget.requests,
            bytes=self._budget.bytes,
        )


def _verify_chunks(answer: Answer, layer: Descriptor) -> Iterator[bytes]:
    """A layer's bytes: no more than its manifest says, and verified where they are read to the end.

    One that is left early cannot be verified: its digest is that of the whole.
    """
    digest, count = hashlib.new(layer.digest.partition(":")[0]), 0
    for chunk in answer.read_chunks():
        count += len(chunk)
        if count > layer.size:
            raise RegistryError(f"a layer is longer than the {layer.size} bytes that its manifest says")
        digest.update(chunk)
        yield chunk
    if count < layer.size:
        raise RegistryError(f"{answer.host} broke off in the middle of a layer: try again")
    if digest.hexdigest() != layer.digest.partition(":")[2]:
        raise digest_error(layer.digest, "a layer")


@contextlib.contextmanager
def _naming(platform: str) -> Iterator[None]:
    try:
        yield
    except RegistryError as error:
        raise RegistryError(f"{platform}: {error.message}" if platform else error.message) from error


def _run_within(limits: Limits, work: Callable[[], _T]) -> _T:
    """Run `work` in a thread, and leave it behind when time is up.

    Every step looks at the clock itself; this is for what cannot be looked into: a name server that does not answer,
    headers that drip in a byte at a time.
    """
    results: list[_T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # handed on to the caller, whatever it is
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True, name="registry")
    thread.start()
    # A little longer than the steps' own deadline, whose message comes with a closed connection.
    thread.join(limits.seconds + min(2.0, limits.seconds))
    if errors:
        raise errors[0]
    if not results:
        raise time_error(limits)
    return results[0]
