"""kustomize in a pipe: `kustomize build | sandbox-postrenderer`, and what comes out goes in again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.hosts.programs import PLUGIN, Home, find_resource, load_resources
from tests.support import EXAMPLES, check_output, find_tool

pytestmark = pytest.mark.e2e

KUSTOMIZATION = """\
namePrefix: team-
commonAnnotations:
  example.com/owner: support
patches:
- target: {kind: Sandbox, name: python}
  patch: |
    - op: add
      path: /spec/podTemplate/spec/containers/0/env
      value: [{name: LOG, value: "yes"}]
images:
- name: cr.kagent.dev/kagent-dev/kagent/app
  newName: registry.example.com/mirror/kagent-dev/kagent/app
resources:
"""


@pytest.fixture
def kustomize(home: Home) -> Home:
    home.add("kustomize", find_tool("kustomize"))
    return home


def write_kustomization(directory: Path, text: str, files: list[Path]) -> Path:
    directory.mkdir(parents=True)
    for file in files:
        shutil.copy(file, directory)
    (directory / "kustomization.yaml").write_text(text + "".join(f"- {file.name}\n" for file in files))
    return directory


def get_examples() -> list[Path]:
    return [*sorted((EXAMPLES / "plain").iterdir()), EXAMPLES / "issue-1900.yaml"]


def test_only_insertions(kustomize: Home) -> None:
    directory = write_kustomization(kustomize.path / "base", KUSTOMIZATION, get_examples())
    built = kustomize.get_output("kustomize", "build", directory)
    output = kustomize.get_output(PLUGIN, data=built)
    assert output != built
    check_output(built, output)
    assert kustomize.get_output(PLUGIN, data=output) == output
    pod = find_resource(output, "team-python")["spec"]["podTemplate"]["spec"]
    assert pod["securityContext"] == pod["containers"][0]["securityContext"]
    assert pod["securityContext"] == {"runAsNonRoot": True, "runAsUser": 1000}
    pair = find_resource(output, "team-pair")["spec"]["podTemplate"]["spec"]
    assert pair["securityContext"] == {"runAsNonRoot": True, "runAsUser": 1001}, (
        "the mirror's image is known by its name"
    )


def test_output_is_a_resource_again(kustomize: Home) -> None:
    """An overlay over what was post-rendered: kustomize reads it, and changes nothing in it."""
    base = write_kustomization(kustomize.path / "base", KUSTOMIZATION, get_examples())
    output = kustomize.get_output(PLUGIN, data=kustomize.get_output("kustomize", "build", base))
    rendered = kustomize.path / "rendered.yaml"
    rendered.write_bytes(output)
    overlay = write_kustomization(kustomize.path / "overlay", "resources:\n", [rendered])
    again = kustomize.get_output("kustomize", "build", overlay)
    assert load_resources(again) == load_resources(output)
    assert kustomize.get_output(PLUGIN, data=again) == again


def test_files_before_kustomize(kustomize: Home) -> None:
    """The other order, over the files themselves: `render --in-place`, then build. Both come to the same."""
    one, other = (
        write_kustomization(kustomize.path / name, KUSTOMIZATION, get_examples()) for name in ("one", "other")
    )
    kustomize.get_output(PLUGIN, "render", "--in-place", one)
    before = kustomize.get_output("kustomize", "build", one)
    after = kustomize.get_output(PLUGIN, data=kustomize.get_output("kustomize", "build", other))
    assert load_resources(before) == load_resources(after)


def test_empty_build(kustomize: Home) -> None:
    assert kustomize.get_output(PLUGIN, data=b"") == b""
