"""Plugins: named only, through one door, in order, and errors that name them."""

from __future__ import annotations

import inspect
import os
import textwrap
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from postrenderer import contrib, hookspecs
from postrenderer.hookspecs import Addition, Identity, Kind, Remark, hookimpl
from postrenderer.images import parse_reference
from postrenderer.model import Context, Refused, Settings, Workload
from postrenderer.pipeline import render
from postrenderer.plugins import BUILT_IN, Plugins, find_plugins, load_plugins
from tests.cli import DONE, KNOWN, POD, UNKNOWN, call, check_refused, read_report

POD_SPEC = ("spec", "podTemplate", "spec")
IMAGE = parse_reference("registry.example.com/team/app:1")


def plugin(**hooks: Any) -> Any:
    """A plugin object of these functions."""
    module = ModuleType("own")
    vars(module).update({name: hookimpl(function) for name, function in hooks.items()})
    return module


def run(text: str, *named: tuple[str, Any], **settings: Any) -> bytes:
    return b"".join(render(text.encode(), Settings(**settings), Plugins(named)).pieces)


def make_distribution(folder: Path, name: str, source: str, entry_points: str | None = None) -> dict[str, str]:
    """An installed package, as far as entry points go; answers the environment that finds it."""
    module = name.replace("-", "_")
    (folder / f"{module}.py").write_text(textwrap.dedent(source))
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(entry_points or f"[sandbox_postrenderer]\n{name} = {module}\n")
    return {"PYTHONPATH": str(folder)}


TEAM = """
from postrenderer.hookspecs import Identity, hookimpl

@hookimpl
def image_identity(image):
    if image.registry == "registry.example.com":
        return Identity(4711, source="team-images")
"""


class TestInstalled:
    def test_it_is_used_when_it_is_named(self, tmp_path: Path) -> None:
        environment = make_distribution(tmp_path, "team-images", TEAM)
        assert call(data=UNKNOWN, environment=environment).stdout.decode() == UNKNOWN
        found = call("--plugin", "team-images", data=UNKNOWN, environment=environment)
        assert found.stdout.count(b"runAsUser: 4711") == 2
        environment["SANDBOX_POSTRENDERER_PLUGIN"] = "team-images"
        assert call(data=UNKNOWN, environment=environment).stdout == found.stdout
        shown = call("images", "show", "registry.example.com/x", environment=environment).stdout
        assert b"runs as 4711 (team-images)" in shown

    def test_one_that_is_not_named_is_not_even_imported(self, tmp_path: Path) -> None:
        environment = make_distribution(tmp_path, "hostile", "raise SystemExit(0)")
        assert call(data=KNOWN, environment=environment).stdout.decode() == DONE
        assert call("--plugin", "workloads", data=KNOWN, environment=environment).stdout.decode() == DONE

    @pytest.mark.parametrize(
        ("source", "words"),
        [
            ("raise RuntimeError('no luck')", ["plugin bad cannot be loaded: RuntimeError: no luck", "bad.py, line 1"]),
            ("import sys; sys.exit(0)", ["plugin bad cannot be loaded: SystemExit: 0"]),
            ("import nothing_of_this_name", ["plugin bad cannot be loaded: ModuleNotFoundError"]),
            ("x = (", ["plugin bad cannot be loaded: SyntaxError"]),
            ("", ["plugin bad has no hook", "kinds, image_identity, additions"]),
            (TEAM.replace("@hookimpl", ""), ["plugin bad has no hook"]),
            (
                TEAM.replace("image_identity", "image_identty"),
                ["plugin bad: unknown hook 'image_identty'", "kinds, im"],
            ),
            (TEAM.replace("(image)", "(picture)"), ["plugin bad: ", "picture"]),
            (TEAM.replace("4711", "0xFFFFFFFF"), ["plugin bad, hook image_identity: must return None or an Identity"]),
            (
                TEAM.replace("if ", "import sys; sys.exit(0)\n    if "),
                ["failed in its hook image_identity: SystemExit"],
            ),
            (TEAM.replace("image.registry", "image.nonsense"), ["failed in its hook image_identity: AttributeError"]),
        ],
    )
    def test_one_that_is_broken_is_2(self, source: str, words: list[str], tmp_path: Path) -> None:
        environment = make_distribution(tmp_path, "bad", source)
        found = call("--plugin", "bad", "--report", str(tmp_path / "r.json"), data=UNKNOWN, environment=environment)
        check_refused(found, *words)
        assert words[0] in read_report(tmp_path / "r.json")["error"]

    def test_what_it_prints_is_no_manifest(self, tmp_path: Path) -> None:
        source = "print('loaded')\n" + TEAM.replace("    if ", "    print('asked')\n    if ")
        environment = make_distribution(tmp_path, "chatty", source)
        found = call("--plugin", "chatty", data=KNOWN, environment=environment)
        assert found.stdout.decode() == DONE
        assert b"loaded" in found.stderr

    def test_two_of_one_name(self, tmp_path: Path) -> None:
        make_distribution(tmp_path, "one", TEAM, "[sandbox_postrenderer]\nteam = one\n")
        environment = make_distribution(tmp_path, "two", TEAM, "[sandbox_postrenderer]\nteam = two\n")
        found = call("--plugin", "team", data=KNOWN, environment=environment)
        check_refused(found, "plugin team comes from ", "one", "two", "uninstall one of them")

    def test_one_of_a_name_that_is_shipped(self, tmp_path: Path) -> None:
        environment = make_distribution(tmp_path, "own", TEAM, "[sandbox_postrenderer]\nworkloads = own\n")
        found = call("--plugin", "workloads", data=KNOWN, environment=environment)
        check_refused(found, "plugin workloads comes from sandbox-postrenderer and own")

    def test_one_of_the_name_of_a_built_in_one(self, tmp_path: Path) -> None:
        environment = make_distribution(tmp_path, "own", TEAM, "[sandbox_postrenderer]\nsandbox = own\n")
        found = call("--plugin", "sandbox", data=KNOWN, environment=environment)
        check_refused(found, "plugin sandbox has the name of a built-in one")

    def test_one_module_under_two_names(self, tmp_path: Path) -> None:
        environment = make_distribution(tmp_path, "own", TEAM, "[sandbox_postrenderer]\na = own\nb = own\n")
        found = call("--plugin=a", "--plugin=b", data=KNOWN, environment=environment)
        check_refused(found, "plugins a and b are one and the same")

    def test_an_object_that_can_be_no_plugin(self, tmp_path: Path) -> None:
        environment = make_distribution(tmp_path, "own", "x = {}", "[sandbox_postrenderer]\na = own:x\n")
        check_refused(call("--plugin=a", data=KNOWN, environment=environment), "plugin a is a dict", "a module")

    def test_a_broken_entry_point(self, tmp_path: Path) -> None:
        environment = make_distribution(tmp_path, "own", TEAM, "[sandbox_postrenderer]\na = own:missing\n")
        check_refused(call("--plugin=a", data=KNOWN, environment=environment), "plugin a cannot be loaded", "missing")


