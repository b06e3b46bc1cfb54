"""What a hostile repository gets of the plugin, through Argo CD's real server: one line that says no, and nothing else.

Each row is a repository with an application, and what it asks for. `LISTENER` stands for 127.0.0.1 with a
port at which a listener of the tests waits: nobody may ever come there.
"""

from __future__ import annotations

import base64
import io
import json
import os
import socket
import subprocess
import tarfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from postrenderer.hosts.argocd.workspace import PREFIX
from tests.hosts.argocd import CmpServer
from tests.hosts.programs import PLUGIN, Home, find_command
from tests.support import find_tool

pytestmark = pytest.mark.e2e

Members = tuple[tuple[str, str], ...]
"""The files of an archive, by name."""
SECRET = "s3cret-of-the-sidecar"
LIMITS = {"TIME_LIMIT": "6", "OUTPUT_LIMIT": "10000000", "MEMORY_LIMIT": str(512 * 1024**2), "LOCKED": "override"}
ONE = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\n"
CHART = "apiVersion: v2\nname: small\nversion: 0.1.0\n"
SHOW = f"{ONE}data: {{values: {{{{ .Values | toJson | quote }}}}}}\n"
OUT = json.dumps({"$ref": "http://LISTENER/schema"})
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(9)
)
PREFIX_PLUGIN = "apiVersion: builtin\nkind: PrefixTransformer\nmetadata: {name: x}\nprefix: a-\n"
FETCHING = "{apiVersion: builtin,\n kind: PatchTransformer, metadata: {name: x}, path: 'http://LISTENER/x'}"
RECURSION = '{{ define "x" }}{{ include "x" . }}{{ end }}{{ include "x" . }}'
FUNCTION = """\
apiVersion: x/v1
kind: X
metadata:
  name: x
  annotations: {config.kubernetes.io/function: 'exec: {path: ./x}'}
"""
CONTAINER = FUNCTION.replace("exec: {path: ./x}", "container: {image: x}")
TARGETS = "apiVersion: builtin\nkind: ValueAddTransformer\nmetadata: {name: a}\ntargetFilePath: http://LISTENER/x\n"
HIDDEN = (
    '~\n---#\n{"apiVersion":"builtin","kind":"PatchTransformer","metadata":{"name":"x"},"path":"http://LISTENER/x"}\n'
)
REACHING = (
    '{{ list (getHostByName "localhost") (lookup "v1" "Secret" "" "") (.Files.Get "/etc/passwd") '
    '(.Files.Get "../../etc/passwd") (tpl .Values.x .) | toJson | quote }}'
)
MAP = "configMapGenerator: [{name: one, envs: [x], options: {disableNameSuffixHash: true}}]\n"
FILLED = f"{ONE}data: {{values: x}}\n"
NO_FILE = "is no file or directory of the repository"
ADDRESS = "is an address, and only files of the repository are read"


def parameter(name: str, value: Any) -> dict[str, Any]:
    shapes = {str: "string", list: "array", dict: "map"}
    return {"name": name, shapes[type(value)]: value}


