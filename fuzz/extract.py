"""Archives put into a container's root in memory, as PUT archive does it: nothing outside changes, and the archive alone is blamed.

Needs root.  The root is not empty: it has links that lead everywhere, which a hostile archive may use.
"""

import errno
import os
import shutil
import stat
import tempfile

from fuzz.unpack import with_sums
from tests.tars import directory, entry, hard_link, symlink, tar_of
from wharfd.model.errors import InvalidParameter
from wharfd.model.files import Extraction
from wharfd.wire.containerpath import parse_container_path
from wharfd.workers.files.extract import extract

SEEDS = [
    tar_of(symlink("a", ".."), entry("a/victim", b"evil"), hard_link("h", "a/victim"), entry("h", b"evil")),
    tar_of(entry("up/victim", b"evil"), entry("away/victim", b"evil"), hard_link("h", "up/victim")),
    tar_of(entry("loop/x"), directory("up", 0o2777), entry("file/x"), entry("dir", b"x"), directory("file")),
    tar_of(entry("../victim", b"evil"), entry("/victim", b"evil"), entry("./x/../victim", b"evil")),
    tar_of(symlink("s", "/"), symlink("s/t", "../../victim"), entry("t", b"evil"), directory("away", uid=1, gid=2)),
    tar_of(hard_link("h", "../victim"), hard_link("i", "away"), symlink("h", "x"), entry("dir/sub/y", b"1" * 700)),
    tar_of(entry("n", type=b"3", devmajor=1, devminor=3), entry("p", type=b"6"), entry("f" * 150, b"x", mode=0o6777)),
    tar_of(
        entry("x", b"q", pax={"SCHILY.xattr.user.k": "v", "SCHILY.xattr.trusted.overlay.opaque": "y"}),
        entry("s", b"ab", pax={"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "99999999"}),
        entry("m", pax={"mtime": "-99999999999.5", "uid": "4294967294", "path": "dir/../dir/sub/../z"}),
    ),
]
# What only a full or failing disk may say.
OURS = frozenset((errno.ENOSPC, errno.EDQUOT))
HOWS = (Extraction(), Extraction(keep_kinds=True), Extraction(owner=(7, 8)))
TARGETS = ("/", "/dir", "/dir/.", "/in", "/away")


def make_root(top: str) -> str:
    root = f"{top}/root"
    os.makedirs(f"{root}/dir/sub")
    with open(f"{root}/file", "wb") as file:
        file.write(b"old")
    for name, target in (("up", "../.."), ("away", top), ("in", "/dir"), ("loop", "loop"), ("dir/back", "../../..")):
        os.symlink(target, f"{root}/{name}")
    return root


def put(root: str, data: bytes, target: str, how: Extraction) -> None:
    """Raises OSError for nothing but a disk's failure."""
    descriptors = [os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC), os.memfd_create("archive")]
    try:
        os.write(descriptors[1], data)
        os.lseek(descriptors[1], 0, os.SEEK_SET)
        extract(descriptors[1], descriptors[0], parse_container_path(target), how)
    except InvalidParameter:
        pass
    except OSError as e:
        if e.errno not in OURS:
            raise
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def fuzz_one(data: bytes) -> None:
    before = os.umask(0)
    top = tempfile.mkdtemp(dir="/dev/shm")
    try:
        victim = f"{top}/victim"
        with open(victim, "wb") as file:
            file.write(b"untouched")
        os.chmod(victim, 0o640)
        root = make_root(top)
        os.makedirs(f"{root}{top}")  # where the link `away` leads from inside
        choice = sum(data[:4096])
        put(root, with_sums(data), TARGETS[choice % len(TARGETS)], HOWS[choice % len(HOWS)])
        status = os.lstat(victim)
        with open(victim, "rb") as file:
            assert file.read() == b"untouched"
        assert (status.st_nlink, stat.S_IMODE(status.st_mode), status.st_uid) == (1, 0o640, os.geteuid())
        assert sorted(os.listdir(top)) == ["root", "victim"]
        place = os.lstat(top)
        assert (place.st_uid, stat.S_IMODE(place.st_mode)) == (os.geteuid(), 0o700)
    finally:
        shutil.rmtree(top)
        os.umask(before)
