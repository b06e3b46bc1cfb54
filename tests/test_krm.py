"""KRM functions: a ResourceList in, the same ResourceList out, and the findings as its results."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli import BROKEN, DONE, KNOWN, OTHER, UNKNOWN, call, check_refused, read_report
from tests.support import check_insertions_only, check_same_meaning, load_with_pyyaml

ID = """\
  annotations:
    kustomize.config.k8s.io/id: |
      kind: Sandbox
"""


def wrap(*items: str, config: str = "", version: str = "v1") -> str:
    """A ResourceList as kustomize and kpt write it."""
    text = f"apiVersion: config.kubernetes.io/{version}\nkind: ResourceList\nitems:{'' if items else ' []'}\n"
    for item in items:
        text += f"- {textwrap.indent(item, '  ')[2:]}"
    return text + (f"functionConfig:\n{textwrap.indent(config, '  ')}" if config else "")


def config_map(**data: str) -> str:
    return yaml.safe_dump({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "set"}, "data": data})


def identity(spec: str, name: str = "identity") -> str:
    head = f"apiVersion: sandbox-postrenderer.io/v1\nkind: RuntimeIdentity\nmetadata:\n  name: {name}\n"
    return f"{head}spec: {spec}\n"


def run_function(text: str, *arguments: str, **options: Any) -> dict[str, Any]:
    """Run the function; its output is the input with bytes inserted."""
    found = call(*arguments, data=text, **options)
    assert found.returncode == 0, found.stderr.decode()
    check_insertions_only(text.encode(), found.stdout)
    (before,), (after,) = load_with_pyyaml(text.encode()), load_with_pyyaml(found.stdout)
    answer: dict[str, Any] = dict(after)
    results = answer.pop("results", [])
    check_same_meaning(before, answer)
    return {**answer, "results": results}


class TestNothingToDo:
    @pytest.mark.parametrize("version", ["v1", "v1beta1", "v1alpha1"])
    @pytest.mark.parametrize("items", [(), (OTHER,)])
    def test_a_copy(self, items: tuple[str, ...], version: str) -> None:
        text = wrap(*items, version=version, config=config_map(strict="true"))
        assert call(data=text).stdout.decode() == text

    def test_what_is_complete_stays_and_is_reported(self) -> None:
        text = wrap(DONE)
        found = call(data=text).stdout.decode()
        assert found.startswith(text + "results: [")
        assert found.count("\n") == text.count("\n") + 1

    def test_a_word_is_no_resource_list(self) -> None:
        text = OTHER + "data:\n  kind: ResourceList\n"
        assert call(data=text).stdout.decode() == text

    @pytest.mark.parametrize(
        "text",
        [
            wrap(OTHER) + "---\n" + OTHER,
            OTHER + "---\n" + wrap(OTHER),
            wrap(OTHER).replace("config.kubernetes.io/v1", "example.com/v1"),
        ],
        ids=["first of two", "second of two", "another group"],
    )
    def test_a_stream_with_a_resource_list_is_a_stream(self, text: str) -> None:
        found = call(data=text + "functionConfig: {kind: Nonsense}\n")
        assert found.returncode == 0
        assert b"results" not in found.stdout


class TestAdditions:
    @pytest.mark.parametrize("version", ["v1", "v1beta1", "v1alpha1"])
    def test_items_get_what_a_stream_gets(self, version: str) -> None:
        answer = run_function(wrap(OTHER, KNOWN, OTHER, version=version))
        assert answer["items"] == list(load_with_pyyaml(f"{OTHER}---\n{DONE}---\n{OTHER}".encode()))
        assert answer["apiVersion"] == f"config.kubernetes.io/{version}"

    def test_results(self) -> None:
        added = [each for each in run_function(wrap(OTHER, KNOWN))["results"] if "proposedValue" in each["field"]]
        assert [each["field"]["path"] for each in added] == [
            "spec.podTemplate.spec.securityContext.runAsNonRoot",
            "spec.podTemplate.spec.securityContext.runAsUser",
            "spec.podTemplate.spec.containers[0].securityContext.runAsNonRoot",
            "spec.podTemplate.spec.containers[0].securityContext.runAsUser",
        ]
        assert added[1] == {
            "message": "runAsUser: 1001 added (built-in table: kagent-dev/kagent/app 0.9.1, USER python) "
            "[identity-defaulted]",
            "severity": "info",
            "resourceRef": {"apiVersion": "agents.x-k8s.io/v1alpha1", "kind": "Sandbox", "name": "web"},
            "field": {"path": "spec.podTemplate.spec.securityContext.runAsUser", "proposedValue": "1001"},
        }

    @pytest.mark.parametrize("key", ["config.kubernetes.io/path", "internal.config.kubernetes.io/path"])
    def test_results_and_messages_name_the_file(self, key: str) -> None:
        item = UNKNOWN.replace(
            "  name: odd\n", f"  name: odd\n  namespace: team\n  annotations:\n    {key}: a b.yaml\n"
        )
        text = wrap(OTHER, item)
        (result,) = run_function(text)["results"]
        assert result["severity"] == "warning"
        assert result["file"] == {"path": "a b.yaml"}
        assert result["resourceRef"]["namespace"] == "team"
        assert "items[1]" not in result["message"]
        assert (
            "write runAsNonRoot: true and runAsUser: UID into spec.podTemplate.spec.containers[0]" in result["message"]
        )
        assert b"warning: a b.yaml, Sandbox/odd: container main" in call(data=text).stderr

    def test_json_stays_json(self) -> None:
        text = json.dumps(yaml.safe_load(wrap(OTHER, KNOWN, config=config_map(levels="container"))), indent=2) + "\n"
        found = call(data=text)
        answer = json.loads(found.stdout)
        assert len(answer["results"]) == 2
        assert (
            answer["items"][1]["spec"]["podTemplate"]["spec"]["containers"][0]["securityContext"]["runAsUser"] == 1001
        )

    def test_a_second_run_adds_nothing(self) -> None:
        once = run_function(wrap(KNOWN))
        again = run_function(wrap(yaml.safe_dump(once["items"][0], sort_keys=False)))
        assert again["items"] == once["items"]

    def test_the_report_names_no_line_that_nobody_has_seen(self, tmp_path: Path) -> None:
        run_function(wrap(KNOWN), "--report", str(tmp_path / "r.json"))
        findings = read_report(tmp_path / "r.json")["findings"]
        assert {(each["document"], each["line"], each["source"]) for each in findings} == {(None, None, "ResourceList")}


class TestSettings:
    @pytest.mark.parametrize(
        "config",
        [config_map(**{"image-uid": "registry.example.com/team/app=7"}), identity("{image-uid: {team/app: 7}}")],
        ids=["ConfigMap", "RuntimeIdentity"],
    )
    def test_they_count(self, config: str) -> None:
        (item,) = run_function(wrap(UNKNOWN, config=config))["items"]
        assert item["spec"]["podTemplate"]["spec"]["securityContext"]["runAsUser"] == "7"

    def test_above_the_environment_and_below_an_option(self) -> None:
        environment = {"SANDBOX_POSTRENDERER_DEFAULT_UID": "5"}
        text = wrap(UNKNOWN, config=config_map(**{"default-uid": "6"}))
        for arguments, uid in (((), "6"), (("--default-uid", "7"), "7")):
            (item,) = run_function(text, *arguments, environment=environment)["items"]
            assert item["spec"]["podTemplate"]["spec"]["securityContext"]["runAsUser"] == uid

    def test_kpt_writes_numbers_and_booleans(self) -> None:
        config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: set}\ndata: {default-uid: 7, strict: true}\n"
        (item,) = run_function(wrap(UNKNOWN, config=config))["items"]
        assert item["spec"]["podTemplate"]["spec"]["securityContext"]["runAsUser"] == "7"

    @pytest.mark.parametrize(
        ("config", "message"),
        [
            (config_map(strikt="true"), "ConfigMap/set, data: strikt: is no setting; did you mean strict?"),
            (config_map(strict="7"), "ConfigMap/set, data: strict: '7' is neither `true` nor `false`: write one"),
            (config_map(mode="check"), "ConfigMap/set, data: mode: 'check' is no value for it; there are render, vali"),
            (config_map(report="x"), "ConfigMap/set, data: report: is no setting;"),
            (identity("{strict: 7}"), "RuntimeIdentity/identity, spec: strict: write true or false, without quotes"),
            (identity("{plugin: x}"), "RuntimeIdentity/identity, spec: plugin is no setting"),
            (identity("[]"), "RuntimeIdentity/identity, spec: must be a mapping of settings"),
            (identity("{mode: check}"), "RuntimeIdentity/identity, spec: mode: write 'render' or 'validate' (not 'ch"),
            (identity("{}") + "output: x\n", "RuntimeIdentity/identity: output is no field of it; there are"),
            ("kind: Deployment\n", "Deployment/(no name): apiVersion None and kind Deployment are no configuration of"),
            ("- a\n", "functionConfig must be a mapping"),
        ],
    )
    def test_errors_name_resource_and_key(self, config: str, message: str) -> None:
        found = call(data=wrap(KNOWN, config=config))
        check_refused(found, message)
        assert found.stderr.count(b"\n") == 1

    @pytest.mark.parametrize("config", [config_map(strict="false"), identity("{strict: false}")])
    def test_an_operator_can_lock_them(self, config: str) -> None:
        found = call("--locked", "strict", data=wrap(KNOWN, config=config))
        check_refused(found, "strict is locked by the operator (--locked): take it out")

    def test_a_version_that_nobody_knows(self) -> None:
        check_refused(call(data=wrap(OTHER, version="v2")), "ResourceList: has version 'v2'; there are v1, v1beta1")

    def test_results_are_no_input(self) -> None:
        check_refused(call(data=wrap(OTHER) + "results: [{message: x}]\n"), "has results already")

    def test_broken(self) -> None:
        check_refused(call(data=wrap(BROKEN)), "ResourceList, line ")


class TestValidate:
    CONFIG = config_map(mode="validate")
    DECLARED = identity("{mode: validate}").replace(
        "  name: identity\n", "  name: identity\n  annotations: {config.kubernetes.io/function: 'exec: {path: x}'}\n"
    )

    def test_what_is_missing_fails(self) -> None:
        found = call(data=wrap(KNOWN, config=self.CONFIG))
        check_refused(
            found,
            "ResourceList, Sandbox/web: lacks runAsNonRoot: true and runAsUser: 1001 in "
            "spec.podTemplate.spec.securityContext and runAsNonRoot: true and runAsUser: 1001 in "
            "spec.podTemplate.spec.containers[0].securityContext; put a RuntimeIdentity under transformers:",
            code=1,
        )

    def test_strict_fails_where_nothing_can_be_added(self) -> None:
        assert call(data=wrap(UNKNOWN, config=self.CONFIG)).returncode == 0
        strict = call("--strict", data=wrap(UNKNOWN, config=self.CONFIG))
        check_refused(strict, "container main", "has no runtime identity (strict)", code=1)

    def test_kpt_gets_every_item_back(self) -> None:
        text = wrap(OTHER, DONE, config=self.CONFIG)
        assert call(data=text).stdout.decode().startswith(text)

    def test_kustomize_gets_none(self, tmp_path: Path) -> None:
        item = DONE.replace("  name: web\n", "  name: web\n" + ID)
        found = call(data=wrap(item, item, config=self.DECLARED, version="v1beta1"), cwd=tmp_path)
        answer = yaml.safe_load(found.stdout)
        assert answer.pop("results")
        assert answer == {"apiVersion": "config.kubernetes.io/v1beta1", "kind": "ResourceList", "items": []}

    @pytest.mark.parametrize("config", [DECLARED, config_map(mode="validate")])
    def test_an_annotation_that_kustomize_left_is_not_kustomize(self, config: str) -> None:
        """kpt would delete the package."""
        item = DONE.replace("  name: web\n", "  name: web\n" + ID)
        items = (OTHER, item) if config == self.DECLARED else (item, item)
        text = wrap(*items, config=config)
        assert call(data=text).stdout.decode().startswith(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("items: {}\n", "`items` must be a list, but is a mapping"),
        ("items: x\n", "`items` must be a list, but is a single value"),
        ("items: [null]\n", "must be a mapping, but is null"),
        ("items: [a, 1]\n", "must be a mapping, but is a single value"),
        ("items: [[a]]\n", "must be a mapping, but is a list"),
        ("items: [{metadata: x}]\n", "must be a mapping"),
        ("items: [{metadata: {annotations: []}}]\n", "must be a mapping"),
        ("items: &i\n- *i\n", "stands inside what it refers to"),
        ("items: []\nitems: []\n", "the key `items` stands twice"),
        ("functionConfig: {}\nfunctionConfig: {}\n", "the key `functionConfig` stands twice"),
        ("functionConfig: {}\n", "None/(no name): apiVersion None and kind None are no configuration of this program"),
        (f"functionConfig: {{apiVersion: v1, kind: ConfigMap}}\n---\n{OTHER}", "is followed by another document"),
        (
            "functionConfig: {apiVersion: v1, kind: ConfigMap, metadata: {name: 'a\n\n\n  b'}, data: {x: y}}\n",
            "a\\n\\nb",
        ),
    ],
)
def test_what_is_not_as_it_should_be_is_one_line(text: str, message: str) -> None:
    found = call(data=f"apiVersion: config.kubernetes.io/v1\nkind: ResourceList\n{text}")
    check_refused(found, message)
    assert found.stderr.count(b"\n") == 1


@pytest.mark.parametrize("version", ["", "/", "/v2"])
def test_versions_that_nobody_knows(version: str) -> None:
    text = wrap(OTHER).replace("config.kubernetes.io/v1", f"config.kubernetes.io{version}")
    check_refused(call(data=text), "ResourceList: has version '", "there are v1, v1beta1, v1alpha1")


def test_arguments_are_for_the_exec_plugin() -> None:
    found = call(data=wrap(KNOWN, config=identity("{}") + "argsOneLiner: --strict\n"))
    check_refused(
        found, "RuntimeIdentity/identity: argsOneLiner is for kustomize's exec plugin; write the settings into"
    )


@pytest.mark.parametrize("end", ["---\n", "---\n# a comment\n", "...\n# a comment\n", "# a comment\n", "\n\n"])
def test_what_follows_the_document_stays(end: str) -> None:
    text = wrap(UNKNOWN, config=config_map(strict="false"))
    found = call(data=text + end).stdout.decode()
    assert found.startswith(text + "results: [")
    assert found.endswith(end)
    assert call(data=wrap(UNKNOWN, config=config_map(strict="true")) + end).returncode == 1


@pytest.mark.parametrize("results", ["results: []\n", "results: [ ]  # none\n", "results:\n", "results: null\n"])
def test_empty_results_are_none(results: str) -> None:
    answer = yaml.safe_load(call(data=wrap(UNKNOWN) + results).stdout)
    assert [each["severity"] for each in answer["results"]] == ["warning"]


@pytest.mark.parametrize("name", ["no", "0x10", "1e3", "1_0", "010", "1.0"])
def test_names_are_what_is_written(name: str) -> None:
    text = wrap(UNKNOWN.replace("  name: odd\n", f"  name: {name}\n  namespace: {name}\n"))
    (result,) = run_function(text)["results"]
    assert (result["resourceRef"]["name"], result["resourceRef"]["namespace"]) == (name, name)


def test_a_list_of_results_is_written_in_a_document_of_any_style() -> None:
    """The answer's last line is inserted by the same editor as all else: here behind a block scalar."""
    text = wrap(UNKNOWN) + "functionConfig:\n  apiVersion: v1\n  kind: ConfigMap\n  metadata:\n    name: |-\n      last"
    found = call(data=text)
    answer = yaml.safe_load(found.stdout)
    assert answer["functionConfig"]["metadata"]["name"] == "last"
    assert answer["results"][0]["severity"] == "warning"
