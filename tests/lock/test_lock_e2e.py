"""From a real registry to a rendering: images of every form of `USER`, pushed by a real tool."""

from __future__ import annotations

import base64
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from postrenderer.lock import load_lock
from tests.cli import call
from tests.lock.support import lines_of, run, write_pods
from tests.registry.real import RealRegistry
from tests.registry.support import DIRECTORY, GROUP, PASSWD, make_image
from tests.registry.tls import make_certificate

pytestmark = pytest.mark.e2e
ETC = {"etc": DIRECTORY, "etc/passwd": PASSWD, "etc/group": GROUP}


@pytest.fixture(scope="module")
def real() -> Iterator[RealRegistry]:
    with tempfile.TemporaryDirectory() as directory, RealRegistry(Path(directory)) as started:
        yield started


def test_lock_then_render_then_update(real: RealRegistry, tmp_path: Path) -> None:
    digests = {
        "named": real.push([make_image([ETC], "python:staff")], "team/named:1"),
        "number": real.push([make_image([], "1001")], "team/number:1"),
        "root": real.push([make_image([ETC], "")], "team/root:1"),
        "many": real.push([make_image([], "7"), make_image([], "7", platform=("linux", "arm64"))], "team/many:1"),
    }
    images = {name: f"{real.host}/team/{name}:1" for name in digests}
    write_pods(tmp_path, **images)
    plain = ["--plain-http", real.host]
    found = run("images", "lock", "pods.yaml", *plain, cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    lock = load_lock(str(tmp_path / "images.lock.yaml"))
    assert {entry.reference: entry.digest for entry in lock.entries} == {
        images[name]: digest for name, digest in digests.items()
    }
    assert {entry.text: (entry.uid, entry.gid, entry.named) for entry in lock.entries} == {
        "python:staff": (1001, 50, True),
        "1001": (1001, None, False),
        "": (0, 0, False),
        "7": (7, None, False),
    }

    shutil.rmtree(real.directory / "layouts")
    real.push([make_image([], "65532")], "team/number:1")
    assert run("images", "lock", "--check", "pods.yaml", *plain, cwd=tmp_path).returncode == 1
    found = run("images", "lock", "--update", *plain, cwd=tmp_path)
    said = [line for line in lines_of(found.stderr) if not line.startswith(("[", "warning: "))]
    assert said == [f"{images['number']}  1001 -> 65532", "images.lock.yaml: 4 images"]
    assert run("images", "lock", "--check", "pods.yaml", *plain, cwd=tmp_path).returncode == 0

    done = call("render", "pods.yaml", "--image-lock", "images.lock.yaml", cwd=tmp_path).stdout.decode()
    parts = done.split("---\n")
    assert [part.count("runAsUser: ") for part in parts] == [2, 2, 0, 2]
    assert ["runAsUser: 1001" in parts[0], "runAsUser: 65532" in parts[1], "runAsUser: 7" in parts[3]] == [True] * 3


def test_a_login_and_a_certificate_of_ones_own(scrub: Path, tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    (tmp_path / "registry").mkdir()
    with RealRegistry(tmp_path / "registry", password="secret", certificate=(certificate, key)) as started:
        started.push([make_image([], "1001")], "team/app:1")
        image = f"{started.host}/team/app:1"
        login = {"auths": {started.host: {"auth": base64.b64encode(b"user:secret").decode()}}}
        (scrub / "config.json").write_text(json.dumps(login))
        found = run("images", "resolve", image)
        assert found.returncode == 2
        assert "certificate" in found.stderr
        found = run("images", "resolve", image, "--registry-ca", str(certificate))
        assert found.stdout.startswith(f"{image}: runs as 1001"), found.stderr
        (scrub / "config.json").write_text("{}")
        found = run("images", "resolve", image, "--registry-ca", str(certificate))
        assert found.returncode == 2
        assert "docker login" in found.stderr
