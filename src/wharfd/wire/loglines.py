"""Lines out of conmon's log, one message each, for receivers that take messages: syslog, GELF, fluentd, the journal.

    assembler = Assembler(new_id=…)
    for block in file: send(assembler.feed(block))
    send(assembler.finish())                          # the container has ended

A line longer than `LONGEST` comes in pieces.  What is held back between two blocks (`open_lines`, and `rest`, the bytes of a record
that has no end yet) can be put down and given to another assembler, which then goes on as this one would have.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from wharfd.model.errors import InvalidParameter
from wharfd.wire.crilog import MAX_RECORD, Record, parse_record, parse_time

LONGEST = 16 * 1024  # bytes of text in one message; Docker's


class Part(NamedTuple):
    """A piece of a line.  `line_id` is the same for all of its pieces; `ordinal` counts from 1."""

    line_id: str
    ordinal: int
    is_last: bool


class Message(NamedTuple):
    """`stream` 1 is stdout, 2 stderr; `text` has no newline; `part` is None for a whole line."""

    stream: int
    at_ns: int
    text: bytes
    part: Part | None = None


class OpenLine(msgspec.Struct):
    """A line that has begun.  `line_id` empty: no piece of it has been given out."""

    stream: int
    at_ns: int
    text: bytes = b""
    line_id: str = ""
    ordinal: int = 0


class Assembler:
    """`new_id` names a line that comes in pieces."""

    def __init__(self, new_id: Callable[[], str], open_lines: Sequence[OpenLine] = ()) -> None:
        self.new_id = new_id
        self.lines = {line.stream: msgspec.structs.replace(line) for line in open_lines}
        self.rest = b""

    @property
    def open_lines(self) -> list[OpenLine]:
        return [msgspec.structs.replace(line) for line in self.lines.values()]

    def feed(self, block: bytes) -> list[Message]:
        """What the new bytes complete."""
        lines = (self.rest + block).split(b"\n")
        self.rest = lines.pop()
        if len(self.rest) > MAX_RECORD:  # no record
            self.rest = b""
        messages: list[Message] = []
        for line in lines:
            record = parse_record(line)
            if record is not None:
                self.take(record, messages)
        return messages

    def finish(self) -> list[Message]:
        """No more will come: lines that were begun end here."""
        messages: list[Message] = []
        for line in list(self.lines.values()):
            if line.text:
                self.give_piece(line, line.text, messages, is_last=False)
        self.lines.clear()
        return messages

    def take(self, record: Record, messages: list[Message]) -> None:
        line = self.lines.get(record.stream)
        if line is None:
            if record.cut:
                return  # of a line that was given out when its container ended
            at_ns = time_of(record)
            if not record.partial and len(record.text) <= LONGEST:
                messages.append(Message(record.stream, at_ns, record.text))
                return
            line = self.lines[record.stream] = OpenLine(record.stream, at_ns)
        line.text += record.text
        while len(line.text) > LONGEST or (record.partial and len(line.text) == LONGEST):
            piece, line.text = line.text[:LONGEST], line.text[LONGEST:]
            self.give_piece(line, piece, messages, is_last=False)
        if record.partial:
            return
        del self.lines[record.stream]
        if line.line_id:
            self.give_piece(line, line.text, messages, is_last=True)
        else:
            messages.append(Message(line.stream, line.at_ns, line.text))

    def give_piece(self, line: OpenLine, text: bytes, messages: list[Message], *, is_last: bool) -> None:
        line.line_id = line.line_id or self.new_id()
        line.ordinal += 1
        messages.append(Message(line.stream, line.at_ns, text, Part(line.line_id, line.ordinal, is_last)))


def time_of(record: Record) -> int:
    try:
        return parse_time(record.time)
    except InvalidParameter:
        return 0
