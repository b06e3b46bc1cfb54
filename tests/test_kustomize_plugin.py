"""kustomize's exec plugin, called as kustomize calls it; `tests/hosts` has kustomize itself."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from postrenderer.hosts.kustomize import RELATIVE_PATH, find_home
from tests.cli import DONE, KNOWN, OTHER, UNKNOWN, call, check_refused, read_report

CONFIG = "apiVersion: sandbox-postrenderer.io/v1\nkind: RuntimeIdentity\nmetadata:\n  name: identity\n"


def call_plugin(
    folder: Path, spec: str, *arguments: str, data: str = KNOWN, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Call the command with a configuration file, in a kustomization's directory."""
    path = folder / "kust-plugin-config-1"
    path.write_text(f"{CONFIG}spec: {spec}\n")
    environment = {"KUSTOMIZE_PLUGIN_CONFIG_ROOT": str(folder), **(environment or {})}
    return call(str(path), *arguments, data=data, environment=environment, cwd=folder)


class TestRender:
    @pytest.mark.parametrize("data", [OTHER, DONE, "", f"{OTHER}---\n{DONE}"])
    def test_nothing_to_do_is_a_copy(self, tmp_path: Path, data: str) -> None:
        found = call_plugin(tmp_path, "{}", data=data)
        assert (found.returncode, found.stdout.decode()) == (0, data)

    def test_what_is_missing_is_added(self, tmp_path: Path) -> None:
        assert call_plugin(tmp_path, "{mode: render}").stdout.decode() == DONE

    def test_a_configuration_without_a_spec(self, tmp_path: Path) -> None:
        assert call_plugin(tmp_path, "").stdout.decode() == DONE

    def test_settings(self, tmp_path: Path) -> None:
        """argsOneLiner stands above the spec, and that above the environment."""
        environment = {"SANDBOX_POSTRENDERER_DEFAULT_UID": "5"}
        for spec, arguments, uid in (
            ("{}", (), 5),
            ("{default-uid: 6}", (), 6),
            ("{default-uid: 6}", ("--default-uid", "7"), 7),
        ):
            found = call_plugin(tmp_path, spec, *arguments, data=UNKNOWN, environment=environment)
            assert f"runAsUser: {uid}\n" in found.stdout.decode()

    def test_nothing_to_read_is_told(self, tmp_path: Path) -> None:
        assert b"under generators: this plugin has no effect" in call_plugin(tmp_path, "{}", data="").stderr

    def test_a_report(self, tmp_path: Path) -> None:
        """What kustomize swallows when all goes well."""
        call_plugin(tmp_path, "{}", environment={"SANDBOX_POSTRENDERER_REPORT": "r.json"})
        assert read_report(tmp_path / "r.json")["additions"] == 4

    def test_by_hand_the_environment_alone_is_no_call(self, tmp_path: Path) -> None:
        """A script that kustomize runs may call the command for itself."""
        environment = {"KUSTOMIZE_PLUGIN_CONFIG_ROOT": str(tmp_path)}
        (tmp_path / "render").write_text("a file called as a command is\n")
        assert call(data=KNOWN, environment=environment).stdout.decode() == DONE
        assert call("render", data=KNOWN, environment=environment, cwd=tmp_path).stdout.decode() == DONE


class TestErrors:
    @pytest.mark.parametrize(
        ("spec", "arguments", "message"),
        [
            ("{strict: 7}", (), "RuntimeIdentity/identity, spec: strict: write true or false, without quotes (not 7)"),
            ("{strikt: 7}", (), "RuntimeIdentity/identity, spec: strikt is no setting; did you mean strict?"),
            ("{}", ("--report", "x"), "RuntimeIdentity/identity, argsOneLiner: No such option '--report'"),
            ("{allow-empty: true}", (), "spec: allow-empty is no setting"),
            ("{}", ("--output=x",), "argsOneLiner: No such option '--output'"),
            ("{}", ("other.yaml",), "argsOneLiner: Got unexpected extra argument (other.yaml)"),
            ("{}", ("--default-uid", "x"), "argsOneLiner: Invalid value for '--default-uid': 'x' is no UID"),
            ("[", (), "kust-plugin-config-1, line "),
        ],
    )
    def test_one_line_names_resource_and_key(
        self, tmp_path: Path, spec: str, arguments: tuple[str, ...], message: str
    ) -> None:
        found = call_plugin(tmp_path, spec, *arguments)
        check_refused(found, message)
        assert found.stderr.count(b"\n") == 1

    @pytest.mark.parametrize(("spec", "arguments"), [("{strict: false}", ()), ("{}", ("--no-strict",))])
    def test_an_operator_can_lock_settings(self, tmp_path: Path, spec: str, arguments: tuple[str, ...]) -> None:
        locked = {"SANDBOX_POSTRENDERER_LOCKED": "strict"}
        found = call_plugin(tmp_path, spec, *arguments, environment=locked)
        check_refused(found, "error: RuntimeIdentity/identity, ", "strict is locked by the operator")

    def test_an_error_is_in_the_report(self, tmp_path: Path) -> None:
        call_plugin(tmp_path, "{strict: 7}", environment={"SANDBOX_POSTRENDERER_REPORT": "r.json"})
        assert "RuntimeIdentity/identity, spec: strict" in read_report(tmp_path / "r.json")["error"]

    def test_another_kind(self, tmp_path: Path) -> None:
        path = tmp_path / "config"
        for text, message in (
            ("kind: X\n", "X/(no name): apiVersion None and kind X are no co"),
            ("- a\n", "has to be a Runt"),
        ):
            path.write_text(text)
            check_refused(call(str(path), environment={"KUSTOMIZE_PLUGIN_CONFIG_ROOT": "."}, cwd=tmp_path), message)
        path.write_bytes(b"kind: \xff\n")
        check_refused(call(str(path), environment={"KUSTOMIZE_PLUGIN_CONFIG_ROOT": "."}, cwd=tmp_path), "is not UTF-8")


