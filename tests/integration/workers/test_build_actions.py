"""File actions on roots made of layers, in this process: what workers do when they are asked."""

import io
import os
import stat
import tarfile
from pathlib import Path

import pytest

from wharfd.model.errors import InvalidParameter, NotFound
from wharfd.model.fileactions import (
    AnyAction,
    Copy,
    MakeDirectory,
    MakeFile,
    Named,
    Owner,
    Remove,
    Symlink,
)
from wharfd.model.tree import RootView
from wharfd.sys import mountinfo
from wharfd.workers.build.actions import apply_actions
from wharfd.workers.build.roots import opened

pytestmark = pytest.mark.root


class Root:
    """A target over one layer, and a source."""

    def __init__(self, path: Path) -> None:
        self.source, self.lower, self.upper, self.work = (path / name for name in ("source", "lower", "upper", "work"))
        for each in (self.source, self.lower, self.upper, self.work):
            each.mkdir()
        self.view = RootView(lower=[str(self.lower)], upper=str(self.upper), work=str(self.work))

    def do(self, *actions: AnyAction) -> int:
        return apply_actions(self.view, [RootView(lower=[str(self.source)])], actions)

    def copy(self, source: str, destination: str, **more: object) -> int:
        how = {"contents_only": True, "create_destination": True, **more}
        return self.do(Copy(source_input=0, source=source, destination=destination, **how))  # type: ignore[arg-type]

    def shown(self) -> set[str]:
        """Every path of the root."""
        with opened(self.view) as root:
            return {
                os.path.join(folder, name).removeprefix("./")
                for folder, folders, names, _ in os.fwalk(".", dir_fd=root)
                for name in (*folders, *names)
            }

    def read(self, path: str) -> str:
        with opened(self.view) as root, open(f"/proc/self/fd/{root}/{path}", encoding="utf-8") as file:
            return file.read()


@pytest.fixture
def root(tmp_path: Path) -> Root:
    made = Root(tmp_path)
    write(made.source, {"a.txt": "a", "b.md": "b", "dir/x": "x", "dir/sub/y": "y", "dir/sub/z.md": "z"})
    write(made.lower, {"etc/passwd": "app:x:12:13::/:\n", "etc/group": "staff:x:50:\n", "opt/old": "old"})
    return made


