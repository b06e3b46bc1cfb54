"""`render` with files: joining, `--output`, `--in-place`."""

from __future__ import annotations

import os
import stat
import subprocess
import threading
from pathlib import Path

import pytest

from tests.cli import BROKEN, DONE, KNOWN, OTHER, UNKNOWN, call, check_refused, read_report

pytestmark = pytest.mark.skipif(os.name == "nt", reason="modes, links and devices of POSIX")
is_root = os.geteuid() == 0


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)


def test_files_are_joined_with_a_marker_only_where_there_is_none(tmp_path: Path) -> None:
    write(tmp_path, a=KNOWN, b=f"---\n{OTHER}", c=OTHER.rstrip("\n"), d=KNOWN, e="", f=f"# c\n--- # d\n{OTHER}")
    found = call("render", *[f"{name}.yaml" for name in "abcdef"], cwd=tmp_path)
    assert found.stdout.decode() == f"{DONE}---\n{OTHER}---\n{OTHER}---\n{DONE}# c\n--- # d\n{OTHER}"


def test_standard_input_among_files(tmp_path: Path) -> None:
    write(tmp_path, a=OTHER)
    assert call("render", "a.yaml", "-", data=KNOWN, cwd=tmp_path).stdout.decode() == f"{OTHER}---\n{DONE}"


def test_a_directory_needs_a_file_to_write_to(tmp_path: Path) -> None:
    write(tmp_path, a=KNOWN)
    (tmp_path / "sub").mkdir()
    write(tmp_path / "sub", b=OTHER)
    check_refused(call("render", str(tmp_path)), "is a directory", "--in-place", "--output")
    target = tmp_path.parent / "out.yaml"
    assert call("render", str(tmp_path), "-o", str(target)).returncode == 0
    assert target.read_text() == f"{DONE}---\n{OTHER}"
    inside = tmp_path / "all.yaml"
    assert call("render", str(tmp_path), "-o", str(inside)).returncode == 0
    check_refused(call("render", str(tmp_path), "-o", str(inside)), "is one of the files in")


