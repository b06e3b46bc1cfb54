"""Argo CD with the plugin: what the repo server makes of an application by itself, plus the additions, and no more."""

from __future__ import annotations

import functools
import json
import shutil
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.hosts.argocd import Answer, CmpServer, render
from tests.hosts.programs import PLUGIN, SANDBOX, Home, find_command, write_chart
from tests.support import EXAMPLES, check_same_meaning, find_tool, run_to_bytes

pytestmark = pytest.mark.e2e

UNKNOWN = SANDBOX.replace("registry.k8s.io/agent-sandbox/python-runtime-sandbox:v0.4.6", "example.com/odd:1")
VALUES = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}", namespace: "{{ .Release.Namespace }}"}
data:
  values: {{ omit .Values "global" | toJson | quote }}
  versions: "{{ .Capabilities.KubeVersion.Version }} {{ .Capabilities.APIVersions.Has "example.com/v7/X" }}"
"""


@pytest.fixture(scope="module", params=["helm3", "helm4"])
def home(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A sidecar's programs; `helm` of the repo server is the same."""
    home = Home(tmp_path_factory.mktemp(request.param) / "home")
    home.add("helm", find_tool(request.param))
    home.add("kustomize", find_tool("kustomize"))
    home.add(PLUGIN, find_command())
    return home


@pytest.fixture(scope="module")
def server(home: Home) -> Iterator[CmpServer]:
    home.extra["SANDBOX_POSTRENDERER_LOCKED"] = "kagent-version"
    with CmpServer(home, home.get_output(PLUGIN, "argocd", "plugin").decode()) as server:
        yield server


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    repo = tmp_path / "repository"
    repo.mkdir()
    return repo


def list_parameters(**parameters: Any) -> list[dict[str, Any]]:
    """Parameters as an application has them, by their shapes."""
    shapes = {str: "string", list: "array", dict: "map"}
    return [{"name": name.replace("_", "-"), shapes[type(value)]: value} for name, value in parameters.items()]


def check_equal(native: Answer, ours: Answer) -> None:
    """The plugin's manifests are Argo CD's own, with the additions that a pipe would have made."""
    assert native.error is None
    assert ours.error is None
    check_same_meaning(native.manifests, ours.manifests)
    piped = run_to_bytes("---\n".join(yaml.safe_dump(each) for each in native.manifests))
    assert [each for each in yaml.safe_load_all(piped) if each] == ours.manifests


class TestEquality:
    @pytest.fixture
    def examples(self, repo: Path) -> Path:
        return Path(shutil.copytree(EXAMPLES, repo / "examples"))

    def test_the_chart(self, home: Home, server: CmpServer, examples: Path) -> None:
        request: dict[str, Any] = {"appName": "team_agents", "namespace": "prod", "kubeVersion": "v1.34.1-gke.7"}
        request["apiVersions"] = ["v1", "example.com/v7/X"]
        native = render(home, examples.parent, {"path": "examples/chart"}, **request)
        assert native.source_type == "Helm"
        name = request.pop("appName")
        ours = server.generate(examples.parent, "examples/chart", app_name=name, **request)
        check_equal(native, ours)
        assert len(ours.manifests) == 22

    @pytest.mark.parametrize("folder", ["base", "exec-plugin"])
    def test_a_kustomization(self, home: Home, server: CmpServer, examples: Path, folder: str) -> None:
        path = f"examples/kustomize/{folder}"
        ours = server.generate(examples.parent, path)
        if folder == "exec-plugin":
            assert "RuntimeIdentity is no plugin of kustomize's own, and others are never run here" in (
                ours.error or ""
            )
            return
        native = render(home, examples.parent, {"path": path})
        assert native.source_type == "Kustomize"
        check_equal(native, ours)

    @pytest.mark.parametrize(
        "directory", [{}, {"recurse": True, "exclude": "{chart/*,*/Chart.yaml,*kustomization.yaml}"}]
    )
    def test_a_directory(self, home: Home, server: CmpServer, examples: Path, directory: dict[str, Any]) -> None:
        (examples / "plain" / "values.yaml").write_text("a: 1\n")
        (examples / "plain" / "sub").mkdir()
        (examples / "plain" / "sub" / "one.yaml").write_text(SANDBOX)
        native = render(home, examples.parent, {"path": "examples/plain", "directory": directory})
        assert native.source_type == "Directory"
        parameters = {key: str(value).lower() if value is True else value for key, value in directory.items()}
        ours = server.generate(examples.parent, "examples/plain", parameters=list_parameters(**parameters))
        check_equal(native, ours)

    def test_a_chart_with_vendored_dependencies(self, home: Home, server: CmpServer, repo: Path) -> None:
        write_chart(repo / "dependency", two=SANDBOX.replace("one", "two"))
        chart = write_chart(repo / "app", one=SANDBOX)
        dependencies = (
            "dependencies:\n- {name: small, alias: dependency, version: 0.1.0, repository: 'https://127.0.0.1'}\n"
        )
        (chart / "Chart.yaml").write_text(f"{(chart / 'Chart.yaml').read_text()}{dependencies}")
        (chart / "charts").mkdir()
        home.get_output("helm", "package", repo / "dependency", "--destination", chart / "charts")
        native = render(home, repo, {"path": "app"})
        check_equal(native, server.generate(repo, "app"))
        assert len(native.manifests) == 2

    def test_a_chart_with_dependencies_of_the_repository(self, home: Home, server: CmpServer, repo: Path) -> None:
        write_chart(repo / "dependency", two=SANDBOX.replace("one", "two"))
        chart = write_chart(repo / "app", one=SANDBOX)
        dependencies = "dependencies:\n- {name: small, version: 0.1.0, repository: 'file://../dependency'}\n"
        (chart / "Chart.yaml").write_text(f"{(chart / 'Chart.yaml').read_text()}{dependencies}")
        check_equal(render(home, repo, {"path": "app"}), server.generate(repo, "app"))

    def test_the_repository_itself(self, home: Home, server: CmpServer, repo: Path) -> None:
        write_chart(repo, one=SANDBOX)
        check_equal(render(home, repo, {"path": "."}), server.generate(repo, "."))


