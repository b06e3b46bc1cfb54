"""The command line: which command runs, exit codes, and precedence of what is said where."""

from __future__ import annotations

from pathlib import Path

import pytest

from postrenderer import __version__, cli
from tests.cli import BROKEN, DONE, KNOWN, OTHER, POD, UNKNOWN, call, check_refused, find_command


def test_without_arguments_standard_input_is_rendered() -> None:
    found = call(data=KNOWN)
    assert found.returncode == 0
    assert found.stdout.decode() == DONE


@pytest.mark.parametrize("arguments", [["render"], ["render", "-"], ["-"], ["-q"], ["--no-strict"], ["--levels=both"]])
def test_render_is_the_command_where_an_option_comes_first(arguments: list[str]) -> None:
    found = call(*arguments, data=KNOWN)
    assert (found.returncode, found.stdout.decode()) == (0, DONE)


def test_a_second_run_changes_nothing() -> None:
    assert call(data=DONE).stdout.decode() == DONE


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_names_every_command(option: str) -> None:
    found = call(option)
    assert found.returncode == 0
    for name in cli.COMMANDS:
        assert f"  {name} " in found.stdout.decode()
        assert call(name, option).returncode == 0


def test_version() -> None:
    assert call("--version").stdout.decode() == f"sandbox-postrenderer, version {__version__}\n"


def test_a_file_as_first_argument_is_explained(tmp_path: Path) -> None:
    file = tmp_path / "web.txt"
    file.write_text(KNOWN)
    check_refused(call(str(file)), f"sandbox-postrenderer render {file}")
    check_refused(call("missing.yaml"), "sandbox-postrenderer render missing.yaml")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["rendr"], ["rendr is no command", "did you mean render?"]),
        (["xyzzy"], ["xyzzy is no command", "there are render, diff, "]),
        (["--defalt-uid", "1"], ["No such option", "--default-uid"]),
        (["--default-uid", "0"], ["--default-uid", "'0' is no UID", "from 1 to 2147483647"]),
        (["--default-uid", "2147483648"], ["is no UID"]),
        (["--default-uid", "007"], ["is no UID"]),
        (["--default-uid", "٣"], ["is no UID"]),
        (["--default-uid"], ["requires an argument"]),
        (["--unknown-image", "nonrot"], ["'nonrot' is no value for it", "did you mean nonroot?"]),
        (["--override", "x"], ["there are fields, objects"]),
        (["--levels", "pod"], ["there are both, container"]),
        (["--scc", "restricted"], ["did you mean restricted-v"]),
        (["--kagent-version", "new"], ["'new' is no version", "0.9.4"]),
        (["--max-input", "1G"], ["'1G' is no number of bytes"]),
        (["--max-input", "0"], ["is no number of bytes"]),
        (["--max-input", "9" * 30], ["is no number of bytes"]),
        (["--image-uid", "app"], ["'app' is not IMAGE=UID"]),
        (["--image-uid", "app=0"], ["'0' (for app) is no UID"]),
        (["--image-uid", "app=1", "--image-uid", "app=2"], ["options: image-uid: 'app' has two UIDs"]),
        (["--only-kind", "Sandbx"], ["only-kind: no kind is called Sandbx", "Sandbox"]),
        (["--skip-kind", "Pod"], ["skip-kind: no kind is called Pod"]),
        (["--plugin", "nobody"], ["plugin nobody is not installed"]),
        (["--plugin", "workload"], ["did you mean workloads?"]),
        (["--plugin", "workloads", "--plugin", "workloads"], ["plugin workloads is named twice"]),
        (["--locked", "strikt"], ["locked: strikt is no setting", "did you mean strict?"]),
        (["--config", "missing.yaml"], ["missing.yaml: cannot be read: No such file"]),
        (["--config", "."], [".: cannot be read: Is a directory"]),
        (["-i"], ["--in-place needs files"]),
        (["-i", "-"], ["--in-place needs files"]),
        (["-i", "-o", "x", "y"], ["exclude each other"]),
        (["render", "missing.yaml"], ["missing.yaml: cannot be read: No such file"]),
        (["render", "a\nb.yaml"], ["a\\nb.yaml: cannot be read"]),
        (["render", "."], [".: is a directory", "--in-place"]),
        (["--host", "helm3"], ["--host"]),
        (["images"], ["list", "show"]),
        (["images", "show"], ["IMAGE"]),
        (["images", "shw"], ["shw"]),
        (["helm-plugin", "--dir", "a", "--package", "b"], ["exclude each other"]),
        (["--plugins-dir", "x"], ["No such option"]),
        (["--allow-empty"], ["No such option"]),
    ],
)
def test_wrong_usage_is_2_and_says_what_to_do(arguments: list[str], words: list[str], tmp_path: Path) -> None:
    check_refused(call(*arguments, data=KNOWN, cwd=tmp_path), *words)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (BROKEN, ["standard input, document 1, line"]),
        (f"{OTHER}---\n{BROKEN}", ["document 2, line"]),
        (KNOWN.encode("utf-16"), ["is UTF-16; convert it to UTF-8"]),
        (KNOWN.encode("utf-32"), ["is UTF-32"]),
        (b"\0\0\0\0", ["is UTF-32"]),
        (KNOWN.encode().replace(b"web", b"w\xff"), ["document 1, line 4: the byte 0xff is not UTF-8"]),
        (KNOWN.replace("apiVersion", "---apiVersion"), ["is glued to what follows"]),
        (KNOWN.replace("spec:\n  pod", "spec:\n  a: 1\nspec:\n  pod"), ["Sandbox/web", "stands twice"]),
        (KNOWN.replace("containers:", "containers: x #").replace("      - name: main\n", ""), ["standard input"]),
    ],
)
def test_input_that_is_refused_is_2(data: str | bytes, words: list[str]) -> None:
    check_refused(call(data=data), *words)


