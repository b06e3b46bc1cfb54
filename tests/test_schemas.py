"""The JSON schemas in the package are those of the code, and hold no capability."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import fields
from typing import Any

import pytest
import yaml
from jsonschema.validators import Draft202012Validator

from postrenderer.config import read_config
from postrenderer.model import Capabilities, Finding, Refused, ResourceId
from postrenderer.output.report import format_report
from postrenderer.settings import BY_NAME
from tests.support import ROOT

SCHEMAS = ROOT / "postrenderer" / "schemas"


def load_script() -> Any:
    spec = importlib.util.spec_from_file_location("generate_schemas", ROOT / "scripts" / "generate_schemas.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def load_schema(name: str) -> Any:
    return json.loads((SCHEMAS / name).read_text(encoding="utf-8"))


def test_they_are_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    assert load_script().main(["--check"]) == 0, capsys.readouterr().out


def test_the_check_finds_what_is_stale(monkeypatch: pytest.MonkeyPatch, tmp_path: Any, capsys: Any) -> None:
    script = load_script()
    monkeypatch.setattr(script, "FOLDER", tmp_path / "package" / "schemas")
    assert script.main(["--check"]) == 1
    assert "report.json is out of date" in capsys.readouterr().out
    (tmp_path / "package").mkdir()
    assert script.main([]) == 0
    assert script.main(["--check"]) == 0


@pytest.mark.parametrize("name", ["config.json", "report.json"])
def test_they_are_schemas(name: str) -> None:
    Draft202012Validator.check_schema(load_schema(name))


class TestConfig:
    def test_it_has_every_setting_and_nothing_else(self) -> None:
        schema = load_schema("config.json")
        assert set(schema["properties"]) == set(BY_NAME)
        assert schema["additionalProperties"] is False

    def test_no_capability_is_in_it(self) -> None:
        names = {field.name for field in fields(Capabilities)} | {
            "plugin",
            "config",
            "output",
            "in-place",
            "plugins-dir",
        }
        assert not names & set(load_schema("config.json")["properties"])

    @pytest.mark.parametrize(
        "text",
        [
            "image-uid: {a: 1}",
            "default-uid: 5",
            "default-uid: null",
            "levels: container",
            "only-kind: [Sandbox]",
            "strict: true",
            "kagent-version: '0.10'",
            "max-input: 5",
            "default-uid: 0",
            "default-uid: '5'",
            "image-uid: {a: 0}",
            "image-uid: [a]",
            "levels: pod",
            "strict: 'true'",
            "only-kind: Sandbox",
            "kagent-version: 0.10",
            "max-input: 0",
            "report: r.json",
        ],
    )
    def test_it_accepts_what_the_reader_accepts(self, text: str) -> None:
        is_valid = Draft202012Validator(load_schema("config.json")).is_valid(yaml.safe_load(text))
        try:
            read_config(text, "c.yaml")
        except Refused:
            assert not is_valid
        else:
            assert is_valid


class TestReport:
    def test_every_field_of_a_finding_is_in_it(self) -> None:
        resource = ResourceId("v1", "Pod", "", "a")
        finding = Finding("x", "note", "m", resource, "s", 1, 2, ("a", 0), "f", True, "o")
        report = json.loads(format_report([finding], resources=1, additions=0, error=None))
        assert set(report["findings"][0]) == {field.name for field in fields(Finding)}
        assert report["findings"][0]["resource"] == {"apiVersion": "v1", "kind": "Pod", "namespace": "", "name": "a"}
        Draft202012Validator(load_schema("report.json")).validate(report)

    def test_every_field_is_required_and_every_part_described(self) -> None:
        schema = load_schema("report.json")
        for part in (schema, *schema["$defs"].values()):
            assert set(part["required"]) == set(part["properties"])
            assert part["description"]