class TestKinds:
    READ = staticmethod(lambda resource, settings: Remark("not-a-pod", "note", "is left alone"))

    def test_a_further_kind_is_found_and_read(self) -> None:
        from postrenderer.hookspecs import read_pod_template

        def read(resource: Any, settings: Any) -> Any:
            return read_pod_template(resource, "spec", "podTemplate")

        text = KNOWN.replace("agents.x-k8s.io/v1alpha1", "example.com/v1").replace("kind: Sandbox", "kind: Robot")
        own = plugin(kinds=lambda: [Kind("example.com", "Robot", read)])
        assert run(text, ("own", own)).count(b"runAsUser: 1001") == 2
        assert run(text) == text.encode()
        assert run(KNOWN, ("own", own)).decode() == DONE

    @pytest.mark.parametrize(
        "answer",
        [
            5,
            (),
            [5],
            {"a": 1},
            [Kind("g", 5, READ)],  # type: ignore[arg-type]
            [Kind("g", "A B", READ)],
            [Kind("g", "", READ)],
            [Kind(None, "A", READ)],  # type: ignore[arg-type]
            [Kind("g", "A", None)],  # type: ignore[arg-type]
        ],
    )
    def test_a_wrong_answer(self, answer: Any) -> None:
        with pytest.raises(Refused, match=r"^plugin own, hook kinds: must return a list of Kind"):
            Plugins([("own", plugin(kinds=lambda: answer))])

    def test_two_that_know_one_kind(self) -> None:
        with pytest.raises(Refused, match=r"^plugins sandbox and own both know the kind Sandbox\.agents\.x-k8s\.io"):
            Plugins([("own", plugin(kinds=lambda: [Kind("agents.x-k8s.io", "Sandbox", self.READ)]))])
        twice = [Kind("g", "A", self.READ), Kind("g", "A", self.READ)]
        with pytest.raises(Refused, match=r"^plugin own gives twice the kind A\.g"):
            Plugins([("own", plugin(kinds=lambda: twice))])
        assert Plugins([("own", plugin(kinds=lambda: [Kind("other.group", "Sandbox", self.READ)]))])

    @pytest.mark.parametrize("answer", [None, 5, "x", Workload(None, None, ()), Workload(None, Context(()), [1])])  # type: ignore[arg-type]
    def test_a_reader_that_answers_wrongly(self, answer: Any) -> None:
        own = plugin(kinds=lambda: [Kind("example.com", "Robot", lambda resource, settings: answer)])
        text = KNOWN.replace("agents.x-k8s.io/v1alpha1", "example.com/v1").replace("kind: Sandbox", "kind: Robot")
        with pytest.raises(Refused, match=r"plugin own, hook kinds \(reading Robot/web\): must return a Workload"):
            run(text, ("own", own))

    def test_a_reader_that_fails(self) -> None:
        own = plugin(kinds=lambda: [Kind("example.com", "Robot", lambda resource, settings: 1 / 0)])  # type: ignore[arg-type,return-value]
        text = KNOWN.replace("agents.x-k8s.io/v1alpha1", "example.com/v1").replace("kind: Sandbox", "kind: Robot")
        with pytest.raises(Refused, match=r"plugin own failed in its hook kinds \(reading Robot/web\): ZeroDivision"):
            run(text, ("own", own))

    def test_a_wrong_shape_is_the_documents_fault(self) -> None:
        own = plugin(kinds=lambda: [Kind("example.com", "Robot", lambda r, settings: r.node.mapping("spec", "a"))])
        text = "apiVersion: example.com/v1\nkind: Robot\nspec: {a: [1]}\n"
        with pytest.raises(Refused, match=r"^standard input, document 1, .*line 3: `spec\.a` must be a mapping"):
            run(text, ("own", own))

    def test_a_kind_can_be_named_in_only_kind(self) -> None:
        assert run(KNOWN, ("w", load("workloads")), only_kind=("Deployment",)).decode() == KNOWN


