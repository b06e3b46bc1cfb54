"""What Argo CD says of an application, and what of the file system belongs to it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from postrenderer.hosts.argocd.confine import check_repository, find_file, is_address, is_within
from postrenderer.hosts.argocd.request import Request, find_root, read_request
from postrenderer.model import Refused


def read(folder: Path, **environment: str) -> Request:
    return read_request(environment, str(folder))


class TestRequest:
    def test_everything(self, tmp_path: Path) -> None:
        (tmp_path / "apps" / "web").mkdir(parents=True)
        request = read(
            tmp_path / "apps" / "web",
            ARGOCD_APP_NAME="team_web",
            ARGOCD_APP_NAMESPACE="prod",
            KUBE_VERSION="1.34.1",
            KUBE_API_VERSIONS="v1,apps/v1,",
            ARGOCD_APP_PARAMETERS="null",
            ARGOCD_APP_SOURCE_PATH="apps/web",
        )
        assert (request.name, request.namespace) == ("web", "prod")
        assert (request.kube_version, request.api_versions) == ("1.34.1", ("v1", "apps/v1"))
        assert (request.root, request.folder) == (str(tmp_path), str(tmp_path / "apps" / "web"))

    def test_nothing(self, tmp_path: Path) -> None:
        assert read(tmp_path) == Request("", "", "", (), "", str(tmp_path), str(tmp_path))

    @pytest.mark.parametrize(
        ("variable", "value"),
        [
            ("ARGOCD_APP_NAME", "--post-renderer=x"),
            ("ARGOCD_APP_NAME", "a\nb"),
            ("ARGOCD_APP_NAMESPACE", "-n"),
            ("KUBE_VERSION", "1.34 --kubeconfig x"),
            ("KUBE_API_VERSIONS", "v1,--x"),
        ],
    )
    def test_what_argo_cd_never_says(self, tmp_path: Path, variable: str, value: str) -> None:
        with pytest.raises(Refused, match=f"environment variable {variable}"):
            read(tmp_path, **{variable: value})


@pytest.mark.parametrize(
    ("folder", "path", "root"),
    [
        ("/w/1/a/b", "a/b", "/w/1"),
        ("/w/1/a/b", "./a//b/", "/w/1"),
        ("/w/1", ".", "/w/1"),
        ("/w/1", "", "/w/1"),
        ("/w/1/a", "b", "/w/1/a"),
        ("/w/1/a", "../1/a", "/w/1/a"),
        ("/w/1/a", "/1/a", "/w"),
        ("/a", "a", "/"),
    ],
)
def test_the_root_is_where_the_path_begins(folder: str, path: str, root: str) -> None:
    assert find_root(folder, path) == root


class TestFiles:
    @pytest.fixture
    def request_(self, tmp_path: Path) -> Request:
        (tmp_path / "secret").write_text("")
        root = tmp_path / "repository"
        (root / "app").mkdir(parents=True)
        (root / "app" / "values.yaml").write_text("")
        (root / "common.yaml").write_text("")
        (root / "app" / "link.yaml").symlink_to("../common.yaml")
        (root / "app" / "out.yaml").symlink_to(tmp_path / "secret")
        os.mkfifo(root / "app" / "fifo")
        return Request("", "", "", (), "", str(root / "app"), str(root))

    @pytest.mark.parametrize(
        ("path", "found"),
        [
            ("values.yaml", "app/values.yaml"),
            ("./values.yaml", "app/values.yaml"),
            ("../common.yaml", "common.yaml"),
            ("/common.yaml", "common.yaml"),
            ("/app/values.yaml", "app/values.yaml"),
            ("link.yaml", "common.yaml"),
        ],
    )
    def test_inside(self, request_: Request, path: str, found: str) -> None:
        assert find_file(request_, path, "here") == f"{request_.root}/{found}"

    @pytest.mark.parametrize(
        ("path", "message"),
        [
            ("../../secret", "leads out of the repository"),
            ("/../secret", "leads out of the repository"),
            ("out.yaml", "leads out of the repository"),
            ("/etc/passwd", "is no file of the repository"),
            ("missing.yaml", "is no file of the repository"),
            (".", "is no file of the repository"),
            ("fifo", "is no file of the repository"),
            ("/dev/zero", "is no file of the repository"),
            ("https://127.0.0.1/x", "is an address"),
            ("HTTPS://127.0.0.1/x", "is an address"),
            ("secrets://values.yaml", "is an address"),
            ("git::https://127.0.0.1/x", "is an address"),
            ("git@127.0.0.1:x", "is an address"),
            ("//127.0.0.1/x", "is an address"),
            ("\\\\127.0.0.1\\x", "is an address"),
            ("c:\\x", "is an address"),
            ("", "is no path"),
            ("a\nb", "is no path"),
            ("$(id)", "is no file of the repository"),
            ("--kubeconfig", "is no file of the repository"),
        ],
    )
    def test_outside(self, request_: Request, path: str, message: str) -> None:
        with pytest.raises(Refused, match=message) as found:
            find_file(request_, path, "parameter x")
        assert found.value.message.startswith(f"parameter x: {path!r}")

    def test_names_alike_are_not_within(self) -> None:
        assert is_within("/a/b", "/a")
        assert is_within("/a", "/a")
        assert is_within("/a", "/")
        assert not is_within("/ab", "/a")

    @pytest.mark.parametrize("text", ["a/b.yaml", "./x", "a-b_c.yaml", "dir/v1:x.yaml", "a@b.yaml"])
    def test_paths_are_no_addresses(self, text: str) -> None:
        assert not is_address(text)


class TestRepository:
    def test_links_inside_are_fine(self, tmp_path: Path) -> None:
        (tmp_path / "a" / "b").mkdir(parents=True)
        (tmp_path / "a" / "x").write_text("")
        (tmp_path / "a" / "b" / "up").symlink_to("..")
        (tmp_path / "a" / "b" / "x").symlink_to("../x")
        (tmp_path / "gone").symlink_to("nothing")
        check_repository(str(tmp_path))

    @pytest.mark.parametrize("target", ["/etc/passwd", "..", "../x", "/", "/dev/zero"])
    def test_links_out(self, tmp_path: Path, target: str) -> None:
        (tmp_path / "a").mkdir()
        (tmp_path / "a" / "x").symlink_to(target if target.startswith("/") else f"../{target}")
        with pytest.raises(Refused, match=r"^a/x: is a link that leads out of the repository"):
            check_repository(str(tmp_path))

    def test_special_files(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "fifo")
        with pytest.raises(Refused, match="^fifo: is no regular file"):
            check_repository(str(tmp_path))
