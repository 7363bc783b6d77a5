"""Finds where to begin reading a log without reading all of it: for the last lines backwards in blocks, for a time by halves."""

from wharfd.drivers.logs.files import BLOCK, LogFiles
from wharfd.wire.crilog import MAX_RECORD, TailStart, count_lines, first_time, tail_start, unfinished_lines

FIRST_BLOCK = 16 * 1024  # enough for the few lines that are mostly asked for
LARGEST_BLOCK = 2 * MAX_RECORD  # surely has a record's end
BEFORE = 64 * 1024  # looked at for the beginning of lines that are open where the last lines begin
NEAR = 64 * 1024  # what is closer than this to the wanted time is left to the reader
PROBE = 16 * 1024


async def find_tail(files: LogFiles, end: int, lines: int) -> TailStart:
    """Where the last `lines` lines before position `end` begin, and how many complete ones to leave out there.

    Whole blocks are only counted; lines are looked at in the one block where they begin.
    """
    if lines <= 0:
        begin = max(0, end - FIRST_BLOCK)
        block = await files.read_exactly(begin, end - begin)
        return TailStart(begin + block.rfind(b"\n") + 1 if b"\n" in block else end, 0)
    wanted, at, size = lines, end, FIRST_BLOCK
    while at > 0:
        begin = max(0, at - size)
        block = await files.read_exactly(begin, at - begin)
        cut = block.find(b"\n") + 1 if begin > 0 else 0
        if begin > 0 and cut in {0, len(block)}:  # one long record, whose beginning is further up
            if size < LARGEST_BLOCK:
                size = min(2 * size, LARGEST_BLOCK)
                continue
            cut = 0  # no record at all
        if at == end:
            wanted -= unfinished_lines(block, begin == 0)
        ended = count_lines(block[cut:])
        if ended > wanted or wanted < 0 or begin == 0:
            return await find_in_block(files, begin, block, max(wanted, 0) if at < end else lines, at < end)
        wanted -= ended
        at, size = begin + cut, BLOCK
    return TailStart(0, 0)


async def find_in_block(files: LogFiles, begin: int, block: bytes, lines: int, goes_on: bool) -> TailStart:
    """Lines that are open where the last lines begin may have begun in front of the block."""
    while True:
        front = max(0, begin - BEFORE)
        block = await files.read_exactly(front, begin - front) + block
        begin = front
        found = tail_start(block, lines, begin == 0, goes_on=goes_on)
        if found is not None and (begin == 0 or found.offset >= BEFORE or len(block) > LARGEST_BLOCK):
            return TailStart(begin + found.offset, found.skip)
        if begin == 0 or len(block) > LARGEST_BLOCK:
            return TailStart(begin, 0)


async def find_time(files: LogFiles, end: int, since_ns: int, begin: int = 0) -> int:
    """A record's beginning before which all are older than `since_ns`, not far from the first that is not.

    Records are in the order of their times; where the clock was set back, what lies before that may be left out.  `begin`: a record's
    beginning in front of which nothing is wanted.
    """
    low, high = (
        begin,
        end,
    )  # the record at `low` is too old (or the first), those that begin at `high` or behind are not
    while high - low > NEAR:
        middle = (low + high) // 2
        size = PROBE
        found = None
        while found is None and middle + size < high + PROBE and size <= LARGEST_BLOCK:
            found = first_time(await files.read_exactly(middle, min(size, end - middle)))
            size *= 2
        if found is None or middle + found[0] >= high:
            high = middle
        elif found[1] < since_ns:
            low = middle + found[0]
        else:
            high = middle
    return low
