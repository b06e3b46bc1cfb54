"""What Argo CD expects of a plugin and does with it, measured on its plugin server and its repo server's code."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.hosts.argocd import URL, AskError, CmpServer, render
from tests.hosts.programs import Home, write_chart
from tests.support import find_tool

pytestmark = pytest.mark.e2e
ONE = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\n"
TWO = ONE.replace("one", "two")
REPORT = """\
import json, os, sys
seen = {"env": dict(os.environ), "cwd": os.getcwd(), "stdin": sys.stdin.read(), "argv": sys.argv[1:]}
print(json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "seen"}, "data": seen}))
"""
SPIES = [sys.executable, "-c", REPORT]
Serve = Callable[..., CmpServer]


@pytest.fixture
def serve(home: Home) -> Iterator[Serve]:
    """Starts a server for the plugin `p` with a command line for `generate`, or a shell script, and more of a spec."""
    with ExitStack() as stack:

        def start(generate: list[str] | str, args: tuple[str, ...] = (), **spec: Any) -> CmpServer:
            command = ["sh", "-c", generate] if isinstance(generate, str) else generate
            spec = {"generate": {"command": command, "args": list(args)}, **spec}
            config = {"kind": "ConfigManagementPlugin", "metadata": {"name": "p"}, "spec": spec}
            return stack.enter_context(CmpServer(home, yaml.safe_dump(config)))

        yield start


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A repository with an application in `apps/one`."""
    directory = tmp_path / "repo"
    (directory / "apps" / "one").mkdir(parents=True)
    (directory / "apps" / "one" / "one.yaml").write_text(f"# a comment\n{ONE}---\n{TWO}")
    return directory


def seen(server: CmpServer, repo: Path, **more: Any) -> dict[str, Any]:
    """What the command `SPIES` saw."""
    answer = server.generate(repo, "apps/one", **more)
    assert answer.error is None, answer.error
    data: dict[str, Any] = answer.manifests[0]["data"]
    return data


def names(manifests: list[Any]) -> list[str]:
    return [manifest["metadata"]["name"] for manifest in manifests]


class TestOutput:
    def test_documents_become_manifests_in_order(self, serve: Serve, repo: Path) -> None:
        answer = serve("cat one.yaml").generate(repo, "apps/one")
        assert answer.manifests == [yaml.safe_load(ONE), yaml.safe_load(TWO)]
        assert (answer.error, answer.source_type) == (None, "Plugin")

    def test_the_server_answers_json_with_sorted_keys_and_no_comments(self, serve: Serve, repo: Path) -> None:
        server = serve("printf 'kind: A # why\nb: 1.0\na: yes\n'")
        assert server.ask("generate", repo) == {"manifests": ['{"a":true,"b":1,"kind":"A"}']}

    def test_an_empty_output_is_a_success_with_no_manifests(self, serve: Serve, repo: Path) -> None:
        server = serve("true")
        answer = server.generate(repo)
        assert (answer.manifests, answer.error) == ([], None)
        assert "Plugin command returned zero output" in [line["msg"] for line in server.log]

    @pytest.mark.parametrize("output", ["# only\n---\n# comments\n", "---\nnull\n---\n", "\n\n"])
    def test_documents_without_content_are_left_out(self, serve: Serve, repo: Path, output: str) -> None:
        (repo / "out").write_text(output)
        answer = serve("cat out").generate(repo)
        assert (answer.manifests, answer.error) == ([], None)

    def test_concatenated_json_is_a_stream(self, serve: Serve, repo: Path) -> None:
        (repo / "out").write_text("".join(json.dumps(yaml.safe_load(text)) for text in (ONE, TWO)))
        assert names(serve("cat out").generate(repo).manifests) == ["one", "two"]

    def test_a_list_is_flattened_one_level_by_the_repo_server(self, serve: Serve, repo: Path) -> None:
        inner = {"apiVersion": "v1", "kind": "List", "items": [yaml.safe_load(TWO)]}
        outer = {**inner, "items": [yaml.safe_load(ONE), inner]}
        (repo / "out").write_text(yaml.safe_dump(outer))
        server = serve("cat out")
        assert [json.loads(text) for text in server.ask("generate", repo)["manifests"]] == [outer]
        assert server.generate(repo).manifests == outer["items"]

    @pytest.mark.parametrize(
        ("output", "message"),
        [
            (f"{ONE}---\na: [\n", "failed to unmarshal manifest: error converting YAML to JSON"),
            ("just text\n", "cannot unmarshal string"),
            ("- a\n", "cannot unmarshal array"),
            ("a: 1\n", "Object 'Kind' is missing"),
        ],
    )
    def test_an_output_that_is_none_is_an_error(self, serve: Serve, repo: Path, output: str, message: str) -> None:
        (repo / "out").write_text(output)
        answer = serve("cat out").generate(repo)
        assert answer.manifests == []
        assert message in (answer.error or "")

    def test_of_a_key_that_is_there_twice_the_last_counts_in_silence(self, serve: Serve, repo: Path) -> None:
        (repo / "out").write_text(f"{ONE}data: {{a: '1', a: '2'}}\n")
        assert serve("cat out").generate(repo).manifests[0]["data"] == {"a": "2"}


