"""The mount table's grammar and the questions asked of it."""

import pytest

from wharfd.sys.mountinfo import mount_of, mountinfo, mounts_below, parse_mountinfo

TABLE = rb"""21 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard
30 21 0:26 / /run rw,nosuid shared:2 master:1 - tmpfs tmpfs rw,size=10%
31 30 0:4 net:[4026532000] /run/netns/a rw - nsfs nsfs rw
32 21 0:40 / /data/m\040erged rw,relatime - overlay overlay rw,lowerdir=/l\134:1:/l2,upperdir=/u
33 32 0:41 / /data/m\040erged/proc rw - proc proc rw
34 21 0:42 /sub /data/m rw master:5 propagate_from:2 - xfs /dev/x rw
35 21 0:43 / /run ro - tmpfs over rw
"""


def test_fields_escapes_and_tags() -> None:
    entries = parse_mountinfo(TABLE)
    assert len(entries) == 7
    root, run, netns, overlay, *_ = entries
    assert (root.mount_id, root.parent_id, root.device, root.root, root.mount_point) == (21, 1, "254:0", "/", "/")
    assert root.is_shared
    assert not root.is_slave
    assert run.tags == ("shared:2", "master:1")
    assert run.is_slave
    assert (netns.root, netns.fs_type, netns.tags) == ("net:[4026532000]", "nsfs", ())
    assert overlay.mount_point == "/data/m erged"
    assert overlay.super_options == ("rw", "lowerdir=/l\\:1:/l2", "upperdir=/u")


@pytest.mark.parametrize(
    "line", [b"", b"1 2 3", b"36 35 98:0 / / rw master:1 ext3 /dev/root rw", b"x 1 0:1 / / rw - a b c"]
)
def test_other_lines_are_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match="not a mountinfo line"):
        parse_mountinfo(line + b"\n")


def test_mounts_below_come_topmost_first_and_stay_within_the_path() -> None:
    entries = parse_mountinfo(TABLE)
    assert [e.mount_id for e in mounts_below("/data/m erged", entries)] == [33, 32]
    assert [e.mount_id for e in mounts_below("/data/m", entries)] == [34]
    assert [e.mount_id for e in mounts_below("/run/", entries)] == [35, 31, 30]
    assert [e.mount_id for e in mounts_below("/nothing", entries)] == []
    assert len(mounts_below("/", entries)) == 7


def test_mount_of_takes_the_deepest_and_among_equals_the_last() -> None:
    entries = parse_mountinfo(TABLE)

    def found(path: str) -> int:
        entry = mount_of(path, entries)
        assert entry is not None
        return entry.mount_id

    assert found("/data/m erged/etc/passwd") == 32
    assert found("/data/mx") == 21
    assert found("/run/x") == 35
    assert found("/run/netns/a") == 31


def test_the_real_table_is_parsed() -> None:
    assert any(entry.mount_point == "/" for entry in mountinfo())