def load(name: str) -> Any:
    ((_, importer),) = find_plugins()[name]
    return importer()


class TestImageIdentity:
    def test_the_first_named_is_asked_first(self) -> None:
        asked = []

        def answer(name: str, identity: Identity | None) -> Any:
            return plugin(image_identity=lambda image: asked.append(name) or identity)

        one, two = answer("one", Identity(1)), answer("two", Identity(2))
        silent, unknown = answer("silent", None), answer("unknown", Identity(None, reason="?"))
        assert Plugins([("one", one), ("two", two)]).ask_image(IMAGE) == Identity(1)
        assert Plugins([("two", two), ("one", one)]).ask_image(IMAGE) == Identity(2)
        assert asked == ["one", "two"]
        found = Plugins([("s", silent), ("u", unknown), ("one", one)]).ask_image(IMAGE)
        assert found == Identity(1)

    def test_root_is_an_answer(self) -> None:
        assert run(KNOWN, ("own", plugin(image_identity=lambda: Identity(0, source="own")))) == KNOWN.encode()

    def test_each_image_is_asked_for_once(self) -> None:
        asked = []
        own = plugin(image_identity=lambda image: asked.append(image.text))
        run("---\n".join([KNOWN, UNKNOWN, KNOWN]), ("own", own))
        assert asked == ["ghcr.io/kagent-dev/kagent/app:0.9.1", "registry.example.com/team/app:1"]

    @pytest.mark.parametrize("answer", [1, "1", [], [Identity(1)], Identity(-1), Identity(True), Identity(1 << 31)])
    def test_a_wrong_answer(self, answer: Any) -> None:
        with pytest.raises(Refused, match=r"^plugin own, hook image_identity: must return None or an Identity"):
            Plugins([("own", plugin(image_identity=lambda: answer))]).ask_image(IMAGE)


