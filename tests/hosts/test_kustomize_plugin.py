"""kustomize and kubectl with the exec plugin, and kustomize with the KRM function: real builds of real folders."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from tests.hosts.programs import PLUGIN, SANDBOX, Home, find_resource, load_resources
from tests.support import EXAMPLES, find_tool

pytestmark = pytest.mark.e2e

BUILD = ("kustomize", "build", "--enable-alpha-plugins", "--enable-exec")
KUBECTL = ("kubectl", "kustomize", "--enable-alpha-plugins")
UNKNOWN = SANDBOX.replace("registry.k8s.io/agent-sandbox/python-runtime-sandbox:v0.4.6", "example.com/odd:1")
STATED = SANDBOX.replace("    spec:\n", "    spec:\n      securityContext: {runAsNonRoot: true, runAsUser: 1000}\n")
FUNCTION = {"config.kubernetes.io/function": f"exec: {{path: {PLUGIN}}}"}


@pytest.fixture
def kustomize(home: Home) -> Home:
    """A home in which the plugin is installed."""
    home.add("kustomize", find_tool("kustomize"))
    home.get_output(PLUGIN, "kustomize-plugin", "install")
    return home


@pytest.fixture(params=["exec plugin", "KRM function"])
def annotations(request: pytest.FixtureRequest) -> dict[str, str]:
    """What makes a configuration one or the other."""
    return FUNCTION if request.param == "KRM function" else {}


def write(directory: Path, text: str, **entries: dict[str, object]) -> Path:
    """A kustomization of one file, with a configuration for each of its fields."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "one.yaml").write_text(text)
    kustomization = {"resources": ["one.yaml"], **{key: [yaml.safe_dump(entry)] for key, entry in entries.items()}}
    (directory / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return directory


def configure(annotations: dict[str, str], **spec: object) -> dict[str, object]:
    return {
        "apiVersion": "sandbox-postrenderer.io/v1",
        "kind": "RuntimeIdentity",
        "metadata": {"name": "identity", "annotations": annotations},
        "spec": spec,
    }


def has_identity(output: bytes) -> bool:
    return "securityContext" in find_resource(output, "one")["spec"]["podTemplate"]["spec"]


class TestTransformer:
    def test_nothing_to_do_changes_nothing(self, kustomize: Home, annotations: dict[str, str]) -> None:
        for text in (STATED, UNKNOWN, SANDBOX.replace("Sandbox", "Other")):
            bare = kustomize.get_output(*BUILD, write(kustomize.path / "bare", text))
            folder = write(kustomize.path / "set", text, transformers=configure(annotations))
            if text == STATED:
                folder = write(folder, text, transformers=configure(annotations, override="objects"))
            assert kustomize.get_output(*BUILD, folder) == bare

    def test_what_is_missing_is_added(self, kustomize: Home, annotations: dict[str, str]) -> None:
        """The same as in a pipe, for all examples; order, comments and all else is as kustomize leaves it."""
        files = [*sorted((EXAMPLES / "plain").iterdir()), EXAMPLES / "issue-1900.yaml"]
        folder = kustomize.path / "all"
        folder.mkdir()
        for file in files:
            shutil.copy(file, folder)
        kustomization = {"resources": [file.name for file in files]}
        (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
        bare = kustomize.get_output(*BUILD, folder)
        kustomization["transformers"] = [yaml.safe_dump(configure(annotations))]
        (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
        built = kustomize.get_output(*BUILD, folder)
        assert built != bare
        assert load_resources(built) == load_resources(kustomize.get_output(PLUGIN, data=bare))
        if not annotations:
            assert built == kustomize.get_output(*KUBECTL, folder)

    def test_a_failure_fails_the_build(self, kustomize: Home, annotations: dict[str, str]) -> None:
        folder = write(kustomize.path / "k", UNKNOWN, transformers=configure(annotations, strict=True))
        found = kustomize.run(*BUILD, folder)
        assert (found.returncode, found.stdout) == (1, b"")
        assert (
            b"Sandbox/one: container python (image example.com/odd:1) has no runtime identity (strict)" in found.stderr
        )

    def test_bad_configuration_is_one_line(self, kustomize: Home, annotations: dict[str, str]) -> None:
        folder = write(kustomize.path / "k", SANDBOX, transformers=configure(annotations, strikt=True))
        found = kustomize.run(*BUILD, folder)
        assert (found.returncode, found.stdout) == (1, b"")
        lines = [line for line in found.stderr.decode().splitlines() if "strikt" in line]
        assert len(lines) == 1
        assert lines[0].endswith("RuntimeIdentity/identity, spec: strikt is no setting; did you mean strict?")

    def test_no_resources_at_all(self, kustomize: Home, annotations: dict[str, str]) -> None:
        folder = write(kustomize.path / "k", "", transformers=configure(annotations))
        (folder / "kustomization.yaml").write_text(
            (folder / "kustomization.yaml")
            .read_text()
            .replace("- one.yaml", "[]")
            .replace("resources:\n", "resources: ")
        )
        bare = write(kustomize.path / "bare", "")
        (bare / "kustomization.yaml").write_text("resources: []\n")
        with_it, without = kustomize.run(*BUILD, folder), kustomize.run(*BUILD, bare)
        assert (with_it.returncode, with_it.stdout) == (without.returncode, without.stdout)

    def test_arguments(self, kustomize: Home) -> None:
        entry = {**configure({}), "argsOneLiner": "--default-uid 7 --levels container"}
        found = kustomize.get_output(*BUILD, write(kustomize.path / "k", UNKNOWN, transformers=entry))
        (container,) = find_resource(found, "one")["spec"]["podTemplate"]["spec"]["containers"]
        assert container["securityContext"] == {"runAsNonRoot": True, "runAsUser": 7}

    def test_arguments_of_a_file(self, kustomize: Home) -> None:
        entry = {**configure({}), "argsFromFile": "arguments"}
        folder = write(kustomize.path / "k", UNKNOWN, transformers=entry)
        (folder / "arguments").write_text("--default-uid\n7\n")
        assert has_identity(kustomize.get_output(*BUILD, folder))

    def test_a_configuration_too_large_for_the_environment(self, kustomize: Home) -> None:
        """Above 128 KiB kustomize leaves `KUSTOMIZE_PLUGIN_CONFIG_STRING` out."""
        table = {f"example.com/image-number-{number}": 1001 for number in range(4000)}
        entry = configure({}, **{"image-uid": {**table, "example.com/odd": 4242}})
        found = kustomize.get_output(*BUILD, write(kustomize.path / "k", UNKNOWN, transformers=entry))
        assert b"runAsUser: 4242" in found


class TestValidator:
    def test_complete_passes(self, kustomize: Home, annotations: dict[str, str]) -> None:
        entry = configure(annotations, mode="validate", strict=True)
        spec = STATED.replace("    spec:\n", "    spec:\n", 1)
        folder = write(kustomize.path / "k", spec, validators=entry)
        assert kustomize.get_output(*BUILD, folder) == kustomize.get_output(*BUILD, write(kustomize.path / "b", spec))

    @pytest.mark.parametrize(("text", "message"), [(SANDBOX, b"lacks runAsNonRoot"), (UNKNOWN, b"(strict)")])
    def test_incomplete_fails(self, kustomize: Home, annotations: dict[str, str], text: str, message: bytes) -> None:
        entry = configure(annotations, mode="validate", strict=True)
        found = kustomize.run(*BUILD, write(kustomize.path / "k", text, validators=entry))
        assert (found.returncode, found.stdout) == (1, b"")
        assert message in found.stderr

    def test_under_transformers_it_deletes_nothing(self, kustomize: Home, annotations: dict[str, str]) -> None:
        entry = configure(annotations, mode="validate")
        found = kustomize.run(*BUILD, write(kustomize.path / "k", STATED, transformers=entry))
        assert (found.returncode, found.stdout) == (1, b"")
        assert b"would delete every resource there" in found.stderr

    def test_rendering_under_validators_says_what_to_do(self, kustomize: Home, annotations: dict[str, str]) -> None:
        found = kustomize.run(*BUILD, write(kustomize.path / "k", STATED, validators=configure(annotations)))
        assert b"mode: render stands under validators:" in found.stderr

    def test_after_a_transformer(self, kustomize: Home, annotations: dict[str, str]) -> None:
        verdict = configure(annotations, mode="validate", strict=True)
        folder = write(kustomize.path / "k", SANDBOX, transformers=configure(annotations), validators=verdict)
        assert has_identity(kustomize.get_output(*BUILD, folder))


def test_a_generator_generates_nothing_and_deletes_nothing(kustomize: Home, annotations: dict[str, str]) -> None:
    bare = kustomize.get_output(*BUILD, write(kustomize.path / "b", SANDBOX))
    for mode in ("render", "validate"):
        folder = write(kustomize.path / "k", SANDBOX, generators=configure(annotations, mode=mode))
        assert kustomize.get_output(*BUILD, folder) == bare


def test_kubectl_and_kustomize_skip_the_function_in_silence(kustomize: Home) -> None:
    """Neither says a word without `--enable-exec`, which kubectl does not have."""
    folder = write(kustomize.path / "k", SANDBOX, transformers=configure(FUNCTION))
    for command in (BUILD[:-1], KUBECTL):
        assert not has_identity(kustomize.get_output(*command, folder))


def test_the_annotations_of_an_overlay_survive(kustomize: Home, annotations: dict[str, str]) -> None:
    """kustomize tells resources apart by annotations that a plugin has to give back: names still change after it."""
    write(
        kustomize.path / "base", SANDBOX + "---\n" + SANDBOX.replace("one", "two"), transformers=configure(annotations)
    )
    overlay = kustomize.path / "overlay"
    overlay.mkdir()
    (overlay / "kustomization.yaml").write_text(
        "resources: [../base]\nnamePrefix: a-\nnamespace: team\nbuildMetadata: [originAnnotations]\n"
    )
    found = kustomize.get_output(*BUILD, overlay)
    names = [(each["metadata"]["name"], each["metadata"]["namespace"]) for each in load_resources(found)]
    assert names == [("a-one", "team"), ("a-two", "team")]
    assert b"config.kubernetes.io/index" not in found
    assert b"kustomize.config.k8s.io/id" not in found


class TestSurroundings:
    @pytest.fixture
    def folder(self, kustomize: Home, annotations: dict[str, str]) -> Path:
        return write(kustomize.path / "with blanks" / "a b", SANDBOX, transformers=configure(annotations))

    def test_paths_with_blanks(self, kustomize: Home, folder: Path) -> None:
        home = kustomize.path / "plugin home"
        home.mkdir()
        kustomize.extra["KUSTOMIZE_PLUGIN_HOME"] = str(home)
        kustomize.get_output(PLUGIN, "kustomize-plugin", "install")
        assert has_identity(kustomize.get_output(*BUILD, folder))

    def test_a_read_only_home(self, kustomize: Home, folder: Path) -> None:
        with _read_only(kustomize.path):
            assert has_identity(kustomize.get_output(*BUILD, folder))

    def test_no_home(self, kustomize: Home, folder: Path) -> None:
        environment = {key: value for key, value in kustomize.environment.items() if key != "HOME"}
        found = subprocess.run([*BUILD, str(folder)], env=environment, capture_output=True, check=False, timeout=60)
        assert has_identity(found.stdout), found.stderr.decode()

    def test_not_on_path(self, kustomize: Home) -> None:
        """The plugin calls the installation that wrote it."""
        (kustomize.bin / PLUGIN).unlink()
        assert has_identity(
            kustomize.get_output(*BUILD, write(kustomize.path / "k", SANDBOX, transformers=configure({})))
        )

    def test_modules_in_the_kustomization_are_not_imported(self, kustomize: Home, hostile: Path) -> None:
        folder = write(hostile, SANDBOX, transformers=configure({}, strict=True))
        assert has_identity(kustomize.get_output(*BUILD, folder, cwd=folder))
        assert not (hostile / "imported").exists()

    def test_two_at_once(self, kustomize: Home, folder: Path) -> None:
        runs = [
            subprocess.Popen(
                [*BUILD, str(folder)], env=kustomize.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            for _ in range(2)
        ]
        outputs = [run.communicate(timeout=60)[0] for run in runs]
        assert outputs[0] == outputs[1]
        assert has_identity(outputs[0])

    def test_an_interpreter_that_is_gone_fails_the_build(self, kustomize: Home) -> None:
        path = next((kustomize.path / "config").rglob("RuntimeIdentity"))
        path.write_text(path.read_text().replace(sys.executable, "/gone/python"))
        found = kustomize.run(*BUILD, write(kustomize.path / "k", SANDBOX, transformers=configure({})))
        assert (found.returncode, found.stdout) == (1, b"")
        assert b"/gone/python" in found.stderr


@contextmanager
def _read_only(path: Path) -> Iterator[None]:
    """A directory tree in which nobody, root excepted, can write."""
    folders = [path, *(each for each in path.rglob("*") if each.is_dir() and not each.is_symlink())]
    for folder in folders:
        folder.chmod(0o555)
    yield
    for folder in folders:
        folder.chmod(0o755)


class TestExamples:
    FOLDER = EXAMPLES / "kustomize"

    def test_both_ways_give_the_same(self, kustomize: Home) -> None:
        plugin = kustomize.get_output(*BUILD[:-1], self.FOLDER / "exec-plugin")
        assert plugin == kustomize.get_output(*KUBECTL, self.FOLDER / "exec-plugin")
        assert plugin == kustomize.get_output(*BUILD, self.FOLDER / "krm-function")
        containers = find_resource(plugin, "notebook")["spec"]["podTemplate"]["spec"]["containers"]
        assert [each["securityContext"]["runAsUser"] for each in containers] == [1000, 4242]

    def test_the_validator_is_no_decoration(self, kustomize: Home) -> None:
        folder = shutil.copytree(self.FOLDER, kustomize.path / "copy")
        identity = folder / "exec-plugin" / "identity.yaml"
        identity.write_text(identity.read_text().replace("recorder", "another"))
        found = kustomize.run(*BUILD, folder / "exec-plugin")
        assert b"container recorder" in found.stderr
        assert found.returncode == 1


@pytest.fixture
def kpt(home: Home) -> Iterator[Home]:
    if shutil.which("kpt") is None:
        pytest.skip("kpt is not installed")
    home.add("kpt", os.path.realpath(str(shutil.which("kpt"))))
    return home


class TestKpt:
    @pytest.fixture
    def package(self, kpt: Home) -> Path:
        return Path(shutil.copytree(EXAMPLES / "kpt", kpt.path / "a package"))

    def test_render(self, kpt: Home, package: Path) -> None:
        found = kpt.run("kpt", "fn", "render", "--allow-exec", package)
        assert found.returncode == 0, found.stderr.decode()
        assert b"[info] kagent.dev/v1alpha2/SandboxAgent/triage spec.declarative.deployment" in found.stderr
        output = (package / "agents.yaml").read_bytes()
        assert output == kpt.get_output(
            PLUGIN,
            "--image-uid",
            "registry.example.com/recorder=4242",
            data=(EXAMPLES / "kpt" / "agents.yaml").read_bytes(),
        ).replace(b"recorder  #", b"recorder #")  # kpt's own doing

    def test_a_validator_that_fails_discards_everything(self, kpt: Home, package: Path) -> None:
        (package / "Kptfile").write_text((package / "Kptfile").read_text().replace("recorder", "another"))
        before = (package / "agents.yaml").read_bytes()
        found = kpt.run("kpt", "fn", "render", "--allow-exec", package)
        assert found.returncode == 1
        assert b"agents.yaml, Sandbox/notebook: container recorder" in found.stderr
        assert (package / "agents.yaml").read_bytes() == before

    def test_eval_deletes_no_file_when_it_validates(self, kpt: Home, package: Path) -> None:
        kpt.get_output("kpt", "fn", "render", "--allow-exec", package)
        before = (package / "agents.yaml").read_bytes()
        kpt.get_output("kpt", "fn", "eval", package, "--exec", PLUGIN, "--", "mode=validate")
        assert (package / "agents.yaml").read_bytes() == before

    def test_bad_configuration(self, kpt: Home, package: Path) -> None:
        found = kpt.run("kpt", "fn", "eval", package, "--exec", PLUGIN, "--", "strikt=true")
        assert found.returncode == 1
        assert b"ConfigMap/function-input, data: strikt: is no setting; did you mean strict?" in found.stderr
