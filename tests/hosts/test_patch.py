"""`patch`, with the real kustomize and kubectl: objects are those of rendering, and what is stale fails the build."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.cli import KNOWN
from tests.hosts.programs import PLUGIN, Home, load_resources
from tests.json_patches import PatchFailed, apply_patch, load_patches
from tests.support import EXAMPLES, ROOT, find_tool

pytestmark = pytest.mark.e2e
CORPUS = ROOT / "tests/corpus/changed"
FLUX = EXAMPLES / "flux"


@dataclass
class Builder:
    """kustomize, alone or inside kubectl, in a home of its own."""

    home: Home
    command: tuple[str, ...]
    numbers: Iterator[int]

    def try_build(self, files: dict[str, bytes], patches: bytes = b"", head: str = "") -> tuple[int, bytes]:
        """Build files with patches. Returns the exit code, and the output or what went wrong."""
        directory = self.home.path / f"build-{next(self.numbers)}"
        directory.mkdir()
        for name, data in files.items():
            (directory / name).write_bytes(data)
        resources = "".join(f"- {name}\n" for name in files)
        (directory / "kustomization.yaml").write_bytes(f"{head}resources:\n{resources}".encode() + patches)
        done = self.home.run(*self.command, directory)
        shutil.rmtree(directory)
        return done.returncode, done.stderr if done.returncode else done.stdout

    def build(self, files: dict[str, bytes], patches: bytes = b"", head: str = "") -> bytes:
        code, output = self.try_build(files, patches, head)
        assert code == 0, output.decode()
        return output

    def make(self, files: dict[str, bytes]) -> bytes:
        """The patches of files."""
        directory = self.home.path / f"files-{next(self.numbers)}"
        directory.mkdir()
        for name, data in files.items():
            (directory / name).write_bytes(data)
        return self.home.get_output(PLUGIN, "patch", directory)

    def check_same(self, files: dict[str, bytes], head: str = "") -> bytes:
        """Patching comes to the same as rendering. Returns the patches."""
        patches = self.make(files)
        built = self.build(files, head=head)
        rendered = load_resources(self.home.get_output(PLUGIN, data=built))
        assert load_resources(self.build(files, patches, head)) == rendered
        return patches


@pytest.fixture
def kustomize(home: Home) -> Builder:
    return Builder(home, (find_tool("kustomize"), "build"), count())


@pytest.fixture(params=["kustomize", "kubectl"])
def builder(request: pytest.FixtureRequest, home: Home) -> Builder:
    if request.param == "kustomize":
        builder: Builder = request.getfixturevalue("kustomize")
        return builder
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed")
    return Builder(home, (kubectl, "kustomize"), count())


def read(*paths: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in paths}


@pytest.mark.parametrize("name", ["plain/list.yaml", "plain/look-alikes.yaml", "issue-1900.yaml"])
def test_nothing_to_add(builder: Builder, name: str) -> None:
    """What has everything, or is no target, gets no patch: `patches: []` is one that kustomize reads."""
    files = {"done.yaml": builder.home.get_output(PLUGIN, "render", EXAMPLES / name)}
    assert builder.check_same(files) == b"patches: []\n"


def test_examples(builder: Builder) -> None:
    for name in ("rendered.yaml", "issue-1900.yaml", "sandbox.yaml"):
        assert load_patches(builder.check_same(read(EXAMPLES / name)))
    assert len(load_patches(builder.check_same(read(*sorted((EXAMPLES / "plain").iterdir()))))) == 5


NOT_FOR_KUSTOMIZE = {
    "bare-documents.yaml",
    "broken-neighbours.yaml",
    "complex-keys.yaml",
    "crlf-in-one-document.yaml",
    "directives.yaml",
    "flow.yaml",
    "inner-colons.yaml",
    "markers.yaml",
    "not-utf-8-elsewhere.yaml",
    "pretty-with-tabs.json",
    "surrogate-escapes.json",
    "typed-list.yaml",
}
"""What kustomize does not load: its parser does not read it, or it misses a resource's kind or metadata."""
MISREAD = {"flow-nulls.yaml"}
"""An empty value in flow style is null to Kubernetes, and an empty string to kustomize: a test fails."""
_BLOCK = re.compile(rb"""(?m)^(- )?(["']?apiVersion["']?:)""")
_FLOW = re.compile(rb"""([{,] ?)(["']?apiVersion["']?:)""")