class TestExit:
    def test_a_failure_shows_command_line_code_and_stderr_and_drops_the_output(self, serve: Serve, repo: Path) -> None:
        answer = serve("cat apps/one/one.yaml; echo '  no luck ' >&2; exit 3").generate(repo)
        assert answer.manifests == []
        assert answer.error == (
            'CMP processing failed for application "app": error generating manifests in cmp: rpc error: code = Unknown '
            "desc = error generating manifests: `sh -c \"cat apps/one/one.yaml; echo '  no luck ' >&2; exit 3\"` "
            "failed exit status 3: no luck"
        )

    def test_stderr_of_a_success_is_in_the_log_of_the_server_only(self, serve: Serve, repo: Path) -> None:
        server = serve("echo a remark >&2; cat apps/one/one.yaml")
        assert server.generate(repo).error is None
        assert [line["stderr"] for line in server.log if "stderr" in line] == ["a remark\n"]

    def test_a_command_that_is_missing_is_an_error(self, serve: Serve, repo: Path) -> None:
        answer = serve(["no-such-command"]).generate(repo)
        assert 'exec: "no-such-command": executable file not found in $PATH' in (answer.error or "")

    def test_after_the_time_limit_the_command_and_its_children_are_killed(self, serve: Serve, repo: Path) -> None:
        server = serve("trap 'sleep 60' EXIT TERM; sleep 60; echo no")
        answer = server.generate(repo, timeout=1)
        assert answer.manifests == []
        assert re.search("failed signal: killed|deadline exceeded", answer.error or "")
        end = time.monotonic() + 30
        while server.work and time.monotonic() < end:  # the copy stays as long as a child holds the output open
            time.sleep(0.05)
        assert server.work == []

    def test_init_runs_before_and_its_output_is_dropped(self, serve: Serve, repo: Path) -> None:
        server = serve("cat made", init={"command": ["sh", "-c", "echo nothing; cp one.yaml made"]})
        assert names(server.generate(repo, "apps/one").manifests) == ["one", "two"]
        server = serve("cat one.yaml", init={"command": ["sh"], "args": ["-c", "echo bad >&2; exit 2"]})
        assert "failed exit status 2: bad" in (server.generate(repo, "apps/one").error or "")


class TestCommand:
    def test_there_is_no_shell_and_args_follow_the_command(self, serve: Serve, repo: Path) -> None:
        server = serve([*SPIES, "a b"], args=("$HOME", "*"))
        assert seen(server, repo)["argv"] == ["a b", "$HOME", "*"]

    def test_stdin_is_empty(self, serve: Serve, repo: Path) -> None:
        assert seen(serve(SPIES), repo)["stdin"] == ""

    def test_the_directory_is_the_applications_in_a_private_copy(self, serve: Serve, repo: Path) -> None:
        server = serve(SPIES)
        directories = [Path(seen(server, repo)["cwd"]) for _ in range(2)]
        assert len({str(directory) for directory in directories}) == 2
        for directory in directories:
            assert directory.parent.parent.parent == server.path / "_cmp_server"
            assert directory.parts[-2:] == ("apps", "one")
        assert server.work == []

    def test_what_it_writes_is_gone_with_the_copy(self, serve: Serve, repo: Path) -> None:
        server = serve("ls >&2; echo x > new; rm one.yaml; exit 1")
        for _ in range(2):
            assert (server.generate(repo, "apps/one").error or "").endswith("exit status 1: one.yaml")
        assert [path.name for path in (repo / "apps" / "one").iterdir()] == ["one.yaml"]


