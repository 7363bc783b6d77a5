"""The log file that conmon writes (`k8s-file`), and the fast way from it to what a client of `logs` receives.

    2024-01-01T00:00:00.123456789+00:00 stdout F text
    |                                 | |      | |
    0                                35 36    43 45

Every place before the text is fixed.  `F` ends a line; `P` is a piece of one (conmon's read ended there), joined with what follows
on the same stream.  `E` is not conmon's: it says that a line is over without a newline, since its container
was.  The file may hold other zones than UTC if it was written by a monitor of another TZ; those are converted.
A record that does not have this form (after a power cut) is skipped.

The encoder takes blocks of many lines (256 KiB is a good size) and never loops in Python over the lines of an ordinary block:
columns are taken with `itemgetter`, headers come from a cache keyed by stream and length.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import compress, repeat
from operator import getitem, itemgetter
from typing import NamedTuple

from wharfd.model.errors import InvalidParameter
from wharfd.wire import stdcopy
from wharfd.wire.timestamps import format_fixed_nano, parse_rfc3339

TIME_SIZE = 35
PREFIX_SIZE = 45  # time, stream, tag and their blanks
STDOUT, STDERR = 1, 2
MAX_RECORD = 1 << 20  # bytes; a longer one is no record
MAX_JOINED = 16 * 1024  # bytes of one line that are held back while its end is awaited

_STREAM_AT, _TAG_AT = 39, 43  # stdOut, stdErr; F, P, E
_PARTIAL, _CUT = ord("P"), ord("E")
_NEAR_BY = 4 * MAX_JOINED  # bytes without a record of a stream after which it is taken to be between two lines
_FAST_RUN = 8  # lines; below that the set-up of the fast way costs more than it saves
_STREAM_OF = {ord("o"): STDOUT, ord("e"): STDERR}
_LETTER_OF = {STDOUT: b"o", STDERR: b"e"}
_UTC = b"+00:00"
_STAMP_SIZE = 29  # the time without its zone

_stream_column = itemgetter(_STREAM_AT)
_tag_column = itemgetter(_TAG_AT)
_text_column = itemgetter(slice(PREFIX_SIZE, None))
_stamp_column = itemgetter(slice(0, _STAMP_SIZE))
_zone_column = itemgetter(slice(_STAMP_SIZE, TIME_SIZE))


class Record(NamedTuple):
    stream: int  # 1 stdout, 2 stderr
    time: bytes  # 35 bytes, as in the file
    partial: bool
    text: bytes  # without the newline
    cut: bool = False  # the line is over, and has no newline


def parse_record(line: bytes) -> Record | None:
    """One line of the file without its newline; None if it is no record."""
    if not _is_record(line):
        line = line.lstrip(b"\0")  # a block of the disk that was allocated and never written
        if not _is_record(line):
            return None
    tag = line[_TAG_AT]
    return Record(_STREAM_OF[line[_STREAM_AT]], line[:TIME_SIZE], tag == _PARTIAL, line[PREFIX_SIZE:], tag == _CUT)


def _is_record(line: bytes) -> bool:
    return PREFIX_SIZE <= len(line) <= MAX_RECORD and line[_STREAM_AT] in _STREAM_OF and line[_TAG_AT] in b"FPE"


def format_record(record: Record) -> bytes:
    """The line as conmon writes it, with its newline."""
    name = b"stdout" if record.stream == STDOUT else b"stderr"
    tag = b"P" if record.partial else b"E" if record.cut else b"F"
    return b"%b %b %b %b\n" % (record.time, name, tag, record.text)


def scan(block: bytes) -> Iterator[Record]:
    """The records of a block of whole lines; what is no record is skipped."""
    for line in block.split(b"\n"):
        record = parse_record(line)
        if record is not None:
            yield record


def record_time(at_ns: int) -> bytes:
    """35 bytes of time in UTC."""
    return format_fixed_nano(at_ns)[:-1].encode() + _UTC


def parse_time(time: bytes) -> int:
    """Nanoseconds of a record's time.

    Raises:
        InvalidParameter: it is no time.
    """
    return parse_rfc3339(time.decode("ascii", "replace"))


def count_lines(block: bytes) -> int:
    """Lines that end in a block of whole records."""
    lines = block.split(b"\n")
    lines.pop()
    tags = _tags(lines)
    letters = _column(lines, _stream_column, _STREAM_AT)
    ends = tags.count(b"F")
    if ends + tags.count(b"P") == len(lines) == letters.count(b"o") + letters.count(b"e"):
        return ends
    return sum(1 for record in scan(block) if not record.partial)


def last_is_open(block: bytes) -> dict[int, bool]:
    """Of each stream that has a record in the block: whether its last one leaves its line open."""
    lines = block.split(b"\n")
    lines.pop()
    letters = _column(lines, _stream_column, _STREAM_AT)
    found: dict[int, bool] = {}
    for letter, stream in _STREAM_OF.items():
        at = letters.rfind(letter)
        while at >= 0 and stream not in found:
            record = parse_record(lines[at])
            if record is not None:
                found[stream] = record.partial
            at = letters.rfind(letter, 0, at)
    return found


def first_time(window: bytes) -> tuple[int, int] | None:
    """Where the first record begins that begins behind a newline of this window, and its time; None if there is none."""
    at = window.find(b"\n") + 1
    while at > 0 and (stop := window.find(b"\n", at)) >= 0:
        record = parse_record(window[at:stop])
        if record is not None:
            try:
                return at, parse_time(record.time)
            except InvalidParameter:
                pass
        at = stop + 1
    return None


class TailStart(NamedTuple):
    """Where to begin reading for the last lines: at `offset`, and of what is complete from there on drop `skip` lines."""

    offset: int
    skip: int


def tail_start(window: bytes, lines: int, whole: bool, *, goes_on: bool = False) -> TailStart | None:
    """Find where the last `lines` lines begin in the end of a file.

    `whole`: the window is the entire file; else its first record may be cut and None means that a larger window is needed.
    `goes_on`: the window ends before the file does, at a record's end: lines that are open there are not counted.
    Lines are counted in the order in which they end; one whose end is not there yet comes after all others.  `skip` is not 0 only
    where the two streams interleave within lines.
    """
    end = window.rfind(b"\n") + 1
    wanted = lines
    if not goes_on:
        if lines <= 0:
            return TailStart(end, 0)
        start, unfinished = _open_lines(window, end, whole)
        wanted = lines - unfinished
        if wanted <= 0:
            return start
    for _, stop, _, partial in _backwards(window, end, whole):
        if not partial:
            if wanted == 0:
                return _open_lines(window, stop, whole)[0]
            wanted -= 1
    return TailStart(0, 0) if whole else None


def unfinished_lines(window: bytes, whole: bool) -> int:
    """How many lines are open at the end of a file."""
    return _open_lines(window, window.rfind(b"\n") + 1, whole)[1]


def _open_lines(window: bytes, cut: int, whole: bool) -> tuple[TailStart, int]:
    """Where the lines begin that have begun and not ended at `cut`, and how many there are (of two streams, at most two)."""
    ended = 0
    first = TailStart(cut, 0)
    unfinished: set[int] = set()
    settled: set[int] = set()
    for start, _, stream, partial in _backwards(window, cut, whole):
        if partial and stream not in settled:
            unfinished.add(stream)
            first = TailStart(start, ended)
        elif not partial:
            settled.add(stream)
            ended += 1
        if len(settled) == 2 or first.offset - start > _NEAR_BY:
            break
    return first, len(unfinished)


def _backwards(window: bytes, end: int, whole: bool) -> Iterator[tuple[int, int, int, bool]]:
    """Records that end at `end` and before, the last first: start, stop, stream, partial."""
    stop = end
    while stop > 0:
        start = window.rfind(b"\n", 0, stop - 1) + 1
        if start == 0 and not whole:
            return
        record = parse_record(window[start : stop - 1])
        if record is not None:
            yield start, stop, record.stream, record.partial
        stop = start


class _Headers(dict[int, bytes]):
    """Of one stream: length of the record -> the newline that ends the line before, and this line's frame header."""

    def __init__(self, stream: int, extra: int) -> None:
        super().__init__()
        self.stream = stream
        self.extra = extra  # bytes of the payload besides the text and its newline

    def __missing__(self, length: int) -> bytes:
        if length < PREFIX_SIZE:
            raise IndexError("record too short")
        header = b"\n" + stdcopy.header(self.stream, length - PREFIX_SIZE + 1 + self.extra)
        if length < MAX_JOINED:
            self[length] = header
        return header


