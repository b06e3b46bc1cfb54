"""`diff --against-lock`: what a new lock file means for workloads and their volumes."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postrenderer.against_lock import Locks, UserChange, compare_workload
from postrenderer.lock import LockEntry, LockFile
from postrenderer.lock.format import format_lock
from postrenderer.model import Addition, Settings, Workload
from postrenderer.output.against_lock import format_changes, format_count
from postrenderer.pipeline import read_workloads, render
from postrenderer.plugins import Plugins, load_plugins
from tests.cli import BROKEN, call, check_refused

IMAGE = "registry.example.com/app:1.2"
DIGEST = "sha256:" + 64 * "a"
OTHER_DIGEST = "sha256:" + 64 * "b"


@lru_cache(maxsize=8)
def get_plugins(*names: str) -> Plugins:
    return load_plugins(names)


def make_entry(reference: str, uid: int | None, **values: Any) -> LockEntry:
    told = {"digest": DIGEST, "gid": None, "named": False, "text": str(uid), "registry": "r", "date": "2026-01-31"}
    return LockEntry(reference, uid=uid, **{**told, **values})


def make_lock(source: str = "lock", **users: int | None) -> LockFile:
    """A lock file of `registry.example.com/NAME:TAG`; a keyword is `NAME_TAG`."""
    entries = []
    for name, uid in users.items():
        repository, _, tag = name.partition("_")
        disagreement = {} if uid is not None else {"disagreement": "linux/amd64 runs as 1, linux/arm64 as 2"}
        entries.append(make_entry(f"registry.example.com/{repository}:{tag.replace('_', '.')}", uid, **disagreement))
    return LockFile(source, tuple(entries))


def make_sandbox(*containers: str, pod: str = "", spec: str = "", name: str = "web") -> str:
    listed = "".join(f"      - {container}\n" for container in containers)
    return (
        "apiVersion: agents.x-k8s.io/v1alpha1\nkind: Sandbox\n"
        f"metadata: {{name: {name}, namespace: agents}}\nspec:\n"
        f"{spec}  podTemplate:\n    spec:\n{pod}      containers:\n{listed}"
    )


def compare(text: str, old: LockFile, new: LockFile, *plugins: str, **settings: Any) -> list[UserChange]:
    chosen = Settings(**settings)
    loaded = get_plugins(*plugins)
    locks = Locks(old, new, chosen, loaded.ask_image)
    return [
        change
        for workload in read_workloads(text.encode(), chosen, loaded)
        if isinstance(workload, Workload)
        for change in compare_workload(workload, locks, chosen, loaded.ask_additions(workload, chosen))
    ]


def get_users(changes: list[UserChange]) -> list[tuple[str, int | None, int | None]]:
    return [(change.container.name, change.before, change.after) for change in changes]


def show(changes: list[UserChange]) -> str:
    return "".join(f"{line.text}\n" for line in format_changes(changes))


ONE = make_sandbox(f"{{name: main, image: '{IMAGE}'}}")


class TestWhoRuns:
    @pytest.mark.parametrize(
        ("before", "after"),
        [(1001, 65532), (1001, 0), (0, 1001), (1001, None), (None, 1001), (0, None), (None, 0)],
    )
    def test_another_user(self, before: int | None, after: int | None) -> None:
        changes = compare(ONE, make_lock(app_1_2=before), make_lock(app_1_2=after))
        assert get_users(changes) == [("main", before, after)]

    def test_the_same_user(self) -> None:
        new = LockFile("new", (make_entry(IMAGE, 1001, digest=OTHER_DIGEST, named=True, date="2026-03-01"),))
        assert compare(ONE, make_lock(app_1_2=1001), new) == []
        assert compare(ONE, LockFile("a"), LockFile("b")) == []

    def test_an_entry_that_comes_or_goes(self) -> None:
        assert get_users(compare(ONE, LockFile("a"), make_lock(app_1_2=5))) == [("main", None, 5)]
        assert get_users(compare(ONE, make_lock(app_1_2=5), LockFile("a"))) == [("main", 5, None)]

    @pytest.mark.parametrize(
        "container",
        [
            f"{{name: main, image: '{IMAGE}', securityContext: {{runAsUser: 7}}}}",
            f"{{name: main, image: '{IMAGE}', securityContext: {{runAsUser: 0}}}}",
            f"{{name: main, image: '{IMAGE}', securityContext: {{runAsUser: '7'}}}}",
        ],
    )
    def test_a_user_that_was_written_stays(self, container: str) -> None:
        old, new = make_lock(app_1_2=1), make_lock(app_1_2=2)
        assert compare(make_sandbox(container), old, new) == []
        inherited = make_sandbox(f"{{name: main, image: '{IMAGE}'}}", pod="      securityContext: {runAsUser: 7}\n")
        assert compare(inherited, old, new) == []

    def test_no_user_that_was_written_is_none(self) -> None:
        text = make_sandbox(f"{{name: main, image: '{IMAGE}', securityContext: {{runAsNonRoot: false}}}}")
        assert get_users(compare(text, make_lock(app_1_2=1), make_lock(app_1_2=2))) == [("main", 1, 2)]

    def test_the_users_own_table_stands_above(self) -> None:
        old, new = make_lock(app_1_2=1), make_lock(app_1_2=2)
        assert compare(ONE, old, new, image_uid=(("app", 9),)) == []
        assert get_users(compare(ONE, old, LockFile("new"), default_uid=9)) == [("main", 1, 9)]

    def test_where_the_images_user_does_not_count(self) -> None:
        old, new = make_lock(app_1_2=1), make_lock(app_1_2=2)
        assert compare(ONE, old, new, scc="restricted-v2") == []
        windows = make_sandbox(f"{{name: main, image: '{IMAGE}'}}", pod="      os: {name: windows}\n")
        assert compare(windows, old, new) == []

    def test_only_what_a_rendering_touches(self) -> None:
        old, new = make_lock(app_1_2=1), make_lock(app_1_2=2)
        skipped = ONE.replace("{name: web,", "{annotations: {sandbox-postrenderer.io/skip: 'true'}, name: web,")
        assert compare(skipped, old, new) == []
        assert len(compare(skipped, old, new, honor_skip=False)) == 1
        assert compare(ONE, old, new, skip_kind=("Sandbox",)) == []
        pod = f"apiVersion: v1\nkind: Pod\nspec: {{containers: [{{name: a, image: '{IMAGE}'}}]}}\n"
        assert compare(pod, old, new) == []
        assert len(compare(pod, old, new, "workloads")) == 1
        stream = f"{ONE}---\n{pod}---\nkind: List\napiVersion: v1\nitems:\n- " + ONE.replace("\n", "\n  ").rstrip()
        assert len(compare(stream, old, new, "workloads")) == 3

    def test_several_containers(self) -> None:
        text = make_sandbox(
            f"{{name: main, image: '{IMAGE}'}}",
            "{name: side, image: 'registry.example.com/side:1'}",
            "{name: none}",
            pod=f"      initContainers: [{{name: first, image: '{IMAGE}'}}]\n",
        )
        old, new = make_lock(app_1_2=1, side_1=5), make_lock(app_1_2=2, side_1=5)
        assert get_users(compare(text, old, new)) == [("first", 1, 2), ("main", 1, 2)]

    @given(st.sampled_from([0, 1, 2, None]), st.sampled_from([0, 1, 2, None]), st.sampled_from(["both", "container"]))
    def test_it_is_what_rendering_writes(self, one: int | None, other: int | None, levels: Any) -> None:
        """Nothing is listed exactly where both renderings are alike, but for users that are not written."""
        old, new = make_lock(app_1_2=one), make_lock(app_1_2=other)
        settings = Settings(levels=levels)
        locks = Locks(old, new, settings, get_plugins().ask_image)
        workloads = read_workloads(ONE.encode(), settings, get_plugins())
        changes = [change for each in workloads for change in compare_workload(each, locks, settings)]

        texts = {b"".join(render(ONE.encode(), settings, get_plugins(), lock=lock).pieces) for lock in (old, new)}
        assert bool(changes) == (len(texts) == 2 or {one, other} == {0, None})


class TestWhatAnImageHasReplaced:
    NEXT = ONE.replace("1.2", "1.3")

    def test_a_newer_tag(self) -> None:
        (change,) = compare(self.NEXT, make_lock(app_1_2=1001), make_lock(app_1_3=65532))
        assert (change.before, change.after, change.replaced) == (1001, 65532, IMAGE)
        assert compare(self.NEXT, make_lock(app_1_2=1001), make_lock(app_1_3=1001)) == []
        assert f"(image {IMAGE.replace('1.2', '1.3')}, was {IMAGE})" in show([change])

    def test_also_of_an_image_that_the_built_in_table_knows(self) -> None:
        name = "cr.kagent.dev/kagent-dev/kagent/app"
        old = LockFile("old", (make_entry(f"{name}:0.9.4", 1001),))
        new = LockFile("new", (make_entry(f"{name}:0.10.0", 65532),))
        text = make_sandbox(f"{{name: main, image: '{name}:0.10.0'}}")
        assert get_users(compare(text, old, new)) == [("main", 1001, 65532)]

    def test_another_digest(self) -> None:
        old = LockFile("old", (make_entry(IMAGE, 1, pinned=True),))
        new = LockFile("new", (make_entry(IMAGE, 2, pinned=True, digest=OTHER_DIGEST),))
        text = make_sandbox(f"{{name: main, image: '{IMAGE}@{OTHER_DIGEST}'}}")
        (change,) = compare(text, old, new)
        assert (change.before, change.after, change.replaced) == (1, 2, f"{IMAGE}@{DIGEST}")

    def test_what_is_still_there_was_not_replaced(self) -> None:
        (change,) = compare(self.NEXT, make_lock(app_1_2=1), make_lock(app_1_2=1, app_1_3=2))
        assert (change.before, change.replaced) == (None, "")

    def test_one_of_several(self) -> None:
        assert get_users(compare(self.NEXT, make_lock(app_1_0=1, app_1_2=1), make_lock(app_1_3=2))) == [("main", 1, 2)]
        different = make_lock(app_1_0=1, app_1_2=5)
        assert get_users(compare(self.NEXT, different, make_lock(app_1_3=2))) == [("main", None, 2)]

    def test_another_repository(self) -> None:
        old = make_lock(other_1_2=1)
        assert get_users(compare(self.NEXT, old, make_lock(app_1_3=2))) == [("main", None, 2)]


VOLUMES = (
    "      volumes:\n"
    "      - {name: models, persistentVolumeClaim: {claimName: team-models}}\n"
    "      - {name: scratch, ephemeral: {volumeClaimTemplate: {}}}\n"
    "      - {name: config, configMap: {name: config}}\n"
)
MOUNTS = ", ".join(f"{{name: {name}, mountPath: /{name}}}" for name in ("data", "models", "scratch", "config", "gone"))
MOUNTED = f"{{name: main, image: '{IMAGE}', volumeMounts: [{MOUNTS}]}}"
TEMPLATES = "  volumeClaimTemplates: [{metadata: {name: data}}]\n"


class TestVolumes:
    OLD, NEW = make_lock(app_1_2=1001), make_lock(app_1_2=65532)

    def test_those_that_the_container_mounts(self) -> None:
        side = f"{{name: side, image: '{IMAGE}'}}"
        main, other = compare(make_sandbox(MOUNTED, side, pod=VOLUMES, spec=TEMPLATES), self.OLD, self.NEW)
        assert [(claim.origin, claim.name, claim.mount_path) for claim in main.claims] == [
            ("template", "data", "/data"),
            ("claim", "team-models", "/models"),
            ("ephemeral", "scratch", "/scratch"),
        ]
        assert other.claims == ()

    def test_of_an_item_of_a_list(self) -> None:
        sandbox = make_sandbox(MOUNTED, pod=VOLUMES, spec=TEMPLATES).replace("\n", "\n  ").rstrip()
        (change,) = compare(f"apiVersion: v1\nkind: List\nitems:\n- {sandbox}\n", self.OLD, self.NEW)
        assert len(change.claims) == 3

    def test_of_kinds_that_plugins_know(self) -> None:
        container = f"{{name: main, image: '{IMAGE}', volumeMounts: [{{name: data, mountPath: /d}}]}}"
        text = (
            "apiVersion: apps/v1\nkind: StatefulSet\nspec:\n  volumeClaimTemplates: [{metadata: {name: data}}]\n"
            f"  template: {{spec: {{containers: [{container}]}}}}\n"
        )
        (change,) = compare(text, self.OLD, self.NEW, "workloads")
        assert [claim.name for claim in change.claims] == ["data"]

    def test_of_kagents_own_containers(self) -> None:
        text = (
            "apiVersion: kagent.dev/v1alpha2\nkind: SandboxAgent\nmetadata: {name: helper}\nspec:\n  type: BYO\n"
            f"  skills: {{refs: [a]}}\n  byo:\n    deployment:\n      image: {IMAGE}\n"
            "      volumes: [{name: data, persistentVolumeClaim: {claimName: c}}]\n"
            "      volumeMounts: [{name: data, mountPath: /data}]\n"
        )
        (change,) = compare(text, self.OLD, self.NEW)
        assert (change.container.name, [claim.name for claim in change.claims]) == ("kagent", ["c"])
        assert "write fsGroup: 65532 into spec.byo.deployment.podSecurityContext" in show([change])
        name = "cr.kagent.dev/kagent-dev/kagent/skills-init:0.9.4"
        old, new = (LockFile("lock", (make_entry(name, uid),)) for uid in (1, 2))
        (change,) = compare(text, old, new, kagent_version="0.9.4")
        assert (change.container.name, change.claims) == ("skills-init", ())

    @pytest.mark.parametrize("mounts", ["x", "{}", "[x]", "[{name: []}]", "[{}]", "~", "[]"])
    def test_what_is_no_list_of_mounts(self, mounts: str) -> None:
        container = f"{{name: main, image: '{IMAGE}', volumeMounts: {mounts}}}"
        (change,) = compare(make_sandbox(container, pod=VOLUMES, spec=TEMPLATES), self.OLD, self.NEW)
        assert change.claims == ()


class TestReport:
    TEXT = make_sandbox(MOUNTED, pod=VOLUMES, spec=TEMPLATES)

    def test_another_user(self) -> None:
        assert show(compare(self.TEXT, make_lock(app_1_2=1001), make_lock(app_1_2=65532))) == (
            f"Sandbox/web (agents), container main: 1001 -> 65532 (image {IMAGE})\n"
            "  standard input, document 1, line 13\n"
            "  claims of the template data, mounted at /data: its files belong to 1001\n"
            "  claim team-models, mounted at /models: its files belong to 1001\n"
            "  ephemeral volume scratch, mounted at /scratch: is made anew with the pod, and needs nothing\n"
            "  before pods are created anew, do one of these:\n"
            "  - write fsGroup: 65532 into spec.podTemplate.spec.securityContext: as a pod starts, the kubelet lets\n"
            "    that group read and write all of that, where the volume's driver supports it\n"
            "  - run `chown -R 65532 /data /models` once, as root, such as in an init container (which `restricted` "
            "refuses)\n"
            f"  - keep the old user, if the image can run as it: --image-uid {IMAGE}=1001\n"
        )

    def test_a_group_that_is_there(self) -> None:
        text = make_sandbox(MOUNTED, pod=f"      securityContext: {{fsGroup: 5}}\n{VOLUMES}")
        report = show(compare(text, make_lock(app_1_2=1001), make_lock(app_1_2=65532)))
        assert "fsGroup is set" in report
        assert "write fsGroup" not in report
        assert "chown -R 65532 /models`" in report

    def test_nothing_that_lasts(self) -> None:
        report = show(compare(ONE, make_lock(app_1_2=1001), make_lock(app_1_2=65532)))
        assert len(report.splitlines()) == 2

    @pytest.mark.parametrize(
        ("before", "after", "words"),
        [
            (1001, 0, ["1001 -> root (0)", "level `restricted` refuses", f"--image-uid {IMAGE}=1001"]),
            (None, 0, ["unknown -> root (0)", f"--image-uid {IMAGE}=UID"]),
            (0, 1001, ["root (0) -> 1001", "no longer runs as root", "belong to root (0)", "chown -R 1001"]),
            (1001, None, ["1001 -> unknown", "platforms do not agree", "images lock", "belong to 1001"]),
            (None, 1001, ["unknown -> 1001", "it gets an identity", "a user that the old lock file does not know"]),
        ],
    )
    def test_others(self, before: int | None, after: int | None, words: list[str]) -> None:
        report = show(compare(self.TEXT, make_lock(app_1_2=before), make_lock(app_1_2=after)))
        for word in words:
            assert word in report
        assert ("keep the old user" in report) == bool(before and after)
        assert ("do one of these" in report) == bool(after)

    def test_several(self) -> None:
        text = f"{self.TEXT}---\n{make_sandbox(MOUNTED, name='two')}"
        report = show(compare(text, make_lock(app_1_2=1), make_lock(app_1_2=2)))
        assert report.count("\n\nSandbox/two (agents), container main: 1 -> 2") == 1

    def test_count(self) -> None:
        assert format_count(0, 2) == "whom containers run as stays the same in 2 resources"
        assert format_count(1, 1).startswith("whom 1 container of 1 resource would run as differs; nothing changes")
        assert format_count(2, 3).startswith("whom 2 containers of 3 resources")


class TestCommand:
    @pytest.fixture(autouse=True)
    def _files(self, tmp_path: Path) -> None:
        self.path = tmp_path
        (tmp_path / "pods").mkdir()
        (tmp_path / "pods" / "web.yaml").write_text(ONE)
        for name, uid in (("old", 1001), ("new", 65532)):
            (tmp_path / f"{name}.yaml").write_text(format_lock([make_entry(IMAGE, uid)]))

    def call(self, *arguments: str, **options: Any) -> Any:
        return call("diff", *arguments, cwd=self.path, **options)

    def test_difference(self) -> None:
        arguments = ["pods", "--image-lock", "new.yaml", "--against-lock", "old.yaml"]
        found = self.call(*arguments)
        assert found.returncode == 0
        assert found.stdout.decode().startswith("Sandbox/web (agents), container main: 1001 -> 65532")
        assert b"web.yaml, document 1, line 8" in found.stdout
        assert b"\x1b" not in found.stdout
        assert found.stderr.decode().startswith("sandbox-postrenderer: whom 1 container of 1 resource")
        assert self.call(*arguments, "--exit-code").returncode == 1
        assert self.call(*arguments, "--quiet").stderr == b""

    @pytest.mark.filterwarnings("ignore::DeprecationWarning")  # forkpty in a process with threads
    def test_colours_on_a_terminal(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from tests.test_cli_streams import run_on_terminal

        monkeypatch.chdir(self.path)
        arguments = ["diff", "pods", "--image-lock", "new.yaml", "--against-lock", "old.yaml"]
        _, shown = run_on_terminal(*arguments, environment={"TERM": "xterm", "NO_COLOR": ""})
        assert "\033[33mSandbox/web (agents), container main: 1001 -> 65532" in shown
        assert "\033" not in run_on_terminal(*arguments, environment={"TERM": "dumb"})[1]

    def test_additions_of_plugins_count(self) -> None:
        """A plugin that states the user itself leaves nothing to the lock file."""
        old, new = make_lock(app_1_2=1), make_lock(app_1_2=2)
        settings = Settings(override="objects")
        text = make_sandbox(
            f"{{name: main, image: '{IMAGE}', securityContext: {{}}}}", pod="      securityContext: {}\n"
        )
        (workload,) = read_workloads(text.encode(), settings, get_plugins())
        assert isinstance(workload, Workload)
        locks = Locks(old, new, settings, get_plugins().ask_image)
        stated = [Addition(workload.pod.path, "runAsUser", 7, "plugin team")]
        assert len(list(compare_workload(workload, locks, settings))) == 1
        assert list(compare_workload(workload, locks, settings, stated)) == []

    def test_no_difference(self) -> None:
        found = self.call("--image-lock", "old.yaml", "--against-lock", "old.yaml", "--exit-code", data=ONE)
        assert (found.returncode, found.stdout) == (0, b"")
        assert b"stays the same in 1 resource" in found.stderr

    def test_lock_of_the_environment(self) -> None:
        environment = {"SANDBOX_POSTRENDERER_IMAGE_LOCK": "new.yaml"}
        assert b"-> 65532" in self.call("pods", "--against-lock", "old.yaml", environment=environment).stdout

    def test_report(self) -> None:
        self.call("pods", "--image-lock=new.yaml", "--against-lock=old.yaml", "--report=report.json")
        assert json.loads((self.path / "report.json").read_text())["version"] == 1

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["pods", "--against-lock", "old.yaml"], ["--against-lock old.yaml needs --image-lock FILE"]),
            (["pods", "--image-lock", "new.yaml", "--against-lock", "none.yaml"], ["none.yaml"]),
            (["pods", "--image-lock", "none.yaml", "--against-lock", "old.yaml"], ["none.yaml"]),
            (["pods", "--image-lock", "new.yaml", "--against-lock", "pods/web.yaml"], ["pods/web.yaml, line 1"]),
        ],
    )
    def test_refused(self, arguments: list[str], words: list[str]) -> None:
        check_refused(self.call(*arguments), *words)

    def test_all_inputs_are_looked_at(self) -> None:
        (self.path / "pods" / "a.yaml").write_text(BROKEN)
        (self.path / "pods" / "z.yaml").write_text(f"---{ONE}")
        found = self.call("pods", "--image-lock", "new.yaml", "--against-lock", "old.yaml")
        check_refused(found, "a.yaml, document 1", "z.yaml, document 1", "glued")

    def test_templates_are_passed_over(self) -> None:
        (self.path / "pods" / "a.yaml").write_text("{{- if .Values.on }}\n" + ONE)
        found = self.call("pods", "--image-lock", "new.yaml", "--against-lock", "old.yaml")
        assert found.stdout.count(b"->") == 1
        assert b"warning: pods/a.yaml: is a Helm template that was not rendered: passed over" in found.stderr

    def test_names_cannot_move_a_cursor(self) -> None:
        text = ONE.replace("name: web", 'name: "a\\e[2J\\nforged"')
        found = self.call("--image-lock", "new.yaml", "--against-lock", "old.yaml", data=text)
        assert b"Sandbox/a\\x1b[2J\\nforged (agents)" in found.stdout
