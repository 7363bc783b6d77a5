"""How far a log was sent: a small file beside it (`path.sent`), so that the next engine goes on from there.

The file of the log is known by its first bytes, which begin with a time in nanoseconds: its name changes with each rotation, and its
inode with the compression.
"""

import contextlib
import os
import zlib

import msgspec

from wharfd.drivers.logs.files import LogFiles, Segment
from wharfd.wire.loglines import OpenLine

SUFFIX = ".sent"
HEAD = 96  # bytes by which a file is known


class Bookmark(msgspec.Struct, frozen=True, kw_only=True):
    """Everything before `offset` in the file that begins with `head` was sent, but for what of the open lines is in `open_lines`."""

    head: bytes = b""
    offset: int = 0
    open_lines: list[OpenLine] = []


def load(log: str) -> Bookmark:
    """An empty one if there is none."""
    try:
        with open(log + SUFFIX, "rb") as file:
            return msgspec.json.decode(file.read(), type=Bookmark)
    except (OSError, msgspec.DecodeError):
        return Bookmark()


def save(log: str, bookmark: Bookmark) -> None:
    """Without a sync: after a power cut something may be sent twice."""
    temporary = f"{log}{SUFFIX}.new"
    with contextlib.suppress(FileNotFoundError):  # the container is being removed
        with open(temporary, "wb", opener=private) as file:
            file.write(msgspec.json.encode(bookmark))
        os.rename(temporary, log + SUFFIX)


def private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o640)


def position_of(bookmark: Bookmark, files: LogFiles) -> int | None:
    """None: that file is not there any more."""
    if not bookmark.head:
        return 0
    for segment in files.segments:
        head = head_of(segment)
        if head[: len(bookmark.head)] == bookmark.head and segment.size() >= bookmark.offset:
            return segment.begin + bookmark.offset
    return None


def bookmark_at(at: int, files: LogFiles, open_lines: list[OpenLine]) -> Bookmark:
    for segment in reversed(files.segments):
        if segment.begin < at:
            return Bookmark(head=head_of(segment), offset=at - segment.begin, open_lines=open_lines)
    return Bookmark(open_lines=open_lines)


def head_of(segment: Segment) -> bytes:
    if segment.note is None:
        return os.pread(segment.fd, HEAD, 0)
    try:
        return zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(os.pread(segment.fd, 4096, 0), HEAD)
    except zlib.error:
        return b""
