"""`examples/README.md` says what is added to each example: this holds it to the tool, and to the judge of pods."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.hosts.pods import build_pod, judge
from tests.hosts.programs import load_resources
from tests.support import EXAMPLES, check_output, run_to_bytes

pytestmark = pytest.mark.e2e
TARGETS = ("Sandbox", "SandboxAgent", "SandboxTemplate")
_ROW = re.compile(r"\| `([^`]+)` \| `([^`]+)` \| [^|]+ \| ([^|]+) \| ([^|]+) \|")


def read_table() -> dict[tuple[str, str], tuple[str, str]]:
    """The table's last two columns, by file and resource."""
    rows = [_ROW.fullmatch(line) for line in (EXAMPLES / "README.md").read_text().splitlines()]
    return {(row[1], row[2]): (row[3], row[4]) for row in rows if row}


def get_contexts(resource: Any) -> dict[str, dict[str, Any]]:
    """The contexts that the resource itself states: of its pod, and of each container by name."""
    spec = build_pod(resource)["spec"]
    containers = {one["name"]: one for one in [*spec.get("initContainers", []), *spec["containers"]]}
    containers.pop("skills-init", None)  # kagent gives it the context of `kagent`
    named = {"pod": spec, **containers}
    return {name: one.get("securityContext") or {} for name, one in named.items()}


def describe_additions(before: Any, after: Any) -> str:
    """What was added, as the table says it: `pod, kagent: 1001; proxy: runAsNonRoot`."""
    old = get_contexts(before)
    places: dict[str, list[str]] = {}
    for name, context in get_contexts(after).items():
        added = {key: value for key, value in context.items() if key not in old[name]}
        if added:
            places.setdefault(str(added.get("runAsUser", "runAsNonRoot")), []).append(name)
            assert added.get("runAsNonRoot") is True
    return "; ".join(f"{', '.join(names)}: {what}" for what, names in places.items()) or "nothing"


def describe_verdicts(before: int, after: int) -> str:
    if not before:
        return "admitted"
    refused = f"{before} refuse{'s' if before == 1 else ''}"
    if before == after:
        return refused
    return f"{refused}, then {after or 'admitted'}"


def compute_table() -> dict[tuple[str, str], tuple[str, str]]:
    table = {}
    for file in sorted([*EXAMPLES.glob("*.yaml"), *(EXAMPLES / "plain").iterdir()]):
        stream = file.read_bytes()
        before, after = (
            [one for one in load_resources(data) if one["kind"] in TARGETS] for data in (stream, run_to_bytes(stream))
        )
        if file.name == "look-alikes.yaml":
            continue
        old, new = judge(before), judge(after)
        for one, other in zip(before, after, strict=True):
            name = one["metadata"]["name"]
            verdicts = describe_verdicts(len(old[name].checks), len(new[name].checks))
            table[str(file.relative_to(EXAMPLES)), name] = (describe_additions(one, other), verdicts)
    return table


def test_what_is_added() -> None:
    assert read_table() == compute_table()


@pytest.mark.parametrize("name", ["issue-1900.yaml", "sandbox.yaml", "rendered.yaml"])
def test_only_insertions(name: str) -> None:
    before = (EXAMPLES / name).read_bytes()
    check_output(before, run_to_bytes(before))


def test_look_alikes_are_left_alone() -> None:
    data = (EXAMPLES / "plain/look-alikes.yaml").read_bytes()
    assert run_to_bytes(data) == data


def test_every_example_is_described() -> None:
    text = (EXAMPLES / "README.md").read_text()
    for path in [*EXAMPLES.glob("*.yaml"), *(EXAMPLES / "plain").iterdir()]:
        assert f"`{path.relative_to(EXAMPLES)}`" in text
