"""The files of one log: `path`, which the monitor writes, and before it those that were rotated away, the oldest with the highest number.

    path.3.gz  path.2.gz  path.1  path

A rotation makes room by renaming from the gap upwards, then renames `path` to `path.1`.  Each step is one rename, and none of them lands on
a name that is in use, so an engine that dies between two steps leaves at most a gap in the numbers, or one file too many.  While `path`
is missing, the monitor still writes `path.1`: it has yet to be told.
"""

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

COMPRESSED = ".gz"
UNFINISHED = ".gz.tmp"  # a compressed file that is being written
FRESH = ".tmp"  # conmon makes its new file under this name and renames it

_SUFFIX = re.compile(r"\.([1-9][0-9]{0,8})(\.gz)?")


@dataclass(frozen=True, slots=True)
class Generation:
    """One rotated file.  `number` 1 is the newest."""

    path: str
    number: int
    is_compressed: bool


def rotated(path: str) -> list[Generation]:
    """The newest first.  A file that is there both ways counts as plain: it was compressed, and not deleted yet."""
    folder, base = os.path.split(path)
    found: dict[int, Generation] = {}
    for name in names_in(folder):
        match = _SUFFIX.fullmatch(name, len(base)) if name.startswith(base) else None
        if match is None:
            continue
        number, is_compressed = int(match[1]), match[2] is not None
        if number not in found or not is_compressed:
            found[number] = Generation(os.path.join(folder, name), number, is_compressed)
    return [found[number] for number in sorted(found)]


def names_in(folder: str) -> list[str]:
    try:
        return os.listdir(folder or ".")
    except FileNotFoundError:
        return []


def tidy(path: str) -> None:
    """Take away what a compression that was broken off has left."""
    folder, base = os.path.split(path)
    for name in names_in(folder):
        if name.startswith(f"{base}.") and name.endswith(UNFINISHED):
            remove(os.path.join(folder, name))
    for each in rotated(path):
        if not each.is_compressed and os.path.exists(each.path + COMPRESSED):
            remove(each.path)


def shift(path: str) -> None:
    """Rename the file that is being written to `path.1`.  Raises OSError; what is renamed by then stays so."""
    generations = {each.number: each for each in rotated(path)}
    gap = next(number for number in range(1, len(generations) + 2) if number not in generations)
    for number in range(gap - 1, 0, -1):
        each = generations[number]
        os.rename(each.path, f"{path}.{number + 1}{COMPRESSED if each.is_compressed else ''}")
    os.rename(path, f"{path}.1")


def trim(path: str, keep: int) -> None:
    """Delete all but the `keep` newest rotated files."""
    for each in rotated(path)[keep:]:
        remove(each.path)


def remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def all_files(path: str) -> Iterator[Generation]:
    """The newest first, beginning with the one that is being written, whether it is there or not (number 0)."""
    yield Generation(path, 0, False)
    yield from rotated(path)
