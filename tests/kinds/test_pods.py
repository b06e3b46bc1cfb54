"""Reading a pod template: values as kubectl reads them, containers, and what asks for an injected sidecar."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import postrenderer
from postrenderer.kinds.pods import find_injection, read_context, read_pod_template
from postrenderer.model import Location, Refused, Resource, ResourceId, Workload
from postrenderer.yaml import YamlError, load_tree
from tests.support import run

INJECTION = json.loads((Path(postrenderer.__file__).parent / "injection.json").read_text())["keys"]


def read(text: str) -> Workload | None:
    """Read the pod template of a Sandbox."""
    tree = load_tree(text)
    assert tree is not None
    resource_id = ResourceId("agents.x-k8s.io/v1beta1", "Sandbox", "", "web")
    resource = Resource(resource_id, "agents.x-k8s.io", "v1beta1", tree.root, (), Location("test", 1, 1))
    return read_pod_template(resource, "spec", "podTemplate", claim_templates="volumeClaimTemplates")


def read_pod(pod: str, spec: str = "") -> Workload:
    workload = read(f"spec: {{podTemplate: {{spec: {{containers: [{{name: main}}], {pod}}}}}{spec}}}")
    assert workload is not None
    return workload


def read_values(context: str) -> Any:
    tree = load_tree(f"securityContext: {context}")
    assert tree is not None
    return read_context(tree.root, ())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1001", 1001),
        ("0", 0),
        ("-0", 0),
        ("+7", 7),
        ("0x10", 16),
        ("0b11", 3),
        ("1_000", 1000),
        ("017", 15),
        ("0o17", 15),
        ("08", 8),
        ("!!int '7'", 7),
        ("1e3", 1000),
        ("1000.0", 1000),
        ("2147483647", 2147483647),
    ],
)
def test_run_as_user(text: str, value: int) -> None:
    user = read_values(f"{{runAsUser: {text}}}").run_as_user
    assert (user.value, user.valid) == (value, True)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('"1001"', "1001"),
        ("!!str 7", "7"),
        ("190:20:30", "190:20:30"),
        ("root", "root"),
        ("true", True),
        ("no", False),
        ("1.5", 1.5),
        ("-1", -1),
        ("2147483648", 2147483648),
        ('""', ""),
        ("[1001]", None),
        ("{}", None),
    ],
)
def test_invalid_run_as_user(text: str, value: Any) -> None:
    user = read_values(f"\n  runAsUser: {text}").run_as_user
    assert (user.value, type(user.value), user.valid) == (value, type(value), False)


@pytest.mark.parametrize(
    ("text", "value"),
    [(word, True) for word in ("true", "True", "TRUE", "yes", "on", "y", "!!bool 'true'")]
    + [(word, False) for word in ("false", "no", "off", "n", "N")],
)
def test_run_as_non_root(text: str, value: bool) -> None:
    user = read_values(f"{{runAsNonRoot: {text}}}").run_as_non_root
    assert (user.value, user.valid) == (value, True)


@pytest.mark.parametrize("text", ['"true"', "1", "0", "maybe", "[true]", "!!str yes"])
def test_invalid_run_as_non_root(text: str) -> None:
    assert not read_values(f"{{runAsNonRoot: {text}}}").run_as_non_root.valid


@pytest.mark.parametrize("null", ["", "~", "null", "Null", "NULL", "!!null ''"])
def test_null_is_absent(null: str) -> None:
    assert not read_values(null).supplied
    context = read_values(f"\n  runAsUser: {null}\n  runAsNonRoot: {null}")
    assert context.supplied
    assert context.run_as_user is None
    assert context.run_as_non_root is None


def test_empty_context_is_supplied() -> None:
    assert read_values("{}").supplied


@pytest.mark.parametrize("shape", ["[]", "text", "5", "[runAsUser]"])
def test_context_of_a_wrong_shape(shape: str) -> None:
    with pytest.raises(YamlError, match="must be a mapping"):
        read_values(shape)


def test_key_that_stands_twice() -> None:
    with pytest.raises(YamlError, match="stands twice"):
        read_values("{runAsUser: 1, runAsUser: 2}")


def test_containers_and_roles() -> None:
    workload = read(
        """\
spec:
  podTemplate:
    spec:
      ephemeralContainers:
      - {name: debug, image: busybox}
      containers:
      - name: main
        image: "x/main:1"
      - image: "x/other:1"
      initContainers:
      - name: setup
        image: "x/setup:1"
      - name: proxy
        image: "x/proxy:1"
        restartPolicy: Always
