"""Documents in all styles, from `tests/corpus`: what must not change, what must change how, what is refused.

`changed/NAME.after.EXT` is the output for `changed/NAME.EXT`; `refused/*` begin with what the message says.
"""

from __future__ import annotations

import json
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from postrenderer.model import Refused, Settings
from postrenderer.pipeline import render
from tests.support import EXAMPLES, built_in, check_noop, find_tool, run
from tests.yaml.checks import apply_findings, check_result

CORPUS = Path(__file__).parent / "corpus"
CHANGED = sorted(path for path in (CORPUS / "changed").iterdir() if ".after." not in path.name)
NOT_A_STREAM = {"broken-neighbours.yaml", "not-utf-8-elsewhere.yaml", "concatenated.json", "bare-documents.yaml"}
"""What no parser but ours reads as a whole: documents that are copied unseen, several JSON values, and documents
without a marker behind a `...`."""
NOT_PYYAML = {
    *NOT_A_STREAM,
    "surrogate-escapes.json",
    "tags.yaml",
    "directives.yaml",
    "complex-keys.yaml",
    "inner-colons.yaml",
}
"""PyYAML refuses JSON's pairs of escapes, and builds no values for tags of others and for keys that are no scalars."""
NOT_GO_YAML = {*NOT_A_STREAM, "surrogate-escapes.json", "tags.yaml", "complex-keys.yaml", "markers.yaml"}
"""yq passes over empty documents, and so counts those of `markers.yaml` otherwise."""


def name_of(path: Path) -> str:
    return path.name


def find_after(path: Path) -> Path:
    return path.with_name(f"{path.stem}.after{path.suffix}")


@pytest.mark.parametrize("path", sorted((CORPUS / "noop").iterdir()), ids=name_of)
def test_nothing_changes(path: Path) -> None:
    check_noop(path.read_bytes())


@pytest.mark.parametrize("path", CHANGED, ids=name_of)
def test_output_is_the_expected(path: Path) -> None:
    """To the byte; and the output of a second run is its input."""
    after = find_after(path).read_bytes()
    assert b"".join(run(path.read_bytes()).pieces) == after
    check_noop(after)


@pytest.mark.parametrize("path", [path for path in CHANGED if path.name not in NOT_PYYAML], ids=name_of)
def test_pyyaml_sees_additions_only(path: Path) -> None:
    """Its values differ by what the findings say, its events by additions."""
    check_result(path.read_bytes())


def test_go_yaml_sees_additions_only() -> None:
    """Kubernetes' own parser, through yq: its values differ by what the findings say."""
    paths = [path for path in CHANGED if path.name not in NOT_GO_YAML]
    before = _load_all_with_go_yaml(paths)
    after = _load_all_with_go_yaml([find_after(path) for path in paths])
    for path in paths:
        expected = before[str(path)]
        apply_findings(expected, run(path.read_bytes()), typed=True)
        assert expected == after[str(find_after(path))], path.name


def _load_all_with_go_yaml(paths: list[Path]) -> dict[str, list[Any]]:
    expression = '{"file": filename, "value": explode(.)}'
    arguments = [find_tool("yq"), "-p", "yaml", "-o", "json", "-I", "0", expression, *map(str, paths)]
    found = subprocess.run(arguments, capture_output=True, check=False)
    assert found.returncode == 0, found.stderr.decode()
    values = defaultdict(list)
    for line in found.stdout.splitlines():
        document = json.loads(line)
        values[document["file"]].append(document["value"])
    return values


@pytest.mark.parametrize("path", sorted((CORPUS / "refused").iterdir()), ids=name_of)
def test_refusal_says_where_and_what(path: Path) -> None:
    data = path.read_bytes()
    expected = data.partition(b"\n")[0].decode().removeprefix("# ")
    with pytest.raises(Refused) as error:
        run(data)
    assert error.value.message.startswith(f"standard input, {expected}")
    assert f"line {error.value.line}: " in error.value.message


@pytest.mark.parametrize(
    "path", [path for path in EXAMPLES.glob("**/*.yaml") if "chart" not in path.parts], ids=name_of
)
def test_examples_get_additions_only(path: Path) -> None:
    check_result(path.read_bytes())


TEMPLATE = b"""apiVersion: agents.x-k8s.io/v1alpha1
kind: Sandbox
metadata:
  labels: {{- include "labels" . | nindent 4 }}
spec:
  {{ toYaml .Values.spec }}
"""


def test_a_file_that_is_a_template_is_copied() -> None:
    """It is not rendered yet; the finding says what to do. From a pipe the same is broken YAML."""
    result = render(TEMPLATE, Settings(), built_in(), source="sandbox.yaml", is_file=True)
    assert b"".join(result.pieces) == TEMPLATE
    (finding,) = result.findings
    assert (finding.id, finding.source) == ("template-not-rendered", "sandbox.yaml")
    with pytest.raises(Refused, match="standard input, document 1, line 4: "):
        run(TEMPLATE)


def test_a_broken_file_without_templates_is_refused() -> None:
    with pytest.raises(Refused, match="broken.yaml, document 1, line 2: "):
        render(b"kind: Sandbox]\n[", Settings(), built_in(), source="broken.yaml", is_file=True)