class _HeaderTables:
    """The headers of both streams, by the letter that tells them apart."""

    def __init__(self, extra: int) -> None:
        self.of = {letter: _Headers(stream, extra) for letter, stream in _STREAM_OF.items()}

    def column(self, lines: list[bytes], streams: bytes) -> Iterable[bytes]:
        if streams.count(streams[0]) == len(streams):
            return map(self.of[streams[0]].__getitem__, map(len, lines))
        return map(getitem, map(self.of.__getitem__, streams), map(len, lines))


_plain_headers = _HeaderTables(0)
_stamp_headers = _HeaderTables(_STAMP_SIZE + 2)


def _tags(lines: list[bytes]) -> bytes:
    return _column(lines, _tag_column, _TAG_AT)


def _column(lines: list[bytes], getter: Callable[[bytes], int], at: int) -> bytes:
    """The byte at `at` of each line, 0 where a line is shorter."""
    try:
        return bytes(map(getter, lines))
    except IndexError:
        return bytes(line[at] if len(line) > at else 0 for line in lines)


def _closed_run(lines: list[bytes], tags: bytes, at: int) -> tuple[list[bytes], int]:
    """The lines from `at` up to the first piece whose line does not end right behind it; pieces before that are joined."""
    run: list[bytes] = []
    while (piece := tags.find(_PARTIAL, at)) >= 0:
        run += lines[at:piece]
        joined, at = _join(lines, tags, piece)
        if joined is None:
            return run, piece
        run.append(joined)
    run += lines[at:]
    return run, len(lines)


