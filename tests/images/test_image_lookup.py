"""The built-in table's answers: every row at its borders, and why an image is unknown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postrenderer.images.lookup import look_up_table
from postrenderer.model import Identity, Image

DIGEST = "sha256:" + "b" * 64
KAGENT = "cr.kagent.dev/kagent-dev/kagent"
SANDBOX = "registry.k8s.io/agent-sandbox"


def look_up(reference: str, kagent_version: str | None = None) -> Identity:
    return look_up_table(Image(reference), kagent_version)


def derive(name: str, version: str, full: bool = False) -> Identity:
    """Ask for an image as a SandboxAgent without a stated version gives it."""
    return look_up_table(Image(f"{KAGENT}/{name}", version, full), None)


PYTHON = [
    # Up to 0.10.0-beta1 as the named user python, then as 65532, and -full from there on as python again.
    ("0.6.99", None),
    ("0.7.0-rc1", None),
    ("0.7.0", 1001),
    ("0.8.6", 1001),
    ("0.9.0", 1001),
    ("0.9.4", 1001),
    ("v0.9.4", 1001),
    ("0.9.99", 1001),
    ("0.9", 1001),
    ("0.10.0-alpha1", 1001),
    ("0.10.0-beta1", 1001),
    ("0.10.0-beta2", 65532),
    ("v0.10.0-beta2", 65532),
    ("0.10.0-beta10", 65532),
    ("0.10.0-rc3", 65532),
    ("0.10.0", 65532),
    ("0.10.7", 65532),
    ("0.10.8-alpha1", 65532),
    ("0.10", 65532),
    ("0.11.0-alpha1", None),
    ("0.11.0-beta1", None),
    ("0.11.0", None),
    ("0.11", None),
    ("1.0.0", None),
    ("0.9.4-full", None),
    ("0.10.0-beta1-full", None),
    ("0.10.0-beta2-full", 1001),
    ("0.10.0-beta10-full", 1001),
    ("v0.10.0-full", 1001),
    ("0.10-full", 1001),
    ("0.11.0-beta1-full", None),
    ("0.9.4-ubi", None),
    ("0.10.0-ubi-full", None),
    ("0.10.0-full-ubi", None),
    ("latest", None),
    ("latest-main", None),
    ("latest-full", None),
]


@pytest.mark.parametrize("name", ["app", "kagent-adk"])
@pytest.mark.parametrize(("tag", "uid"), PYTHON)
def test_python_images(name: str, tag: str, uid: int | None) -> None:
    """app, and kagent-adk, which it is built on."""
    assert look_up(f"{KAGENT}/{name}:{tag}").uid == uid


@pytest.mark.parametrize(
    ("tag", "uid"),
    [
        ("0.7.9", None),
        ("0.8.0-beta1", None),
        ("0.8.0", 65532),
        ("0.8", 65532),
        ("0.9.4", 65532),
        ("0.10.0-beta1", 65532),
        ("0.10.0-beta2", 65532),
        ("0.10.9", 65532),
        ("0.10", 65532),
        ("0.11.0-beta1", None),
        ("0.8.0-full", None),
        ("0.8-full", None),
        ("0.9.0-rc1-full", None),
        ("0.9.0-full", 1001),
        ("0.9.4-full", 1001),
        ("0.9-full", 1001),
        ("0.10.0-beta2-full", 1001),
        ("0.10-full", 1001),
        ("0.11.0-full", None),
    ],
)
def test_golang_adk(tag: str, uid: int | None) -> None:
    """65532 since 0.8.0, and 1001 for -full, since 0.9.0."""
    assert look_up(f"{KAGENT}/golang-adk:{tag}").uid == uid


@pytest.mark.parametrize(
    ("tag", "uid"),
    [
        ("0.6.9", None),
        ("0.7.0", 0),
        ("0.8.6", 0),
        ("0.9.0-rc1", 0),
        ("0.9.0", 0),
        ("0.9.1-rc1", None),
        ("0.9.1", 1001),
        ("0.9", 1001),
        ("0.10.0-beta1", 1001),
        ("0.10.3", 1001),
        ("0.11.0-beta1", None),
        ("0.9.4-full", None),
    ],
)
def test_skills_init(tag: str, uid: int | None) -> None:
    """Root up to 0.9.0, 1001 since 0.9.1; what was built between the two, nobody read."""
    assert look_up(f"{KAGENT}/skills-init:{tag}").uid == uid


@pytest.mark.parametrize(
    ("name", "tag", "uid"),
    [
        ("python-runtime-sandbox", "v0.0.9", None),
        ("python-runtime-sandbox", "v0.1.0-rc2", None),
        ("python-runtime-sandbox", "v0.1.0", 1000),
        ("python-runtime-sandbox", "v0.5.6", 1000),
        ("python-runtime-sandbox", "v0.5.99", 1000),
        ("python-runtime-sandbox", "v0.6.0-alpha1", None),
        ("python-runtime-sandbox", "latest-main", None),
        ("python-runtime-sandbox", "v0.5.6-full", None),
        ("sandboxd", "v0.5.4", None),
        ("sandboxd", "v0.5.5", 1000),
        ("sandboxd", "0.5", 1000),
        ("sandboxd", "v0.6.0", None),
        ("sandboxd", "v20250101-v0.5.5-3-gabcdef1", None),
    ],
)
def test_agent_sandbox(name: str, tag: str, uid: int | None) -> None:
    """The images of agent-sandbox, in its own versions."""
    assert look_up(f"{SANDBOX}/{name}:{tag}").uid == uid


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        (
            f"{KAGENT}/app:v0.9.4",
            Identity(1001, 1001, True, "built-in table: kagent-dev/kagent/app 0.9.4, USER python"),
        ),
        (
            f"{KAGENT}/golang-adk:0.9.4",
            Identity(65532, 65532, False, "built-in table: kagent-dev/kagent/golang-adk 0.9.4, USER 65532:65532"),
        ),
        (
            f"{KAGENT}/golang-adk:0.9.4-full",
            Identity(1001, 1001, False, "built-in table: kagent-dev/kagent/golang-adk 0.9.4-full, USER 1001:1001"),
        ),
        (
            f"{SANDBOX}/sandboxd:v0.5.5",
            Identity(1000, None, False, "built-in table: agent-sandbox/sandboxd 0.5.5, USER 1000"),
        ),
        (
            f"{KAGENT}/skills-init:0.9.0",
            Identity(
                0,
                0,
                False,
                "built-in table: kagent-dev/kagent/skills-init 0.9.0, no USER",
                "its Dockerfile has no USER up to 0.9.0",
            ),
        ),
    ],
)
def test_an_answer_has_everything_that_is_known(reference: str, expected: Identity) -> None:
    """UID, GID, whether the user is named, and who says so; root has a reason."""
    assert look_up(reference) == expected


@pytest.mark.parametrize(
    ("reference", "by_name_only"),
    [
        ("cr.kagent.dev/kagent-dev/kagent/app:0.9.4", False),
        ("ghcr.io/kagent-dev/kagent/app:0.9.4", False),
        ("GHCR.IO/kagent-dev/kagent/app:0.9.4", False),
        ("registry.k8s.io/agent-sandbox/sandboxd:v0.5.5", False),
        ("us-central1-docker.pkg.dev/k8s-staging-images/agent-sandbox/sandboxd:v0.5.5", False),
        ("mirror.example.com/kagent-dev/kagent/app:0.9.4", True),
        ("mirror.example.com/ghcr.io/kagent-dev/kagent/app:0.9.4", True),
        ("ghcr.io/mirror/kagent-dev/kagent/app:0.9.4", True),
        ("kagent-dev/kagent/app:0.9.4", True),
        ("docker.io/kagent-dev/kagent/app:0.9.4", True),
        ("localhost:5000/kagent-dev/kagent/app:0.9.4", True),
        ("registry.k8s.io/kagent-dev/kagent/app:0.9.4", True),
        ("cr.kagent.dev/agent-sandbox/sandboxd:v0.5.5", True),
        ("us-central1-docker.pkg.dev/other/agent-sandbox/sandboxd:v0.5.5", True),
    ],
)
def test_a_mirror_is_matched_by_name_only(reference: str, by_name_only: bool) -> None:
    """With another registry or prefix in front the row still applies, and says so."""
    answer = look_up(reference)
    assert answer.uid in (1001, 1000)
    assert answer.by_name_only is by_name_only


@pytest.mark.parametrize(
    "reference",
    [
        "ghcr.io/x-kagent-dev/kagent/app:0.9.4",
        "ghcr.io/kagent-dev/kagent/myapp:0.9.4",
        "ghcr.io/kagent-dev/kagent/app/x:0.9.4",
        "ghcr.io/kagent/app:0.9.4",
        "app:0.9.4",
        "ghcr.io/Kagent-Dev/kagent/app:0.9.4",
        "ghcr.io/kagent-dev/kagent/controller:0.9.4",
        "redis:7",
        "not an image",
        "",
    ],
)
def test_what_no_row_names_is_unknown(reference: str) -> None:
    """Path components match whole, and all of them."""
    assert look_up(reference, "0.9.4") == Identity(None, reason="no row of the built-in table names it")


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        (f"{KAGENT}/app:latest", "its tag `latest` names no version"),
        (f"{KAGENT}/app:latest-full", "its tag `latest-full` names no version"),
        (f"{KAGENT}/app", "it has no tag, and so names no version"),
        (f"{KAGENT}/app@{DIGEST}", "it is pinned by digest alone"),
        (f"{KAGENT}/app:0.9.4-ubi", "`0.9.4-ubi` has a suffix that the table does not know"),
        (f"{KAGENT}/app:0.9.4-beta", "`0.9.4-beta` has a suffix that the table does not know"),
        (f"{KAGENT}/app:0.6.1", "version 0.6.1 is older than the table, which begins with 0.7.0"),
        (f"{KAGENT}/app:0.9.4-full", "the table does not know a `-full` image of version 0.9.4"),
        (f"{KAGENT}/app:0.7.0-full", "the table does not know a `-full` image of version 0.7.0"),
        (f"{KAGENT}/skills-init:0.10-full", "the table does not know a `-full` image of version 0.10"),
        (f"{KAGENT}/skills-init:0.9.1-rc1", "the table does not know version 0.9.1-rc1"),
    ],
)
def test_unknown_says_why(reference: str, reason: str) -> None:
    assert look_up(reference) == Identity(None, reason=reason)


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        (f"{KAGENT}/app:0.11.0", "version 0.11.0 is newer than the table, which ends with 0.10"),
        (f"{KAGENT}/app:0.11.0-beta1-full", "version 0.11.0-beta1 is newer than the table, which ends with 0.10"),
        (f"{KAGENT}/skills-init:0.11.0", "version 0.11.0 is newer than the table, which ends with 0.10"),
        (f"{SANDBOX}/sandboxd:v1.0.2", "version 1.0.2 is newer than the table, which ends with 0.5"),
    ],
)
def test_newer_than_the_table_is_unknown_and_marked(reference: str, reason: str) -> None:
    """A range ends with the newest minor line that was read, prereleases of the next one not included."""
    assert look_up(reference) == Identity(None, reason=reason, newer_than_table=True)


@pytest.mark.parametrize(
    ("reference", "stated", "uid"),
    [
        pytest.param(f"{KAGENT}/app", "0.9.4", 1001, id="no tag"),
        pytest.param(f"{KAGENT}/app:latest", "0.9.4", 1001, id="latest"),
        pytest.param(f"{KAGENT}/app:latest-main", "v0.10.0", 65532, id="latest-main"),
        pytest.param(f"{KAGENT}/app:latest", "0.10", 65532, id="a line means its newest version"),
        pytest.param(f"{KAGENT}/golang-adk:latest-full", "0.9.4", 1001, id="-full counts without a version too"),
        pytest.param(f"{KAGENT}/skills-init", "0.9.0", 0, id="a stated version can make a root image"),
        pytest.param("mirror.example.com/kagent-dev/kagent/app", "0.9.4", 1001, id="mirrors too"),
        pytest.param(f"{KAGENT}/app:0.10.0", "0.9.4", 65532, id="a tag's own version counts first"),
        pytest.param(f"{KAGENT}/app:0.10.0-ubi", "0.9.4", None, id="a version that cannot be compared is no silence"),
        pytest.param(f"{KAGENT}/app:latest", "0.11.0", None, id="a stated version newer than the table"),
        pytest.param(f"{KAGENT}/app:latest", "soon", None, id="a stated version that is none"),
        pytest.param(f"{SANDBOX}/sandboxd:latest-main", "0.5.5", None, id="kagent's images only"),
        pytest.param(f"{SANDBOX}/sandboxd@{DIGEST}", "0.5.5", None, id="kagent's images only, digest"),
        pytest.param(f"{KAGENT}/app@{DIGEST}", "0.9.4", 1001, id="digest alone: this version has no -full app"),
        pytest.param(f"{KAGENT}/app@{DIGEST}", "0.10.0-beta1", 1001, id="digest alone: nor has this one"),
        pytest.param(f"{KAGENT}/app@{DIGEST}", "0.10.0-beta2", None, id="digest alone: this one has"),
        pytest.param(f"{KAGENT}/app@{DIGEST}", "0.10", None, id="digest alone: so has its line"),
        pytest.param(f"{KAGENT}/golang-adk@{DIGEST}", "0.8.0", 65532, id="digest alone: Go before -full"),
        pytest.param(f"{KAGENT}/golang-adk@{DIGEST}", "0.9.4", None, id="digest alone: Go since -full"),
        pytest.param(f"{KAGENT}/skills-init@{DIGEST}", "0.9.4", 1001, id="digest alone: never a -full skills-init"),
        pytest.param(f"{KAGENT}/app:0.10.0-beta10@{DIGEST}", None, 65532, id="a tag beside a digest counts"),
        pytest.param(f"{KAGENT}/golang-adk:0.9.4-full@{DIGEST}", None, 1001, id="with -full"),
    ],
)
def test_a_stated_kagent_version(reference: str, stated: str | None, uid: int | None) -> None:
    """It stands in where kagent's image names no version, unless a digest could be that of `-full`."""
    assert look_up(reference, stated).uid == uid