def pack(*members: tuple[str, str], kind: bytes = tarfile.REGTYPE) -> bytes:
    """An archive; names stay as they are, whatever `tarfile` thinks of them."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz", format=tarfile.GNU_FORMAT) as archive:
        for name, text in members:
            member = tarfile.TarInfo()
            member.name, member.type, member.linkname = name, kind, "/etc/passwd"
            member.size = len(text) if kind == tarfile.REGTYPE else 0
            archive.addfile(member, io.BytesIO(text.encode()))
    return stream.getvalue()


@dataclass(frozen=True)
class Row:
    """A repository, what the application in its directory `path` asks for, and the words of the answer."""

    id: str
    files: Mapping[str, str | bytes | Members]
    says: str
    parameters: Sequence[Mapping[str, Any]] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    path: str = "."
    links: Mapping[str, str] = field(default_factory=dict)


def chart(id_: str, says: str, *parameters: Mapping[str, Any], more: str = "", **files: str | bytes) -> Row:
    """A chart with more in its Chart.yaml, and with files, in whose names `__` is a slash and `_` a dot."""
    named = {name.replace("__", "/").replace("_", "."): content for name, content in files.items()}
    return Row(id_, {"Chart.yaml": CHART + more, "templates/one.yaml": SHOW, **named}, says, parameters)


def values_file(id_: str, path: str, says: str) -> Row:
    return chart(f"values-{id_}", says, parameter("values-files", [path]))


def set_file(id_: str, name: str, path: str, says: str) -> Row:
    return chart(f"set-file-{id_}", says, parameter("helm-file-parameters", {name: path}), ok="")


def dependency(id_: str, repository: str, says: str, file: str = "Chart.yaml") -> Row:
    entry = f"dependencies: [{{name: a, version: 1.0.0, {repository}}}]\n"
    if file == "Chart.yaml":
        return chart(f"dependency-{id_}", says, more=entry)
    asks = "dependencies: [{name: a, version: 1.0.0, repository: 'file://lib'}]\n"
    files = {"Chart.yaml": CHART + asks, file: f"{entry}digest: x\n", "lib/Chart.yaml": CHART.replace("small", "a")}
    return Row(f"dependency-{id_}", files, says)


def archive(id_: str, says: str, content: bytes | Members) -> Row:
    files = {"Chart.yaml": CHART, "templates/one.yaml": SHOW, "values.yaml": "a: {x: 1}\n"}
    return Row(f"archive-{id_}", {**files, "charts/a.tgz": content}, says)


def schema(id_: str, says: str, text: str, path: str = "values.schema.json") -> Row:
    return Row(f"schema-{id_}", {"Chart.yaml": CHART, "templates/one.yaml": SHOW, path: text}, f"{path}: {says}")


def kustomization(id_: str, says: str, text: str, **files: str) -> Row:
    named = {name.replace("__", "/").replace("_", "."): content for name, content in files.items()}
    return Row(id_, {"kustomization.yaml": text, "one.yaml": ONE, **named}, says)


def member(name: str) -> tuple[str, str]:
    return name, CHART.replace("small", "a")


HELM = (
    values_file("up", "../../etc/passwd", "'../../etc/passwd' leads out of the repository"),
    values_file("absolute", "/etc/passwd", "'/etc/passwd' is no file of the repository"),
    values_file("process", "/proc/self/environ", "'/proc/self/environ' is no file"),
    values_file("https", "https://LISTENER/x", ADDRESS),
    values_file("secrets", "secrets://values.yaml", ADDRESS),
    values_file("git", "git+https://LISTENER/x", ADDRESS),
    values_file("oci", "oci://LISTENER/x", ADDRESS),
    values_file("option", "--post-renderer=x", "'--post-renderer=x' is no file"),
    values_file("shell", "$(id)", "is no file"),
    values_file("dash", "-", "'-' is no file"),
    values_file("newline", "a\nb", "characters that cannot be printed"),
    values_file("glob-up", "../../../etc/*", "leads out of the repository"),
    values_file("long", "x" * 5000, "is no file of the repository"),
    set_file("up", "x", "../../etc/passwd", "helm-file-parameters: x: '../../etc/passwd' leads out"),
    set_file("absolute", "x", "/etc/passwd", "helm-file-parameters: x: '/etc/passwd' is no file"),
    set_file("https", "x", "https://LISTENER/x", ADDRESS),
    set_file("second-path-in-the-name", "x=/etc/passwd,y", "ok", "'x=/etc/passwd,y' is no name of one value"),
    set_file("address-in-the-name", "x=http://LISTENER/x,y", "ok", "is no name of one value"),
    dependency("http", "repository: 'http://LISTENER'", "dependency a: 'http://LISTENER' is not fetched"),
    dependency("https", "repository: 'https://LISTENER'", "let the operator allow the host LISTENER"),
    dependency("oci", "repository: 'oci://LISTENER/x'", "'oci://LISTENER/x' is not fetched"),
    dependency("alias", "repository: 'alias:x'", "'alias:x' is not fetched"),
    dependency("at", "repository: '@x'", "'@x' is not fetched"),
    dependency("file-up", "repository: 'file://../..'", "'file://../..' is no directory of the repository"),
    dependency("file-absolute", "repository: 'file:///etc'", "'file:///etc' is no directory of the repository"),
    dependency("case", "Repository: 'http://LISTENER'", "`Repository` has to be written as `repository`"),
    dependency("binary", "!!binary cmVwb3NpdG9yeQ==: 'http://LISTENER'", "Chart.yaml: cannot be read: a tag changes"),
    dependency("lock", "repository: 'http://LISTENER'", "Chart.lock: dependency a:", "Chart.lock"),
    dependency(
        "requirements", "repository: 'http://LISTENER'", "requirements.yaml: dependency a:", "requirements.yaml"
    ),
    dependency("old-lock", "repository: 'http://LISTENER'", "requirements.lock: dependency a:", "requirements.lock"),
    chart(
        "dependency-behind-the-limit",
        "Chart.yaml: is larger than",
        more="#" * (1 << 20) + "\ndependencies: [{name: a, version: 1.0.0, repository: 'http://LISTENER'}]\n",
    ),
    chart(
        "dependency-asked-for-by-a-template",
        "Chart.lock: dependency a: 'http://LISTENER' is not fetched",
        templates__two_yaml='{{ fail "found in Chart.yaml, but missing in charts/ directory: a" }}',
        Chart_lock="dependencies: [{name: a, version: 1.0.0, repository: 'http://LISTENER'}]\n",
    ),
    archive("up", "holds 'a/../../x'", (member("a/Chart.yaml"), ("a/../../x", ""))),
    archive("absolute", "holds '/etc/x'", (("/etc/x", ""),)),
    archive("link", "holds 'a/x', which leads out", pack(("a/x", ""), kind=tarfile.SYMTYPE)),
    archive("device", "holds 'a/x', which leads out", pack(("a/x", ""), kind=tarfile.CHRTYPE)),
    archive("bomb", "unpacks to more than", tuple((f"a/{n}", "\0" * (4 << 20)) for n in range(27))),
    archive("none", "cannot be unpacked", b"no archive at all, just text"),
    archive("schema", "$ref 'http://LISTENER/schema' leads", (member("a/Chart.yaml"), ("a/values.schema.json", OUT))),
    archive("schema-backslash", "leads out of the schema", (member("a\\Chart.yaml"), ("a\\values.schema.json", OUT))),
    archive("schema-slash", "leads out of the schema", (member("a/Chart.yaml"), ("a/values.schema.json/", OUT))),
    archive("schema-dot", "leads out of the schema", (member("a/Chart.yaml"), ("a/values.schema.json/.", OUT))),
    schema("http", "$ref 'http://LISTENER/schema' leads out of the schema", OUT),
    schema("meta", "its $schema 'http://LISTENER/x' is none that helm has", '{"$schema": "http://LISTENER/x"}'),
    schema("file", "$ref 'file:///etc/passwd' leads out", '{"$ref": "file:///etc/passwd"}'),
    schema(
        "relative", "$ref 'x.json' leads out", '{"$id": "http://LISTENER/", "properties": {"a": {"$ref": "x.json"}}}'
    ),
    schema("escaped", "$ref 'http://LISTENER/schema' leads", OUT.replace("$ref", "\\u0024ref")),
    schema("mark", "$ref 'http://LISTENER/schema' leads out of the schema", "\ufeff" + OUT),
    schema("subchart", "$ref 'http://LISTENER/schema' leads out of the schema", OUT, "charts/sub/values.schema.json"),
    schema("deep", "is no JSON, or nested too deep", "[" * 100_000),
    chart("values-bomb", "helm: Error: cannot load values.yaml", values_yaml=BOMB),
    chart("parameter-bomb", "excessive aliasing", parameter("values", BOMB)),
    chart("chart-bomb", "helm: Error: cannot load Chart.yaml", more=BOMB),
    chart("values-deep", "exceeded max depth", values_yaml="a: " + "[" * 20_000),
    chart(
        "template-recursion",
        "helm: Error: template:",
        templates__one_yaml=RECURSION,
    ),
    chart(
        "template-memory", "helm: needs more memory than it may use", templates__one_yaml='{{ repeat 900000000 "x" }}'
    ),
    chart(
        "template-output",
        "helm: renders more than 10000000 bytes",
        templates__one_yaml=ONE + '# {{ repeat 20000000 "x" }}',
    ),
    chart(
        "release-option", "parameter release-name: got '--kubeconfig=x'", parameter("release-name", "--kubeconfig=x")
    ),
    chart("release-template", "release-name: got '{{ env", parameter("release-name", "{{ env `SECRET` }}")),
    chart(
        "version-option",
        "parameter kube-version: got",
        parameter("kube-version", "1.34 --kube-apiserver=http://LISTENER"),
    ),
    chart("api-version-csv", "parameter api-versions: got", parameter("api-versions", ["v1,--x"])),
    chart("set-index", "helm: Error: failed parsing --set", parameter("helm-parameters", {"a[2000000000]": "1"})),
    chart("set-depth", "helm: Error: failed parsing --set", parameter("helm-parameters", {"a." * 500 + "b": "1"})),
    chart("env-function", 'function "env" not defined', templates__one_yaml='{{ env "SECRET" }}'),
    chart("plugin", "parameter 'post-renderer' is none of this plugin", parameter("post-renderer", "x")),
)

BINARY = base64.b64encode(b"http://127.0.0.1/x/y").decode()
KUSTOMIZE = (
    *(
        kustomization(f"kustomize-{key}", f"{key}: 'http://LISTENER/x' {NO_FILE}", f"{key}: ['http://LISTENER/x']\n")
        for key in (
            "resources",
            "bases",
            "components",
            "crds",
            "configurations",
            "patchesStrategicMerge",
            "generators",
            "transformers",
            "validators",
        )
    ),
    *(
        kustomization(
            f"kustomize-{key}", f"{key}: 'http://LISTENER/x' {NO_FILE}", f"{key}: [{{path: 'http://LISTENER/x'}}]\n"
        )
        for key in ("patches", "patchesJson6902", "replacements")
    ),
    kustomization(
        "kustomize-openapi", f"openapi: 'http://LISTENER/x' {NO_FILE}", "openapi: {path: 'http://LISTENER/x'}\n"
    ),
    kustomization("kustomize-files", NO_FILE, "configMapGenerator: [{name: a, files: ['x=http://LISTENER/x']}]\n"),
    kustomization("kustomize-envs", NO_FILE, "secretGenerator: [{name: a, envs: ['http://LISTENER/?x=one.yaml']}]\n"),
    kustomization("kustomize-env-process", NO_FILE, "secretGenerator: [{name: a, env: /proc/self/environ}]\n"),
    kustomization(
        "kustomize-passwd", NO_FILE, "configMapGenerator: [{name: a, files: [../../../../../../etc/passwd]}]\n"
    ),
    kustomization("kustomize-charts", "helmCharts runs helm", "helmCharts: [{name: a, repo: 'http://LISTENER'}]\n"),
    kustomization("kustomize-inflation", "runs helm", "helmChartInflationGenerator: [{chartName: a}]\n"),
    kustomization("kustomize-case", "`RESOURCES` has to be written as", "RESOURCES: ['http://LISTENER/x']\n"),
    kustomization("kustomize-long-s", "has to be written as `resources`", "re\u017fources: ['http://LISTENER/x']\n"),
    kustomization("kustomize-underscore", "unknown field", "re_sources: ['http://LISTENER/x']\n"),
    kustomization(
        "kustomize-twice",
        "the key `resources` stands twice",
        "resources: [one.yaml]\nresources: ['http://LISTENER/x']\n",
    ),
    kustomization("kustomize-merged", NO_FILE, "x: &x {resources: ['http://LISTENER/x']}\n<<: *x\n"),
    kustomization(
        "kustomize-merged-twice",
        "has two merge keys",
        "<<: {resources: [one.yaml]}\n<<: {resources: ['http://LISTENER/x']}\n",
    ),
    kustomization("kustomize-anchor", NO_FILE, "namePrefix: &a 'http://LISTENER/x'\nresources: [*a]\n"),
    kustomization("kustomize-binary-key", "a tag changes", "!!binary cmVzb3VyY2Vz: ['http://LISTENER/x']\n"),
    Row("kustomize-binary", {"kustomization.yaml": f"resources: [!!binary {BINARY}]\n", BINARY: ONE}, "a tag changes"),
    kustomization("kustomize-json", NO_FILE, '{"resources": ["http:\\/\\/LISTENER\\/x"]}'),
    kustomization(
        "kustomize-behind-the-limit", "is larger than", "#" * (5 << 20) + "\nresources: ['http://LISTENER/x']\n"
    ),
    Row(
        "kustomize-two",
        {"kustomization.yml": "", "Kustomization": ""},
        "has kustomization.yml and Kustomization: keep one",
    ),
    Row(
        "kustomize-two-one-linked",
        {"app/Kustomization": "resources: ['http://LISTENER/x']\n", "other.yaml": "namePrefix: a-\n"},
        "has kustomization.yaml and Kustomization: keep one",
        path="app",
        links={"app/kustomization.yaml": "../other.yaml"},
    ),
    Row(
        "kustomize-nested",
        {
            "kustomization.yaml": "resources: [a]\n",
            "a/kustomization.yaml": "resources: [b]\n",
            "a/b/kustomization.yaml": "resources: ['http://LISTENER/x']\n",
        },
        f"a/b/kustomization.yaml: resources: 'http://LISTENER/x' {NO_FILE}",
    ),
    kustomization("kustomize-other-tenant", f"'../../OTHER' {NO_FILE}", "resources: ['../../OTHER']\n"),
    Row(
        "kustomize-other-tenant-by-a-link",
        {
            "app/kustomization.yaml": "resources: [link/../../../OTHER]\n",
            "a/b/c/d/e/x": "",
            "a/b/OTHER/kustomization.yaml": "",
        },
        f"'link/../../../OTHER' {NO_FILE}",
        path="app",
        links={"app/link": "../a/b/c/d/e"},
    ),
    Row(
        "kustomize-another-directory-by-a-link",
        {
            "app/kustomization.yaml": "resources: [link/../x]\n",
            "app/x/kustomization.yaml": "resources: ['http://LISTENER/x']\n",
            "a/x/kustomization.yaml": "namePrefix: a-\n",
            "a/b/y": "",
        },
        "app/x/kustomization.yaml: resources: 'http://LISTENER/x'",
        path="app",
        links={"app/link": "../a/b"},
    ),
    kustomization("kustomize-absolute", f"'/etc' {NO_FILE}", "resources: [/etc]\n"),
    *(
        kustomization(f"kustomize-git-{number}", NO_FILE, f"resources: ['{address}']\n")
        for number, address in enumerate(
            (
                "git::http://LISTENER/a/b",
                "ssh://git@LISTENER/a/b",
                "git@127.0.0.1:a/b",
                "file:///etc",
                "HTTP://LISTENER/a",
                "https://LISTENER/a/b.git?ref=x",
                "org-1@github.com:a/b",
                "http:LISTENER/a",
                "github.com:a/b",
            )
        )
    ),
    Row(
        "kustomize-git-directory",
        {"kustomization.yaml": "resources: [github.com/a/b]\n", "github.com/a/b/kustomization.yaml": ""},
        NO_FILE,
    ),
    Row(
        "kustomize-git-directory-line",
        {"kustomization.yaml": 'resources: ["a@b:c\\n"]\n', "a@b:c\n/kustomization.yaml": ""},
        NO_FILE,
    ),
    kustomization("kustomize-option", f"'--enable-helm' {NO_FILE}", "resources: ['--enable-helm']\n"),
    kustomization("kustomize-nul", "is not allowed in YAML", "resources: ['a\0b']\n"),
    kustomization(
        "kustomize-exec",
        "functions are never run here",
        "transformers: [f.yaml]\n",
        f_yaml=FUNCTION,
    ),
    kustomization(
        "kustomize-container",
        "functions are never run here",
        "generators: [f.yaml]\n",
        f_yaml=CONTAINER,
    ),
    kustomization(
        "kustomize-function",
        "X is no plugin of kustomize's own",
        "validators: ['{apiVersion: x/v1, kind: X, metadata: {name: x}}']\n",
    ),
    kustomization(
        "kustomize-list",
        "List is no plugin",
        "transformers: [f.yaml]\n",
        f_yaml="apiVersion: v1\nkind: List\nitems: []\n",
    ),
    kustomization(
        "kustomize-plugin-path", "'http://LISTENER/x' is an address", "transformers: [f.yaml]\n", f_yaml=FETCHING
    ),
    kustomization(
        "kustomize-plugin-targets",
        "is an address",
        "transformers: [f.yaml]\n",
        f_yaml=TARGETS,
    ),
    kustomization(
        "kustomize-plugin-behind-a-null",
        "is an address",
        "transformers: [f.yaml]\n",
        f_yaml="~\n---#\n"
        + json.dumps(
            {
                "apiVersion": "builtin",
                "kind": "PatchTransformer",
                "metadata": {"name": "x"},
                "path": "http://LISTENER/x",
            },
            separators=(",", ":"),
        ),
    ),
    Row(
        "kustomize-plugin-that-is-a-file",
        {"kustomization.yaml": json.dumps({"transformers": [FETCHING]}), FETCHING.replace("//", "/"): PREFIX_PLUGIN},
        "is an address",
    ),
    kustomization(
        "kustomize-plugin-bomb",
        "kustomize: ",
        "resources: [one.yaml]\ntransformers: [f.yaml]\n",
        f_yaml=PREFIX_PLUGIN + BOMB,
    ),
    kustomization("kustomize-bomb", "excessive aliasing", f"resources: [one.yaml]\n{BOMB}"),
    kustomization(
        "kustomize-circle",
        "kustomize: Error: accumulating resources",
        "resources: [a]\n",
        a__kustomization_yaml="resources: [..]\n",
    ),
)

OTHERS = (
    Row("jsonnet", {"a.jsonnet": "{}"}, "a.jsonnet: Jsonnet is not rendered here"),
    Row("json-deep", {"a.json": "[" * 100_000}, "a.json: is no JSON"),
    Row("too-much", {"a.yaml": ONE + "#" * 10_000_001}, "more than 10000000 bytes of manifests"),
    Row("parameter-unknown", {"a.yaml": ONE}, "parameter 'x' is none of this plugin", [parameter("x", "1")]),
    Row("parameter-report", {"a.yaml": ONE}, "parameter 'report' is none", [parameter("report", "/etc/x")]),
    Row("parameter-config", {"a.yaml": ONE}, "parameter 'config' is none", [parameter("config", "/etc/passwd")]),
    Row("parameter-plugins", {"a.yaml": ONE}, "parameter 'plugins' is none", [parameter("plugins", "x.py")]),
    Row("parameter-helm", {"a.yaml": ONE}, "parameter 'helm' is none", [parameter("helm", "./x")]),
    Row("parameter-hosts", {"a.yaml": ONE}, "parameter 'allow-host' is none", [parameter("allow-host", "LISTENER")]),
    Row("parameter-locked", {"a.yaml": ONE}, "parameter override: ", [parameter("override", "objects")]),
    Row(
        "parameter-shape",
        {"a.yaml": ONE},
        "parameter tool: got an array; it takes a string",
        [parameter("tool", ["helm"])],
    ),
    Row("parameter-tool", {"a.yaml": ONE}, "parameter tool: got '../x'", [parameter("tool", "../x")]),
    Row("parameter-twice", {"a.yaml": ONE}, "parameter tool: is given twice", [parameter("tool", "helm")] * 2),
    Row("parameter-long", {"a.yaml": ONE}, "parameter tool: got 'xxx", [parameter("tool", "x" * 100_000)]),
    Row("parameter-pattern", {"a.yaml": ONE}, "parameter include: got '{{{{", [parameter("include", "{" * 5000)]),
    Row(
        "override-file",
        {"a.yaml": ONE, ".argocd-source.yaml": "plugin: {parameters: [{name: helm, string: ./x}]}\n"},
        "parameter 'helm' is none",
    ),
    Row("no-chart", {"a.yaml": ONE}, "helm: Error: unable to detect chart", [parameter("tool", "helm")]),
    Row("no-kustomization", {"a.yaml": ONE}, "has no kustomization.yaml", [parameter("tool", "kustomize")]),
)
PROGRAMS = ("helm3", "helm4")
TABLE = [(program, row) for row in HELM for program in PROGRAMS] + [("helm4", row) for row in (*KUSTOMIZE, *OTHERS)]


class Listener:
    """Waits at 127.0.0.1, keeps the first bytes of everybody who comes, and sends them away."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            with connection:
                connection.settimeout(5)
                first = connection.recv(100)
                self.seen.append(first)
                if first == b"end":
                    return
                connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    def close(self) -> None:
        host, _, port = self.address.partition(":")
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(b"end")
        self._thread.join()
        self._socket.close()


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.close()


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Home]:
    homes = {}
    for program in PROGRAMS:
        home = Home(tmp_path_factory.mktemp(program) / "home")
        home.add(PLUGIN, find_command())
        (home.path / "tmp").mkdir()
        home.extra.update({f"SANDBOX_POSTRENDERER_{name}": value for name, value in LIMITS.items()})
        home.extra["SANDBOX_POSTRENDERER_HELM"] = find_tool(program)
        home.extra["SANDBOX_POSTRENDERER_KUSTOMIZE"] = find_tool("kustomize")
        home.extra.update({"TMPDIR": str(home.path / "tmp"), "SECRET": SECRET})
        homes[program] = home
    return homes