class TestAdditions:
    def add(self, *additions: Any) -> Any:
        return plugin(additions=lambda workload, settings: list(additions))

    def test_they_follow_the_rule(self) -> None:
        path = ("spec", "podTemplate", "spec")
        own = self.add(Addition(path, "automountServiceAccountToken", False), Addition((*path, "os"), "name", "linux"))
        text = run(KNOWN, ("own", own)).decode()
        for line in ("      automountServiceAccountToken: false\n", "      os:\n        name: linux\n"):
            assert line in text
            text = text.replace(line, "")
        assert text == DONE

    def test_they_see_the_workload_and_the_settings(self) -> None:
        def additions(workload: Workload, settings: Settings) -> None:
            seen.append((str(workload.resource.id), settings.levels))

        seen: list[Any] = []
        run(KNOWN, ("own", plugin(additions=additions)), levels="container")
        assert seen == [("Sandbox/web", "container")]

    @pytest.mark.parametrize(
        "answer",
        [
            5,
            (),
            [5],
            [Addition((), 5, True)],  # type: ignore[arg-type]
            [Addition((), "a", None)],  # type: ignore[arg-type]
            [Addition((), "a", 1.5)],  # type: ignore[arg-type]
            [Addition([], "a", True)],  # type: ignore[arg-type]
            [Addition((None,), "a", True)],  # type: ignore[arg-type]
        ],
    )
    def test_a_wrong_answer(self, answer: Any) -> None:
        with pytest.raises(Refused, match=r"^plugin own, hook additions: must return a list of Addition"):
            run(KNOWN, ("own", plugin(additions=lambda: answer)))

    @pytest.mark.parametrize(
        ("addition", "words"),
        [
            (Addition(("metadata",), "name", "other"), r"metadata\.name cannot be added to Sandbox/web: it is there"),
            (Addition((*POD_SPEC, "containers", 7), "a", True), "`containers` has 1 entries"),
            (Addition((*POD_SPEC, "containers", -1), "a", True), "`containers` has 1 entries"),
            (Addition((*POD_SPEC, "volumes", 0), "a", True), "`volumes` has 0 entries"),
            (Addition((*POD_SPEC, "new", "x", 0), "a", True), "entry of a list that is not there"),
            (Addition((*POD_SPEC, "containers"), "a", True), "must be a mapping, but is a list"),
            (Addition(("metadata", "name"), "a", True), "must be a mapping, but is a single value"),
            (Addition((*POD_SPEC, "containers", 0, "securityContext"), "runAsUser", 5), "added already"),
        ],
    )
    def test_one_that_does_not_fit_is_an_error(self, addition: Addition, words: str) -> None:
        with pytest.raises(Refused, match=words) as found:
            run(KNOWN, ("own", self.add(addition)))
        assert found.value.message.startswith("plugin own")

    def test_one_resource_is_not_anothers(self) -> None:
        items = "".join(textwrap.indent(KNOWN, "  ").replace("  api", "- api", 1) for _ in range(2))
        text = f"apiVersion: v1\nkind: List\nitems:\n{items}"
        with pytest.raises(Refused, match="its path must begin with the resource's, \\('items', 0\\)"):
            run(text, ("own", self.add(Addition(("items", 1), "a", True))))

    def test_two_plugins_that_add_one_key(self) -> None:
        one = Addition(("metadata", "labels"), "team", "a")
        with pytest.raises(Refused, match="team"):
            run(KNOWN, ("one", self.add(one)), ("two", self.add(one)))


class TestHooks:
    @pytest.mark.parametrize("name", hookspecs.HOOKS)
    def test_each_is_documented(self, name: str) -> None:
        text = inspect.getdoc(getattr(hookspecs, name)) or ""
        assert "Called " in text
        assert "None" in text

    def test_they_are_all_listed(self) -> None:
        specs = Plugins().manager.hook
        assert {name for name in vars(specs) if not name.startswith("_")} == set(hookspecs.HOOKS)


class TestShipped:
    def test_those_of_the_checkout_can_be_named(self) -> None:
        files = {path.stem for path in (Path(__file__).parents[1] / "plugins").glob("*.py")}
        assert files == {name for name, owners in find_plugins().items() if owners[0][0] == "sandbox-postrenderer"}

    def test_none_of_them_is_a_top_level_module(self) -> None:
        assert load("workloads").__name__ == f"{contrib.__name__}.workloads"

    @pytest.mark.parametrize("name", sorted(path.stem for path in (Path(__file__).parents[1] / "plugins").glob("*.py")))
    def test_each_says_what_it_is_for(self, name: str) -> None:
        assert load(name).__doc__

    def test_workloads(self) -> None:
        text = KNOWN.replace("agents.x-k8s.io/v1alpha1", "apps/v1").replace("Sandbox", "Deployment")
        found = call("--plugin", "workloads", data=text.replace("podTemplate", "template"))
        assert found.stdout.count(b"runAsUser: 1001") == 2
        pod = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\nspec:\n  containers:\n  - name: a\n    image: a\n"
        assert call("--plugin=workloads", "--image-uid=a=5", data=pod).stdout.count(b"runAsUser: 5") == 2

    def test_without_names_only_the_built_in_ones_are_there(self) -> None:
        assert {name for name, _ in load_plugins(()).manager.list_name_plugin()} == set(BUILT_IN)


def test_an_unknown_name_lists_what_is_there() -> None:
    with pytest.raises(Refused, match=r"^plugin zzz is not installed; installed are: .*workloads"):
        load_plugins(["zzz"])


def test_a_module_in_the_current_directory_is_no_plugin(tmp_path: Path) -> None:
    (tmp_path / "workloads.py").write_text("raise RuntimeError")
    (tmp_path / "mine.py").write_text(TEAM)
    assert call("--plugin", "workloads", data=POD.format(name="a", image="b"), cwd=tmp_path).returncode == 0
    check_refused(call("--plugin", "mine", cwd=tmp_path, data=KNOWN), "plugin mine is not installed")
    assert os.listdir(tmp_path)
