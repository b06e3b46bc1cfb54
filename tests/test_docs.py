"""What the documentation shows is what the program does."""

from __future__ import annotations

import json
import re
import subprocess

from postrenderer.cli import COMMANDS
from postrenderer.settings import SETTINGS
from tests.support import EXAMPLES, ROOT, command

README = (ROOT / "README.md").read_text(encoding="utf-8")
PACKAGE = sorted((ROOT / "postrenderer").rglob("*.py"))


def test_every_finding_is_explained_and_every_explanation_is_of_a_finding() -> None:
    explained = set(json.loads((ROOT / "postrenderer" / "findings.json").read_text(encoding="utf-8")))
    source = "\n".join(path.read_text(encoding="utf-8") for path in PACKAGE)
    used = set(re.findall(r'"([a-z]+(?:-[a-z]+)+)",\s*"(?:error|warning|note)"', source))
    assert used == explained


def test_the_readme_shows_the_diff_of_the_example() -> None:
    shown = re.search(r"```diff\n(.*?)```", README, re.DOTALL)
    assert shown is not None
    arguments = [*command(), "diff", "--quiet", str(EXAMPLES / "issue-1900.yaml")]
    diff = subprocess.run(arguments, capture_output=True, text=True, check=True).stdout
    added = [line for line in diff.splitlines() if line.startswith("+") and not line.startswith("+++")]
    assert [line for line in shown[1].splitlines() if line.startswith("+")] == added
    source = (EXAMPLES / "issue-1900.yaml").read_text(encoding="utf-8").splitlines()
    assert all(line[1:] in source for line in shown[1].splitlines() if line.startswith(" "))


def test_the_readme_names_only_commands_and_options_that_exist() -> None:
    called = set(re.findall(r"sandbox-postrenderer ([a-z][a-z-]+)", README))
    assert called <= {*COMMANDS}
    helps = [
        subprocess.run([*command(), *name, "--help"], capture_output=True, text=True, check=True).stdout
        for name in (["render"], ["diff"], ["images", "show"], ["images", "lock"], ["helm-plugin"])
    ]
    ours = {f"--{setting.name}" for setting in SETTINGS}
    ours |= {"--quiet", "--report", "--in-place", "--image-lock", "--against-lock", "--update"}
    foreign = {"--install", "--post-renderer", "--spec", "--enable-alpha-plugins", "--enable-exec"}
    options = set(re.findall(r"--[a-z][a-z-]+", README))
    assert options <= ours | foreign
    assert all(any(option in text for text in helps) for option in options - foreign)


def test_the_make_targets_of_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make ([a-z-]+)", README, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_relative_links_lead_somewhere() -> None:
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))):
        for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_the_readme_shows_what_is_said_about_the_example_chart() -> None:
    shown = re.search(r"```text\n(sandbox-postrenderer:.*?)```", README, re.DOTALL)
    assert shown is not None
    arguments = [*command(), "diff", str(EXAMPLES / "rendered.yaml")]
    said = subprocess.run(arguments, capture_output=True, text=True, check=True).stderr
    assert shown[1].replace("\n  ", " ") == said