class TestHelm:
    """Parameters against the native fields of the same meaning."""

    @pytest.fixture
    def chart(self, repo: Path) -> Path:
        chart = write_chart(repo / "apps" / "web", values=VALUES, one=SANDBOX)
        (chart / "templates" / "tests").mkdir()
        (chart / "templates" / "tests" / "test.yaml").write_text(
            'kind: Pod\napiVersion: v1\nmetadata: {name: test, annotations: {"helm.sh/hook": test}}\n'
        )
        (chart / "crds").mkdir()
        (chart / "crds" / "crd.yaml").write_text("apiVersion: x/v1\nkind: Crd\nmetadata: {name: crd}\n")
        (chart / "values.yaml").write_text("a: chart\nb: chart\nc: chart\nd: chart\n")
        (chart / "values-1.yaml").write_text("b: one\nc: one\nd: one\n")
        (chart / "values-2.yaml").write_text("c: two\nd: two\n")
        (chart / "a b.txt").write_text("content")
        (repo / "common.yaml").write_text("z: common\n")
        return chart

    @pytest.mark.parametrize(
        ("native", "parameters"),
        [
            ({}, {}),
            ({"valueFiles": ["values-2.yaml", "values-1.yaml"]}, {"values_files": ["values-2.yaml", "values-1.yaml"]}),
            (
                {"valueFiles": ["/common.yaml", "../../common.yaml"]},
                {"values_files": ["/common.yaml", "../../common.yaml"]},
            ),
            ({"valueFiles": ["values-*.yaml", "values-1.yaml"]}, {"values_files": ["values-*.yaml", "values-1.yaml"]}),
            (
                {"valueFiles": ["values-1.yaml"], "values": "c: inline\nd: inline\n"},
                {"values_files": ["values-1.yaml"], "values": "c: inline\nd: inline\n"},
            ),
            (
                {
                    "values": "d: inline\n",
                    "parameters": [
                        {"name": "d", "value": "1,2"},
                        {"name": "e.f", "value": "{1,2}"},
                        {"name": "g", "value": "a\\,b,c"},
                        {"name": "h", "value": "true", "forceString": True},
                        {"name": "i", "value": "$ARGOCD_APP_NAME-${ARGOCD_APP_NAMESPACE}-$NOBODY-$$x"},
                    ],
                    "fileParameters": [{"name": "j", "path": "a b.txt"}],
                },
                {
                    "values": "d: inline\n",
                    "helm_parameters": {
                        "d": "1,2",
                        "e.f": "{1,2}",
                        "g": "a\\,b,c",
                        "i": "$ARGOCD_APP_NAME-${ARGOCD_APP_NAMESPACE}-$NOBODY-$$x",
                    },
                    "helm_string_parameters": {"h": "true"},
                    "helm_file_parameters": {"j": "a b.txt"},
                },
            ),
            ({"releaseName": "another"}, {"release_name": "another"}),
            ({"skipCrds": True}, {"skip_crds": "true"}),
            ({"skipTests": True}, {"skip_tests": "true"}),
            ({"skipSchemaValidation": True}, {"skip_schema_validation": "true"}),
            (
                {"kubeVersion": "v1.30.2+x", "apiVersions": ["example.com/v7/X"]},
                {"kube_version": "v1.30.2+x", "api_versions": ["example.com/v7/X"]},
            ),
        ],
    )
    def test_parameters(
        self, home: Home, server: CmpServer, chart: Path, native: dict[str, Any], parameters: dict[str, Any]
    ) -> None:
        repo = chart.parent.parent
        (chart / "values.schema.json").write_text(
            json.dumps({"type": "object", "required": [] if "skipSchema" not in str(native) else ["never"]})
        )
        request: dict[str, Any] = {"namespace": "prod", "kubeVersion": "1.34.1"}
        expected = render(home, repo, {"path": "apps/web", "helm": native}, appName="argocd_web", **request)
        ours = server.generate(
            repo, "apps/web", app_name="argocd_web", parameters=list_parameters(**parameters), **request
        )
        check_equal(expected, ours)

    @pytest.mark.parametrize(
        "request_", [{"namespace": ""}, {"namespace": "prod", "kubeVersion": "", "apiVersions": []}]
    )
    def test_what_argo_cd_does_not_know(
        self, home: Home, server: CmpServer, chart: Path, request_: dict[str, Any]
    ) -> None:
        repo = chart.parent.parent
        check_equal(
            render(home, repo, {"path": "apps/web"}, appName="web", **request_),
            server.generate(repo, "apps/web", app_name="web", **request_),
        )

    def test_a_schema_that_is_not_met_is_an_error(self, server: CmpServer, chart: Path) -> None:
        (chart / "values.schema.json").write_text('{"required": ["never"]}')
        error = server.generate(chart.parent.parent, "apps/web").error or ""
        assert "sandbox-postrenderer: error: helm: " in error
        assert "never" in error

    def test_dependencies_are_not_fetched(self, server: CmpServer, chart: Path) -> None:
        dependencies = "dependencies:\n- {name: redis, version: 1.0.0, repository: 'https://charts.example.com/a'}\n"
        (chart / "Chart.yaml").write_text(f"{(chart / 'Chart.yaml').read_text()}{dependencies}")
        assert (
            "error: Chart.yaml: dependency redis: 'https://charts.example.com/a' is not fetched: put the chart into "
            "charts/, or let the operator allow the host charts.example.com (SANDBOX_POSTRENDERER_ALLOW_HOST)"
        ) in (server.generate(chart.parent.parent, "apps/web").error or "")