def _join(lines: list[bytes], tags: bytes, at: int) -> tuple[bytes | None, int]:
    """Join a piece with the records right behind it, if they are of its stream and end its line; gives the next index."""
    first = lines[at]
    if not _is_record(first):
        return None, at
    letter, size = first[_STREAM_AT], len(first)
    parts = [first[:_TAG_AT], b"F", first[_TAG_AT + 1 :]]
    for number in range(at + 1, len(lines)):
        line, tag = lines[number], tags[number]
        size += len(line) - PREFIX_SIZE
        if (
            size - PREFIX_SIZE >= MAX_JOINED
            or len(line) < PREFIX_SIZE
            or line[_STREAM_AT] != letter
            or tag not in b"FP"
        ):
            return None, at
        parts.append(line[PREFIX_SIZE:])
        if tag != _PARTIAL:
            return b"".join(parts), number + 1
    return None, at


class _Open:
    """A line whose end has not come yet."""

    __slots__ = ("begun", "drop", "parts", "size", "time")

    def __init__(self, time: bytes, drop: bool) -> None:
        self.time = time
        self.parts: list[bytes] = []
        self.size = 0
        self.drop = drop  # filtered out by its time
        self.begun = False  # a first piece has been given out already


class LogEncoder:
    """Blocks of the file in, bytes for the client out: frames (or raw text), chosen streams, time bounds, times before lines.

    Output is the same for any cutting of the input into blocks, save where `flush` is called.
    `prefix` stands before every line, after the time.  `skip_lines`: see `TailStart`.
    `continued`: streams that begin in the middle of a line, of which nothing is given out.
    `finished` becomes True once a line is younger than `until_ns`.
    """

    def __init__(
        self,
        *,
        stdout: bool = True,
        stderr: bool = True,
        framed: bool = True,
        timestamps: bool = False,
        prefix: bytes = b"",
        since_ns: int = 0,
        until_ns: int = 0,
        skip_lines: int = 0,
        continued: Iterable[int] = (),
    ) -> None:
        self.finished = False
        self._is_late = False
        self._wanted = {stream for stream, on in ((STDOUT, stdout), (STDERR, stderr)) if on}
        self._selector = bytes(_STREAM_OF.get(c) in self._wanted for c in range(256))
        self._framed = framed
        self._timestamps = timestamps
        self._prefix = prefix
        self._since = record_time(since_ns)[:_STAMP_SIZE] if since_ns > 0 else b""
        self._until = record_time(until_ns)[:_STAMP_SIZE] if until_ns > 0 else b""
        self._needs_time = timestamps or bool(self._since or self._until)
        self._skip = skip_lines
        self._rest = b""
        self._discarding = False  # in the middle of something too long to be a record
        self._open = {stream: _Open(b"", True) for stream in continued}
        extra = len(prefix)
        if extra:
            self._headers = _HeaderTables(extra + (_STAMP_SIZE + 2 if timestamps else 0))
        else:
            self._headers = _stamp_headers if timestamps else _plain_headers

    def feed(self, block: bytes) -> bytes:
        """What the new bytes complete."""
        lines = [] if self.finished else self._lines(block)
        if not lines:
            return b""
        tags = _tags(lines)
        is_ordinary = not self._open and not self._skip and tags.count(b"F") == len(lines) >= _FAST_RUN
        if is_ordinary and (fast := self._feed_fast(lines)) is not None:
            return fast
        out: list[bytes] = []
        at, end = 0, len(lines)
        while at < end:
            if self._open or self._skip:
                run, stop = lines[at : at + 1], at + 1
            else:
                run, stop = _closed_run(lines, tags, at)
                fast = self._feed_fast(run) if len(run) >= _FAST_RUN and _tags(run).count(b"F") == len(run) else None
                if fast is not None:
                    out.append(fast)
                    at, run = stop, []
            if stop == at and not run:  # a piece whose end is not next to it
                run, stop = lines[at : at + 1], at + 1
            for line in run:
                out.append(self._feed_line(line))
                if self.finished:
                    self._rest = b""
                    return b"".join(out)
            at = stop
        return b"".join(out)

    def flush(self) -> bytes:
        """The pieces of lines that are held back while their end is awaited."""
        return b"".join(
            self._give_piece(stream, line) for stream, line in self._open.items() if line.parts and self._lets(stream)
        )

    def finish(self) -> bytes:
        """No more will come: lines that were begun end here, without a newline."""
        return b"".join([self._end(stream, line, b"") for stream, line in list(self._open.items())])

    def _lets(self, stream: int) -> bool:
        return stream in self._wanted and not self._skip

    def _lines(self, block: bytes) -> list[bytes]:
        """The lines that end in this block; the rest is kept."""
        if self._discarding:
            _, newline, block = block.partition(b"\n")
            self._discarding = not newline
        data = self._rest + block if self._rest else block
        lines = data.split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > MAX_RECORD:
            self._rest, self._discarding = b"", True
        if len(data) > MAX_RECORD:
            lines = [line for line in lines if len(line) <= MAX_RECORD]
        return lines

    # --- ordinary blocks

    def _feed_fast(self, lines: list[bytes]) -> bytes | None:
        """Whole lines only: each has its tag F.  None unless all are well-formed and their times in UTC."""
        streams = bytes(map(_stream_column, lines))
        if streams.count(b"o") + streams.count(b"e") != len(lines):
            return None
        if self._needs_time:
            if set(map(_zone_column, lines)) != {_UTC}:
                return None
            if self._since or self._until:
                stamps = list(map(_stamp_column, lines))
                if self._until and max(stamps) > self._until:
                    return None
                if self._since and min(stamps) < self._since:
                    inside = list(map(self._since.__le__, stamps))
                    lines, streams = list(compress(lines, inside)), bytes(compress(streams, inside))
        if len(self._wanted) == 1:
            chosen = streams.translate(self._selector)
            lines, streams = list(compress(lines, chosen)), bytes(compress(streams, chosen))
        if not lines:
            return b""
        try:
            return self._render(lines, streams)
        except IndexError:
            return None

    def _render(self, lines: list[bytes], streams: bytes) -> bytes:
        columns: list[Iterable[bytes]] = []
        if self._framed:
            columns.append(self._headers.column(lines, streams))
        elif min(map(len, lines)) < PREFIX_SIZE:
            raise IndexError("record too short")
        elif not (self._timestamps or self._prefix):
            return b"\n".join(map(_text_column, lines)) + b"\n"
        else:
            columns.append(repeat(b"\n", len(lines)))
        if self._timestamps:
            columns += [map(_stamp_column, lines), repeat(b"Z " + self._prefix, len(lines))]
        elif self._prefix:
            columns.append(repeat(self._prefix, len(lines)))
        columns.append(map(_text_column, lines))
        # The columns side by side, a line's pieces behind one another.
        width = len(columns)
        parts = [b""] * (width * len(lines))
        for position, column in enumerate(columns):
            parts[position::width] = column
        parts[0] = parts[0][1:]  # no line before the first
        parts.append(b"\n")
        return b"".join(parts)

    # --- any line

    def _feed_line(self, raw: bytes) -> bytes:
        record = parse_record(raw)
        if record is None:
            return b""
        line = self._open.get(record.stream)
        if line is None:
            line = self._open[record.stream] = self._begin(record)
        line.parts.append(record.text)
        line.size += len(record.text)
        given = b""
        if not record.partial:
            given = self._end(record.stream, line, b"" if record.cut else b"\n")
        elif line.size >= MAX_JOINED and self._lets(record.stream):
            given = self._give_piece(record.stream, line)
        # A line of the other stream that began in time may have its end behind the first that did not.
        self.finished = self._is_late and all(line.drop for line in self._open.values())
        return given

    def _begin(self, record: Record) -> _Open:
        time = self._in_utc(record.time) if self._needs_time else record.time
        if self._until and time[:_STAMP_SIZE] > self._until and not self._skip:
            self._is_late = True
        is_early = bool(self._since) and time[:_STAMP_SIZE] < self._since
        return _Open(time, is_early or self._is_late)

    def _end(self, stream: int, line: _Open, newline: bytes) -> bytes:
        del self._open[stream]
        if self._skip:
            self._skip -= 1
            return b""
        if line.drop or stream not in self._wanted:
            return b""
        line.parts.append(newline)
        return self._dress(stream, line) if any(line.parts) else b""

    def _give_piece(self, stream: int, line: _Open) -> bytes:
        piece = b"" if line.drop else self._dress(stream, line)
        line.begun = True
        line.parts.clear()
        line.size = 0
        return piece

    def _dress(self, stream: int, line: _Open) -> bytes:
        if not line.begun:
            head = line.time[:_STAMP_SIZE] + b"Z " if self._timestamps else b""
            line.parts.insert(0, head + self._prefix)
        text = b"".join(line.parts)
        return stdcopy.frame(stream, text) if self._framed else text

    @staticmethod
    def _in_utc(time: bytes) -> bytes:
        if time[_STAMP_SIZE:] == _UTC:
            return time
        try:
            return record_time(parse_time(time))
        except InvalidParameter:
            return time
