from __future__ import annotations

import tarfile
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from postrenderer.registry.errors import RegistryError
from postrenderer.registry.limits import Limits
from postrenderer.registry.rootfs import RootFilesystem
from postrenderer.registry.tar import ByteStream, TarReader
from tests.registry.support import DIRECTORY, Files, Link, make_tar

NEW, OLD = b"new\n", b"old\n"


class Reads:
    """A root file system over layers in memory (bottom up), and which of them were opened (0 is the bottom)."""

    def __init__(self, *layers: Files | bytes, limits: Limits | None = None) -> None:
        self.opened: list[int] = []
        tars = [make_tar(layer) if isinstance(layer, dict) else layer for layer in layers]

        def open_at(index: int):  # type: ignore[no-untyped-def]
            @contextmanager
            def opener() -> Iterator[TarReader]:
                self.opened.append(index)
                yield TarReader(ByteStream(iter([tars[index]])), lambda: None)

            return opener

        self.root = RootFilesystem([open_at(index) for index in reversed(range(len(tars)))], limits or Limits())

    def passwd(self) -> bytes | None:
        return self.root.read_files(["etc/passwd"])["etc/passwd"]


@pytest.mark.parametrize(
    ("layers", "expected", "opened"),
    [
        ([{"etc/passwd": NEW}], NEW, [0]),
        ([{"./etc/passwd": NEW}], NEW, [0]),
        ([{"/etc//./passwd": NEW}], NEW, [0]),
        ([{"x/../etc/passwd": NEW}], NEW, [0]),
        ([{"../../etc/passwd": NEW}], NEW, [0]),
        ([{"etc/passwd": OLD}, {"etc/passwd": NEW}], NEW, [1]),
        ([{"etc/passwd": OLD}, {"a": b""}], OLD, [1, 0]),
        ([{"etc/passwd": OLD}, {"etc/passwd": NEW}, {"etc": DIRECTORY, "etc/x": b""}], NEW, [2, 1]),
        ([{}], None, [0]),
        ([], None, []),
        ([{"xetc/passwd": OLD, "etc/passwd-": OLD, "etc/passwd/x": OLD}], None, [0]),
        # Whiteouts hide what is below, and never what is beside.
        ([{"etc/passwd": OLD}, {"etc/.wh.passwd": b""}], None, [1]),
        ([{"etc/passwd": OLD}, {".wh.etc": b""}], None, [1]),
        ([{"etc/passwd": OLD}, {"etc/.wh..wh..opq": b""}], None, [1]),
        ([{"etc/passwd": OLD}, {".wh..wh..opq": b""}], None, [1]),
        ([{"etc/passwd": OLD}, {"etc/passwd": NEW, "etc/.wh.passwd": b""}], NEW, [1]),
        ([{"etc/passwd": OLD}, {"etc/.wh.passwd": b"", "etc/passwd": NEW}], NEW, [1]),
        ([{"etc/passwd": OLD}, {"etc/.wh..wh..opq": b"", "etc/passwd": NEW}], NEW, [1]),
        ([{"etc/passwd": OLD}, {"etc/.wh.passwd": b""}, {"etc/passwd": NEW}], NEW, [2]),
        ([{"etc/passwd": OLD}, {".wh..wh.plnk": b"", "etc/.wh..wh.aufs": b""}], OLD, [1, 0]),
        ([{"etc/passwd": OLD}, {"etc/.wh.group": b"", "usr/.wh..wh..opq": b""}], OLD, [1, 0]),
        ([{"etc/passwd": OLD}, {"etc": b"a file"}], None, [1]),
        # Links stay inside the image.
        ([{"etc/passwd": Link("../lib/passwd"), "lib/passwd": NEW}], NEW, [0, 0]),
        ([{"etc/passwd": Link("/usr/lib/passwd"), "usr/lib/passwd": NEW}], NEW, [0]),
        ([{"usr/lib/passwd": NEW, "etc/passwd": Link("/usr/lib/passwd")}], NEW, [0]),
        ([{"etc/passwd": Link("../../../../usr/lib/passwd"), "usr/lib/passwd": NEW}], NEW, [0]),
        ([{"etc": Link("usr/etc"), "usr/etc/passwd": NEW}], NEW, [0]),
        ([{"etc": Link("/usr/etc"), "usr/etc/passwd": OLD}, {"usr/etc/passwd": NEW}], NEW, [1, 0]),
        ([{"etc": Link("usr/etc"), "usr/etc/passwd": OLD}, {"etc/passwd": NEW}], NEW, [1]),
        ([{"etc": Link("usr/etc"), "usr/etc/passwd": OLD}, {"usr/etc/.wh.passwd": b""}], None, [1, 0]),
        ([{"etc": Link("usr/etc"), "usr/etc/passwd": OLD}, {"etc": DIRECTORY}], None, [1, 0]),
        ([{"store/p": NEW}, {"etc/passwd": Link("/store/p")}], NEW, [1, 1, 0]),
        ([{"etc/passwd": Link("/nowhere")}], None, [0, 0]),
        ([{"a": NEW, "etc/passwd": Link("a", hard=True)}], NEW, [0, 0]),
        ([{"a": NEW}, {"etc/passwd": Link("/a", hard=True)}, {"a": OLD}], NEW, [2, 1, 1, 0]),
    ],
)
def test_passwd(layers: list[Files], expected: bytes | None, opened: list[int]) -> None:
    reads = Reads(*layers)
    assert reads.passwd() == expected
    assert reads.opened == opened


def test_two_files_in_one_pass() -> None:
    reads = Reads({"etc/passwd": OLD, "etc/group": OLD}, {"etc/passwd": NEW}, {"a": b""})
    assert reads.root.read_files(["etc/passwd", "etc/group"]) == {"etc/passwd": NEW, "etc/group": OLD}
    assert reads.opened == [2, 1, 0]


def test_linked_etc_in_one_pass() -> None:
    reads = Reads({"etc": Link("usr/etc"), "usr/etc/passwd": OLD, "usr/etc/group": NEW})
    assert reads.root.read_files(["etc/passwd", "etc/group"]) == {"etc/passwd": OLD, "etc/group": NEW}
    assert reads.opened == [0]


def test_layer_is_left_as_soon_as_the_file_was_seen() -> None:
    data = make_tar({"etc/passwd": NEW}).rstrip(b"\0") + b"garbage" * 1000
    assert Reads(data[: len(data) // 512 * 512]).passwd() == NEW


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([{"etc/passwd": Link("passwd")}], "link that leads on more than 16 times"),
        ([{"etc/passwd": Link("../a"), "a": Link("etc/passwd")}], "more than 16"),
        ([{"etc": Link("etc")}], "more than 16"),
        ([{"etc": Link("etc/etc")}], "more than 16"),
        ([{"etc/passwd": Link("etc/passwd", hard=True)}], "more than 16"),
        ([{"etc/passwd": DIRECTORY}], "no plain file"),
        ([{"etc/passwd": b"x" * 2000}], "more than 1000 bytes"),
    ],
)
def test_passwd_that_no_runtime_reads(layers: list[Files], message: str) -> None:
    with pytest.raises(RegistryError, match=message):
        Reads(*layers, limits=Limits(user_file=1000)).passwd()


def test_device_is_no_passwd() -> None:
    entry = tarfile.TarInfo("etc/passwd")
    entry.type = tarfile.CHRTYPE
    with pytest.raises(RegistryError, match="no plain file"):
        Reads(entry.tobuf()).passwd()
