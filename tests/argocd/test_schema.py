"""Schemas of a chart that lead elsewhere, and archives that are not what they seem."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path

import pytest

from postrenderer.hosts.argocd.archives import MAX_ARCHIVE, MAX_ARCHIVES
from postrenderer.hosts.argocd.schema import check_schemas
from postrenderer.model import Refused

DRAFT = {"$schema": "http://json-schema.org/draft-07/schema#"}
END = b"\0" * 1024
OUT = {"properties": {"a": {"items": [{"$ref": "http://127.0.0.1/x"}]}}}
OUT_TEXT = json.dumps(OUT).encode()


def pack(*members: tuple[str, bytes], kind: bytes = tarfile.REGTYPE, link: str = "") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size, member.type, member.linkname = len(content), kind, link
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def pad(content: bytes) -> bytes:
    return content + b"\0" * (-len(content) % 512)


def write_entry(
    name: str,
    content: bytes,
    kind: bytes = b"0",
    *,
    magic: bytes = b"ustar\x0000",
    prefix: bytes = b"",
    tail: bytes = b"",
) -> bytes:
    """An entry as no packer writes it."""
    header = bytearray(512)
    for at, field in ((0, name.encode()), (124, b"%011o" % len(content)), (148, b" " * 8), (156, kind)):
        header[at : at + len(field)] = field
    for at, field in ((257, magic), (345, prefix), (508, tail)):
        header[at : at + len(field)] = field
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + pad(content)


def write(folder: Path, schema: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "values.schema.json").write_text(json.dumps(schema))


@pytest.mark.parametrize(
    "schema",
    [
        {},
        DRAFT,
        {**DRAFT, "$id": "https://example.com/values", "$ref": "#/definitions/a", "definitions": {"a": {}}},
        {"properties": {"url": {"default": "http://127.0.0.1/x"}, "$ref": {"type": "object"}}},
        {"$ref": "http://json-schema.org/draft-07/schema#"},
        {"$schema": "https://json-schema.org/draft/2020-12/schema"},
    ],
)
def test_what_stays_inside(tmp_path: Path, schema: object) -> None:
    write(tmp_path, schema)
    write(tmp_path / "charts" / "sub", schema)
    (tmp_path / "charts" / "a.tgz").write_bytes(pack(("a/values.schema.json", json.dumps(schema).encode())))
    check_schemas(str(tmp_path))


@pytest.mark.parametrize(
    "schema",
    [
        OUT,
        {"$ref": "file:///etc/passwd"},
        {"$ref": "../../other.json"},
        {"allOf": [{"$dynamicRef": "https://127.0.0.1/x"}]},
        {"$schema": "http://127.0.0.1/schema"},
        {"$schema": "HTTP://json-schema.org/"},
        {"$schema": "https://json-schema.org/draft-07/other"},
    ],
)
class TestWhatLeadsOut:
    def test_in_the_chart(self, tmp_path: Path, schema: object) -> None:
        write(tmp_path, schema)
        with pytest.raises(Refused, match=r"^values\.schema\.json: "):
            check_schemas(str(tmp_path))

    def test_in_a_directory(self, tmp_path: Path, schema: object) -> None:
        write(tmp_path / "charts" / "sub", schema)
        with pytest.raises(Refused, match=r"^charts/sub/values\.schema\.json: "):
            check_schemas(str(tmp_path))

    def test_behind_a_link(self, tmp_path: Path, schema: object) -> None:
        """helm follows links; one that leads back ends nothing."""
        write(tmp_path / "elsewhere", schema)
        (tmp_path / "chart" / "charts").mkdir(parents=True)
        (tmp_path / "chart" / "charts" / "sub").symlink_to("../../elsewhere")
        (tmp_path / "chart" / "loop").symlink_to(".")
        with pytest.raises(Refused, match=r"charts/sub/values\.schema\.json: "):
            check_schemas(str(tmp_path / "chart"))

    def test_in_an_archive_inside_an_archive(self, tmp_path: Path, schema: object) -> None:
        inner = pack(("b/values.schema.json", json.dumps(schema).encode()))
        (tmp_path / "charts").mkdir()
        (tmp_path / "charts" / "a.tgz").write_bytes(pack(("a/charts/b.tgz", inner)))
        with pytest.raises(Refused, match=r"^charts/a\.tgz: a/charts/b\.tgz: b/values\.schema\.json: "):
            check_schemas(str(tmp_path))


@pytest.mark.parametrize("content", [b"{", b"[" * 100_000 + b"]" * 100_000, b'{"a": "\xff"}'])
def test_what_is_no_json_here_could_be_some_to_helm(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "values.schema.json").write_bytes(content)
    with pytest.raises(Refused, match="is no JSON"):
        check_schemas(str(tmp_path))


class TestArchives:
    @pytest.fixture
    def charts(self, tmp_path: Path) -> Path:
        (tmp_path / "charts").mkdir()
        return tmp_path / "charts"

    @pytest.mark.parametrize("name", ["/etc/x", "../x", "a/../../x"])
    def test_names_that_lead_out(self, charts: Path, name: str) -> None:
        (charts / "a.tgz").write_bytes(pack((name, b"x")))
        with pytest.raises(Refused, match=r"^charts/a\.tgz: holds .* which leads out of the chart"):
            check_schemas(str(charts.parent))

    @pytest.mark.parametrize(
        "name", ["a\\values.schema.json", "a/values.schema.json/", "a/values.schema.json/.", "a//values.schema.json"]
    )
    def test_names_that_helm_reads_as_the_schema(self, charts: Path, name: str) -> None:
        member = tarfile.TarInfo()
        member.name = name
        member.size = len(OUT_TEXT)
        (charts / "a.tgz").write_bytes(gzip.compress(member.tobuf() + pad(OUT_TEXT) + END))
        with pytest.raises(Refused, match="leads out of the schema"):
            check_schemas(str(charts.parent))

    @pytest.mark.parametrize("kinds", ["Lx", "xx", "xg", "xL"])
    def test_an_entry_with_two_names(self, charts: Path, kinds: str) -> None:
        """Go takes a long name before a pax path, whatever their order, and of two pax headers the later one only."""
        contents = {"L": b"a/readme\0", "x": b"17 path=a/readme\n", "g": b"15 comment=no\n\n"}
        headers = b"".join(write_entry("ext", contents[kind], kind.encode()) for kind in kinds)
        (charts / "a.tgz").write_bytes(gzip.compress(headers + write_entry("a/x", OUT_TEXT) + END))
        with pytest.raises(Refused, match="an entry has two headers with its name"):
            check_schemas(str(charts.parent))

    @pytest.mark.parametrize(("magic", "tail"), [(b"ustar  \0", b""), (b"ustar\x0000", b"tar\0")])
    def test_an_entry_with_times_beside_its_name(self, charts: Path, magic: bytes, tail: bytes) -> None:
        content = write_entry("b.tgz", b"x", magic=magic, prefix=b"a/charts", tail=tail)
        (charts / "a.tgz").write_bytes(gzip.compress(content + END))
        with pytest.raises(Refused, match="an entry has times where others have a part of the name"):
            check_schemas(str(charts.parent))

    def test_a_long_name_is_fine(self, charts: Path) -> None:
        content = write_entry("ext", b"x" * 300 + b"\0", b"L") + write_entry("a/x", b"x") + END
        (charts / "a.tgz").write_bytes(gzip.compress(content))
        check_schemas(str(charts.parent))

    def test_all_bombs_together(self, charts: Path) -> None:
        half = pack(*((f"a/{number}", b"\0" * (4 * 1024**2)) for number in range(13)))
        (charts / "a.tgz").write_bytes(half)
        check_schemas(str(charts.parent))
        (charts / "b.tgz").write_bytes(half)
        with pytest.raises(Refused, match=r"^charts/b\.tgz: unpacks to more than"):
            check_schemas(str(charts.parent))

    def test_a_directory_that_a_link_calls_charts(self, charts: Path) -> None:
        (charts.parent / "aa").mkdir()
        (charts.parent / "aa" / "a.tgz").write_bytes(pack(("a/values.schema.json", OUT_TEXT)))
        (charts / "sub").mkdir()
        (charts / "sub" / "charts").symlink_to("../../aa")
        with pytest.raises(Refused, match=r"^charts/sub/charts/a\.tgz: "):
            check_schemas(str(charts.parent))

    @pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
    def test_what_is_no_file(self, charts: Path, kind: bytes) -> None:
        (charts / "a.tgz").write_bytes(pack(("a/x", b""), kind=kind, link="/etc/passwd"))
        with pytest.raises(Refused, match="leads out of the chart, or is no file"):
            check_schemas(str(charts.parent))

    def test_a_bomb(self, charts: Path) -> None:
        members = [(f"a/{number}", b"\0" * (4 * 1024**2)) for number in range(26)]
        (charts / "a.tgz").write_bytes(pack(*members))
        with pytest.raises(Refused, match=f"unpacks to more than {MAX_ARCHIVE} bytes"):
            check_schemas(str(charts.parent))

    def test_a_large_file(self, charts: Path) -> None:
        (charts / "a.tgz").write_bytes(pack(("a/x", b"\0" * (6 * 1024**2))))
        with pytest.raises(Refused, match="'a/x' is larger than"):
            check_schemas(str(charts.parent))

    def test_too_deep(self, charts: Path) -> None:
        content = pack(("x", b""))
        for _ in range(MAX_ARCHIVES):
            content = pack(("a/charts/a.tgz", content))
        (charts / "a.tgz").write_bytes(content)
        with pytest.raises(Refused, match="has archives inside archives"):
            check_schemas(str(charts.parent))

    @pytest.mark.parametrize("content", [b"x", b"\x1f\x8b\x08x", b"x" * 600])
    def test_what_is_none(self, charts: Path, content: bytes) -> None:
        (charts / "a.tgz").write_bytes(content)
        with pytest.raises(Refused, match=r"^charts/a\.tgz: cannot be unpacked"):
            check_schemas(str(charts.parent))