class TestValidate:
    def test_complete_is_silence(self, tmp_path: Path) -> None:
        found = call_plugin(tmp_path, "{mode: validate}", data=DONE)
        assert (found.returncode, found.stdout) == (0, b"")

    def test_what_is_missing_fails(self, tmp_path: Path) -> None:
        found = call_plugin(tmp_path, "{mode: validate}")
        message = (
            "error: kustomize, Sandbox/web: lacks runAsNonRoot: true and runAsUser: 1001 in spec.podTemplate.spec.sec"
        )
        check_refused(found, message, code=1)

    def test_strict(self, tmp_path: Path) -> None:
        assert call_plugin(tmp_path, "{mode: validate}", data=UNKNOWN).returncode == 0
        found = call_plugin(tmp_path, "{mode: validate, strict: true}", data=UNKNOWN)
        check_refused(found, "kustomize, Sandbox/odd: container main", "has no runtime identity (strict)", code=1)


class TestPlace:
    """Where a configuration stands under the wrong key: a validator's silence would delete every resource."""

    ENTRIES = (
        "'{apiVersion: sandbox-postrenderer.io/v1, kind: RuntimeIdentity, metadata: {name: identity}, spec: SPEC}'",
        f"|\n{CONFIG.strip()}\nspec: SPEC".replace("\n", "\n  "),
        "identity.yaml",
    )

    def write(self, folder: Path, key: str, spec: str, entry: str, name: str = "kustomization.yaml") -> None:
        (folder / name).write_text(
            f"{key}:\n- {{not: a file}}\n- other.yaml\n- missing\n- {entry.replace('SPEC', spec)}\n"
        )
        (folder / "other.yaml").write_text("kind: PrefixTransformer\n")
        (folder / "identity.yaml").write_text(f"{CONFIG}spec: {spec}\n")

    @pytest.mark.parametrize("name", ["kustomization.yaml", "kustomization.yml", "Kustomization"])
    @pytest.mark.parametrize("entry", ENTRIES)
    def test_a_validator_under_transformers(self, tmp_path: Path, entry: str, name: str) -> None:
        self.write(tmp_path, "transformers", "{mode: validate}", entry, name)
        found = call_plugin(tmp_path, "{mode: validate}", data=DONE)
        check_refused(
            found, "identity: mode: validate stands under transformers:, and would delete every resource there"
        )

    @pytest.mark.parametrize("entry", ENTRIES)
    def test_a_transformer_under_validators(self, tmp_path: Path, entry: str) -> None:
        self.write(tmp_path, "validators", "{}", entry)
        check_refused(call_plugin(tmp_path, "{}"), "identity: mode: render stands under validators:, where nothing may")

    @pytest.mark.parametrize(
        ("key", "spec"), [("transformers", "{}"), ("validators", "{mode: validate}"), ("generators", "{}")]
    )
    def test_in_its_place(self, tmp_path: Path, key: str, spec: str) -> None:
        self.write(tmp_path, key, spec, self.ENTRIES[0])
        assert call_plugin(tmp_path, spec, data=DONE).returncode == 0

    def test_both_in_their_places(self, tmp_path: Path) -> None:
        """Two configurations of one name, which kustomize allows."""
        self.write(tmp_path, "transformers", "{}", self.ENTRIES[0])
        with (tmp_path / "kustomization.yaml").open("a") as file:
            file.write(f"validators:\n- {self.ENTRIES[0].replace('SPEC', '{mode: validate}')}\n")
        assert call_plugin(tmp_path, "{}", data=DONE).stdout.decode() == DONE
        assert call_plugin(tmp_path, "{mode: validate}", data=DONE).stdout == b""

    @pytest.mark.parametrize(
        "text",
        [
            "transformers: [identity.yaml]\n---\n",
            "Transformers: [identity.yaml]\n",
            "transformers: [other.yaml]\ntransformers: [identity.yaml]\n",
            "transformers: [identity.yaml]\nvalidators: [identity.yaml]\n",
            "transformers: [two.yaml]\n",
            "transformers: [list.yaml]\n",
            "transformers: [unsorted.yaml]\n",
            "transformers: [folder]\n",
            "transformers: [folder]\nvalidators: [other.yaml]\n",
            "resources: []\n",
            "transformers: 7\n",
            "transformers: [",
            "- a\n",
            "",
        ],
    )
    def test_a_validator_runs_only_where_it_is_seen_as_one(self, tmp_path: Path, text: str) -> None:
        spec = "{mode: validate, image-uid: {a/b: 1, c/d: 2}}"
        config = f"{CONFIG}spec: {spec}\n"
        (tmp_path / "kustomization.yaml").write_text(text)
        (tmp_path / "other.yaml").write_text("kind: PrefixTransformer\n")
        (tmp_path / "identity.yaml").write_text(f"---\n{config}---\n")
        (tmp_path / "two.yaml").write_text(f"kind: X\n---\n{config}")
        (tmp_path / "list.yaml").write_text("kind: List\nitems:\n- " + config.replace("\n", "\n  ").rstrip(" "))
        (tmp_path / "unsorted.yaml").write_text(f"{CONFIG}spec: {{image-uid: {{c/d: 2, a/b: 1}}, mode: validate}}\n")
        found = call_plugin(tmp_path, spec, data=DONE)
        check_refused(found, "RuntimeIdentity/identity: mode: validate ", "would delete every resource")

    def test_a_kustomization_that_is_no_text(self, tmp_path: Path) -> None:
        (tmp_path / "kustomization.yaml").write_bytes(b"\xff")
        check_refused(call_plugin(tmp_path, "{mode: validate}", data=DONE), "is not seen under validators:")
        assert call_plugin(tmp_path, "{}", data=DONE).stdout.decode() == DONE