def name_resources(data: bytes) -> bytes:
    """Give names to a stream's resources that have none: kustomize asks for them."""
    numbers = count()

    def name_block(found: re.Match[bytes]) -> bytes:
        dash = found[1] or b""
        return b"%smetadata: {name: n%d}\n%s%s" % (dash, next(numbers), b" " * len(dash), found[2])

    def name_flow(found: re.Match[bytes]) -> bytes:
        return b'%s"metadata": {"name": "n%d"}, %s' % (found[1], next(numbers), found[2])

    if b"\nmetadata:" in data:
        return data if b"\n  name:" in data else data.replace(b"\nmetadata:\n", b"\nmetadata:\n  name: web\n")
    if b'"name":"web"}' in data:
        return data
    if b'"metadata":{' in data:
        return data.replace(b'"metadata":{', b'"metadata":{"name":"web",')
    return _FLOW.sub(name_flow, _BLOCK.sub(name_block, data))


@pytest.mark.parametrize(
    "path", [path for path in sorted(CORPUS.iterdir()) if ".after." not in path.name], ids=lambda path: path.name
)
def test_corpus(kustomize: Builder, path: Path) -> None:
    files = {path.name: name_resources(path.read_bytes())}
    code, output = kustomize.try_build(files)
    if path.name in NOT_FOR_KUSTOMIZE:
        assert code != 0
    elif path.name in MISREAD:
        assert b"failed: test failed" in kustomize.try_build(files, kustomize.make(files))[1]
    else:
        assert code == 0, output.decode()
        kustomize.check_same(files)


SANDBOX = KNOWN.encode()
OTHER_NAMESPACE = SANDBOX.replace(b"name: web", b"name: web\n  namespace: other")


def test_names_are_matched_as_they_are(builder: Builder) -> None:
    """A dot in a name stands for itself: the patch of `a.b` leaves `axb` alone."""
    dotted, plain = SANDBOX.replace(b"name: web", b"name: a.b"), SANDBOX.replace(b"name: web", b"name: axb")
    patches = builder.make({"a.yaml": dotted})
    built = {one["metadata"]["name"]: one for one in load_resources(builder.build({"a": dotted, "b": plain}, patches))}
    assert "securityContext" in built["a.b"]["spec"]["podTemplate"]["spec"]
    assert "securityContext" not in built["axb"]["spec"]["podTemplate"]["spec"]
    builder.check_same({"a.yaml": dotted, "b.yaml": plain})


def test_namespaces(builder: Builder) -> None:
    """A resource without a namespace is in `default`; the same name elsewhere is another resource."""
    other = OTHER_NAMESPACE.replace(b":0.9.1", b":0.9.2")
    assert len(load_patches(builder.check_same({"a.yaml": SANDBOX, "b.yaml": other}))) == 2
    for file in (SANDBOX, OTHER_NAMESPACE):
        patches = builder.make({"a.yaml": file})
        built = load_resources(builder.build({"a.yaml": SANDBOX, "b.yaml": OTHER_NAMESPACE}, patches))
        patched = [one["metadata"].get("namespace") for one in built if "securityContext" in str(one)]
        assert patched == ["other" if file is OTHER_NAMESPACE else None]


def test_before_names_namespaces_and_images(builder: Builder) -> None:
    """kustomize patches first: what the same kustomization renames and replaces comes later."""
    head = "namespace: team\nnamePrefix: x-\nimages:\n- name: ghcr.io/kagent-dev/kagent/app\n  newTag: 0.9.4\n"
    assert load_patches(builder.check_same({"a.yaml": SANDBOX}, head))
    ready = builder.build({"a.yaml": SANDBOX}, head=head)
    code, output = builder.try_build({"a.yaml": SANDBOX}, builder.make({"a.yaml": ready}), head)
    assert code == 0
    assert b"securityContext" not in output, "patches that are made of the result meet nothing"


def test_resources_that_kustomize_refuses_to_load(builder: Builder) -> None:
    """Nothing without a name, and nothing twice: a namespace that is not written is `default`."""
    default = SANDBOX.replace(b"name: web", b"name: web\n  namespace: default")
    assert b"already registered id" in builder.try_build({"a.yaml": SANDBOX, "b.yaml": default})[1]
    nameless = SANDBOX.replace(b"name: web", b"generateName: web-")
    assert b"missing metadata.name" in builder.try_build({"a.yaml": nameless})[1]
    assert builder.make({"a.yaml": nameless}) == b"patches: []\n"


