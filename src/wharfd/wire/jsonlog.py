"""Docker's json-file log: a JSON object a line, for programs that read dockerd's files.

    {"log":"text\\n","stream":"stdout","attrs":{"k":"v"},"time":"2024-01-01T00:00:00.123456789Z"}

The text carries its newline; a line that was written in pieces has one object for each, and only the last ends in one.  JSON cannot
hold bytes that are not UTF-8: they become U+FFFD, as in dockerd's files.
"""

import msgspec

from wharfd.model.errors import InvalidParameter
from wharfd.wire.crilog import STDERR, STDOUT, Record, parse_time
from wharfd.wire.timestamps import format_rfc3339_nano, parse_rfc3339

_NAMES = {STDOUT: "stdout", STDERR: "stderr"}
_NUMBERS = {name: number for number, name in _NAMES.items()}


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One object.  `stream` is 1 (stdout) or 2 (stderr)."""

    text: str
    stream: int
    at_ns: int
    attributes: dict[str, str] | None = None


class _Wire(msgspec.Struct, omit_defaults=True):
    log: str = ""
    stream: str = ""
    attrs: dict[str, str] | None = None
    time: str = ""


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(_Wire)


def encode(line: Line) -> bytes:
    """The object and a newline."""
    wire = _Wire(line.text, _NAMES[line.stream], line.attributes, format_rfc3339_nano(line.at_ns))
    return _encoder.encode(wire) + b"\n"


def from_record(record: Record, attributes: dict[str, str] | None = None) -> Line:
    """The json-file line of a record of conmon's log.

    Raises:
        InvalidParameter: the record's time is none.
    """
    text = record.text.decode("utf-8", "replace")
    return Line(
        text=text if record.partial else text + "\n",
        stream=record.stream,
        at_ns=parse_time(record.time),
        attributes=attributes,
    )


def decode(data: bytes) -> Line:
    """Parse one line, with or without its newline.

    Raises:
        InvalidParameter: it is no such object.
    """
    try:
        wire = _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as e:
        raise InvalidParameter(f"invalid log line: {e}") from e
    stream = _NUMBERS.get(wire.stream)
    if stream is None:
        raise InvalidParameter(f"invalid log line: stream {wire.stream!r}")
    return Line(text=wire.log, stream=stream, at_ns=parse_rfc3339(wire.time), attributes=wire.attrs)
