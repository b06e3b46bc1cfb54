from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postrenderer.registry.errors import RegistryError
from postrenderer.registry.tar import ByteStream, TarEntry, TarReader
from tests.registry.support import DIRECTORY, Link, make_tar

FORMATS = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]


def cut(data: bytes, size: int = 700) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def make_reader(data: bytes, size: int = 700) -> TarReader:
    return TarReader(ByteStream(cut(data, size)), lambda: None)


def list_entries(data: bytes) -> list[TarEntry]:
    return list(make_reader(data))


def header(name: str, size: int = 0, type: bytes = tarfile.REGTYPE, **kwargs: str) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size, entry.type = size, type
    for key, value in kwargs.items():
        setattr(entry, key, value)
    return entry.tobuf(tarfile.GNU_FORMAT)


def spoil(block: bytes, at: int, data: bytes) -> bytes:
    """Overwrite a part of a header and make its checksum right again."""
    block = block[:at] + data + block[at + len(data) :]
    blank = block[:148] + b" " * 8 + block[156:]
    return block[:148] + b"%06o\0 " % sum(blank) + block[156:]


NAMES = st.text(st.characters(exclude_characters="\0/", exclude_categories=["Cs"]), min_size=1, max_size=150)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(NAMES, st.one_of(st.binary(max_size=1500), st.builds(Link, NAMES), st.just(DIRECTORY)))),
    st.sampled_from(FORMATS[1:]),
    st.integers(1, 1200),
)
def test_reads_what_tarfile_writes(files: list[tuple[str, object]], format: int, size: int) -> None:
    data = make_tar(dict(files), format=format)
    reader = make_reader(data, size)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        seen = [(each, reader.read_content(2000) if each.kind == "file" else b"") for each in reader]
        members = archive.getmembers()
        assert [each.name.rstrip("/") for each, _ in seen] == [each.name for each in members]
        for (entry, content), member in zip(seen, members, strict=True):
            assert (entry.kind == "symlink", entry.kind == "directory") == (member.issym(), member.isdir())
            assert entry.link == member.linkname
            if member.isfile():
                extracted = archive.extractfile(member)
                assert extracted is not None
                assert content == extracted.read()


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", ["etc/passwd", "d" * 90 + "/" + "n" * 90, "etc/pässwd"])
def test_names(format: int, name: str) -> None:
    assert list_entries(make_tar({name: b"x"}, format=format)) == [TarEntry(name, "file", 1)]


@pytest.mark.parametrize("format", FORMATS[1:])
def test_long_links(format: int) -> None:
    target = "../" * 100 + "x"
    assert list_entries(make_tar({"a": Link(target)}, format=format)) == [TarEntry("a", "symlink", 0, target)]


def test_content_that_is_not_read_is_passed_over() -> None:
    data = make_tar({"a": b"x" * 5000, "b": b"y", "c": Link("b", hard=True), "d/": DIRECTORY})
    assert [each.name for each in make_reader(data)] == ["a", "b", "c", "d"] or [
        each.name.rstrip("/") for each in make_reader(data)
    ] == ["a", "b", "c", "d"]


def test_v7_directory_and_links_that_state_a_size() -> None:
    data = header("d/", type=b"\0") + spoil(header("l", type=tarfile.SYMTYPE, linkname="x"), 124, b"00000001750\0")
    assert [each.kind for each in list_entries(data + header("after"))] == ["directory", "symlink", "file"]


def test_base_256_size() -> None:
    data = spoil(header("a"), 124, b"\x80" + (3).to_bytes(11, "big")) + b"abc".ljust(512, b"\0")
    reader = make_reader(data + header("b"))
    contents = {each.name: reader.read_content(10) for each in reader}
    assert contents == {"a": b"abc", "b": b""}


def test_global_pax_header_is_not_obeyed() -> None:
    record = b"18 path=etc/passwd\n"
    record = b"%d path=etc/passwd\n" % 19
    data = header("g", len(record), b"g") + record.ljust(512, b"\0") + header("a")
    assert [each.name for each in list_entries(data)] == ["a"]


def test_sparse_files_are_no_plain_files() -> None:
    gnu = spoil(spoil(header("s", 512, b"S"), 482, b"\1"), 0, b"s")
    data = gnu + bytes(512) + b"x" * 512 + header("after")
    assert [(each.name, each.kind) for each in list_entries(data)] == [("s", "other"), ("after", "file")]
    pax = b"22 GNU.sparse.major=1\n" + b"30 GNU.sparse.name=etc/passwd\n"
    data = header("x", len(pax), b"x") + pax.ljust(512, b"\0") + header("GNUSparseFile.0/passwd")
    assert [(each.name, each.kind) for each in list_entries(data)] == [("etc/passwd", "other")]


@pytest.mark.parametrize("end", [b"", bytes(512), bytes(1024), bytes(10240)])
def test_ends(end: bytes) -> None:
    assert [each.name for each in list_entries(header("a") + end)] == ["a"]
    assert list_entries(end) == []


PAX_LIES = [
    b"5 a=b\n",
    b"99 a=b\n",
    b"0 a=b\n",
    b"-6 a=b\n",
    b"x a=b\n",
    b"6 a=bc",
    b"\xff a=b\n",
    b"1" * 30 + b" a=b\n",
]


@pytest.mark.parametrize("record", PAX_LIES)
def test_pax_records_that_lie(record: bytes) -> None:
    with pytest.raises(RegistryError, match="header that cannot be read"):
        list_entries(header("x", len(record), b"x") + record.ljust(512, b"\0") + header("a"))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"<html>" * 200, "no tar archive|cannot be read"),
        (header("a")[:300], "ends in the middle"),
        (header("a", 5000) + b"x", "ends in the middle"),
        (spoil(header("a"), 124, b"\xff" * 12), "cannot be read"),
        (spoil(header("a"), 124, b"00000000009\0"), "cannot be read"),
        (spoil(header("a"), 124, b"-0000000001\0"), "cannot be read"),
        (header("L", 2**30, b"L") + bytes(2048), "1048576 are the most"),
        (header("x", 2**30, b"x") + bytes(2048), "1048576 are the most"),
        (header("s", 0, b"S")[:482] + b"\1" + header("s", 0, b"S")[483:], "no tar archive"),
        (spoil(header("s", 0, b"S"), 482, b"\1"), "ends in the middle"),
        (header("a")[:100] + b"x" + header("a")[101:], "no tar archive"),
    ],
)
def test_what_is_no_archive(data: bytes, message: str) -> None:
    with pytest.raises(RegistryError, match=message):
        list_entries(data)


def test_every_header_is_counted() -> None:
    count = 0

    def spend() -> None:
        nonlocal count
        count += 1

    data = (header("x", 0, b"x") * 50) + header("a")
    assert len(list(TarReader(ByteStream(cut(data)), spend))) == 1
    assert count == 52


def test_many_pax_bytes_take_one_pass() -> None:
    # The digits that made tarfile's regular expression backtrack (CVE-2024-6232).
    data = header("x", 1024 * 1024, b"x") + b"1" * (1024 * 1024)
    with pytest.raises(RegistryError):
        list_entries(data)