"""
    )
    assert workload is not None
    assert [(container.name, container.role, container.line) for container in workload.containers] == [
        ("setup", "init", 11),
        ("proxy", "sidecar", 13),
        ("main", "regular", 7),
        ("containers[1]", "regular", 9),
    ]
    paths = [container.context.path[-3:] for container in workload.containers]
    assert paths == [
        ("initContainers", 0, "securityContext"),
        ("initContainers", 1, "securityContext"),
        ("containers", 0, "securityContext"),
        ("containers", 1, "securityContext"),
    ]


@pytest.mark.parametrize("image", ["", "image: null", 'image: ""', "image: 5", "image: [a]", "image: {}"])
def test_no_image(image: str) -> None:
    workload = read(f"spec: {{podTemplate: {{spec: {{containers: [{{name: main, {image}}}]}}}}}}")
    assert workload is not None
    assert workload.containers[0].image is None


@pytest.mark.parametrize(
    "text",
    [
        "spec: {}",
        "spec: null",
        "spec: {podTemplate: null}",
        "spec: {podTemplate: {}}",
        "spec: {podTemplate: {spec: ~}}",
        "spec: {podTemplate: {spec: {}}}",
        "spec: {podTemplate: {spec: {containers: null}}}",
        "spec: {podTemplate: {spec: {containers: []}}}",
        "spec: {podTemplate: {spec: {securityContext: {runAsUser: 0}, initContainers: [{name: a}]}}}",
    ],
)
def test_not_a_pod(text: str) -> None:
    assert read(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "spec: text",
        "spec: []",
        "spec: {podTemplate: text}",
        "spec: {podTemplate: {spec: [a]}}",
        "spec: {podTemplate: {spec: {containers: {}}}}",
        "spec: {podTemplate: {spec: {containers: text}}}",
        "spec: {podTemplate: {spec: {containers: [text]}}}",
        "spec: {podTemplate: {spec: {containers: [null]}}}",
        "spec: {podTemplate: {spec: {containers: [{name: a}], initContainers: [~]}}}",
        "spec: {podTemplate: {spec: {containers: [{securityContext: text}]}}}",
        "spec: {podTemplate: {spec: {containers: [{name: a}], securityContext: [1]}}}",
        "spec: {podTemplate: {spec: {containers: [{name: a}], os: windows}}}",
    ],
)
def test_wrong_shape_is_refused(text: str) -> None:
    document = f"apiVersion: agents.x-k8s.io/v1beta1\nkind: Sandbox\nmetadata: {{name: web}}\n{text}\n"
    with pytest.raises(Refused, match=r"document 1, Sandbox/web, line 4: .* must be a (mapping|list)"):
        run(document)


@pytest.mark.parametrize(
    ("pod", "host_users"),
    [
        ("", None),
        ("hostUsers: false", False),
        ("hostUsers: no", False),
        ("hostUsers: on", True),
        ("hostUsers: ~", None),
        ('hostUsers: "false"', None),
        ("hostUsers: []", None),
    ],
)
def test_host_users(pod: str, host_users: bool | None) -> None:
    assert read_pod(pod).host_users is host_users


@pytest.mark.parametrize(
    ("pod", "windows"), [("os: {name: windows}", True), ("os: {name: linux}", False), ("os: {}", False), ("", False)]
)
def test_windows(pod: str, windows: bool) -> None:
    assert read_pod(pod).windows is windows


@pytest.mark.parametrize(
    ("pod", "spec", "volumes", "fs_group"),
    [
        ("", "", False, False),
        ("volumes: [{name: a, emptyDir: {}}, {name: b, configMap: {name: c}}]", "", False, False),
        ("volumes: [{name: a, persistentVolumeClaim: {claimName: a}}]", "", True, False),
        ("volumes: [{name: a, ephemeral: {}}]", "", True, False),
        ("volumes: [{name: a, persistentVolumeClaim: null}]", "", False, False),
        ("volumes: null", "", False, False),
        ("", ", volumeClaimTemplates: [{metadata: {name: a}}]", True, False),
        ("", ", volumeClaimTemplates: []", False, False),
        ("securityContext: {fsGroup: 0}", "", False, True),
        ("securityContext: {fsGroup: null}", "", False, False),
    ],
)
def test_volumes(pod: str, spec: str, volumes: bool, fs_group: bool) -> None:
    workload = read_pod(pod, spec)
    assert (workload.persistent_volumes, workload.fs_group) == (volumes, fs_group)


def find(mapping: str) -> str | None:
    tree = load_tree(mapping)
    assert tree is not None
    return find_injection(None, tree.root)


@pytest.mark.parametrize(
    ("key", "value"),
    [(row["key"], "anything" if value == "*" else value) for row in INJECTION for value in row["values"]],
)
def test_every_row_of_the_injection_table(key: str, value: str) -> None:
    assert find(f'{{{key}: "{value}"}}') == f"{key}: {value}"
    for off in ("false", "disabled", "", "False"):
        assert find(f'{{{key}: "{off}"}}') is None
    assert find(f"{{{key}: null}}") is None
    assert find(f"{{{key}: [a]}}") is None


def test_injection_rows_have_sources() -> None:
    keys = [row["key"] for row in INJECTION]
    assert len(keys) == len(set(keys))
    assert all(row["values"] and row["source"].startswith("https://") for row in INJECTION)


@pytest.mark.parametrize(
    ("mapping", "asks"),
    [
        ("{app: web}", False),
        ("{}", False),
        ("{sidecar.istio.io/inject: true}", True),
        ("{sidecar.istio.io/inject: yes}", True),
        ('{sidecar.istio.io/inject: "maybe"}', False),
        ('{sidecar.istio.io/inject: "false", istio.io/rev: default}', True),
    ],
)
def test_injection(mapping: str, asks: bool) -> None:
    assert (find(mapping) is not None) == asks
