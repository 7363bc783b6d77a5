"""Users and groups of an image."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfd.model.errors import InvalidParameter
from wharfd.wire.userdb import (
    GroupEntry,
    PasswdEntry,
    ResolvedUser,
    format_group,
    format_passwd,
    parse_group,
    parse_passwd,
    resolve_user,
)

PASSWD = """\
root:x:0:0:root:/root:/bin/sh
adm:x:42:43:adm:/var/adm:/bin/false

1234:x:7:8::/odd:
short:x:9
garbage
www:x:33:33:www:/var/www:/bin/false
"""
GROUP = """\
# a comment
root:x:0:root
adm:x:43:
audio:x:29:www,adm
video:x:44:www
111:x:222:
grp:x:1111:
"""


@pytest.mark.parametrize(
    ("spec", "uid", "gid", "groups", "home"),
    [
        ("", 0, 0, (0,), "/root"),
        ("root", 0, 0, (0,), "/root"),
        ("adm", 42, 43, (43, 29), "/var/adm"),
        ("www", 33, 33, (33, 29, 44), "/var/www"),
        ("33", 33, 33, (33, 29, 44), "/var/www"),
        ("www:audio", 33, 29, (29,), "/var/www"),
        ("www:500", 33, 500, (500,), "/var/www"),
        ("www:", 33, 33, (33, 29, 44), "/var/www"),
        ("1000", 1000, 0, (0,), ""),
        ("1000:1000", 1000, 1000, (1000,), ""),
        ("1000:grp", 1000, 1111, (1111,), ""),
        ("1234", 1234, 0, (0,), ""),  # a number is no name
        ("www:111", 33, 111, (111,), "/var/www"),
        ("short", 9, 0, (0,), ""),
        (":grp", 0, 1111, (1111,), "/root"),
    ],
)
def test_resolve(spec: str, uid: int, gid: int, groups: tuple[int, ...], home: str) -> None:
    assert resolve_user(spec, PASSWD, GROUP) == ResolvedUser(uid, gid, groups, home)


def test_without_files_only_numbers_are_known() -> None:
    assert resolve_user("") == ResolvedUser(0, 0, (0,), "")
    assert resolve_user("5:6", group_add=["7"]) == ResolvedUser(5, 6, (6, 7), "")


def test_group_add() -> None:
    assert resolve_user("www", PASSWD, GROUP, ["grp", "video", "4000"]).additional_gids == (33, 29, 44, 1111, 4000)


@pytest.mark.parametrize(
    ("spec", "add", "message"),
    [
        ("nobody", [], "unable to find user nobody: no matching entries in passwd file"),
        ("root:nogroup", [], "unable to find group nogroup: no matching entries in group file"),
        ("root", ["nogroup"], "unable to find group nogroup: no matching entries in group file"),
        ("-1", [], "uids and gids must be in range 0-2147483647"),
        ("2147483648", [], "uids and gids must be in range 0-2147483647"),
        ("0:99999999999999999999999", [], "uids and gids must be in range 0-2147483647"),
        ("1:1:1", [], "unable to find group 1:1: no matching entries in group file"),
    ],
)
def test_refused(spec: str, add: list[str], message: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        resolve_user(spec, PASSWD, GROUP, add)
    assert str(caught.value) == message


def test_an_entry_out_of_range_is_refused() -> None:
    with pytest.raises(InvalidParameter, match="uids and gids"):
        resolve_user("big", "big:x:4294967294:0::/:\n")


fields = st.text(
    st.characters(codec="ascii", exclude_characters=":\n\r,#\x0b\x0c\x1c\x1d\x1e"), min_size=1, max_size=6
).filter(lambda s: s.strip() == s)
ids = st.integers(0, (1 << 31) - 1)


@given(st.lists(st.builds(PasswdEntry, fields, ids, ids, fields)))
def test_passwd_round_trip(entries: list[PasswdEntry]) -> None:
    assert parse_passwd(format_passwd(entries)) == entries


@given(st.lists(st.builds(GroupEntry, fields, ids, st.lists(fields, max_size=3).map(tuple))))
def test_group_round_trip(entries: list[GroupEntry]) -> None:
    assert parse_group(format_group(entries)) == entries


@given(st.text(max_size=10), st.text(alphabet="ax0:,\n#-", max_size=40), st.text(alphabet="ax0:,\n#-", max_size=40))
def test_any_text_resolves_or_is_refused(spec: str, passwd: str, group: str) -> None:
    try:
        resolve_user(spec, passwd, group, [spec])
    except InvalidParameter:
        pass


def test_only_newlines_end_a_line() -> None:
    sly = "a:x:5:5:\u2028b:x:0:0::/:\x0cc:x:0:0::/:\r\nd:x:6:6::/d:"
    assert [entry.name for entry in parse_passwd(sly)] == ["a", "d"]
