"""Standard error and the report: what people and programs are told."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest

from postrenderer import __version__
from tests.cli import BROKEN, KNOWN, OTHER, UNKNOWN, call, check_refused, read_report
from tests.support import ROOT

NEXT = "nothing changes in a cluster until a pod is created anew"


def lines(*arguments: str, data: str) -> list[str]:
    found = call(*arguments, data=data)
    assert found.returncode == 0
    return [line.removeprefix("sandbox-postrenderer: ") for line in found.stderr.decode().splitlines()]


class TestStandardError:
    def test_a_summary_says_what_happens_next(self) -> None:
        assert lines(data=KNOWN) == [f"4 values added to 1 resource; {NEXT}"]

    @pytest.mark.parametrize("arguments", [[], ["-v"]], ids=["short way", "long way"])
    @pytest.mark.parametrize("data", [OTHER, "", "kind: SandboxClaim\n"])
    def test_nothing_to_add(self, arguments: list[str], data: str) -> None:
        expected = "nothing to add: no SandboxAgent, Sandbox or SandboxTemplate in the input"
        assert lines(*arguments, data=data) == [expected]

    def test_nothing_to_add_with_a_plugin(self) -> None:
        assert lines("--plugin", "workloads", data=OTHER) == ["nothing to add: no resource of a kind that is asked for"]

    def test_warnings_follow_and_notes_with_v(self) -> None:
        data = f"{KNOWN}---\n{UNKNOWN}"
        shown = lines(data=data)
        assert shown[0] == f"4 values added to 1 of 2 resources, 1 warning; {NEXT}"
        assert len(shown) == 2
        assert shown[1].startswith("warning: standard input, document 2, Sandbox/odd, line ")
        assert shown[1].endswith("[image-unknown]")
        verbose = lines("-v", data=data)
        assert verbose[:2] == shown
        assert len([line for line in verbose if line.startswith("note: ")]) >= 4

    def test_errors_come_first(self) -> None:
        bad = KNOWN.replace("      - name", "      - securityContext: {runAsUser: '7'}\n        name")
        shown = lines(data=f"{UNKNOWN}---\n{bad}")
        kinds = [line.partition(":")[0] for line in shown[1:]]
        assert kinds == sorted(kinds)
        assert kinds[0] == "error"
        assert "error" in shown[0]

    def test_quiet(self) -> None:
        assert lines("-q", data=UNKNOWN) == []
        check_refused(call("-q", data=BROKEN), "error: standard input, document 1")

    def test_names_cannot_move_the_cursor_or_forge_a_line(self) -> None:
        data = UNKNOWN.replace("name: odd", 'name: "a\\e[2J\\nsandbox-postrenderer: all is well\\u202e"')
        found = call("--strict", data=data)
        for line in found.stderr.decode().splitlines():
            assert line.isprintable()
            assert not line.startswith("sandbox-postrenderer: all")

    def test_messages_survive_a_narrow_locale(self) -> None:
        data = UNKNOWN.replace("odd", "größe")
        found = call(data=data, environment={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"})
        assert (found.returncode, found.stdout.decode()) == (0, data)


class TestReport:
    def test_of_a_run_that_adds(self, tmp_path: Path) -> None:
        call("--report", "r.json", data=f"# Source: chart/templates/a.yaml\n{KNOWN}", cwd=tmp_path)
        report = read_report(tmp_path / "r.json")
        assert report["error"] is None
        assert report["tool"] == {"name": "sandbox-postrenderer", "version": __version__}
        assert (report["version"], report["resources"], report["additions"]) == (1, 1, 4)
        added = [finding for finding in report["findings"] if finding["id"] == "identity-defaulted"]
        assert len(added) == 4
        uid = next(finding for finding in added if finding["value"] == 1001)
        assert (uid["field"], uid["source"], uid["document"]) == ("runAsUser", "chart/templates/a.yaml", 1)
        assert "built-in table" in uid["origin"]
        assert uid["resource"]["name"] == "web"

    def test_of_a_run_with_nothing_to_do(self, tmp_path: Path) -> None:
        call("--report", "r.json", data=OTHER, cwd=tmp_path)
        report = read_report(tmp_path / "r.json")
        assert (report["error"], report["resources"], report["findings"]) == (None, 0, [])

    @pytest.mark.parametrize(
        ("arguments", "data", "code", "words"),
        [
            ([], BROKEN, 2, "standard input, document 1"),
            (["--strict"], UNKNOWN, 1, "(strict)"),
            (["--default-uid", "0"], KNOWN, 2, "'0' is no UID"),
            (["--nonsense"], KNOWN, 2, "--nonsense"),
            (["--locked", "nonsense"], KNOWN, 2, "nonsense is no setting"),
            (["--config", "missing"], KNOWN, 2, "missing: cannot be read"),
            (["--plugin", "missing"], KNOWN, 2, "plugin missing is not installed"),
            (["--max-input", "9"], KNOWN, 2, "larger than 9 bytes"),
            (["-i"], KNOWN, 2, "--in-place needs files"),
        ],
    )
    @pytest.mark.parametrize("way", ["option", "option=", "environment"])
    def test_of_a_run_that_fails(
        self, arguments: list[str], data: str, code: int, words: str, way: str, tmp_path: Path
    ) -> None:
        ways = {"option": ["--report", "r.json"], "option=": ["--report=r.json"], "environment": []}
        environment = {"SANDBOX_POSTRENDERER_REPORT": "r.json"} if way == "environment" else {}
        found = call(*ways[way], *arguments, data=data, cwd=tmp_path, environment=environment)
        assert found.returncode == code
        report = read_report(tmp_path / "r.json")
        assert words in report["error"]
        if code == 1:
            assert [finding["id"] for finding in report["findings"]] == ["image-unknown"]

    def test_a_wrong_variable_is_reported(self, tmp_path: Path) -> None:
        environment = {"SANDBOX_POSTRENDERER_REPORT": "r.json", "SANDBOX_POSTRENDERER_STRICT": "maybe"}
        check_refused(call(data=OTHER, environment=environment, cwd=tmp_path), "SANDBOX_POSTRENDERER_STRICT")
        assert "SANDBOX_POSTRENDERER_STRICT" in read_report(tmp_path / "r.json")["error"]

    def test_where_it_cannot_be_written_both_are_said(self, tmp_path: Path) -> None:
        found = call("--report", "no/r.json", data=BROKEN, cwd=tmp_path)
        check_refused(found, "error: standard input, document 1", "error: no/r.json: cannot be written")
        found = call("--report", "no/r.json", "--strict", data=UNKNOWN, cwd=tmp_path)
        check_refused(found, "(strict)", "error: no/r.json: cannot be written", code=1)
        found = call("--report", "no/r.json", "--nonsense", cwd=tmp_path)
        check_refused(found, "--nonsense", "error: no/r.json: cannot be written")

    def test_to_standard_error(self) -> None:
        found = call("-q", "--report", "/dev/stderr", data=KNOWN)
        assert found.stderr.startswith(b"{")

    def test_of_every_example(self, tmp_path: Path) -> None:
        files = sorted(str(file) for file in (ROOT / "examples").rglob("*") if file.suffix in (".yaml", ".json"))
        assert call("diff", "--report", str(tmp_path / "r.json"), *files).returncode == 0
        assert len(read_report(tmp_path / "r.json")["findings"]) > 10


class TestDiff:
    def test_shows_and_changes_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "a.yaml").write_text(KNOWN)
        found = call("diff", "a.yaml", cwd=tmp_path)
        assert found.returncode == 0
        assert found.stdout.decode().splitlines()[:2] == ["--- a/a.yaml", "+++ b/a.yaml"]
        assert found.stdout.count(b"\n+ ") == 6
        assert (tmp_path / "a.yaml").read_text() == KNOWN

    def test_exit_code(self) -> None:
        assert call("diff", "--exit-code", data=KNOWN).returncode == 1
        assert call("diff", "--exit-code", data=OTHER).returncode == 0
        assert call("diff", "--exit-code", data=BROKEN).returncode == 2
        assert call("diff", data=OTHER).stdout == b""

    def test_directories(self, tmp_path: Path) -> None:
        (tmp_path / "sub").mkdir()
        (tmp_path / "sub" / "a.yaml").write_text(KNOWN)
        (tmp_path / "b.json").write_text("{}")
        assert b"--- a/sub/a.yaml\n" in call("diff", ".", cwd=tmp_path).stdout

    def test_policies_count_as_in_render(self) -> None:
        check_refused(call("diff", "--strict", "--exit-code", data=UNKNOWN), "(strict)", code=1)


class TestImages:
    def test_list(self) -> None:
        shown = call("images", "list").stdout.decode()
        assert "kagent-dev/kagent/app" in shown
        assert "https://" in shown

    def test_show(self) -> None:
        found = call(
            "images", "show", "ghcr.io/kagent-dev/kagent/app:0.9.1", "odd", "--image-uid", "team/x=7", "team/x"
        )
        assert found.returncode == 0
        known, odd, own = found.stdout.decode().splitlines()
        assert known.startswith("ghcr.io/kagent-dev/kagent/app:0.9.1: runs as 1001")
        assert odd.startswith("odd: unknown (")
        assert "--image-uid odd=UID" in odd
        assert own == "team/x: runs as 7 (image-uid team/x=7)"

    def test_show_obeys_the_environment(self) -> None:
        environment = {"SANDBOX_POSTRENDERER_DEFAULT_UID": "5"}
        assert b"odd: runs as 5 (default-uid 5)" in call("images", "show", "odd", environment=environment).stdout


class TestHelmPlugin:
    def test_prints_where_it_is(self, tmp_path: Path) -> None:
        found = call("helm-plugin", environment={"XDG_DATA_HOME": str(tmp_path)})
        path = Path(found.stdout.decode().rstrip("\n"))
        assert path.is_relative_to(tmp_path)
        assert (path / "plugin.yaml").is_file()
        assert os.access(path / "run", os.X_OK)

    def test_prints_where_the_package_is(self, tmp_path: Path) -> None:
        found = call("helm-plugin", "--package", "x.tgz", cwd=tmp_path)
        assert found.stdout.decode() == f"{tmp_path}/x.tgz\n"
        with tarfile.open(tmp_path / "x.tgz") as archive:
            assert archive.getnames()[0].endswith("/plugin.yaml")

    def test_a_place_where_nothing_can_be(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        check_refused(call("helm-plugin", "--dir", str(tmp_path / "file" / "x")), "Not a directory")
        check_refused(call("helm-plugin", "--package", str(tmp_path / "no" / "x.tgz")), "does not exist")


class TestHints:
    def test_a_command_behind_an_option(self) -> None:
        check_refused(call("-q", "diff", "f.yaml"), "diff: is no file; a command stands before its options")

    def test_a_template_in_a_pipe(self) -> None:
        broken = "apiVersion: agents.x-k8s.io/v1alpha1\nkind: Sandbox\nmetadata: {{ .Values.x }}\n  a: b\n"
        check_refused(call(data=broken), "it looks like a Helm template: render the chart")

    def test_a_kind_that_is_skipped_is_not_said_to_be_missing(self) -> None:
        found = call("--skip-kind", "Sandbox", data=KNOWN)
        assert found.stderr.decode() == (
            "sandbox-postrenderer: nothing to add: no resource of a kind that is asked for\n"
        )

    def test_a_configuration_of_two_documents(self, tmp_path: Path) -> None:
        path = tmp_path / "c.yaml"
        path.write_text("levels: container\n---\nlevels: both\n")
        check_refused(call("--config", str(path), data=OTHER), "a configuration file is one document")

    def test_the_report_is_no_output(self, tmp_path: Path) -> None:
        path = str(tmp_path / "o.yaml")
        check_refused(call("-o", path, "--report", path, data=KNOWN), "--report", "name another file")
        assert not (tmp_path / "o.yaml").exists()

    def test_a_file_that_is_named_twice_counts_once(self, tmp_path: Path) -> None:
        path = tmp_path / "a.yaml"
        path.write_text(KNOWN)
        found = call("render", "-i", str(path), str(tmp_path / "." / "a.yaml"))
        summary, rewritten = found.stderr.decode().splitlines()
        assert summary.startswith("sandbox-postrenderer: 4 values added to 1 resource;")
        assert rewritten == f"sandbox-postrenderer: {path}: rewritten"
