"""Contexts that come in, digests of their parts, layers that are packed, and what a step left behind."""

import os
import tarfile
from pathlib import Path

import pytest

from tests.tars import Member, directory, entry, hard_link, symlink, tar_of
from wharfd.model.errors import InvalidParameter, NotFound
from wharfd.model.tree import DigestedEntry, RootView, Selection
from wharfd.sys import memfd
from wharfd.wire.treedigest import TreeIndex
from wharfd.workers.build.context import receive_context
from wharfd.workers.build.digests import digest_selections
from wharfd.workers.build.looking import list_directory, list_tree, read_range, stat_entry
from wharfd.workers.build.packing import pack_layer
from wharfd.workers.build.stubs import finish_run
from wharfd.workers.protocol import PackLayer

pytestmark = pytest.mark.root

MEMBERS = [
    directory("dir"),
    entry("dir/x", b"x", mode=0o755),
    entry("dir/sub/y.md", b"y"),
    entry("a.txt", b"a"),
    symlink("link", "dir/x"),
    symlink("dirlink", "/dir"),
    hard_link("hard", "a.txt"),
    entry(".wh.kept", b""),
]


def received(into: Path, *members: Member) -> list[DigestedEntry]:
    into.mkdir(exist_ok=True)
    fd = memfd.create("context", tar_of(*members))
    try:
        return receive_context(fd, str(into))
    finally:
        os.close(fd)


def test_a_context_is_what_its_archive_says(tmp_path: Path) -> None:
    found = {each.entry.path: each for each in received(tmp_path / "c", *MEMBERS)}
    assert found.keys() == {"dir", "dir/x", "dir/sub", "dir/sub/y.md", "a.txt", "link", "dirlink", "hard", ".wh.kept"}
    assert found["hard"].digest == found["a.txt"].digest != ""
    assert (tmp_path / "c/link").read_text() == "x"
    assert found["dir/x"].entry.mode & 0o777 == 0o755


@pytest.mark.parametrize(
    "members",
    [
        [entry("../evil", b"x")],
        [symlink("out", "/"), entry("out/../../evil", b"x")],
        [hard_link("h", "../../../../etc/passwd")],
        [hard_link("h", "/etc/passwd")],
    ],
)
def test_a_context_that_wants_to_leave_is_refused(tmp_path: Path, members: list[Member]) -> None:
    with pytest.raises(InvalidParameter):
        received(tmp_path / "c", *members)
    assert not (tmp_path / "evil").exists()


def test_a_context_writes_through_its_own_links_into_itself_only(tmp_path: Path) -> None:
    received(tmp_path / "c", symlink("abs", str(tmp_path)), entry("abs/evil", b"x"))
    assert not (tmp_path / "evil").exists()


def test_a_device_in_a_context_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "t", "w") as archive:
        member = tarfile.TarInfo("dev")
        member.type, member.devmajor, member.devminor = tarfile.BLKTYPE, 8, 0
        archive.addfile(member)
    (tmp_path / "c").mkdir()
    fd = os.open(tmp_path / "t", os.O_RDONLY)
    with pytest.raises(InvalidParameter, match="device"):
        receive_context(fd, str(tmp_path / "c"))
    os.close(fd)


@pytest.mark.parametrize(
    "selection",
    [
        Selection(path="/"),
        Selection(path="dir"),
        Selection(path="a.txt"),
        Selection(path="link"),
        Selection(path="link", follow_links=True),
        Selection(path="dirlink", follow_links=True),
        Selection(path="dirlink/sub"),
        Selection(path="*.txt", wildcard=True),
        Selection(path="*/sub/*", wildcard=True),
        Selection(path="dirlink/s*", wildcard=True),
        Selection(path="no*", wildcard=True),
        Selection(path="/", exclude=["**/*.md"]),
        Selection(path="/", exclude=["dir", "!dir/x"]),
        Selection(path="/", include=["dir/sub"]),
        Selection(path="/", required=["a.txt"]),
    ],
    ids=str,
)
def test_a_digest_does_not_depend_on_who_computes_it(tmp_path: Path, selection: Selection) -> None:
    index = TreeIndex(received(tmp_path / "c", *MEMBERS))
    os.chmod(tmp_path / "c", 0o755)
    view = RootView(lower=[str(tmp_path / "c")])
    # The root itself is no entry of an archive.
    if selection.path == "/":
        parts = [Selection(path=name) for name in ("dir", "a.txt")]
        assert [index.select(each) for each in parts] == digest_selections(view, parts)
        return
    assert [index.select(selection)] == digest_selections(view, [selection])


