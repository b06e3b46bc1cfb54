"""The settings: their names, values, and the order of levels."""

from __future__ import annotations

from dataclasses import fields

import pytest

from postrenderer.model import Refused, Settings
from postrenderer.settings import BY_NAME, DEFAULTS, SETTINGS, merge_settings, read_environment, suggest_name


def test_every_field_is_a_setting_and_the_reverse() -> None:
    assert {setting.field for setting in SETTINGS} == {field.name for field in fields(Settings)}


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_each_has_help_and_reads_its_default(setting: object) -> None:
    assert setting.help.endswith((".", ")."))  # type: ignore[attr-defined]
    default = getattr(DEFAULTS, setting.field)  # type: ignore[attr-defined]
    if default not in (None, ()):
        assert setting.parse(str(default).lower()) == default  # type: ignore[attr-defined]
    for choice in setting.choices:  # type: ignore[attr-defined]
        assert setting.parse(choice) == choice  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("image-uid", "a=1\nb=2", (("a", 1), ("b", 2))),
        ("image-uid", "a=1, b=2,\n", (("a", 1), ("b", 2))),
        ("image-uid", "r:5000/a:1=1", (("r:5000/a:1", 1),)),
        ("image-uid", "", ()),
        ("default-uid", "2147483647", 2147483647),
        ("only-kind", "Sandbox, SandboxAgent.kagent.dev,", ("Sandbox", "SandboxAgent.kagent.dev")),
        ("strict", "true", True),
        ("honor-skip", "false", False),
        ("max-input", "1", 1),
        ("kagent-version", "0.10.0-beta2", "0.10.0-beta2"),
    ],
)
def test_text_is_read(name: str, text: str, value: object) -> None:
    assert BY_NAME[name].parse(text) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("image-uid", "a"),
        ("image-uid", "=1"),
        ("default-uid", "0"),
        ("default-uid", "-1"),
        ("default-uid", "1.0"),
        ("default-uid", "01"),
        ("default-uid", "2147483648"),
        ("default-uid", "1" * 5000),
        ("default-uid", "١"),
        ("strict", "True"),
        ("strict", ""),
        ("levels", "BOTH"),
        ("max-input", "0"),
        ("max-input", "1" * 19),
        ("kagent-version", "latest"),
    ],
)
def test_what_is_no_value_is_refused(name: str, text: str) -> None:
    with pytest.raises(ValueError, match="."):
        BY_NAME[name].parse(text)


class TestMerge:
    def test_image_uid_is_added_to_and_all_else_replaced(self) -> None:
        lower = merge_settings(DEFAULTS, {"image_uid": (("a", 1),), "only_kind": ("A",)}, "file")
        upper = merge_settings(lower, {"image_uid": (("b", 2),), "only_kind": ("B",)}, "options")
        assert upper.image_uid == (("a", 1), ("b", 2))
        assert upper.only_kind == ("B",)

    def test_two_levels_may_differ_and_one_may_not(self) -> None:
        lower = merge_settings(DEFAULTS, {"image_uid": (("a", 1),)}, "file")
        assert merge_settings(lower, {"image_uid": (("a", 2),)}, "options").image_uid[-1] == ("a", 2)
        with pytest.raises(Refused, match="^options: image-uid: 'a' has two UIDs"):
            merge_settings(DEFAULTS, {"image_uid": (("a", 1), ("a", 2))}, "options")

    def test_a_level_that_says_nothing_changes_nothing(self) -> None:
        assert merge_settings(DEFAULTS, {}, "file") == DEFAULTS


class TestEnvironment:
    def test_known_variables_only(self) -> None:
        environment = {
            "SANDBOX_POSTRENDERER_STRICT": "true",
            "SANDBOX_POSTRENDERER_SERVICE_HOST": "10.0.0.1",
            "SANDBOX_POSTRENDERER_MAX_INPUT_PORT": "tcp://",
            "STRICT": "false",
        }
        assert read_environment(environment) == {"strict": True}

    def test_an_error_names_the_variable(self) -> None:
        with pytest.raises(Refused, match="^environment variable SANDBOX_POSTRENDERER_SCC: 'x' is no value for it"):
            read_environment({"SANDBOX_POSTRENDERER_SCC": "x"})


def test_suggestions() -> None:
    assert suggest_name("defalt-uid", BY_NAME) == "did you mean default-uid?"
    assert suggest_name("zzz", ["a", "b"]) == "there are a, b"