def test_the_source_says_that_the_version_was_stated() -> None:
    expected = "built-in table: kagent-dev/kagent/app 0.9.4 by kagent-version, USER python"
    assert look_up(f"{KAGENT}/app:latest", "0.9.4").source == expected


def test_reasons_name_the_stated_version() -> None:
    """Where a stated version does not help, the reason says why not."""
    assert look_up(f"{KAGENT}/golang-adk@{DIGEST}", "0.9.4").reason == (
        "it is pinned by digest alone, and version 0.9.4 has a `-full` image too"
    )
    assert look_up(f"{KAGENT}/app", "soon").reason == (
        "it has no tag, and so names no version, and kagent-version `soon` is no version"
    )
    newer = look_up(f"{KAGENT}/app", "0.11")
    assert newer.newer_than_table
    assert newer.reason == "version 0.11 is newer than the table, which ends with 0.10"


@pytest.mark.parametrize(
    ("name", "version", "full", "uid"),
    [
        ("app", "0.9", False, 1001),
        ("golang-adk", "0.9", False, 65532),
        ("golang-adk", "0.9", True, 1001),
        ("skills-init", "0.9", False, 1001),
        ("skills-init", "0.9.0", False, 0),
        ("app", "0.11", False, None),
    ],
)
def test_a_derived_image(name: str, version: str, full: bool, uid: int | None) -> None:
    """What kagent derives has no tag: version and `-full` come with the image. python 1001, go 65532, go -full 1001."""
    assert derive(name, version, full).uid == uid


def test_a_derived_image_of_no_version() -> None:
    assert derive("app", "soon").reason == "`soon` is no version that can be compared"


def test_a_tag_counts_before_an_assumed_version() -> None:
    """Whoever states a version has it in the reference."""
    assert look_up_table(Image(f"{KAGENT}/golang-adk:0.9.4", "0.8", True), None).uid == 65532


@given(st.text(), st.none() | st.text())
def test_any_reference_can_be_asked(text: str, stated: str | None) -> None:
    """Junk is unknown, with a reason; in a known repository too there is either an answer or a reason."""
    assert look_up(text, stated).reason == "no row of the built-in table names it"
    found = look_up(f"{KAGENT}/app:{text}", stated)
    assert (found.uid is None) is bool(found.reason)


@given(st.text(alphabet="abcdefghijk-./", max_size=30))
def test_a_prefix_changes_the_mark_and_nothing_else(prefix: str) -> None:
    """A mirror's image answers what the original answers."""
    answer = look_up(f"{prefix}/kagent-dev/kagent/app:0.9.4")
    assert (answer.uid, answer.gid, answer.named) == (1001, 1001, True)