class TestSettings:
    def test_parameters_stand_above_the_environment(self, server: CmpServer, repo: Path) -> None:
        (repo / "one.yaml").write_text(UNKNOWN)
        parameters = list_parameters(image_uid={"example.com/odd": "4242"}, levels="container")
        (manifest,) = server.generate(repo, parameters=parameters).manifests
        (container,) = manifest["spec"]["podTemplate"]["spec"]["containers"]
        assert container["securityContext"] == {"runAsNonRoot": True, "runAsUser": 4242}

    def test_strict_fails_with_the_container_in_the_message(self, server: CmpServer, repo: Path) -> None:
        (repo / "one.yaml").write_text(UNKNOWN)
        error = server.generate(repo, parameters=list_parameters(strict="true")).error or ""
        assert (
            "one.yaml, document 1, Sandbox/one, line 9: container python (image example.com/odd:1) has no runtime"
            in error
        )

    @pytest.mark.parametrize(
        ("parameters", "message"),
        [
            (
                list_parameters(kagent_version="0.9"),
                "parameter kagent-version: kagent-version is locked by the operator",
            ),
            (list_parameters(toool="helm"), "parameter 'toool' is none of this plugin; did you mean tool?"),
            (list_parameters(values_files="a"), "parameter values-files: got 'a'; it takes an array of strings"),
            (list_parameters(strict="7"), "parameter strict: '7' is neither `true` nor `false`: write one of them"),
        ],
    )
    def test_errors_are_one_line(
        self, server: CmpServer, repo: Path, parameters: list[dict[str, Any]], message: str
    ) -> None:
        (repo / "one.yaml").write_text(SANDBOX)
        error = server.generate(repo, parameters=parameters).error or ""
        assert error.count("sandbox-postrenderer: error: ") == 1
        assert f"sandbox-postrenderer: error: {message}" in error

    def test_nothing_at_all_is_an_error_unless_it_is_meant(self, server: CmpServer, repo: Path) -> None:
        (repo / "values.yaml").write_text("a: 1\n")
        assert "rendered no resource at all, and Argo CD would delete what is there" in (
            server.generate(repo).error or ""
        )
        assert server.generate(repo, parameters=list_parameters(allow_empty="true")) == Answer([], None, "Plugin")

    def test_the_tool_can_be_said(self, server: CmpServer, repo: Path) -> None:
        write_chart(repo, one=SANDBOX)
        (repo / "kustomization.yaml").write_text("resources: [templates/one.yaml]\nnamePrefix: built-\n")
        names = {
            tool: server.generate(repo, parameters=list_parameters(**({"tool": tool} if tool else {}))).manifests[0][
                "metadata"
            ]["name"]
            for tool in ("", "helm", "kustomize")
        }
        assert names == {"": "built-one", "helm": "one", "kustomize": "built-one"}

    def test_jsonnet_is_refused_by_name(self, server: CmpServer, repo: Path) -> None:
        (repo / "a.jsonnet").write_text("{}")
        assert "error: a.jsonnet: Jsonnet is not rendered here" in (server.generate(repo).error or "")


