"""Files: whole or untouched, and errors that name the path as it was given."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from postrenderer.files import find_files, is_same_file, read_file, write_file, write_files
from postrenderer.model import Refused


def test_nothing_is_replaced_before_all_is_written(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    with pytest.raises(Refused, match="the folder .* does not exist"):
        write_files([(str(tmp_path / "a"), [b"new"]), (str(tmp_path / "no" / "b"), [b"new"])])
    assert (tmp_path / "a").read_text() == "old"
    assert os.listdir(tmp_path) == ["a"]


def test_a_write_that_fails_leaves_no_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_descriptor: int, _data: object) -> int:
        raise OSError(28, "No space left on device")

    (tmp_path / "a").write_text("old")
    with monkeypatch.context() as patch:
        patch.setattr("postrenderer.descriptors.os.write", fail)
        with pytest.raises(Refused, match="a: cannot be written: No space left"):
            write_file(str(tmp_path / "a"), [b"new"])
    assert os.listdir(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "old"


def test_an_interruption_leaves_no_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_descriptor: int, _data: object) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("postrenderer.descriptors.os.write", interrupt)
        with pytest.raises(KeyboardInterrupt):
            write_file(str(tmp_path / "a"), [b"new"])
    assert os.listdir(tmp_path) == []


def test_the_rest_of_a_killed_run_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / f".sandbox-postrenderer.{os.getpid()}.0").write_text("rest")
    write_file(str(tmp_path / "a"), [b"new"])
    assert (tmp_path / "a").read_text() == "new"


def test_what_is_secret_is_so_from_the_first_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "a"
    target.write_text("old")
    target.chmod(0o600)
    modes = []
    write = os.write

    def look(descriptor: int, data: bytes) -> int:
        modes.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        return write(descriptor, data)

    monkeypatch.setattr("postrenderer.descriptors.os.write", look)
    write_file(str(target), [b"new"])
    assert modes == [0o600]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_file_that_is_read_only_stays(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    (tmp_path / "a").chmod(0o400)
    with pytest.raises(Refused, match="it is read-only"):
        write_file(str(tmp_path / "a"), [b"new"])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_the_owner_stays(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    os.chown(tmp_path / "a", 1234, 5678)
    write_file(str(tmp_path / "a"), [b"new"])
    found = (tmp_path / "a").stat()
    assert (found.st_uid, found.st_gid) == (1234, 5678)


def test_pieces_of_every_size(tmp_path: Path) -> None:
    pieces = [b"a", b"", b"b" * (3 << 20), memoryview(b"c" * 10), bytearray(b"d") * (1 << 20), b"e" * ((1 << 20) - 1)]
    write_file(str(tmp_path / "a"), pieces)
    assert (tmp_path / "a").read_bytes() == b"".join(pieces)
    assert read_file(str(tmp_path / "a"), 1 << 30) == b"".join(pieces)
    assert len(read_file(str(tmp_path / "a"), 10)) == 11


@pytest.mark.parametrize("name", ["", "a\0b"])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(Refused, match="cannot be read"):
        read_file(name, 1)
    with pytest.raises(Refused, match="cannot be written"):
        write_file(name, [b"x"])


def test_a_loop_of_links(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(Refused, match="a: cannot be read: Too many levels"):
        read_file(str(tmp_path / "a"), 1)
    with pytest.raises(Refused, match="a: cannot be written: Too many levels"):
        write_file(str(tmp_path / "a"), [b"x"])


def test_directories(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yml", "c.json", "d.txt", ".e.yaml", "z/y.YAML", ".git/x.yaml", "z/A/b.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "folder.yaml").mkdir()
    found = [os.path.relpath(name, tmp_path) for name in find_files(str(tmp_path))]
    assert found == ["a.yml", "b.yaml", "c.json", "z/y.YAML", "z/A/b.yaml"]
    assert list(find_files("missing.txt")) == ["missing.txt"]


def test_is_same_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    (tmp_path / "link").symlink_to("a")
    assert is_same_file(str(tmp_path / "a"), str(tmp_path / "link"))
    assert is_same_file(str(tmp_path / "new"), str(tmp_path / "." / "new"))
    assert not is_same_file(str(tmp_path / "a"), str(tmp_path / "new"))
