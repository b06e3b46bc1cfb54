from __future__ import annotations

import pytest

from postrenderer.registry.errors import RegistryError
from postrenderer.registry.users import User, UserText, find_user, list_needed_files, parse_user_text

PASSWD = b"root:x:0:0:root:/root:/bin/sh\npython:x:1001:1002::/home/python:/bin/sh\n toor:x:0:0::/:\n7:x:77:78::/:\n"
GROUP = b"root:x:0:\nstaff:x:50:python\n"


@pytest.mark.parametrize(
    ("text", "user", "group"),
    [
        ("", 0, None),
        ("1001", 1001, None),
        ("0", 0, None),
        ("007", 7, None),
        ("+5", 5, None),
        ("2147483647", 2147483647, None),
        ("2147483648", "2147483648", None),
        ("9" * 50, "9" * 50, None),
        ("-1", "-1", None),
        ("0x10", "0x10", None),
        ("1_000", "1_000", None),
        ("٣", "٣", None),
        (" 1001", " 1001", None),
        ("python", "python", None),
        ("1001:1002", 1001, 1002),
        ("python:staff", "python", "staff"),
        (":1001", 0, 1001),
        ("1001:", 1001, 0),
        ("python:", "python", 0),
        (":", 0, 0),
    ],
)
def test_user_text(text: str, user: int | str, group: int | str | None) -> None:
    assert parse_user_text(text) == UserText(user, group)


def test_two_colons_start_nowhere() -> None:
    with pytest.raises(RegistryError, match="more than one colon"):
        parse_user_text("a:b:c")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", User(0, 0, False)),
        ("0", User(0, 0, False)),
        ("1001", User(1001, 1002, False)),
        ("4242", User(4242, 0, False)),
        ("4242:50", User(4242, 50, False)),
        ("python", User(1001, 1002, True)),
        ("python:staff", User(1001, 50, True)),
        ("python:", User(1001, 0, True)),
        ("1001:staff", User(1001, 50, False)),
        ("root", User(0, 0, True)),
        ("toor", User(0, 0, True)),
        (":staff", User(0, 50, False)),
    ],
)
def test_user_is_who_a_runtime_says(text: str, expected: User) -> None:
    assert find_user(parse_user_text(text), PASSWD, GROUP) == expected


def test_a_number_needs_no_file_and_leaves_the_group_open() -> None:
    spec = parse_user_text("1001")
    assert list_needed_files(spec) == ()
    assert find_user(spec) == User(1001, None, False)
    assert find_user(parse_user_text("")) == User(0, 0, False)


@pytest.mark.parametrize(
    ("text", "files"),
    [
        ("1001:1001", ()),
        ("python", ("etc/passwd",)),
        ("python:1001", ("etc/passwd",)),
        ("1001:staff", ("etc/group",)),
        ("python:staff", ("etc/passwd", "etc/group")),
    ],
)
def test_files_are_read_for_names_only(text: str, files: tuple[str, ...]) -> None:
    assert list_needed_files(parse_user_text(text)) == files


@pytest.mark.parametrize(
    ("text", "passwd", "group", "message"),
    [
        ("nobody", PASSWD, None, "user nobody is not in the image's /etc/passwd.*unable to find user nobody"),
        ("python", None, None, "user python is a name, and the image has no /etc/passwd"),
        ("python", b"", None, "is not in"),
        ("1001:wheel", None, GROUP, "group wheel is not in the image's /etc/group"),
        ("1001:wheel", None, None, "has no /etc/group"),
        ("4294967296", PASSWD, None, "4294967296 is not in"),
        ("-1", PASSWD, None, "user -1 is not in"),
        ("x", b"x:x:4294967296:0::/:\n", None, "number 4294967296"),
        ("x", b"x:x:-1:0::/:\n", None, "number -1"),
        ("x", b"x:x:5:-1::/:\n", None, "number -1"),
    ],
)
def test_user_that_does_not_start(text: str, passwd: bytes | None, group: bytes | None, message: str) -> None:
    with pytest.raises(RegistryError, match=message):
        find_user(parse_user_text(text), passwd, group)


@pytest.mark.parametrize(
    ("passwd", "expected"),
    [
        (b"x:x:5:6::/:\nx:x:7:8::/:\n", User(5, 6, True)),
        (b"\n\n  x:x:5:6  \r\n", User(5, 6, True)),
        (b"x", User(0, 0, True)),
        (b"x:x:five:6", User(0, 6, True)),
        (b"\xff:x:1:1\nx:x:5", User(5, 0, True)),
        (b"# x:x:9:9\nx:x:5:6\n", User(5, 6, True)),
    ],
)
def test_passwd_is_read_as_runc_reads_it(passwd: bytes, expected: User) -> None:
    assert find_user(parse_user_text("x"), passwd) == expected


def test_name_that_looks_like_a_number_in_passwd() -> None:
    assert find_user(parse_user_text("7"), PASSWD) == User(7, 0, False)