class TestAnnouncements:
    def test_a_chart(self, server: CmpServer, repo: Path) -> None:
        write_chart(repo, one=SANDBOX, two=UNKNOWN.replace("one", "two"))
        (repo / "values.yaml").write_text("a: {b: 1, c: [true, x]}\n")
        announced = {each["name"]: each for each in server.parameters(repo)}
        assert announced["helm-parameters"]["map"] == {"a.b": "1", "a.c[0]": "true", "a.c[1]": "x"}
        assert announced["image-uid"]["map"] == {
            "example.com/odd:1": "",
            "registry.k8s.io/agent-sandbox/python-runtime-sandbox:v0.4.6": "1000",
        }
        assert announced["tool"]["string"] == "helm"
        assert announced["strict"] == {
            "name": "strict",
            "title": "Strict",
            "tooltip": "Fail (exit 1) unless every container ends with an identity.",
            "string": "false",
        }

    def test_what_cannot_be_rendered_is_announced_all_the_same(self, server: CmpServer, repo: Path) -> None:
        write_chart(repo, one="{{ fail `no` }}")
        (repo / "values.yaml").write_text("a: 1\n")
        announced = {each["name"]: each for each in server.parameters(repo)}
        assert announced["helm-parameters"]["map"] == {"a": "1"}

    def test_what_is_announced_can_be_given_back(self, server: CmpServer, repo: Path) -> None:
        """The user interface sends what it shows, if somebody edits it."""
        write_chart(repo, one=SANDBOX, two=UNKNOWN.replace("one", "two"))
        announced = server.parameters(repo)
        given = [
            {key: each[key] for key in ("name", "string", "array", "map") if key in each}
            for each in announced
            if each["name"] not in ("kagent-version",)
        ]
        assert server.generate(repo, parameters=given).error is None


def test_twenty_at_once(server: CmpServer, tmp_path: Path) -> None:
    """Nothing is shared, helm's caches included: each has its own chart, with a dependency to build."""
    repos = []
    for number in range(20):
        repo = tmp_path / str(number)
        write_chart(repo / "dependency", two=SANDBOX.replace("one", f"two-{number}"))
        chart = write_chart(repo / "app", one=SANDBOX.replace("one", f"one-{number}"))
        dependencies = "dependencies:\n- {name: small, version: 0.1.0, repository: 'file://../dependency'}\n"
        (chart / "Chart.yaml").write_text(f"{(chart / 'Chart.yaml').read_text()}{dependencies}")
        repos.append(repo)
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda repo: server.generate(repo, "app", timeout=60), repos))
    assert [answer.error for answer in answers] == [None] * 20
    for number, answer in enumerate(answers):
        assert {each["metadata"]["name"] for each in answer.manifests} == {f"one-{number}", f"two-{number}"}
    assert server.work == []


