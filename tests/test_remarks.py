"""What is said: ids and levels, sentences that name who, where, what and what to do, and lines that are right."""

from __future__ import annotations

import re
from typing import Any

import pytest

from postrenderer.model import Finding
from tests.support import run

APP = "cr.kagent.dev/kagent-dev/kagent/app"
KNOWN = f"{APP}:0.9.4"
UNKNOWN = "registry.example.com/team/proxy:1"
CONTEXT = "spec.podTemplate.spec.containers[0].securityContext"
IDS = {
    *("identity-defaulted", "user-value-kept", "user-value-invalid", "root-by-choice", "image-unknown"),
    *("image-runs-as-root", "matched-by-name-only", "newer-than-table", "kagent-version-assumed", "shared-context"),
    *("fields-without-effect", "uid-out-of-range", "volume-needs-fsgroup", "injected-sidecar"),
    *("skipped-by-annotation", "not-a-pod", "re-emitted", "template-not-rendered"),
}


def pod(image: str = KNOWN, own: str = "", spec: str = "", template: str = "") -> str:
    """A Sandbox of one container. `own`, `spec`, `template`: further lines of the container, the pod, the template."""
    lines = ["apiVersion: agents.x-k8s.io/v1beta1", "kind: Sandbox", "metadata: {name: web}", "spec:", "  podTemplate:"]
    lines += [f"    {line}" for line in template.splitlines()]
    lines += ["    spec:"]
    lines += [f"      {line}" for line in spec.splitlines()]
    lines += ["      containers:", "      - name: main", f"        image: {image}"]
    lines += [f"        {line}" for line in own.splitlines()]
    return "\n".join(lines) + "\n"


def find(text: str, id: str, **settings: Any) -> Finding:
    """The one finding with an id."""
    result = run(text, **settings)
    assert {finding.id for finding in result.findings} <= IDS
    found = [finding for finding in result.findings if finding.id == id]
    assert len(found) == 1, result.findings
    return found[0]


def check(finding: Finding, level: str, line: int, message: str) -> None:
    assert (finding.level, finding.line) == (level, line)
    assert re.fullmatch(message, finding.message), finding.message


def agent(spec: str) -> str:
    lines = ["apiVersion: kagent.dev/v1alpha2", "kind: SandboxAgent", "metadata: {name: helper}", "spec:"]
    return "\n".join([*lines, *(f"  {line}" for line in spec.splitlines())]) + "\n"