class TestEnvironment:
    def test_all_of_it(self, serve: Serve, repo: Path) -> None:
        server = serve(SPIES)
        revision = "0123456789abcdef"
        versions = {"kubeVersion": "v1.33.1-gke.7", "apiVersions": ["v1", "apps/v1/Deployment"]}
        found = seen(server, repo, app_name="argo_one", revision=revision, projectName="team", **versions)["env"]
        of_the_server = server.home.environment
        assert {name: value for name, value in found.items() if name not in of_the_server} == {
            "ARGOCD_APP_NAME": "argo_one",
            "ARGOCD_APP_NAMESPACE": "default",
            "ARGOCD_APP_PROJECT_NAME": "team",
            "ARGOCD_APP_REVISION": revision,
            "ARGOCD_APP_REVISION_SHORT": revision[:7],
            "ARGOCD_APP_REVISION_SHORT_8": revision[:8],
            "ARGOCD_APP_SOURCE_REPO_URL": URL,
            "ARGOCD_APP_SOURCE_PATH": "apps/one",
            "ARGOCD_APP_SOURCE_TARGET_REVISION": "",
            "KUBE_VERSION": "1.33.1",
            "KUBE_API_VERSIONS": "v1,apps/v1/Deployment",
            "ARGOCD_APP_PARAMETERS": "null",
            "ARGOCD_CMP_WORKDIR": str(server.path),
            "ARGOCD_PLUGINSOCKFILEPATH": str(server.path),
            "ARGOCD_LOG_FORMAT": "json",
            "ARGOCD_LOG_LEVEL": "info",
        }
        assert {name: found[name] for name in of_the_server} == of_the_server

    def test_versions_that_are_not_known_are_empty(self, serve: Serve, repo: Path) -> None:
        found = seen(serve(SPIES), repo)["env"]
        assert (found["KUBE_VERSION"], found["KUBE_API_VERSIONS"]) == ("", "")

    def test_without_a_plugin_section_there_are_no_parameters(self, serve: Serve, repo: Path) -> None:
        server = serve(SPIES, discover={"fileName": "one.yaml"})
        assert "ARGOCD_APP_PARAMETERS" not in seen(server, repo, named=False)["env"]

    def test_parameters_are_json_with_texts_for_leaves_and_not_substituted(self, serve: Serve, repo: Path) -> None:
        parameters = [
            {"name": "a-b", "string": "<$ARGOCD_APP_NAME>"},
            {"name": "files", "array": ["x y", ""]},
            {"name": "set", "map": {"k.l": "1"}},
            {"name": "none", "array": []},
            {"name": "both", "string": "", "map": {}},
        ]
        found = seen(serve(SPIES), repo, parameters=parameters)["env"]
        assert found["ARGOCD_APP_PARAMETERS"] == (
            r'[{"name":"a-b","string":"\u003c$ARGOCD_APP_NAME\u003e"},{"array":["x y",""],"name":"files"},'
            '{"map":{"k.l":"1"},"name":"set"},{"array":[],"name":"none"},{"map":{},"name":"both","string":""}]'
        )
        assert {name: value for name, value in found.items() if name.startswith("PARAM_")} == {
            "PARAM_A_B": "<$ARGOCD_APP_NAME>",
            "PARAM_FILES_0": "x y",
            "PARAM_FILES_1": "",
            "PARAM_SET_K_L": "1",
            "PARAM_BOTH": "",
        }

    @pytest.mark.parametrize("value", [1, True, None, ["a", 1]])
    def test_a_parameter_holds_nothing_but_texts(self, serve: Serve, repo: Path, value: Any) -> None:
        key = "array" if isinstance(value, list) else "string"
        answer = serve(SPIES).generate(repo, parameters=[{"name": "a", key: value}])
        if value is None:
            assert json.loads(answer.manifests[0]["data"]["env"]["ARGOCD_APP_PARAMETERS"]) == [{"name": "a"}]
        else:
            assert "cannot unmarshal" in (answer.error or "")

    def test_env_of_the_application_has_a_prefix_and_is_substituted(self, serve: Serve, repo: Path) -> None:
        env = {"A": "$ARGOCD_APP_NAME ${KUBE_VERSION} $B ${HOME} $$x", "B": "b", "PATH": "p"}
        found = seen(serve(SPIES), repo, env=env, kubeVersion="1.30")["env"]
        mine = {name: value for name, value in found.items() if name.startswith("ARGOCD_ENV_")}
        assert mine == {"ARGOCD_ENV_A": "app 1.30   $x", "ARGOCD_ENV_B": "b", "ARGOCD_ENV_PATH": "p"}

    @pytest.mark.skipif(sys.platform != "linux", reason="the limit is of Linux")
    def test_a_variable_above_128_kib_is_an_error(self, serve: Serve, repo: Path) -> None:
        server = serve(SPIES)
        large = "x" * (128 * 1024)
        answer = server.generate(repo, parameters=[{"name": "a", "string": large}])
        assert (answer.error or "").endswith(f"fork/exec {sys.executable}: argument list too long")


