"""A directory of manifests: which files, and what is in them. `tests/hosts` compares it with Argo CD itself."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from postrenderer.hosts.argocd.detect import detect_tool
from postrenderer.hosts.argocd.directory import read_directory
from postrenderer.hosts.argocd.parameters import Parameters
from postrenderer.hosts.argocd.request import Request
from postrenderer.model import Refused

ONE = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\n"
OBJECT = '{\n\t"apiVersion": "v1",\n\t"kind": "ConfigMap"\n}'


def read(folder: Path, limit: int = 1 << 20, **parameters: object) -> dict[str, str]:
    request = Request("", "", "", (), "", str(folder), str(folder))
    found = read_directory(request, Parameters(**parameters), limit)  # type: ignore[arg-type]
    return {name: data.decode() for name, data in found}


def write(folder: Path, **files: str | bytes) -> None:
    for name, content in files.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def test_which_files(tmp_path: Path) -> None:
    write(tmp_path, b_yaml=ONE, a_yml=ONE, c_json=OBJECT, d_txt=ONE, sub__e_yaml=ONE)
    (tmp_path / "link.yaml").symlink_to("b.yaml")
    (tmp_path / "gone.yaml").symlink_to("nothing")
    (tmp_path / "linked").symlink_to("sub")
    assert list(read(tmp_path)) == ["a.yml", "b.yaml", "c.json", "link.yaml"]
    assert list(read(tmp_path, recurse=True)) == ["a.yml", "b.yaml", "c.json", "link.yaml", "sub/e.yaml"]
    assert list(read(tmp_path, recurse=True, include="*.yaml")) == ["b.yaml", "link.yaml", "sub/e.yaml"]
    assert list(read(tmp_path, recurse=True, include="*.yaml", exclude="sub*")) == ["b.yaml", "link.yaml"]
    with pytest.raises(Refused, match=r"parameter include: got '\['; it has a bracket"):
        read(tmp_path, include="[")


def test_text_stays_as_it_is(tmp_path: Path) -> None:
    text = f"# a comment\r\n---\r\n{ONE}---  # another\n# nothing\n---\n{ONE}"
    write(tmp_path, a_yaml=text, b_yaml=b"\xef\xbb\xbf" + ONE.encode(), c_yaml=ONE.encode("utf-16"))
    assert read(tmp_path) == {"a.yaml": text, "b.yaml": ONE, "c.yaml": ONE}


@pytest.mark.parametrize(
    "text",
    ["", "# nothing\n", "---\n", "null\n", "a: 1\n", "- a\n", "text", "a: [\n", "kind: X\nmetadata: [\n", "b: *c\n"],
)
def test_what_is_no_manifest_is_left_out(tmp_path: Path, text: str) -> None:
    write(tmp_path, a_yaml=text)
    assert read(tmp_path) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ONE + "---\na: 1\n", "a.yaml, document 2: has no kind"),
        (ONE + "---\na: [\n", "a.yaml, document 2: line 2 of it: "),
        ("apiVersion: v1\nkind: X\nmetadata: [\n", "a.yaml, document 1: line "),
        ("apiVersion: v1\nKind: X\nmetadata: {}\n# kind:\n", "a.yaml, document 1: has no kind"),
    ],
)
def test_what_looks_like_a_manifest_has_to_be_one(tmp_path: Path, text: str, message: str) -> None:
    write(tmp_path, a_yaml=text)
    with pytest.raises(Refused) as found:
        read(tmp_path)
    assert found.value.message.startswith(message)


def test_a_file_can_ask_to_be_left_out(tmp_path: Path) -> None:
    write(tmp_path, a_yaml=f"# +argocd:skip-file-rendering\n{ONE}")
    assert read(tmp_path) == {}


def test_json(tmp_path: Path) -> None:
    write(tmp_path, a_json=OBJECT, b_yaml=OBJECT + OBJECT, c_yaml="{kind: X, a: b}\n", d_json='{"a": 1}')
    plain = OBJECT.replace("\t", " ") + "\n"
    assert read(tmp_path) == {
        "a.json": plain,
        "b.yaml": f"{plain}---\n{plain}",
        "c.yaml": "{kind: X, a: b}\n",
        "d.json": '{"a": 1}\n',
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (OBJECT + OBJECT, "has several values, and Argo CD takes one"),
        ("[]", "is no JSON object"),
        ("{", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
    ],
)
def test_json_that_is_refused(tmp_path: Path, text: str, message: str) -> None:
    write(tmp_path, a_json=text)
    with pytest.raises(Refused, match=message):
        read(tmp_path)


def test_other_refusals(tmp_path: Path) -> None:
    write(tmp_path, a_jsonnet="{}")
    with pytest.raises(Refused, match=r"^a\.jsonnet: Jsonnet is not rendered here"):
        read(tmp_path)
    assert read(tmp_path, exclude="*.jsonnet") == {}
    write(tmp_path, b_yaml=ONE, c_yaml=b"a: \xff")
    with pytest.raises(Refused, match="^b.yaml: the directory holds more than 10 bytes"):
        read(tmp_path, 10, exclude="*.jsonnet")
    with pytest.raises(Refused, match=r"^c\.yaml: is not UTF-8"):
        read(tmp_path, exclude="*.jsonnet")


@pytest.mark.parametrize(
    ("names", "tool"),
    [
        ([], "directory"),
        (["a.yaml"], "directory"),
        (["Chart.yaml", "values.yaml"], "helm"),
        (["kustomization.yaml"], "kustomize"),
        (["kustomization.yml"], "kustomize"),
        (["Kustomization"], "kustomize"),
        (["Chart.yaml", "Kustomization"], "kustomize"),
        (["kustomization.yaml", "zChart.yaml"], "helm"),
    ],
)
def test_the_tool_is_found_out(tmp_path: Path, names: list[str], tool: str) -> None:
    for name in names:
        (tmp_path / name).write_text("")
    assert detect_tool(str(tmp_path)) == tool


def test_directories_nested_deep(tmp_path: Path) -> None:
    """Deeper than Python calls functions, though not longer than a path may be."""
    deep = "/".join(["d"] * 1500)
    here = os.open(str(tmp_path), os.O_RDONLY)
    try:
        for _ in range(1500):
            os.mkdir("d", dir_fd=here)
            inner = os.open("d", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = inner
        with open(os.open("a.yaml", os.O_WRONLY | os.O_CREAT, dir_fd=here), "w") as file:
            file.write(ONE)
    finally:
        os.close(here)
    try:
        assert read(tmp_path, recurse=True) == {f"{deep}/a.yaml": ONE}
    finally:  # pytest could not take it away: up to Python 3.12 `rmtree` calls itself
        subprocess.run(["rm", "-rf", str(tmp_path / "d")], check=True)


def test_a_line_break_in_a_name_begins_no_line(tmp_path: Path) -> None:
    (tmp_path / "a\nb.jsonnet").write_text("")
    with pytest.raises(Refused, match=r"^a\\nb\.jsonnet: Jsonnet"):
        read(tmp_path)
