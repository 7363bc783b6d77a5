"""Which file of a log goes on in the middle of a line.

The monitor writes what it reads as pieces (`P`) where a read ended within a line, so a rotation may part a line from its beginning.
When the file with the beginning has been deleted, the rest is no line: readers leave it out.  That it is one is noted on the file it
is in, in an extended attribute (the streams, `1` and `2`), which a renaming keeps.  Without attributes the rest is shown.
"""

import contextlib
import os

from wharfd.wire.crilog import last_is_open

ATTRIBUTE = "user.wharfd.continues"
ENDING = 64 * 1024  # bytes at the end of a file in which a line left open is looked for


def note_continuation(path: str, before: str) -> None:
    """Note on `path` the streams whose line was begun in the file `before` it.

    A file that is gone, or cannot be noted on, is passed over.
    """
    with contextlib.suppress(OSError):
        with open(before, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - ENDING))
            last = last_is_open(file.read())
            streams = {stream for stream, is_open in last.items() if is_open}
            streams |= continued_streams(file.fileno()) - last.keys()
        if streams:
            os.setxattr(path, ATTRIBUTE, "".join(map(str, sorted(streams))).encode())


def continued_streams(fd: int) -> set[int]:
    """The streams whose first record in this file is the rest of a line that was begun in the file before."""
    with contextlib.suppress(OSError):
        return {int(chr(digit)) for digit in os.getxattr(fd, ATTRIBUTE) if digit in b"12"}
    return set()


def copy_note(source: int, target: int) -> None:
    with contextlib.suppress(OSError):
        os.setxattr(target, ATTRIBUTE, os.getxattr(source, ATTRIBUTE))