class TestFiles:
    def test_all_of_the_repository_is_sent_less_what_the_repo_server_excludes(self, serve: Serve, repo: Path) -> None:
        for name in (".git/config", "apps/two/Chart.yaml", "secret/key", "deep/secret/key"):
            (repo / name).parent.mkdir(parents=True, exist_ok=True)
            (repo / name).write_text("x")
        server = serve("cd ../..; find . -type f | sort >&2; exit 1")
        found = (server.generate(repo, "apps/one").error or "").split(": ")[-1].split()
        assert found == [
            "./.git/config",
            "./apps/one/one.yaml",
            "./apps/two/Chart.yaml",
            "./deep/secret/key",
            "./secret/key",
        ]
        answer = server.generate(repo, "apps/one", exclude=[".git", "**/secret/*", "two"])
        assert (answer.error or "").split(": ")[-1].split() == ["./apps/one/one.yaml", "./apps/two/Chart.yaml"]

    @pytest.mark.parametrize("preserve", [False, True])
    def test_modes_are_kept_only_on_request(self, serve: Serve, repo: Path, preserve: bool) -> None:
        (repo / "run").write_text("#!/bin/sh\n")
        (repo / "run").chmod(0o755)
        (repo / "private").write_text("x")
        (repo / "private").chmod(0o600)
        answer = serve("ls -l >&2; exit 1", preserveFileMode=preserve).generate(repo)
        modes = {line.split()[-1]: line[:10] for line in (answer.error or "").splitlines() if line[:1] == "-"}
        assert modes["private"] == ("-rw-------" if preserve else "-rw-r--r--")
        assert modes["run"] == ("-rwxr-xr-x" if preserve else "-rw-r--r--")

    def test_links_inside_stay_links(self, serve: Serve, repo: Path) -> None:
        (repo / "link.yaml").symlink_to("apps/one/one.yaml")
        (repo / "apps" / "two").symlink_to("one")
        (repo / "dangling").symlink_to("nothing")
        server = serve("test -L ../../dangling && test -L ../../link.yaml && cat ../../link.yaml")
        assert names(server.generate(repo, "apps/two").manifests) == ["one", "two"]

    @pytest.mark.parametrize("target", ["../outside", "apps/../../outside", "/etc/hostname", "/"])
    def test_links_that_leave_are_refused_by_the_repo_server(self, serve: Serve, repo: Path, target: str) -> None:
        (repo / "link").symlink_to(target)
        assert serve("true").generate(repo).error == "out of bounds symlink found"

    def test_links_that_leave_are_refused_by_the_server_too(self, serve: Serve, repo: Path) -> None:
        (repo / "link").symlink_to("../outside")
        with pytest.raises(AskError, match='error checking symlink "../outside" target: .* path escapes from parent'):
            serve("true").ask("generate", repo)

    def test_absolute_links_point_into_the_copy_if_the_repo_server_lets_them_pass(
        self, serve: Serve, repo: Path
    ) -> None:
        (repo / "apps" / "link").symlink_to("/etc/hostname")
        with pytest.raises(AskError, match=r": etc/hostname$"):
            serve("readlink apps/link >&2; exit 1").ask("generate", repo)

    def test_an_application_outside_is_refused(self, serve: Serve, repo: Path) -> None:
        server = serve("true")
        assert "app path outside root" in (server.generate(repo, "../..").error or "")
        assert "app path is absolute" in (server.generate(repo, "/apps").error or "")
        assert "app path does not exist" in (server.generate(repo, "apps/three").error or "")