AGENT = b"""\
apiVersion: kagent.dev/v1alpha2
kind: SandboxAgent
metadata: {name: agent}
spec:
  type: Declarative
  declarative:
    runtime: go
    deployment: {replicas: 1}
"""
PAIR = (
    SANDBOX
    + b"""\
      - name: side
        image: ghcr.io/kagent-dev/kagent/app:0.9.1
"""
)
FAILED = b"failed: test failed"
CONTEXT = b"      securityContext: {runAsUser: 5000}\n      containers:"


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (SANDBOX, b":0.9.1", b":0.10.0", b"testing value /spec/podTemplate/spec/containers/0/image " + FAILED),
        (SANDBOX, b"      containers:", CONTEXT, b"testing value /spec/podTemplate/spec/securityContext " + FAILED),
        (
            SANDBOX,
            b"      containers:",
            b"      initContainers: [{name: init, image: x}]\n      containers:",
            b"testing value /spec/podTemplate/spec/initContainers " + FAILED,
        ),
        (SANDBOX, SANDBOX, PAIR, b"testing value /spec/podTemplate/spec/containers/-1/name " + FAILED),
        (PAIR, PAIR, SANDBOX, b"missing path: /spec/podTemplate/spec/containers/1/image"),
        (AGENT, b"runtime: go", b"runtime: python", b"testing value /spec/declarative/runtime " + FAILED),
        (AGENT, b"    runtime: go\n", b"", b"testing value /spec/declarative/runtime " + FAILED),
        (AGENT, b"spec:\n", b"spec:\n  skills: {refs: [x]}\n", b"testing value /spec/skills " + FAILED),
        (
            AGENT,
            b"runtime: go",
            b"runtime: go\n    executeCodeBlocks: true",
            b"testing value /spec/declarative/executeCodeBlocks " + FAILED,
        ),
        (
            AGENT,
            b"{replicas: 1}",
            b"{imageRegistry: x}",
            b"testing value /spec/declarative/deployment/imageRegistry " + FAILED,
        ),
        (
            AGENT.replace(b"spec:\n", b"spec:\n  skills: {refs: [x]}\n"),
            b"  skills: {refs: [x]}\n",
            b"",
            b"/spec/skills/refs/0: missing value",
        ),
    ],
)
def test_a_stale_patch_fails_the_build(builder: Builder, file: bytes, old: bytes, new: bytes, message: bytes) -> None:
    patches = builder.check_same({"a.yaml": file})
    assert old in file
    code, output = builder.try_build({"a.yaml": file.replace(old, new)}, patches)
    assert code != 0
    assert message in output


STEPS = st.lists(
    st.sampled_from(["spec", "null", "list", "empty", "none", "a/b~c", 0, 1, -1, -3]), min_size=1, max_size=3
)
VALUES = st.sampled_from([None, 0, 1, 7, True, False, "x", "7", "yes", "", [], {}, {"a": 1}])


@given(st.lists(st.tuples(st.sampled_from(["test", "test", "add"]), STEPS, VALUES), min_size=1, max_size=3))
@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_patches_are_applied_as_the_tests_believe(builder: Builder, steps: list[tuple[str, list[Any], Any]]) -> None:
    """The other tests apply patches themselves; this holds them to the real program."""
    document = {
        "apiVersion": "example.com/v1",
        "kind": "Thing",
        "metadata": {"name": "thing"},
        "spec": {"null": None, "list": ["x", {"spec": 7}], "empty": {}, "a/b~c": True, "spec": {"list": [1]}},
    }
    operations = [
        {
            "op": op,
            "path": "/spec/" + "/".join(str(step).replace("~", "~0").replace("/", "~1") for step in path),
            "value": value,
        }
        for op, path, value in steps
        if op == "test" or not any(isinstance(step, int) for step in path)
    ]
    assume(operations)
    target = {"kind": "Thing", "name": "thing", "namespace": "default"}
    patches = yaml.safe_dump({"patches": [{"target": target, "patch": json.dumps(operations)}]})
    code, output = builder.try_build({"a.yaml": json.dumps(document).encode()}, patches.encode())
    try:
        expected = apply_patch(document, operations)
    except (PatchFailed, AssertionError):
        assert code != 0
    else:
        assert code == 0, output.decode()
        assert json.loads(json.dumps(load_resources(output))) == [expected]


def read_flux(name: str) -> Any:
    (document,) = yaml.safe_load_all((FLUX / name).read_bytes())
    return document["spec"]


def check_pasted(builder: Builder, pasted: Any, files: dict[str, bytes]) -> None:
    """What is pasted in the example is what the command prints today, and does what rendering does."""
    assert pasted
    assert {"patches": pasted} == yaml.safe_load(builder.check_same(files))


def test_the_example_of_a_flux_kustomization(builder: Builder) -> None:
    spec = read_flux("agents.yaml")
    directory = ROOT / spec["path"]
    assert directory == FLUX / "manifests"
    check_pasted(builder, spec["patches"], read(*sorted(directory.iterdir())))


def test_the_example_of_a_helm_release(builder: Builder) -> None:
    helm = builder.home
    helm.add("helm", find_tool("helm3"))
    spec = read_flux("release.yaml")
    chart = ROOT / spec["chart"]["spec"]["chart"]
    rendered = helm.get_output("helm", "template", "notes", chart)
    (renderer,) = spec["postRenderers"]
    check_pasted(builder, renderer["kustomize"]["patches"], {"rendered.yaml": rendered})


def test_the_readme_of_the_example_is_short() -> None:
    assert len((FLUX / "README.md").read_text().splitlines()) <= 15