class TestOutput:
    def test_writes_at_once_and_nothing_to_standard_output(self, tmp_path: Path) -> None:
        found = call("-o", "out.yaml", data=KNOWN, cwd=tmp_path)
        assert found.stdout == b""
        assert (tmp_path / "out.yaml").read_text() == DONE
        assert os.listdir(tmp_path) == ["out.yaml"]

    def test_minus_is_standard_output(self, tmp_path: Path) -> None:
        assert call("-o", "-", data=KNOWN, cwd=tmp_path).stdout.decode() == DONE
        assert os.listdir(tmp_path) == []

    def test_obeys_the_umask_and_keeps_a_mode(self, tmp_path: Path) -> None:
        target = tmp_path / "out.yaml"
        call("-o", str(target), data=KNOWN, umask=0o027)
        assert stat.S_IMODE(target.stat().st_mode) == 0o640
        target.chmod(0o604)
        call("-o", str(target), data=OTHER, umask=0o077)
        assert stat.S_IMODE(target.stat().st_mode) == 0o604
        assert target.read_text() == OTHER

    def test_replaces_what_a_link_leads_to(self, tmp_path: Path) -> None:
        (tmp_path / "real").mkdir()
        link = tmp_path / "link.yaml"
        link.symlink_to("real/out.yaml")
        for text in (OTHER, KNOWN.replace("web", "two")):
            assert call("-o", str(link), data=text).returncode == 0
        assert link.is_symlink()
        assert (tmp_path / "real" / "out.yaml").read_text() == DONE.replace("web", "two")

    def test_input_and_output_may_be_one_file(self, tmp_path: Path) -> None:
        write(tmp_path, a=KNOWN)
        assert call("render", "a.yaml", "-o", "a.yaml", cwd=tmp_path).returncode == 0
        assert (tmp_path / "a.yaml").read_text() == DONE

    def test_a_device_is_written_through(self) -> None:
        assert call("-o", "/dev/null", data=KNOWN).returncode == 0
        assert Path("/dev/null").is_char_device()

    @pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1"])
    def test_standard_output_by_name_is_appended_to(self, name: str, tmp_path: Path) -> None:
        assert call("-o", name, data=KNOWN).stdout.decode() == DONE
        with open(tmp_path / "log", "wb") as log:
            log.write(b"# before\n")
            log.flush()
            subprocess.run([*_command(), "-o", name], input=KNOWN.encode(), stdout=log, check=True, stderr=-3)
        assert (tmp_path / "log").read_text() == "# before\n" + DONE

    def test_a_fifo_is_written_through(self, tmp_path: Path) -> None:
        fifo = tmp_path / "fifo"
        os.mkfifo(fifo)
        read: list[str] = []
        reader = threading.Thread(target=lambda: read.append(fifo.read_text()))
        reader.start()
        assert call("-o", str(fifo), data=KNOWN).returncode == 0
        reader.join(10)
        assert read == [DONE]
        assert fifo.is_fifo()

    def test_a_missing_folder(self, tmp_path: Path) -> None:
        target = tmp_path / "no" / "out.yaml"
        found = call("-o", str(target), data=KNOWN)
        check_refused(found, f"{target}: cannot be written: the folder {target.parent} does not exist: create it first")

    def test_a_directory_as_target(self, tmp_path: Path) -> None:
        check_refused(call("-o", str(tmp_path), data=KNOWN), f"{tmp_path}: is a directory: name a file")

    @pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
    def test_a_full_disk(self) -> None:
        check_refused(call("-o", "/dev/full", data=KNOWN), "/dev/full: cannot be written: No space left on device")

    @pytest.mark.parametrize("arguments", [[], ["--strict"]])
    def test_a_failure_leaves_the_old_file(self, arguments: list[str], tmp_path: Path) -> None:
        target = tmp_path / "out.yaml"
        target.write_text("old")
        data = UNKNOWN if arguments else BROKEN
        assert call("-o", str(target), *arguments, data=data).returncode in (1, 2)
        assert target.read_text() == "old"
        assert os.listdir(tmp_path) == ["out.yaml"]

    @pytest.mark.skipif(is_root, reason="root may write everywhere")
    def test_a_folder_that_is_read_only(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o500)
        check_refused(call("-o", "out.yaml", data=KNOWN, cwd=tmp_path), "out.yaml: cannot be written: Permission")

    def test_a_long_name(self, tmp_path: Path) -> None:
        name = "x" * 250 + ".yaml"
        assert call("-o", name, data=KNOWN, cwd=tmp_path).returncode == 0
        check_refused(call("-o", "x" * 256, data=KNOWN, cwd=tmp_path), "File name too long")