class TestContainersWithoutIdentity:
    """Each is named, with its image and the ways to give it one."""

    def test_unknown(self) -> None:
        finding = find(pod(UNKNOWN), "image-unknown")
        ways = (
            rf"say --image-uid {UNKNOWN}=UID, or write runAsNonRoot: true and runAsUser: UID into {re.escape(CONTEXT)}"
        )
        who = rf"container main \(image {UNKNOWN}\) ends up without runAsNonRoot and runAsUser: "
        check(finding, "warning", 8, who + rf"whom it runs as is unknown \(no row of .* names it\); {ways}")
        assert finding.path[-1] == "securityContext"

    @pytest.mark.parametrize(
        ("image", "reason", "version_helps"),
        [
            (f"{APP}:latest", "its tag `latest` names no version", True),
            (APP, "it has no tag, and so names no version", True),
            (f"{APP}@sha256:aa", "it is pinned by digest alone", True),
            ("cr.kagent.dev/kagent-dev/kagent/golang-adk@sha256:aa", "it is pinned by digest alone", False),
            (f"{KNOWN}-ubi", "`0.9.4-ubi` has a suffix that the table does not know", False),
            (
                f"{APP}:0.11.0",
                "version 0.11.0 is newer than the table, which ends with 0.10",
                False,
            ),
            ('""', "it names no image", False),
        ],
    )
    def test_reasons(self, image: str, reason: str, version_helps: bool) -> None:
        finding = find(pod(image), "image-unknown")
        assert f"({reason})" in finding.message
        assert ("say --kagent-version VERSION" in finding.message) == version_helps
        assert ("--image-uid" in finding.message) == (image != '""')
        if version_helps:
            assert "identity-defaulted" in {finding.id for finding in run(pod(image), kagent_version="0.9").findings}

    def test_a_stated_version_is_not_asked_for_again(self) -> None:
        finding = find(pod(f"{APP}:latest"), "image-unknown", kagent_version="0.11")
        assert "--kagent-version" not in finding.message

    def test_what_is_suggested_works(self) -> None:
        for image in (UNKNOWN, "redis", "localhost:5000/a/b@sha256:aa", f"{KNOWN}-ubi", "a:1@sha256:bb"):
            key = re.search(r"--image-uid (\S+)=UID", find(pod(image), "image-unknown").message)
            assert key is not None
            assert run(pod(image), image_uid=((key[1], 7),)).additions == 4

    def test_unknown_with_run_as_non_root(self) -> None:
        finding = find(pod(UNKNOWN, "securityContext:\n  runAsNonRoot: true"), "image-unknown")
        assert "ends up without runAsUser" in finding.message
        assert "the kubelet refuses runAsNonRoot without a number if the image's user is a name" in finding.message
        assert finding.line == 11

    @pytest.mark.parametrize("settings", [{"scc": "restricted-v2"}, {}])
    def test_no_uid_is_suggested_where_none_may_be(self, settings: Any) -> None:
        spec = "" if settings else "os: {name: windows}"
        message = find(pod(UNKNOWN, spec=spec), "image-unknown", **settings).message
        assert "runAsUser" not in message
        assert message.endswith(f"or write runAsNonRoot: true into {CONTEXT}")

    def test_root_image(self) -> None:
        image = "cr.kagent.dev/kagent-dev/kagent/skills-init:0.9.0"
        finding = find(pod(image), "image-runs-as-root")
        who = rf"container main \(image {image}\) ends up without runAsNonRoot and runAsUser: its image runs as root "
        check(
            finding, "warning", 8, who + rf"\(built-in table: .*\); use an image .*, write .* into {re.escape(CONTEXT)}"
        )
        assert finding.value == 0

    def test_root_image_with_the_users_uid_needs_no_remark(self) -> None:
        image = "cr.kagent.dev/kagent-dev/kagent/skills-init:0.9.0"
        findings = run(pod(image, "securityContext: {runAsUser: 7}")).findings
        assert {finding.level for finding in findings} == {"note"}

    @pytest.mark.parametrize(
        ("spec", "settings", "reason"),
        [
            ("hostUsers: false", {}, "hostUsers: false allows UIDs up to 65535"),
            ("", {"scc": "restricted-v3"}, "restricted-v3 admits UIDs from 1000 to 65534"),
        ],
    )
    def test_out_of_range(self, spec: str, settings: Any, reason: str) -> None:
        finding = find(pod(UNKNOWN, spec=spec), "uid-out-of-range", image_uid=(("proxy", 70000),), **settings)
        assert finding.level == "warning"
        assert f"its image runs as 70000 (image-uid proxy=70000), but {reason}" in finding.message
        assert finding.value == 70000

    def test_out_of_range_is_no_matter_under_the_users_uid(self) -> None:
        text = pod(UNKNOWN, "securityContext: {runAsUser: 7}", "hostUsers: false")
        assert {finding.level for finding in run(text, image_uid=(("proxy", 70000),)).findings} == {"note"}

    def test_the_users_uid_is_out_of_range(self) -> None:
        text = pod(UNKNOWN, "securityContext: {runAsUser: 70000}", "hostUsers: false")
        finding = find(text, "uid-out-of-range")
        assert (finding.level, finding.value, finding.line) == ("warning", 70000, 11)
        assert "was given runAsUser: 70000 by hand (kept), but hostUsers: false" in finding.message

    def test_objects(self) -> None:
        text = pod(UNKNOWN, "securityContext: {privileged: false}", "securityContext: {runAsUser: 5}")
        findings = [finding for finding in run(text, override="objects").findings if finding.level == "warning"]
        assert [finding.id for finding in findings] == ["user-value-kept"]
        assert (
            "ends up without runAsNonRoot: its securityContext is kept whole (override: objects)" in findings[0].message
        )

    def test_named_user_on_windows(self) -> None:
        finding = find(pod(spec="os: {name: windows}"), "image-unknown")
        assert "its image's user has a name and no usable number" in finding.message

    def test_invalid_value(self) -> None:
        findings = run(pod(own='securityContext:\n  runAsUser: "1001"')).findings
        assert [(finding.id, finding.level, finding.line) for finding in findings] == [
            ("user-value-invalid", "error", 11),
            ("user-value-invalid", "error", 11),
        ]
        assert findings[0].message == (
            f'{CONTEXT}.runAsUser is "1001", which the API server will refuse: '
            "write an integer from 0 to 2147483647, without quotes (kept as it is)"
        )
        assert findings[0].value == "1001"
        assert findings[1].message.startswith(f"container main (image {KNOWN}) ends up without")

    @pytest.mark.parametrize(
        ("value", "said"),
        [
            ('"true"', '"true"'),
            ("1", "1"),
            ("[true]", "no single value"),
            ("{}", "no single value"),
            ("maybe", '"maybe"'),
        ],
    )
    def test_invalid_flag(self, value: str, said: str) -> None:
        findings = run(pod(own=f"securityContext:\n  runAsNonRoot: {value}")).findings
        message = next(finding.message for finding in findings if finding.id == "user-value-invalid")
        assert message.startswith(
            f"{CONTEXT}.runAsNonRoot is {said}, which the API server will refuse: write a boolean"
        )