class TestDiscovery:
    def test_without_a_rule_an_application_has_to_name_the_plugin(self, serve: Serve, repo: Path) -> None:
        server = serve("cat one.yaml", version="1.0")
        assert server.name == "p-1.0"
        assert server.match(repo, "apps/one") == (False, False)
        assert server.generate(repo, "apps/one").source_type == "Plugin"
        assert server.generate(repo, "apps/one", named=False).source_type == "Directory"

    @pytest.mark.parametrize(
        ("rule", "matches"),
        [
            ({"fileName": "one.*"}, True),
            ({"fileName": "none"}, False),
            ({"fileName": "none", "find": {"glob": "**/*.yaml"}}, False),
            ({"find": {"glob": "**/one.yaml"}}, True),
            ({"find": {"command": ["sh", "-c", "echo found"]}}, True),
            ({"find": {"command": ["true"]}}, False),
        ],
    )
    def test_a_rule_decides_also_for_those_that_name_it(
        self, serve: Serve, repo: Path, rule: dict[str, Any], matches: bool
    ) -> None:
        server = serve("cat one.yaml", discover=rule)
        assert server.match(repo, "apps/one") == (matches, True)
        assert server.generate(repo, "apps/one", named=False).source_type == ("Plugin" if matches else "Directory")
        error = server.generate(repo, "apps/one").error
        if matches:
            assert error is None
        else:
            assert 'could not find cmp-server plugin with name "p" supporting the given repository' in (error or "")

    def test_a_rule_comes_before_helm(self, serve: Serve, home: Home, repo: Path) -> None:
        write_chart(repo / "chart", one=ONE)
        home.add("helm", find_tool("helm4"))
        server = serve("cat templates/*", discover={"fileName": "Chart.yaml"})
        assert server.generate(repo, "chart", named=False).source_type == "Plugin"
        native = render(home, repo, {"path": "chart"}, appName="app", namespace="default")
        assert (native.source_type, names(native.manifests)) == ("Helm", ["one"])
        assert native.commands == ("helm template . --name-template app --namespace default --include-crds",)


class TestParameters:
    def test_dynamic_announcements_come_first(self, serve: Serve, repo: Path) -> None:
        static = [{"name": "a", "title": "A", "required": True, "collectionType": "map", "map": {"k": "v"}}]
        dynamic = [{"name": "b", "tooltip": "B", "itemType": "number", "string": "1"}, {"name": "a", "array": ["x"]}]
        (repo / "out").write_text(json.dumps(dynamic))
        server = serve("true", parameters={"static": static, "dynamic": {"command": ["cat", "out"]}})
        assert server.parameters(repo) == [*dynamic, *static]

    @pytest.mark.parametrize(
        ("output", "message"),
        [
            ("", "unexpected end of JSON input"),
            ("- name: a", "invalid character ' ' in numeric literal"),
            ('[{"name": 1}]', "cannot unmarshal"),
            ('{"name": "a"}', "cannot unmarshal object"),
        ],
    )
    def test_dynamic_announcements_are_a_json_array(self, serve: Serve, repo: Path, output: str, message: str) -> None:
        (repo / "out").write_text(output)
        server = serve("true", parameters={"dynamic": {"command": ["cat", "out"]}})
        with pytest.raises(AskError, match=message):
            server.parameters(repo)

    def test_the_command_sees_the_parameters_but_neither_versions_nor_a_namespace(
        self, serve: Serve, repo: Path
    ) -> None:
        show = "import json, os; print(json.dumps([{'name': 'env', 'map': dict(os.environ)}]))"
        server = serve("true", parameters={"dynamic": {"command": [sys.executable, "-c", show]}})
        (announced,) = server.parameters(repo, parameters=[{"name": "a", "string": "b"}], env={"E": "$ARGOCD_APP_NAME"})
        found = {name for name in announced["map"] if name not in server.home.environment and "LOG" not in name}
        assert found == {
            "ARGOCD_APP_NAME",
            "ARGOCD_APP_SOURCE_REPO_URL",
            "ARGOCD_APP_SOURCE_PATH",
            "ARGOCD_APP_SOURCE_TARGET_REVISION",
            "ARGOCD_ENV_E",
            "ARGOCD_APP_PARAMETERS",
            "PARAM_A",
            "ARGOCD_CMP_WORKDIR",
            "ARGOCD_PLUGINSOCKFILEPATH",
        }
        assert announced["map"]["ARGOCD_ENV_E"] == "app"


class TestConfiguration:
    def test_unknown_keys_are_ignored(self, serve: Serve, repo: Path) -> None:
        assert serve("cat one.yaml", lockRepo=True, allowConcurrency=True).generate(repo, "apps/one").error is None

    def test_a_version_that_is_no_text_keeps_the_server_from_starting(self, serve: Serve) -> None:
        with pytest.raises(AskError, match="cannot unmarshal number into"):
            serve("true", version=1.0)

    def test_nothing_is_left_behind(self, home: Home, repo: Path) -> None:
        with CmpServer(
            home, "kind: ConfigManagementPlugin\nmetadata: {name: p}\nspec: {generate: {command: ['true']}}"
        ) as it:
            assert it.generate(repo).error is None
        assert not os.path.exists(it.path)