@pytest.fixture(scope="module")
def servers(homes: dict[str, Home]) -> Iterator[dict[str, CmpServer]]:
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(CmpServer(home, home.get_output(PLUGIN, "argocd", "plugin").decode()))
            for name, home in homes.items()
        }


@pytest.fixture
def untouched(listener: Listener, homes: dict[str, Home]) -> Iterator[None]:
    """Nobody has asked the listener, nothing is left in a temporary folder, and no process that saw it."""
    before = len(listener.seen)
    yield
    assert listener.seen[before:] == []
    for home in homes.values():
        left = home.path / "tmp"
        assert [path.name for path in left.iterdir() if path.name.startswith(PREFIX)] == []
        assert list_processes(str(left / PREFIX)) == []


def list_processes(mark: str) -> list[str]:
    """The command lines of the processes that have a text in their environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it is gone, or another's
            if mark.encode() in (path / "environ").read_bytes():
                found.append((path / "cmdline").read_text())
    return found


def write(root: Path, row: Row, address: str) -> Path:
    """Write a row's repository."""

    def fill(text: str) -> str:
        return text.replace("LISTENER", address)

    for name, content in row.files.items():
        path = root / fill(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, tuple):
            content = pack(*((each, fill(text)) for each, text in content))
        path.write_bytes(content if isinstance(content, bytes) else fill(content).encode())
    for name, target in row.links.items():
        (root / name).symlink_to(target)
    return root


