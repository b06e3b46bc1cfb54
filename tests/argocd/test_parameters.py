"""The parameters of an application: what is read of them, and errors that name the parameter."""

from __future__ import annotations

import json
from typing import Any

import pytest

from postrenderer.hosts.argocd.parameters import KNOWN, Parameters, read_parameters
from postrenderer.model import Refused
from postrenderer.settings import BY_NAME


def read(*given: Any, locked: tuple[str, ...] = ()) -> Parameters:
    return read_parameters(json.dumps(list(given)), locked)


@pytest.mark.parametrize(
    "text", ["", " ", "null", "[]", '[{"name": "tool"}]', '[{"name": "values-files", "array": null}]']
)
def test_what_says_nothing(text: str) -> None:
    assert read_parameters(text) == Parameters()


def test_everything() -> None:
    assert read(
        {"name": "tool", "string": "helm"},
        {"name": "values-files", "array": ["a.yaml", "/b.yaml"]},
        {"name": "values", "string": "a: 1\nb: 2\n"},
        {"name": "helm-parameters", "map": {"a.b": "1,2"}},
        {"name": "helm-string-parameters", "map": {"c": "true"}},
        {"name": "helm-file-parameters", "map": {"d": "files/d"}},
        {"name": "release-name", "string": "web"},
        {"name": "skip-crds", "string": "true"},
        {"name": "skip-tests", "string": "false"},
        {"name": "skip-schema-validation", "string": "true"},
        {"name": "kube-version", "string": "v1.34.2-gke.1"},
        {"name": "api-versions", "array": ["v1", "monitoring.coreos.com/v1/ServiceMonitor"]},
        {"name": "recurse", "string": "true"},
        {"name": "include", "string": "*.yaml"},
        {"name": "exclude", "string": "{a,b}.json"},
        {"name": "strict", "string": "true"},
        {"name": "default-uid", "string": "7"},
    ) == Parameters(
        tool="helm",
        values_files=("a.yaml", "/b.yaml"),
        values="a: 1\nb: 2\n",
        helm_parameters={"a.b": "1,2"},
        helm_string_parameters={"c": "true"},
        helm_file_parameters={"d": "files/d"},
        release_name="web",
        skip_crds=True,
        skip_schema_validation=True,
        kube_version="1.34.2",
        api_versions=("v1", "monitoring.coreos.com/v1/ServiceMonitor"),
        recurse=True,
        include="*.yaml",
        exclude="{a,b}.json",
        settings={"strict": True, "default_uid": 7},
    )


@pytest.mark.parametrize(
    "given",
    [{"string": "a/b=7\nc/d:1=8"}, {"array": ["a/b=7", "c/d:1=8"]}, {"map": {"a/b": "7", "c/d:1": "8"}}],
)
def test_image_uid_in_each_shape(given: dict[str, Any]) -> None:
    assert read({"name": "image-uid", **given}).settings == {"image_uid": (("a/b", 7), ("c/d:1", 8))}


def test_what_is_announced_as_unknown_says_nothing() -> None:
    """The user interface shows an unknown image with an empty UID, and may give that back."""
    given = {"name": "image-uid", "map": {"a/b": "", "c/d:1": "8"}}
    assert read(given).settings == {"image_uid": (("c/d:1", 8),)}