class TestUserValues:
    def test_kept(self) -> None:
        findings = run(pod(own="securityContext:\n  runAsNonRoot: yes\n  runAsUser: 0x10")).findings
        assert [(finding.message, finding.line, finding.value) for finding in findings] == [
            (f"{CONTEXT}.runAsNonRoot: true was written by hand: kept", 11, True),
            (f"{CONTEXT}.runAsUser: 16 was written by hand: kept", 12, 16),
        ]
        assert {(finding.id, finding.level) for finding in findings} == {("user-value-kept", "note")}

    @pytest.mark.parametrize(
        ("own", "spec", "line", "choice"),
        [
            ("securityContext:\n  runAsUser: 0", "", 11, "runAsUser: 0"),
            ("securityContext:\n  runAsNonRoot: no", "", 11, "runAsNonRoot: false"),
            ("", "securityContext:\n  runAsUser: 0x0", 8, "runAsUser: 0"),
            ("securityContext:\n  runAsUser: no\n  runAsNonRoot: false", "", 12, "runAsNonRoot: false"),
        ],
    )
    def test_root_by_choice(self, own: str, spec: str, line: int, choice: str) -> None:
        finding = find(pod(own=own, spec=spec), "root-by-choice")
        assert (finding.level, finding.line) == ("warning", line)
        assert finding.message.startswith(
            f"container main (image {KNOWN}) is root by choice ({choice} was written by hand)"
        )
        assert "`restricted` refuses a pod with such a container" in finding.message

    def test_the_pods_own_root_that_nobody_inherits(self) -> None:
        """Pod Security looks at the pod's own field, too."""
        finding = find(
            pod(own="securityContext: {runAsUser: 7}", spec="securityContext: {runAsUser: 0}"), "root-by-choice"
        )
        check(
            finding, "warning", 7, r"spec.podTemplate.spec.securityContext.runAsUser: 0 .* refuses the pod all the same"
        )


class TestUserValuesThatAreRefused:
    """A UID that was written by hand where the cluster takes none is kept, and said."""

    def test_under_restricted_v2(self) -> None:
        finding = find(pod("redis", own="securityContext: {runAsUser: 999}"), "uid-out-of-range", scc="restricted-v2")
        assert finding.level == "warning"
        assert "runAsUser: 999 by hand (kept), but restricted-v2" in finding.message

    def test_on_windows(self) -> None:
        text = pod("redis", own="securityContext: {runAsUser: 999}", spec="os: {name: windows}")
        finding = find(text, "user-value-invalid")
        assert finding.level == "error"
        assert "the API server refuses it on Windows: take it out" in finding.message


class TestAdditions:
    def test_one_for_each_value(self) -> None:
        result = run(pod())
        assert [
            (finding.id, finding.level, finding.field, finding.value, finding.line) for finding in result.findings
        ] == [
            ("identity-defaulted", "note", "runAsNonRoot", True, 1),
            ("identity-defaulted", "note", "runAsUser", 1001, 1),
            ("identity-defaulted", "note", "runAsNonRoot", True, 8),
            ("identity-defaulted", "note", "runAsUser", 1001, 8),
        ]
        origin = "built-in table: kagent-dev/kagent/app 0.9.4, USER python"
        assert {finding.origin for finding in result.findings} == {origin}
        assert result.findings[-1].message == f"{CONTEXT}.runAsUser: 1001 added ({origin})"

    def test_restricted_v2_may_leave_files_unwritable(self) -> None:
        finding = find(pod(), "uid-out-of-range", scc="restricted-v2")
        assert finding.level == "note"
        assert "not as the 1001 of its image" in finding.message


class TestImages:
    def test_mirror(self) -> None:
        text = pod("mirror.example.com/proxy/kagent-dev/kagent/app:0.9.4")
        check(find(text, "matched-by-name-only"), "note", 8, r"image mirror.* by its name only; say --image-uid if .*")

    def test_newer(self) -> None:
        text = pod(f"{APP}:0.11.0")
        check(find(text, "newer-than-table"), "note", 8, r"image .*:0.11.0 is newer than the built-in table: update .*")

    def test_once_for_each_image(self) -> None:
        text = pod("mirror.example.com/kagent-dev/kagent/app:0.9.4")
        text += text[text.index("      - name: main") :].replace("main", "other")
        assert find(text, "matched-by-name-only").line == 8