def check_refusal(said: str | None, words: str) -> None:
    """One line of ours with these words; nothing of the sidecar is in it."""
    _, _, line = (said or "").partition("failed exit status 2: ")
    assert line.startswith("sandbox-postrenderer: error: "), said
    assert words in line
    assert "\n" not in line
    for word in ("Traceback", "goroutine", SECRET, "root:", PREFIX):
        assert word not in line


@pytest.mark.parametrize(("program", "row"), TABLE, ids=[f"{row.id}-{program}" for program, row in TABLE])
@pytest.mark.usefixtures("untouched")
def test_what_is_refused(
    servers: dict[str, CmpServer], listener: Listener, tmp_path: Path, program: str, row: Row
) -> None:
    repo = write(tmp_path / "repository", row, listener.address)
    parameters = json.loads(json.dumps(list(row.parameters)).replace("LISTENER", listener.address))
    answer = servers[program].generate(repo, row.path, parameters=parameters)
    assert answer.manifests == []
    check_refusal(answer.error, row.says.replace("LISTENER", listener.address))
    assert servers[program].work == []


SHOWN = (
    Row(
        "values-file-with-a-comma",
        {
            "Chart.yaml": CHART,
            "templates/one.yaml": SHOW,
            "x": "a: 1\n",
            "x,/etc/hostname": "b: 2\n",
            'q".yaml': "c: 3\n",
        },
        '{"b":2,"c":3}',
        [parameter("values-files", ["x,/etc/hostname", 'q".yaml'])],
    ),
    Row(
        "set-file-with-commas",
        {
            "Chart.yaml": CHART,
            "templates/one.yaml": SHOW,
            "x,": "",
            "x,,k=/etc/hostname": "mine",
            "y\\,k=/etc/hostname": "too",
        },
        '{"n":"mine","o":"too"}',
        [parameter("helm-file-parameters", {"n": "x,,k=/etc/hostname", "o": "y\\,k=/etc/hostname"})],
    ),
    Row(
        "functions-that-reach-out",
        {
            "Chart.yaml": CHART,
            "templates/one.yaml": f"{ONE}data: {{values: {REACHING}}}\n",
            "values.yaml": "x: '{{ .Files.Get \"/proc/self/environ\" }}'\n",
        },
        '["",{},"","",""]',
    ),
    Row(
        "variables-of-the-application",
        {"Chart.yaml": CHART, "templates/one.yaml": SHOW},
        "{}",
        env={
            "SANDBOX_POSTRENDERER_LOCKED": "",
            "SANDBOX_POSTRENDERER_HELM": "/bin/false",
            "SANDBOX_POSTRENDERER_REPORT": "/nowhere/report",
            "SANDBOX_POSTRENDERER_CONFIG": "/etc/passwd",
            "HELM_KUBEAPISERVER": "http://LISTENER",
            "HELM_DEBUG": "true",
            "HELM_PLUGINS": ".",
            "KUBECONFIG": "/etc/passwd",
            "HTTPS_PROXY": "http://LISTENER",
            "PATH": ".",
        },
    ),
    Row(
        "parameters-with-variables",
        {"Chart.yaml": CHART, "templates/one.yaml": SHOW},
        '{"a":"$(id) ` ","b":""}',
        [parameter("helm-string-parameters", {"a": "$(id) ` ${SECRET}", "b": "$SECRET"})],
    ),
    Row(
        "file-of-variables",
        {"kustomization.yaml": MAP, "x": "values=\nSECRET\nPATH\n"},
        "",
    ),
    Row("many-files", {f"{number}.txt": "" for number in range(10_000)} | {"one.yaml": FILLED}, "x"),
    Row("long-names", {"/".join(["x" * 200] * 3) + "/two.yaml": ONE, "one.yaml": FILLED}, "x"),
)


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("row", SHOWN, ids=[row.id for row in SHOWN])
@pytest.mark.usefixtures("untouched")
def test_what_stays_without_effect(
    servers: dict[str, CmpServer], listener: Listener, tmp_path: Path, program: str, row: Row
) -> None:
    repo = write(tmp_path / "repository", row, listener.address)
    env = {name: text.replace("LISTENER", listener.address) for name, text in row.env.items()}
    answer = servers[program].generate(repo, row.path, parameters=row.parameters, env=env)
    assert answer.error is None, answer.error
    assert answer.manifests[0]["data"]["values"] == row.says
    assert SECRET not in json.dumps(answer.manifests)


