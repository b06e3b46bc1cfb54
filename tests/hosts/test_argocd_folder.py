"""The files of `argocd/`: they are built by kustomize onto Argo CD's own manifests, and agree with each other."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from postrenderer import __version__
from postrenderer.hosts.argocd.parameters import KNOWN, read_parameters
from postrenderer.hosts.argocd.plugin_yaml import MARKER, format_plugin
from postrenderer.settings import SETTINGS
from tests.hosts.pages import get_anchors
from tests.hosts.pods import Verdict, judge
from tests.hosts.programs import Home
from tests.support import ROOT, find_tool

FOLDER = ROOT / "argocd"
README = (FOLDER / "README.md").read_text(encoding="utf-8")
PLUGIN = yaml.safe_load(format_plugin(__version__))
NAME = f"{PLUGIN['metadata']['name']}-{PLUGIN['spec']['version']}"
SIDECAR = "sandbox-postrenderer"


def load(name: str) -> Any:
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))


def load_patch() -> Any:
    return load("component/repo-server.yaml")["spec"]["template"]["spec"]


def find_manifests(name: str) -> Path:
    """A directory of Argo CD's own manifests: they are in the module that its server is built from."""
    find_tool("argocd-cmp-server")
    module = "github.com/argoproj/argo-cd/v3"
    command = ["go", "mod", "download", "-json", module]
    environment = {**os.environ, "GOTOOLCHAIN": "go1.27.3"}
    done = subprocess.run(command, cwd=ROOT / "tools" / "argocd", env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return Path(json.loads(done.stdout)["Dir"]) / "manifests" / name


def build(home: Home, *components: str, **more: Any) -> dict[tuple[str, str], Any]:
    """Build an installation of Argo CD with components of the folder; by kind and name."""
    folder = home.path / "-".join(["installation", *components, *more])
    folder.mkdir()
    installation = {
        "namespace": "argocd",
        "resources": [os.path.relpath(find_manifests("base"), os.path.realpath(folder))],
        "components": [os.path.relpath(FOLDER / name, os.path.realpath(folder)) for name in components],
        **more,
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(installation))
    home.add("kustomize", find_tool("kustomize"))
    built = yaml.safe_load_all(home.get_output("kustomize", "build", ".", cwd=folder))
    return {(each["kind"], each["metadata"]["name"]): each for each in built}


def get_pod(built: dict[tuple[str, str], Any]) -> Any:
    return built["Deployment", "argocd-repo-server"]["spec"]["template"]["spec"]


def find_named(entries: list[Any], name: str) -> Any:
    (found,) = [entry for entry in entries if entry["name"] == name]
    return found


def judge_pod(pod: Any, *containers: str) -> Verdict:
    """What the level `restricted` says of a pod with these of its containers; of all, if none is named."""
    containers = containers or tuple(each["name"] for each in pod["containers"])
    spec = {**pod, "containers": [find_named(pod["containers"], name) for name in containers]}
    spec["initContainers"] = [each for each in pod["initContainers"] if each["name"] in ("copyutil", *containers)]
    resource = {"kind": "Sandbox", "metadata": {"name": "one"}, "spec": {"podTemplate": {"spec": spec}}}
    return judge([resource])["one"]


class TestPlugin:
    @pytest.mark.parametrize("folder", ["", "component", "discovery"])
    def test_it_is_what_the_command_prints(self, folder: str) -> None:
        printed = format_plugin(__version__, with_discovery=folder == "discovery")
        assert (FOLDER / folder / "plugin.yaml").read_text(encoding="utf-8") == printed

    def test_the_values_make_the_same_of_it(self) -> None:
        """The chart writes `apiVersion`, `kind` and the name itself."""
        assert load("values.yaml")["configs"]["cmp"]["plugins"] == {SIDECAR: PLUGIN["spec"]}

    def test_applications_ask_for_it(self) -> None:
        source = load("application.yaml")["spec"]["source"]
        template = load("applicationset.yaml")["spec"]["template"]["spec"]["source"]
        assert source["plugin"]["name"] == template["plugin"]["name"] == NAME
        for each in (source, template):
            assert not {"helm", "kustomize", "directory"} & set(each)
            read_parameters(json.dumps(each["plugin"]["parameters"]))

    def test_nothing_names_another_version(self) -> None:
        tag = f"v{__version__}"
        for path in sorted(FOLDER.rglob("*")):
            if path.suffix in (".yaml", ".md") or path.name == "Dockerfile":
                text = path.read_text(encoding="utf-8")
                found = set(re.findall(r"sandbox-postrenderer(?:-|:|, newTag: )(v[0-9][0-9.]*[0-9])", text))
                assert found <= {tag}, path
        assert load_patch()["containers"][0]["image"] == f"{SIDECAR}:{tag}"


class TestImage:
    def test_the_programs_are_those_that_the_tests_drive(self) -> None:
        lines = (ROOT / "tools" / "versions.txt").read_text(encoding="utf-8").splitlines()
        versions = {line.split()[0]: line.split() for line in lines if not line.startswith("#")}
        for tool, folder in (("helm4", "helm"), ("kustomize", "kustomize")):
            _, package, version = versions[tool]
            text = (FOLDER / folder / "go.mod").read_text(encoding="utf-8")
            module = package.partition("/cmd/")[0]
            assert f"tool {package}\n" in text
            assert re.search(rf"^\s*{re.escape(module)} {re.escape(version)}( |$)", text, re.MULTILINE)
            sums = (FOLDER / folder / "go.sum").read_text(encoding="utf-8")
            assert f"{module} {version} h1:" in sums

    def test_every_package_is_held_by_hashes(self) -> None:
        for name in ("requirements.txt", "requirements-build.txt"):
            text = (FOLDER / name).read_text(encoding="utf-8").replace("\\\n", " ")
            lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
            assert lines
            for line in lines:
                assert re.match(r"[a-z0-9-]+==\S+ +--hash=sha256:[0-9a-f]{64}\b", line), line

    def test_what_the_program_depends_on_is_in_it(self) -> None:
        text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
        block = re.search(r"^dependencies = \[(.*?)^\]", text, re.DOTALL | re.MULTILINE)
        assert block is not None
        wanted = {name.lower().replace(".", "-") for name in re.findall(r'"([A-Za-z0-9.-]+)', block[1])}
        held = set(re.findall(r"^([a-z0-9-]+)==", (FOLDER / "requirements.txt").read_text(), re.MULTILINE))
        assert wanted <= held

    def test_the_dockerfile_copies_what_is_there(self) -> None:
        text = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
        sources = [line.split()[1:-1] for line in text.splitlines() if re.match(r"COPY (?!--from)", line)]
        paths = [path for words in sources for path in words if not path.startswith("--")]
        assert len(paths) >= 8
        assert all((ROOT / path).exists() for path in paths)


@pytest.mark.e2e
class TestComponent:
    def test_it_adds_a_sidecar_and_changes_nothing_else(self, home: Home) -> None:
        before, after = build(home), build(home, "component")
        (config,) = [name for kind, name in set(after) - set(before) if kind == "ConfigMap"]
        assert set(after) - set(before) == {("ConfigMap", config)}
        changed = {key for key in before if before[key] != after[key]}
        assert changed == {("Deployment", "argocd-repo-server")}
        old, new = get_pod(before), get_pod(after)
        sidecar = find_named(new["containers"], SIDECAR)
        assert [each for each in new["containers"] if each != sidecar] == old["containers"]
        assert [each for each in new["volumes"] if not each["name"].startswith(SIDECAR)] == old["volumes"]
        rest = ("containers", "volumes")
        assert {k: v for k, v in new.items() if k not in rest} == {k: v for k, v in old.items() if k not in rest}

    def test_what_it_mounts_is_there(self, home: Home) -> None:
        built = build(home, "component")
        pod = get_pod(built)
        sidecar, server = (find_named(pod["containers"], name) for name in (SIDECAR, "argocd-repo-server"))
        names = {each["name"] for each in pod["volumes"]}
        mounts = {each["mountPath"]: each for each in sidecar["volumeMounts"]}
        assert {each["name"] for each in mounts.values()} <= names
        plugins = find_named(server["volumeMounts"], "plugins")
        assert mounts[plugins["mountPath"]]["name"] == "plugins"
        (copied,) = pod["initContainers"]
        (program,) = copied["volumeMounts"]
        assert mounts[program["mountPath"]] == {**program, "readOnly": True}
        assert find_named(server["volumeMounts"], "tmp")["name"] != mounts["/tmp"]["name"]
        config = find_named(pod["volumes"], SIDECAR)["configMap"]["name"]
        key = mounts["/home/argocd/cmp-server/config/plugin.yaml"]["subPath"]
        assert built["ConfigMap", config]["data"][key] == format_plugin(__version__)

    def test_the_level_restricted_admits_it(self, home: Home) -> None:
        pod = get_pod(build(home, "component"))
        assert judge_pod(pod, SIDECAR).reasons == judge_pod(pod).reasons == {}
        find_named(pod["containers"], SIDECAR)["securityContext"].pop("seccompProfile")
        assert judge_pod(pod, SIDECAR).checks == {"seccompProfile_restricted"}

    def test_the_pod_has_no_token_and_the_sidecar_no_place_for_one(self, home: Home) -> None:
        pod = get_pod(build(home, "component"))
        assert pod["automountServiceAccountToken"] is False
        places = {each["mountPath"]: each for each in find_named(pod["containers"], SIDECAR)["volumeMounts"]}
        volume = find_named(pod["volumes"], places["/var/run/secrets/kubernetes.io/serviceaccount"]["name"])
        assert "emptyDir" in volume

    def test_the_image_is_renamed(self, home: Home) -> None:
        images = [{"name": SIDECAR, "newName": f"registry.example.com/{SIDECAR}", "newTag": "other"}]
        sidecar = find_named(get_pod(build(home, "component", images=images))["containers"], SIDECAR)
        assert sidecar["image"] == f"registry.example.com/{SIDECAR}:other"

    def test_discovery_is_another_component(self, home: Home) -> None:
        built = build(home, "component", "discovery")
        config = find_named(get_pod(built)["volumes"], SIDECAR)["configMap"]["name"]
        assert [name for kind, name in built if kind == "ConfigMap" and name.startswith(SIDECAR)] == [config]
        plugin = yaml.safe_load(built["ConfigMap", config]["data"]["plugin.yaml"])
        assert plugin["spec"].pop("discover") == {"fileName": MARKER}
        assert plugin == PLUGIN

    def test_the_policy_is_for_the_repo_server(self, home: Home) -> None:
        built = build(home, "component", "egress")
        spec = built["NetworkPolicy", "argocd-repo-server-egress"]["spec"]
        labels = built["Deployment", "argocd-repo-server"]["spec"]["template"]["metadata"]["labels"]
        assert spec["podSelector"]["matchLabels"].items() <= labels.items()
        assert spec["policyTypes"] == ["Egress"]
        redis = built["Deployment", "argocd-redis"]["spec"]["template"]
        selectors = [
            peer["podSelector"]["matchLabels"]
            for rule in spec["egress"]
            for peer in rule["to"]
            if len(peer) == 1 and "podSelector" in peer
        ]
        assert any(selector.items() <= redis["metadata"]["labels"].items() for selector in selectors)
        (ports,) = redis["spec"]["containers"][0]["ports"]
        assert {"protocol": "TCP", "port": ports["containerPort"]} in [
            p for rule in spec["egress"] for p in rule["ports"]
        ]


class TestValues:
    def test_they_describe_the_sidecar_of_the_component(self) -> None:
        values, pod = load("values.yaml")["repoServer"], load_patch()
        (sidecar,), (expected,) = values["extraContainers"], pod["containers"]
        key = find_named(sidecar["volumeMounts"], SIDECAR).pop("subPath")
        assert key == f"{SIDECAR}.yaml", "the chart's ConfigMap has a key for each plugin"
        find_named(expected["volumeMounts"], SIDECAR).pop("subPath")
        assert sidecar.pop("image") == f"registry.example.com/{expected.pop('image')}"
        assert sidecar == expected
        assert values["automountServiceAccountToken"] is pod["automountServiceAccountToken"] is False
        assert find_named(values["volumes"], SIDECAR)["configMap"] == {"name": "argocd-cmp-cm"}
        others = [[v for v in each if v["name"] != SIDECAR] for each in (values["volumes"], pod["volumes"])]
        assert others[0] == others[1]


class TestReadme:
    def test_links_lead_somewhere(self) -> None:
        anchors = get_anchors(README)
        links = re.findall(r"\]\((?!https?:)([^)#]*)(#[^)]+)?\)", README)
        assert len(links) >= 10
        for path, anchor in links:
            assert (FOLDER / path).exists(), path
            if anchor:
                page = (FOLDER / path).read_text(encoding="utf-8") if path else README
                assert anchor[1:] in (get_anchors(page) if path else anchors), anchor

    def test_every_parameter_is_explained(self) -> None:
        table = README.split("| parameter |", 1)[1].split("```", 1)[0]
        rows = {
            name
            for row in table.splitlines()
            for name in re.findall(r"`([a-z-]+)`", row.split("|")[1] if row.startswith("|") else "")
        }
        assert {known.name for known in KNOWN} <= rows
        assert rows - {known.name for known in KNOWN} <= {setting.name for setting in SETTINGS}

    def test_its_parameters_are_read(self) -> None:
        blocks = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)]
        (parameters,) = [block["parameters"] for block in blocks if "parameters" in block]
        read = read_parameters(json.dumps(parameters))
        assert read.values_files == ("values.yaml", "/environments/production.yaml")
        assert read.settings

    def test_its_variables_are_read_by_the_program(self) -> None:
        text = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "postrenderer").rglob("*.py")))
        options = set(re.findall(r'"([a-z]+(?:-[a-z]+)*)"', text)) | set(re.findall(r'"--([a-z-]+)"', text))
        names = set(re.findall(r"SANDBOX_POSTRENDERER_([A-Z_]+)", README)) - {""}
        assert len(names) >= 8
        assert {name.lower().replace("_", "-") for name in names} <= options

    def test_its_kustomization_is_the_components(self) -> None:
        """The example of the README, and the one at the top of the component."""
        top = (FOLDER / "component" / "kustomization.yaml").read_text(encoding="utf-8")
        for text in (README, top):
            assert f"newName: registry.example.com/{SIDECAR}, newTag: v{__version__}" in text
