"""Layers unpacked into a directory in memory: nothing outside changes, and the archive alone is blamed.  Needs root."""

import errno
import os
import shutil
import stat
import tempfile

from tests.tars import directory, entry, hard_link, symlink, tar_of
from wharfd.model.errors import InvalidParameter
from wharfd.workers.unpack.layer import unpack_layer

SEEDS = [
    tar_of(symlink("a", ".."), entry("a/victim", b"evil"), hard_link("h", "a/victim"), entry("h", b"evil")),
    tar_of(
        directory("d", 0o2777), entry("d/.wh.x"), entry("d/.wh..wh..opq"), symlink("d", "/"), entry("d/victim", b"evil")
    ),
    tar_of(entry("a/b/c/d", b"1" * 700), hard_link("x", "a/b/c/d"), entry("a", b"file"), symlink("l", "a/../..")),
    tar_of(entry("/victim", b"evil"), entry("./x/../victim", b"evil"), symlink("s", "../victim"), entry("s", b"evil")),
    tar_of(entry("n", type=b"3", devmajor=1, devminor=3), entry("p", type=b"6"), entry("f" * 150, b"x")),
]
# What only a full or failing disk may say.
OURS = frozenset((errno.ENOSPC, errno.EDQUOT))


def with_sums(data: bytes) -> bytes:
    """Headers with their sums made right again: else few mutations get beyond the first check."""
    out = bytearray(data)
    for at in range(0, len(out) - 511, 512):
        if out[at + 257 : at + 262] == b"ustar":
            out[at + 148 : at + 156] = b" " * 8
            out[at + 148 : at + 156] = b"%06o\0 " % sum(out[at : at + 512])
    return bytes(out)


def fuzz_one(data: bytes) -> None:
    before = os.umask(0)
    top = tempfile.mkdtemp(dir="/dev/shm")
    try:
        blob, victim = f"{top}/blob", f"{top}/victim"
        for path, content in ((blob, with_sums(data)), (victim, b"untouched")):
            with open(path, "wb") as file:
                file.write(content)
        try:
            unpack_layer(blob, "", f"{top}/root")
        except InvalidParameter:
            pass
        except OSError as e:
            if e.errno not in OURS:
                raise
        status = os.lstat(victim)
        with open(victim, "rb") as file:
            assert file.read() == b"untouched"
        assert (status.st_nlink, stat.S_IMODE(status.st_mode)) == (1, 0o666)
        assert sorted(os.listdir(top)) == ["blob", "root", "victim"]
    finally:
        shutil.rmtree(top)
        os.umask(before)