def test_different_content_or_modes_have_different_digests_and_times_do_not_count(tmp_path: Path) -> None:
    def digest(number: int, *members: Member) -> object:
        return TreeIndex(received(tmp_path / str(number), *members)).select(Selection(path="f"))

    variants = [
        digest(1, entry("f", b"1")),
        digest(2, entry("f", b"2")),
        digest(3, entry("f", b"1", mode=0o700)),
        digest(4, symlink("f", "x")),
        digest(5, directory("f")),
    ]
    assert len(set(variants)) == len(variants)
    received(tmp_path / "6", entry("f", b"1"))
    os.utime(tmp_path / "6/f", (0, 0))
    (tmp_path / "1/f").chmod(0o644)
    (tmp_path / "6/f").chmod(0o644)
    views = [RootView(lower=[str(tmp_path / name)]) for name in ("1", "6")]
    one, other = (digest_selections(view, [Selection(path="f")]) for view in views)
    assert one == other


def test_what_is_not_there_has_no_digest(tmp_path: Path) -> None:
    index = TreeIndex(received(tmp_path / "c", *MEMBERS))
    view = RootView(lower=[str(tmp_path / "c")])
    for selection in (Selection(path="nope"), Selection(path="a.txt/x"), Selection(path="/", required=["nope"])):
        assert index.select(selection) is None
        with pytest.raises(NotFound, match="not found"):
            digest_selections(view, [selection])


def test_looking_into_a_root(tmp_path: Path) -> None:
    received(tmp_path / "c", *MEMBERS)
    view = RootView(lower=[str(tmp_path / "c")])
    assert read_range(view, "/link", 0, 10) == b"x"
    assert read_range(view, "dir/sub/y.md", 1, 10) == b""
    assert stat_entry(view, "link").link_target == "dir/x"
    assert stat_entry(view, "/").is_directory
    assert [each.path for each in list_directory(view, "dirlink")] == ["sub", "x"]
    listed = {each.path: each for each in list_tree(view)}
    assert listed["hard"].link_target == "a.txt"
    for path in ("nope", "nope/x"):
        with pytest.raises(NotFound):
            read_range(view, path, 0, 1)
        with pytest.raises(NotFound):
            list_directory(view, path)
    with pytest.raises(InvalidParameter, match="is a directory"):
        read_range(view, "dir", 0, 1)


@pytest.fixture
def layers(tmp_path: Path) -> tuple[Path, Path]:
    lower, upper = tmp_path / "lower", tmp_path / "upper"
    lower.mkdir()
    upper.mkdir()
    return lower, upper


def packed(tmp_path: Path, upper: Path, lower: Path, **more: object) -> tuple[list[tarfile.TarInfo], str]:
    spool = tmp_path / "spool"
    spool.mkdir(exist_ok=True)
    made = pack_layer(PackLayer(str(upper), [str(lower)], str(spool), "gzip", **more))  # type: ignore[arg-type]
    with tarfile.open(spool / made.digest.removeprefix("sha256:")) as archive:
        return archive.getmembers(), made.diff_id


def test_a_layer_is_packed_with_times_no_later_than_wanted(tmp_path: Path, layers: tuple[Path, Path]) -> None:
    lower, upper = layers
    (upper / "old").write_text("o")
    (upper / "new").write_text("n")
    os.utime(upper / "old", (1000, 1000))
    members, diff_id = packed(tmp_path, upper, lower, clamp_ns=5000 * 10**9)
    assert {each.name: each.mtime for each in members} == {"old": 1000, "new": 5000}
    os.utime(upper / "new", (6000, 6000))
    assert packed(tmp_path, upper, lower, clamp_ns=5000 * 10**9)[1] == diff_id
    assert packed(tmp_path, upper, lower)[1] != diff_id


def test_a_layer_without_changes_is_an_archive_without_members(tmp_path: Path, layers: tuple[Path, Path]) -> None:
    lower, upper = layers
    assert packed(tmp_path, upper, lower)[0] == []


def test_mount_points_go_unless_something_is_in_them(layers: tuple[Path, Path]) -> None:
    lower, upper = layers
    (lower / "there").mkdir()
    for name in ("there", "run/secrets", "cache/dir", "used"):
        (upper / name).mkdir(parents=True)
    (upper / "run/secrets/key").touch()
    (upper / "used/file").write_text("12345")
    view = RootView(lower=[str(lower)], upper=str(upper))
    assert finish_run(view, ["/run/secrets/key", "/cache/dir", "/used", "/there", "/nope"]) == 5
    assert {str(each.relative_to(upper)) for each in upper.rglob("*")} == {"there", "used", "used/file"}


def test_a_mount_point_behind_a_link_is_left_alone(tmp_path: Path, layers: tuple[Path, Path]) -> None:
    lower, upper = layers
    outside = tmp_path / "outside"
    (outside / "empty").mkdir(parents=True)
    (upper / "link").symlink_to(outside)
    finish_run(RootView(lower=[str(lower)], upper=str(upper)), ["/link/empty"])
    assert (outside / "empty").exists()