class TestInstall:
    def test_it_says_where_and_what_next(self, tmp_path: Path) -> None:
        found = call("kustomize-plugin", "install", "--home", "my plugins", cwd=tmp_path)
        path = tmp_path / "my plugins" / RELATIVE_PATH
        assert found.stdout.decode() == f"{path}\n"
        assert str(path).endswith("/sandbox-postrenderer.io/v1/runtimeidentity/RuntimeIdentity")
        assert os.access(path, os.X_OK)
        assert b"transformers:\n- '{apiVersion: sandbox-postrenderer.io/v1, kind: RuntimeIdentity" in found.stderr

    def test_again_is_an_upgrade(self, tmp_path: Path) -> None:
        path = tmp_path / RELATIVE_PATH
        assert call("kustomize-plugin", "install", "--home", str(tmp_path)).returncode == 0
        path.write_text(path.read_text().replace("exec ", "exec /gone"))
        assert call("kustomize-plugin", "install", "--home", str(tmp_path)).returncode == 0
        assert "/gone" not in path.read_text()

    @pytest.mark.parametrize("kind", ["file", "directory", "link"])
    def test_what_somebody_else_put_there_stays(self, tmp_path: Path, kind: str) -> None:
        path = tmp_path / RELATIVE_PATH
        path.parent.mkdir(parents=True)
        if kind == "file":
            path.write_text("#!/bin/sh\n")
        elif kind == "link":
            path.symlink_to("nowhere")
        else:
            path.mkdir()
        found = call("kustomize-plugin", "install", "--home", str(tmp_path))
        check_refused(found, "is there already, and not this plugin's: take it away")

    def test_a_home_that_cannot_be_written(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        check_refused(call("kustomize-plugin", "install", "--home", str(tmp_path / "file")), "file")


class TestHome:
    """The first of four places that is there, as kustomize looks; else the first."""

    @pytest.fixture
    def user(self, tmp_path: Path) -> dict[str, str]:
        return {
            "HOME": str(tmp_path),
            "XDG_CONFIG_HOME": str(tmp_path / "x"),
            "KUSTOMIZE_PLUGIN_HOME": str(tmp_path / "k"),
        }

    @pytest.mark.parametrize(
        ("unset", "existing", "expected"),
        [
            ((), (), "k"),
            ((), ("x/kustomize/plugin", "kustomize/plugin"), "x/kustomize/plugin"),
            ((), ("k", "x/kustomize/plugin"), "k"),
            (("KUSTOMIZE_PLUGIN_HOME",), (), "x/kustomize/plugin"),
            (("KUSTOMIZE_PLUGIN_HOME",), (".config/kustomize/plugin",), ".config/kustomize/plugin"),
            (("KUSTOMIZE_PLUGIN_HOME", "XDG_CONFIG_HOME"), (), ".config/kustomize/plugin"),
            (("KUSTOMIZE_PLUGIN_HOME", "XDG_CONFIG_HOME"), ("kustomize/plugin",), "kustomize/plugin"),
        ],
    )
    def test_places(
        self, tmp_path: Path, user: dict[str, str], unset: tuple[str, ...], existing: tuple[str, ...], expected: str
    ) -> None:
        for name in unset:
            del user[name]
        for folder in existing:
            (tmp_path / folder).mkdir(parents=True)
        assert find_home(user) == str(tmp_path / expected)