@pytest.mark.usefixtures("untouched")
def test_a_template_that_does_not_end_is_ended(servers: dict[str, CmpServer], tmp_path: Path) -> None:
    endless = "{{ range until 60000 }}{{ range until 60000 }}{{ end }}{{ end }}"
    row = chart("endless", "", templates__one_yaml=endless)
    answer = servers["helm4"].generate(write(tmp_path / "repository", row, ""))
    check_refusal(answer.error, "helm: has not ended after 6 seconds, which is all that a request may take")


@pytest.mark.usefixtures("untouched")
def test_parameters_are_announced_for_what_is_refused(
    servers: dict[str, CmpServer], listener: Listener, tmp_path: Path
) -> None:
    for row in (*HELM, *KUSTOMIZE):
        if row.id in ("schema-http", "dependency-http", "kustomize-resources", "values-bomb"):
            repo = write(tmp_path / row.id, row, listener.address)
            announced = servers["helm4"].parameters(repo, parameters=row.parameters)
            assert {"tool", "default-uid"} <= {each["name"] for each in announced}


class TestDirectly:
    """What Argo CD itself refuses before any plugin: the command alone has to refuse it as well."""

    @pytest.fixture
    def repo(self, tmp_path: Path) -> Path:
        return write(tmp_path / "repository", chart("", ""), "")

    def generate(self, homes: dict[str, Home], repo: Path, *parameters: Mapping[str, Any], folder: str = ".") -> str:
        home = homes["helm4"]
        home.extra.update({"ARGOCD_APP_NAME": "app", "ARGOCD_APP_SOURCE_PATH": folder})
        home.extra["ARGOCD_APP_PARAMETERS"] = json.dumps(parameters)
        done = home.run(PLUGIN, "argocd", "generate", cwd=repo / folder)
        assert (done.returncode, done.stdout) == (2, b"")
        return f"failed exit status 2: {done.stderr.decode().rstrip()}"

    @pytest.mark.parametrize("target", ["/etc/passwd", "/dev/zero", "/proc/self/environ", "../../x", "/"])
    @pytest.mark.usefixtures("untouched")
    def test_a_link_out(self, homes: dict[str, Home], repo: Path, target: str) -> None:
        (repo / "values.yaml").symlink_to(target)
        check_refusal(self.generate(homes, repo), "values.yaml: is a link that leads out of the repository")

    @pytest.mark.usefixtures("untouched")
    def test_a_fifo(self, homes: dict[str, Home], repo: Path) -> None:
        os.mkfifo(repo / "values.yaml")
        check_refusal(self.generate(homes, repo), "values.yaml: is no regular file")

    @pytest.mark.usefixtures("untouched")
    def test_a_name_that_is_no_text(self, homes: dict[str, Home], repo: Path) -> None:
        os.symlink("/etc/passwd", os.fsencode(repo) + b"/\xff\n")
        check_refusal(self.generate(homes, repo), "is a link that leads out of the repository")