def write(base: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        (base / name).parent.mkdir(parents=True, exist_ok=True)
        (base / name).write_text(content)


@pytest.mark.parametrize(
    ("source", "destination", "more", "expected"),
    [
        ("a.txt", "/", {}, {"a.txt"}),
        ("a.txt", "/new", {}, {"new"}),
        ("a.txt", "/new/", {}, {"new", "new/a.txt"}),
        ("a.txt", "/opt", {}, {"opt/a.txt"}),
        ("a.txt", "/opt/old", {}, set()),
        ("dir", "/", {}, {"x", "sub", "sub/y", "sub/z.md"}),
        ("dir", "/new", {}, {"new", "new/x", "new/sub", "new/sub/y", "new/sub/z.md"}),
        (
            "dir",
            "/opt",
            {"contents_only": False},
            {"opt/dir", "opt/dir/x", "opt/dir/sub", "opt/dir/sub/y", "opt/dir/sub/z.md"},
        ),
        ("*.txt", "/t/", {"wildcard": True}, {"t", "t/a.txt"}),
        ("*/sub", "/t/", {"wildcard": True}, {"t", "t/y", "t/z.md"}),
        ("dir", "/t", {"exclude": ["**/*.md"]}, {"t", "t/x", "t/sub", "t/sub/y"}),
        ("/", "/t", {"include": ["dir/sub/*.md"]}, {"t", "t/dir", "t/dir/sub", "t/dir/sub/z.md"}),
        ("no*", "/t/", {"wildcard": True, "allow_empty_wildcard": True}, set()),
    ],
)
def test_what_a_copy_brings(
    root: Root, source: str, destination: str, more: dict[str, object], expected: set[str]
) -> None:
    before = root.shown()
    root.copy(source, destination, **more)
    assert root.shown() - before == expected


def test_attributes_come_along_or_are_given(root: Root) -> None:
    os.utime(root.source / "dir/x", ns=(10**18, 10**18))
    os.chmod(root.source / "dir/x", 0o4750)
    root.copy("dir", "/kept")
    root.copy("dir", "/given", owner=Owner(user=8, group=9), mode=0o600)
    root.copy("dir", "/moded", mode_text="u=rwX,go=", owner=Owner(user=7))
    kept, given = (root.upper / name / "x" for name in ("kept", "given"))
    assert (stat.S_IMODE(kept.stat().st_mode), kept.stat().st_mtime_ns) == (0o4750, 10**18)
    assert (given.stat().st_uid, given.stat().st_gid, stat.S_IMODE(given.stat().st_mode)) == (8, 9, 0o600)
    moded = root.upper / "moded/sub"
    assert (moded.stat().st_uid, moded.stat().st_gid, stat.S_IMODE(moded.stat().st_mode)) == (7, 7, 0o700)


def test_a_directory_made_for_the_contents_of_another_does_not_take_after_it(root: Root) -> None:
    for name in ("dir", "dir/sub"):
        os.chmod(root.source / name, 0o700)
        os.chown(root.source / name, 5, 5)
    root.copy("dir", "/new")
    root.copy("dir", "/whole", contents_only=False)
    root.copy("dir", "/given", mode=0o711, owner=Owner(user=3))
    status = {name: (root.upper / name).stat() for name in ("new", "new/sub", "whole", "given")}
    found = {name: (stat.S_IMODE(each.st_mode), each.st_uid) for name, each in status.items()}
    assert found == {"new": (0o755, 0), "new/sub": (0o700, 5), "whole": (0o700, 5), "given": (0o711, 3)}


def test_directories_on_the_way_have_the_mode_that_is_given(root: Root) -> None:
    root.copy("a.txt", "/way/to/", mode=0o555)
    root.copy("a.txt", "/plain/to/")
    modes = [stat.S_IMODE((root.upper / name).stat().st_mode) for name in ("way", "way/to", "plain")]
    assert modes == [0o555, 0o555, 0o755]


def test_owners_are_looked_up_in_the_root_they_name(root: Root) -> None:
    root.copy("a.txt", "/mine", owner=Owner(user=Named(name="app", input=-1), group=Named(name="staff", input=-1)))
    status = (root.upper / "mine").stat()
    assert (status.st_uid, status.st_gid) == (12, 50)
    with pytest.raises(InvalidParameter, match="unable to find user nobody"):
        root.copy("a.txt", "/mine", owner=Owner(user=Named(name="nobody", input=-1)))


def test_names_of_one_file_stay_one_file(root: Root) -> None:
    os.link(root.source / "dir/x", root.source / "dir/sub/x2")
    root.copy("dir", "/t")
    assert (root.upper / "t/x").stat().st_ino == (root.upper / "t/sub/x2").stat().st_ino


def test_links_of_the_target_stay_inside(root: Root, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (root.lower / "abs").symlink_to(outside)
    (root.lower / "up").symlink_to("../../../../../../../../tmp")
    root.copy("a.txt", "/abs/")
    root.copy("a.txt", "/up/inner/")
    assert list(outside.iterdir()) == []
    assert {f"{str(outside).lstrip('/')}/a.txt", "tmp/inner/a.txt"} <= root.shown()


def test_links_of_the_source_stay_inside(root: Root, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (root.source / "out").symlink_to(tmp_path / "secret")
    (root.source / "outdir").symlink_to(tmp_path)
    root.copy("out", "/link")
    assert os.readlink(root.upper / "link") == str(tmp_path / "secret")
    with pytest.raises(NotFound):
        root.copy("out", "/followed", follow_links=True)
    with pytest.raises(NotFound):
        root.copy("outdir/secret", "/x")
    with pytest.raises(NotFound):
        root.copy("../secret", "/x")


def test_a_link_that_is_followed(root: Root) -> None:
    (root.source / "link").symlink_to("dir/x")
    root.copy("link", "/t/", follow_links=True)
    assert root.read("t/link") == "x"


@pytest.mark.parametrize(
    ("action", "error", "message"),
    [
        (Copy(source_input=0, source="nope", destination="/x"), NotFound, '"/nope": not found'),
        (Copy(source_input=0, source="n*", destination="/x", wildcard=True), NotFound, r"n\* not found"),
        (Copy(source_input=0, source="a.txt", destination="/no/x"), NotFound, "failed to stat /no/x"),
        (Copy(source_input=0, source="a.txt", destination="/", required=["/b", "/c"]), NotFound, '"/b": not found'),
        (Remove(path="/nope"), NotFound, "stat /nope: no such file or directory"),
        (Remove(path="/"), InvalidParameter, "root"),
        (MakeDirectory(path="/no/such"), NotFound, '"/no": not found'),
        (MakeFile(path="/opt"), InvalidParameter, "is a directory"),
        (Symlink(target="x", path="/opt/old"), InvalidParameter, "file exists"),
        (
            Copy(source_input=0, source="dir", destination="/opt/old/x", create_destination=True),
            InvalidParameter,
            "not a directory",
        ),
    ],
)
def test_what_cannot_be_done_is_told(root: Root, action: AnyAction, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        root.do(action)


def test_a_file_is_not_put_over_a_directory_unless_it_may(root: Root) -> None:
    write(root.source, {"tree/opt": "file"})
    with pytest.raises(InvalidParameter, match="cannot replace to directory /opt with file"):
        root.copy("tree", "/")
    root.copy("tree", "/", replace=True)
    assert root.read("opt") == "file"


def test_files_directories_and_links_are_made(root: Root) -> None:
    size = root.do(
        MakeDirectory(path="/a/b/c", parents=True, mode=0o750, owner=Owner(user=3), timestamp_ns=10**18),
        MakeDirectory(path="/opt"),
        MakeFile(path="/a/f", data=b"data", mode=0o600),
        MakeFile(path="/a/f", data=b"again", mode=0o600),
        Symlink(target="/a/f", path="/a/l"),
        Remove(path="/opt/*", wildcard=True),
        Remove(path="/gone", allow_not_found=True),
    )
    assert size == 5
    assert root.read("a/f") == "again"
    made = (root.upper / "a/b/c").stat()
    assert (stat.S_IMODE(made.st_mode), made.st_uid, made.st_gid, made.st_mtime_ns) == (0o750, 3, 3, 10**18)
    assert os.readlink(root.upper / "a/l") == "/a/f"
    assert "opt/old" not in root.shown()


@pytest.mark.parametrize("mode", ["w:", "w:gz", "w:bz2", "w:xz"])
def test_archives_are_unpacked_where_that_is_wanted(root: Root, mode: str) -> None:
    with tarfile.open(root.source / "pack", mode) as archive:  # type: ignore[call-overload]  # it knows no choice of modes
        member = tarfile.TarInfo("in/file")
        member.size, member.uid = 4, 99
        archive.addfile(member, io.BytesIO(b"data"))
    root.copy("pack", "/as/", unpack=False)
    root.copy("pack", "/un/", unpack=True, owner=Owner(user=5))
    root.copy("a.txt", "/un/", unpack=True)
    assert {"as/pack", "un/in/file", "un/a.txt"} <= root.shown()
    assert "un/pack" not in root.shown()
    assert (root.upper / "un/in/file").stat().st_uid == 5


def test_an_archive_does_not_leave_its_place(root: Root) -> None:
    with tarfile.open(root.source / "pack", "w") as archive:
        archive.addfile(tarfile.TarInfo("../../../../evil"))
    with pytest.raises(InvalidParameter):
        root.copy("pack", "/un/", unpack=True)


def test_nothing_stays_mounted(root: Root, tmp_path: Path) -> None:
    root.copy("a.txt", "/x")
    assert mountinfo.mounts_below(str(tmp_path)) == []