def test_a_large_repository(server: CmpServer, repo: Path) -> None:
    write_chart(repo / "app", one=SANDBOX)
    for number in range(50):
        (repo / f"{number}.bin").write_bytes(bytes([number]) * 1024 * 1024)
    assert server.generate(repo, "app", timeout=60).error is None


def test_discovery_is_opt_in(home: Home, repo: Path) -> None:
    text = home.get_output(PLUGIN, "argocd", "plugin", "--discover").decode()
    write_chart(repo, one=SANDBOX)
    with CmpServer(home, text) as server:
        assert server.match(repo) == (False, True)
        assert server.generate(repo, named=False).source_type == "Helm"
        (repo / ".sandbox-postrenderer").write_text("")
        assert server.match(repo) == (True, True)
        found = server.generate(repo, named=False)
        assert found.source_type == "Plugin"
        assert "securityContext" in found.manifests[0]["spec"]["podTemplate"]["spec"]


@pytest.fixture(scope="module")
def address(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("served")
    write_chart(folder / "small", two=SANDBOX.replace("one", "two"))
    home.get_output("helm", "package", folder / "small", "--destination", folder)
    (folder / "three.yaml").write_text(SANDBOX.replace("one", "three"))
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    names = "subjectAltName=IP:127.0.0.1"
    request = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=x")
    home.get_output(*request, "-addext", names, "-keyout", key, "-out", certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    handler = functools.partial(_QuietHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        httpd.socket = context.wrap_socket(httpd.socket, server_side=True)
        host = f"127.0.0.1:{httpd.server_port}"
        home.get_output("helm", "repo", "index", folder, "--url", f"https://{host}")
        thread = threading.Thread(target=httpd.serve_forever, daemon=True)
        thread.start()
        home.extra["SSL_CERT_FILE"] = str(certificate)
        yield host
        del home.extra["SSL_CERT_FILE"]
        httpd.shutdown()


@pytest.fixture(scope="module")
def permissive(home: Home, address: str) -> Iterator[CmpServer]:
    home.extra["SANDBOX_POSTRENDERER_ALLOW_HOST"] = f"charts.example.com, {address}"
    with CmpServer(home, home.get_output(PLUGIN, "argocd", "plugin").decode()) as server:
        del home.extra["SANDBOX_POSTRENDERER_ALLOW_HOST"]
        yield server


class TestAllowedHosts:
    """Dependencies and remote bases from a host that the operator allows, here one of the tests' own with TLS."""

    def write_dependent(self, repo: Path, address: str) -> Path:
        chart = write_chart(repo / "app", one=SANDBOX)
        dependencies = f"dependencies:\n- {{name: small, version: 0.1.0, repository: 'https://{address}'}}\n"
        (chart / "Chart.yaml").write_text(f"{(chart / 'Chart.yaml').read_text()}{dependencies}")
        return repo

    def test_a_dependency(self, permissive: CmpServer, repo: Path, address: str) -> None:
        found = permissive.generate(self.write_dependent(repo, address), "app")
        assert found.error is None
        assert {each["metadata"]["name"] for each in found.manifests} == {"one", "two"}

    def test_a_remote_resource(self, permissive: CmpServer, repo: Path, address: str) -> None:
        (repo / "kustomization.yaml").write_text(f"resources: ['https://{address}/three.yaml']\n")
        (manifest,) = permissive.generate(repo).manifests
        assert manifest["spec"]["podTemplate"]["spec"]["securityContext"]["runAsUser"] == 1000

    def test_no_other(self, server: CmpServer, permissive: CmpServer, repo: Path, address: str) -> None:
        other = "127.0.0.1:1"
        assert f"https://{other}' is not fetched" in (
            permissive.generate(self.write_dependent(repo, other), "app").error or ""
        )
        assert "is not fetched" in (server.generate(self.write_dependent(repo, address), "app").error or "")


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: what is said would stand among pytest's output."""