def test_without_the_plugin_the_listener_is_asked(homes: dict[str, Home], listener: Listener, tmp_path: Path) -> None:
    """Who notices nothing here would notice nothing in the other tests either."""
    rows = {row.id: row for row in (*HELM, *KUSTOMIZE)}
    ways = (
        ("schema-http", ("SANDBOX_POSTRENDERER_HELM", "template", ".")),
        ("archive-schema-backslash", ("SANDBOX_POSTRENDERER_HELM", "template", ".")),
        ("dependency-case", ("SANDBOX_POSTRENDERER_HELM", "dependency", "build", ".")),
        ("dependency-oci", ("SANDBOX_POSTRENDERER_HELM", "dependency", "build", ".")),
        ("kustomize-resources", ("SANDBOX_POSTRENDERER_KUSTOMIZE", "build", ".")),
        ("kustomize-binary-key", ("SANDBOX_POSTRENDERER_KUSTOMIZE", "build", ".")),
        ("kustomize-plugin-behind-a-null", ("SANDBOX_POSTRENDERER_KUSTOMIZE", "build", ".")),
    )
    for home in homes.values():
        for id_, (program, *arguments) in ways:
            before = len(listener.seen)
            repo = write(tmp_path / home.path.parent.name / id_, rows[id_], listener.address)
            subprocess.run(
                [home.extra[program], *arguments], cwd=repo, env=home.environment, capture_output=True, check=False
            )
            assert len(listener.seen) > before, id_
