"""The header `X-Docker-Container-Path-Stat`: standard base 64 of a JSON object, with file modes as Go's `os.FileMode` has them."""

import base64
import stat

import msgspec

from wharfd.model.files import PathStat
from wharfd.wire.timestamps import format_rfc3339_nano

EPOCH = "1970-01-01T00:00:00Z"  # a file's time like any other, and not one that never was
HEADER = "X-Docker-Container-Path-Stat"

_KINDS = {
    stat.S_IFDIR: 1 << 31,
    stat.S_IFLNK: 1 << 27,
    stat.S_IFBLK: 1 << 26,
    stat.S_IFCHR: 1 << 26 | 1 << 21,
    stat.S_IFIFO: 1 << 25,
    stat.S_IFSOCK: 1 << 24,
}
_SPECIAL = ((stat.S_ISUID, 1 << 23), (stat.S_ISGID, 1 << 22), (stat.S_ISVTX, 1 << 20))


def go_mode(mode: int) -> int:
    found = mode & 0o777 | _KINDS.get(stat.S_IFMT(mode), 0)
    for bit, go_bit in _SPECIAL:
        if mode & bit:
            found |= go_bit
    return found


def encode_path_stat(status: PathStat) -> str:
    """What is no UTF-8 in a name is replaced, as Go's encoder does."""
    document = {
        "name": status.name.decode("utf-8", "replace"),
        "size": status.size,
        "mode": go_mode(status.mode),
        "mtime": format_rfc3339_nano(status.mtime_ns) if status.mtime_ns else EPOCH,
        "linkTarget": status.link_target.decode("utf-8", "replace"),
    }
    return base64.b64encode(msgspec.json.encode(document)).decode()