def test_lists() -> None:
    for given in ({"string": "Sandbox,SandboxAgent"}, {"array": ["Sandbox", "SandboxAgent"]}):
        assert read({"name": "only-kind", **given}).settings == {"only_kind": ("Sandbox", "SandboxAgent")}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"name": "values-file", "array": ["a"]},
            "parameter 'values-file' is none of this plugin; did you mean values-files?",
        ),
        ({"name": "values-files", "string": "a"}, "parameter values-files: got 'a'; it takes an array of strings"),
        (
            {"name": "values-files", "map": {"a": "b"}},
            "parameter values-files: got a map; it takes an array of strings",
        ),
        ({"name": "values", "array": ["a"]}, "parameter values: got an array; it takes a string"),
        (
            {"name": "helm-parameters", "array": ["a=b"]},
            "parameter helm-parameters: got an array; it takes a map of strings",
        ),
        (
            {"name": "tool", "string": "jsonnet"},
            "parameter tool: got 'jsonnet'; it takes one of helm, kustomize, directory",
        ),
        ({"name": "skip-crds", "string": "yes"}, "parameter skip-crds: got 'yes'; it takes true or false"),
        ({"name": "release-name", "string": "--post-renderer"}, "it takes a name of at most 53 lower-case letters"),
        ({"name": "release-name", "string": "a\nb"}, "parameter release-name: got 'a\\nb'; it takes a name"),
        ({"name": "kube-version", "string": "1.34 --x"}, "parameter kube-version: got '1.34 --x'; it takes a version"),
        (
            {"name": "api-versions", "array": ["v1", "--x"]},
            "parameter api-versions: got an array; it takes API versions",
        ),
        ({"name": "strict", "string": "x"}, "parameter strict: 'x' is neither `true` nor `false`: write one of them"),
        ({"name": "strict", "array": ["true"]}, "parameter strict: got an array; it takes a string"),
        ({"name": "only-kind", "map": {"a": "b"}}, "parameter only-kind: got a map; it takes a string or an array"),
        ({"name": "image-uid", "map": {"a": "0"}}, "parameter image-uid: "),
        ({"name": "strict", "string": 7}, "parameter 'strict': string got a number; a parameter has a name and one of"),
        ({"name": "strict", "string": True}, "parameter 'strict': string got a boolean"),
        ({"name": "helm-parameters", "map": {"a": 1}}, "parameter 'helm-parameters': map.a got a number"),
        ({"name": "values-files", "array": [None]}, "parameter 'values-files': array.0 got nothing"),
        ({"name": 7}, "parameter 7: name got a number"),
        ({"string": "x"}, "parameter None: name got a map"),
        ({"name": "strict", "text": "x"}, "parameter 'strict': text got 'x'"),
        (
            {"name": "values", "string": "a", "array": ["a"]},
            "parameter 'values': has more than one of string, array and map",
        ),
        ({"name": "values", "string": "a\0b"}, "parameter 'values': holds a character that no text has"),
        ({"name": "values", "string": "\ud800"}, "parameter 'values': holds a character that no text has"),
        (
            {"name": "helm-parameters", "map": {"a\nb": "1"}},
            "parameter 'helm-parameters': 'a\\nb' has characters that can",
        ),
        ({"name": "report", "string": "x"}, "parameter 'report' is none of this plugin"),
        ({"name": "plugin", "string": "x"}, "parameter 'plugin' is none of this plugin"),
        ({"name": "allow-host", "string": "x"}, "parameter 'allow-host' is none of this plugin"),
        ({"name": "a\nb", "string": "x"}, "parameter 'a\\nb' is none of this plugin"),
        ("text", "parameter None: it got 'text'"),
    ],
)
def test_errors(given: Any, message: str) -> None:
    with pytest.raises(Refused) as found:
        read(given)
    assert message in found.value.message
    assert "\n" not in found.value.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "ARGOCD_APP_PARAMETERS: is no JSON"),
        ("[" * 100_000, "ARGOCD_APP_PARAMETERS: is no JSON"),
        ("{}", "ARGOCD_APP_PARAMETERS: takes a list of parameters, and got a map"),
        ('"x"', "ARGOCD_APP_PARAMETERS: takes a list of parameters, and got 'x'"),
        (f'"{"x" * 999}"', f"got '{'x' * 60}...'"),
    ],
)
def test_what_argo_cd_never_says(text: str, message: str) -> None:
    with pytest.raises(Refused) as found:
        read_parameters(text)
    assert message in found.value.message


def test_twice() -> None:
    with pytest.raises(Refused, match="parameter tool: is given twice"):
        read({"name": "tool", "string": "helm"}, {"name": "tool", "string": "helm"})
    with pytest.raises(Refused, match="parameter strict: is given twice"):
        read({"name": "strict", "string": "true"}, {"name": "strict", "string": "false"})


def test_an_operator_locks_settings() -> None:
    with pytest.raises(Refused, match="parameter strict: strict is locked by the operator"):
        read({"name": "strict", "string": "false"}, locked=("strict",))


def test_no_name_is_used_twice() -> None:
    names = [known.name for known in KNOWN]
    assert len({*names}) == len(names)
    assert not {*names} & {*BY_NAME}