class TestInPlace:
    def test_only_files_with_additions_are_rewritten(self, tmp_path: Path) -> None:
        write(tmp_path, a=KNOWN, b=OTHER, c=DONE)
        before = {name: (tmp_path / f"{name}.yaml").stat() for name in "abc"}
        found = call("render", "-i", "a.yaml", "b.yaml", "c.yaml", cwd=tmp_path)
        assert (found.returncode, found.stdout) == (0, b"")
        assert [(tmp_path / f"{name}.yaml").read_text() for name in "abc"] == [DONE, OTHER, DONE]
        for name in "bc":
            after = (tmp_path / f"{name}.yaml").stat()
            assert (after.st_mtime_ns, after.st_ino) == (before[name].st_mtime_ns, before[name].st_ino)

    def test_directories_are_read_recursively(self, tmp_path: Path) -> None:
        (tmp_path / "sub" / ".git").mkdir(parents=True)
        names = ["a.yaml", "b.yml", "c.YAML", "d.txt", ".e.yaml", "sub/f.yaml", "sub/.git/g.yaml"]
        for name in names:
            (tmp_path / name).write_text(KNOWN)
        os.mkfifo(tmp_path / "fifo.yaml")
        assert call("render", "-i", str(tmp_path)).returncode == 0
        done = [name for name in names if (tmp_path / name).read_text() == DONE]
        assert done == ["a.yaml", "b.yml", "c.YAML", "sub/f.yaml"]

    @pytest.mark.parametrize("bad", [BROKEN, KNOWN.replace("web", "w\0b")])
    def test_nothing_is_written_if_any_file_fails(self, bad: str, tmp_path: Path) -> None:
        write(tmp_path, a=KNOWN, b=bad, c=KNOWN, d=BROKEN)
        found = call("render", "-i", "a.yaml", "b.yaml", "c.yaml", "d.yaml", cwd=tmp_path)
        check_refused(found, "error: b.yaml, document 1", "error: d.yaml, document 1")
        assert (tmp_path / "a.yaml").read_text() == KNOWN
        assert len(os.listdir(tmp_path)) == 4

    def test_nothing_is_written_where_a_policy_is_not_met(self, tmp_path: Path) -> None:
        write(tmp_path, a=KNOWN, b=UNKNOWN)
        assert call("render", "-i", "--strict", "a.yaml", "b.yaml", cwd=tmp_path).returncode == 1
        assert (tmp_path / "a.yaml").read_text() == KNOWN

    def test_nothing_is_written_where_one_file_cannot_be(self, tmp_path: Path) -> None:
        write(tmp_path, a=KNOWN)
        os.mkfifo(tmp_path / "fifo")
        feeder = threading.Thread(target=lambda: (tmp_path / "fifo").write_text(KNOWN))
        feeder.start()
        check_refused(call("render", "-i", "a.yaml", "fifo", cwd=tmp_path), "fifo: is no regular file")
        feeder.join(10)
        assert (tmp_path / "a.yaml").read_text() == KNOWN

    def test_mode_and_link_stay(self, tmp_path: Path) -> None:
        write(tmp_path, real=KNOWN)
        (tmp_path / "real.yaml").chmod(0o751)
        (tmp_path / "link.yaml").symlink_to("real.yaml")
        call("render", "-i", "link.yaml", cwd=tmp_path)
        assert (tmp_path / "link.yaml").is_symlink()
        assert (tmp_path / "real.yaml").read_text() == DONE
        assert stat.S_IMODE((tmp_path / "real.yaml").stat().st_mode) == 0o751

    def test_a_file_named_twice(self, tmp_path: Path) -> None:
        write(tmp_path, a=KNOWN)
        assert call("render", "-i", "a.yaml", "a.yaml", ".", cwd=tmp_path).returncode == 0
        assert (tmp_path / "a.yaml").read_text() == DONE
        assert os.listdir(tmp_path) == ["a.yaml"]

    def test_a_link_that_leads_nowhere_is_an_error(self, tmp_path: Path) -> None:
        write(tmp_path, a=KNOWN)
        (tmp_path / "b.yaml").symlink_to("missing")
        check_refused(call("render", "-i", ".", cwd=tmp_path), "b.yaml: cannot be read: No such file")
        assert (tmp_path / "a.yaml").read_text() == KNOWN

    def test_helm_templates_are_copied(self, tmp_path: Path) -> None:
        write(tmp_path, a=KNOWN, t=BROKEN + "{{ end }}\n")
        found = call("render", "-i", ".", cwd=tmp_path)
        assert found.returncode == 0
        assert b"template-not-rendered" in found.stderr
        assert (tmp_path / "a.yaml").read_text() == DONE

    def test_file_names_that_are_no_utf_8(self, tmp_path: Path) -> None:
        name = os.fsdecode(b"b\xff.yaml")
        (tmp_path / name).write_text(UNKNOWN)
        found = call("render", "-i", ".", "--report", "report.json", cwd=tmp_path)
        assert found.returncode == 0
        assert b"b\\udcff.yaml" in found.stderr


class TestReportPath:
    def test_it_must_not_replace_an_input_or_the_output(self, tmp_path: Path) -> None:
        write(tmp_path, a=KNOWN)
        check_refused(call("render", "a.yaml", "--report", "./a.yaml", cwd=tmp_path), "is a.yaml itself")
        assert (tmp_path / "a.yaml").read_text() == KNOWN
        check_refused(call("-o", "a.yaml", "--report", "./a.yaml", cwd=tmp_path, data=OTHER), "is a.yaml itself")
        assert (tmp_path / "a.yaml").read_text() == KNOWN

    def test_it_is_written_before_the_output(self, tmp_path: Path) -> None:
        found = call("--report", "no/report.json", "-o", "out.yaml", data=KNOWN, cwd=tmp_path)
        check_refused(found, "no/report.json: cannot be written: the folder")
        assert os.listdir(tmp_path) == []

    def test_it_says_what_failed(self, tmp_path: Path) -> None:
        found = call("--report", "report.json", "-o", "no/out.yaml", data=KNOWN, cwd=tmp_path)
        check_refused(found, "no/out.yaml")
        assert "no/out.yaml: cannot be written" in read_report(tmp_path / "report.json")["error"]


def _command() -> list[str]:
    from tests.cli import find_command

    return find_command()