def test_a_broken_document_that_is_no_candidate_is_copied() -> None:
    data = "{\n---\n" + KNOWN
    assert call(data=data).stdout.decode() == "{\n---\n" + DONE


def test_strict_is_1_and_names_every_container() -> None:
    found = call("--strict", data=f"{UNKNOWN}---\n{KNOWN}---\n{UNKNOWN}")
    check_refused(found, code=1)
    lines = found.stderr.decode().splitlines()
    assert lines[0] == "sandbox-postrenderer: nothing is written: 3 resources read, 2 warnings"
    errors = [line for line in lines if ": error: " in line]
    assert len(errors) == 2
    for number, line in zip((1, 3), errors, strict=True):
        assert line.startswith(f"sandbox-postrenderer: error: standard input, document {number}, Sandbox/odd")
        assert line.endswith("(strict)")


def test_unknown_image_fail_is_1() -> None:
    check_refused(call("--unknown-image=fail", data=UNKNOWN), "team/app:1", "(unknown-image: fail)", code=1)
    assert call("--unknown-image=fail", data=KNOWN).returncode == 0


def test_a_bug_is_70_with_its_traceback_and_where_to_report_it(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise ZeroDivisionError("a cosmic ray")

    monkeypatch.setattr("postrenderer.pipeline.render", fail)
    assert cli.main([], KNOWN.encode()) == 70
    out, err = capfd.readouterr()
    assert out == ""
    assert "Traceback" in err
    assert "ZeroDivisionError: a cosmic ray" in err
    assert f"this is a bug in sandbox-postrenderer {__version__}: please report it" in err.splitlines()[-1]


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [(MemoryError(), 2, "not enough memory"), (KeyboardInterrupt(), 130, ""), (BrokenPipeError(), 141, "")],
)
def test_ends_that_are_no_bugs(
    error: BaseException,
    code: int,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise error

    monkeypatch.setattr("postrenderer.pipeline.render", fail)
    monkeypatch.setattr("postrenderer.cli._silence_output", lambda: None)
    report = tmp_path / "report.json"
    assert cli.main(["--report", str(report)], KNOWN.encode()) == code
    out, err = capfd.readouterr()
    assert out == ""
    assert words in err
    assert bool(err) == bool(words)
    assert '"error": "' in report.read_text()


def test_precedence(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("default-uid: 1\nlevels: container\nimage-uid: {registry.example.com/team/app: 11, team/x: 12}\n")
    variables = {
        "SANDBOX_POSTRENDERER_CONFIG": str(config),
        "SANDBOX_POSTRENDERER_DEFAULT_UID": "2",
        "SANDBOX_POSTRENDERER_IMAGE_UID": "team/y=22\nregistry.example.com/team/app=21",
    }

    def uid(image: str, *arguments: str, environment: dict[str, str]) -> str:
        found = call(*arguments, data=POD.format(name="a", image=image), environment=environment)
        return found.stdout.decode().partition("runAsUser: ")[2].partition("\n")[0]

    only_file = {"SANDBOX_POSTRENDERER_CONFIG": str(config)}
    assert uid("unknown", environment=only_file) == "1"
    assert uid("unknown", environment=variables) == "2"
    assert uid("unknown", "--default-uid=3", environment=variables) == "3"
    app = "registry.example.com/team/app:1"
    assert uid(app, environment=only_file) == "11"
    assert uid(app, environment=variables) == "21"
    assert uid(app, "--image-uid=registry.example.com/team/app=31", environment=variables) == "31"
    for image, expected in (("team/x", "12"), ("team/y", "22"), ("team/z", "32")):
        assert uid(image, "--image-uid=team/z=32", environment=variables) == expected


def test_an_option_stands_above_its_variable() -> None:
    strict = {"SANDBOX_POSTRENDERER_STRICT": "true"}
    assert call(data=UNKNOWN, environment=strict).returncode == 1
    assert call("--no-strict", data=UNKNOWN, environment=strict).returncode == 0
    kinds = {"SANDBOX_POSTRENDERER_SKIP_KIND": "Sandbox, SandboxAgent"}
    assert call(data=KNOWN, environment=kinds).stdout.decode() == KNOWN
    assert call("--skip-kind=SandboxAgent", data=KNOWN, environment=kinds).stdout.decode() == DONE
    assert call(data=KNOWN, environment={"SANDBOX_POSTRENDERER_SKIP_KIND": ""}).stdout.decode() == DONE


def test_variables_are_checked_and_foreign_ones_ignored() -> None:
    foreign = {
        "SANDBOX_POSTRENDERER_SERVICE_HOST": "10.0.0.1",
        "SANDBOX_POSTRENDERER_PORT": "tcp://10.0.0.1:80",
        "SANDBOX_POSTRENDERER_X_SERVICE_PORT": "80",
    }
    assert call(data=KNOWN, environment=foreign).stdout.decode() == DONE
    assert call(data=OTHER, environment=foreign).stdout.decode() == OTHER
    for name, value in (("DEFAULT_UID", "root"), ("DEFAULT_UID", ""), ("STRICT", "yes"), ("MAX_INPUT", "-1")):
        variable = f"SANDBOX_POSTRENDERER_{name}"
        check_refused(call(data=OTHER, environment={variable: value}), f"environment variable {variable}: {value!r}")


def test_locked_settings_are_an_error_in_a_file_only(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("# ours\nlevels: container\nstrict: false\n")
    arguments = ["--config", str(config), "--locked", "strict, default-uid"]
    check_refused(call(*arguments, data=KNOWN), f"{config}, line 3: strict is locked by the operator")
    config.write_text("levels: container\n")
    assert call(*arguments, "--strict", data=KNOWN).returncode == 0
    locked = {"SANDBOX_POSTRENDERER_LOCKED": "levels"}
    check_refused(call("--config", str(config), data=KNOWN, environment=locked), "line 1: levels is locked")


def test_capabilities_from_the_environment(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    environment = {"SANDBOX_POSTRENDERER_REPORT": str(report), "SANDBOX_POSTRENDERER_PLUGIN": "workloads"}
    deployment = KNOWN.replace("agents.x-k8s.io/v1alpha1", "apps/v1").replace("Sandbox", "Deployment")
    found = call(data=deployment.replace("podTemplate", "template"), environment=environment)
    assert found.stdout.decode().count("runAsUser: 1001") == 2
    assert '"resources": 1' in report.read_text()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_can_complete(shell: str) -> None:
    found = call(environment={"_SANDBOX_POSTRENDERER_COMPLETE": f"{shell}_source"})
    assert b"sandbox-postrenderer" in found.stdout


def test_completion_offers_options() -> None:
    words = {"_SANDBOX_POSTRENDERER_COMPLETE": "bash_complete", "COMP_WORDS": "x render --def", "COMP_CWORD": "2"}
    assert b"--default-uid" in call(environment=words).stdout


def test_module_and_script_are_one() -> None:
    assert find_command()[0].endswith("sandbox-postrenderer")