class TestPods:
    def test_injected(self) -> None:
        template = "metadata:\n  labels:\n    istio.io/rev: stable"
        finding = find(pod(template=template), "injected-sidecar")
        assert finding.level == "note"
        assert "(istio.io/rev: stable)" in finding.message

    @pytest.mark.parametrize(("spec", "settings"), [("securityContext: {}", {}), ("", {"levels": "container"})])
    def test_injected_but_no_matter(self, spec: str, settings: Any) -> None:
        template = "metadata:\n  labels:\n    istio.io/rev: stable"
        ids = {finding.id for finding in run(pod(spec=spec, template=template), **settings).findings}
        assert "injected-sidecar" not in ids

    def test_volume(self) -> None:
        spec = "volumes: [{name: a, persistentVolumeClaim: {claimName: a}}]"
        finding = find(pod(spec=spec), "volume-needs-fsgroup")
        assert (finding.level, finding.field) == ("note", "fsGroup")
        assert not any(f.id == "volume-needs-fsgroup" for f in run(pod(spec=f"{spec}\nos: {{name: windows}}")).findings)

    @pytest.mark.parametrize(("spec", "said"), [("", 1), ("hostUsers: true", 1), ("hostUsers: false", 0)])
    def test_restricted_v3_needs_host_users_false(self, spec: str, said: int) -> None:
        findings = [finding for finding in run(pod(spec=spec), scc="restricted-v3").findings if finding.level != "note"]
        assert [finding.id for finding in findings] == ["fields-without-effect"] * said


class TestSharedContext:
    def test_who_and_why(self) -> None:
        text = agent('type: BYO\nskills:\n  refs: ["x"]\nbyo:\n  deployment:\n    image: team/agent')
        finding = find(text, "shared-context", image_uid=(("team/agent", 4242),))
        check(
            finding,
            "warning",
            10,
            r"init container skills-init \(image \S+/skills-init\), which runs as 1001, and container kagent "
            r"\(image team/agent\), which runs as 4242, share spec.byo.deployment.securityContext: "
            r"runAsUser not added there, .*",
        )

    def test_version(self) -> None:
        plain, skills = agent("declarative: {}"), agent('declarative: {}\nskills: {refs: ["x"]}')
        assert "0.9.0" not in find(plain, "kagent-version-assumed").message
        assert (
            "up to 0.9.0 the image of the init container skills-init runs as root"
            in find(skills, "kagent-version-assumed").message
        )


PAIR = """\
# a comment
apiVersion: v1
kind: ConfigMap
metadata: {name: first}
---
# Source: chart/templates/web.yaml
apiVersion: agents.x-k8s.io/v1beta1
kind: Sandbox
metadata: {name: web}
spec:
  podTemplate:
    spec:
      securityContext:
        runAsUser: "7" # line 14
      containers:
      - name: main # line 16
        image: team/app
      - name: other # line 18
        image: team/app
        securityContext:
          runAsUser: 0 # line 21
...
---
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Secret
- apiVersion: kagent.dev/v1alpha2
  kind: SandboxAgent
  metadata: {name: helper}
  spec:
    declarative:
      deployment:
        extraContainers:
        - name: third # line 36
          image: team/app
"""


class TestLines:
    @pytest.mark.parametrize("newline", ["\n", "\r\n"])
    @pytest.mark.parametrize("first", ["", "---\n", "%YAML 1.1\n---\n", "\ufeff", "\n\n# far\n---\n"])
    def test_lines(self, newline: str, first: str) -> None:
        text = (first + PAIR).replace("\n", newline)
        lines = text.split(newline)
        findings = [finding for finding in run(text).findings if finding.level != "note"]
        marked = {}
        for finding in findings:
            assert finding.line is not None
            mark = re.search("# line ([0-9]+)", lines[finding.line - 1])
            assert mark is not None, (finding, lines[finding.line - 1])
            marked[int(mark[1])] = finding.id
        assert marked == {14: "user-value-invalid", 16: "user-value-invalid", 21: "root-by-choice", 36: "image-unknown"}

    def test_sources_and_numbers(self) -> None:
        findings = run(PAIR).findings
        assert {(finding.source, finding.document, str(finding.resource)) for finding in findings} == {
            ("chart/templates/web.yaml", 2, "Sandbox/web"),
            ("standard input", 3, "SandboxAgent/helper"),
        }

    def test_line_of_a_refusal(self) -> None:
        text = PAIR.replace("          image: team/app\n", "          securityContext: text\n")
        from postrenderer.model import Refused

        with pytest.raises(Refused, match=r"standard input, document 3, SandboxAgent/helper, line 37: ") as caught:
            run(text)
        assert caught.value.line == 37
