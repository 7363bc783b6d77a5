"""What receivers of logs get: syslog, GELF, fluentd, the journal.  The examples are what dockerd 28 sends for the same lines."""

import gzip
import struct
import zlib

import msgspec
import pytest

from wharfd.model.errors import InvalidParameter
from wharfd.wire import fluent, gelf, journal, syslog
from wharfd.wire.gotime import stamp_of
from wharfd.wire.loglines import Message, Part
from wharfd.wire.timestamps import parse_rfc3339

AT = parse_rfc3339("2026-11-04T14:20:27.788866123Z")
OUT, ERR = Message(1, AT, b"out"), Message(2, AT, b"err")


@pytest.mark.parametrize(
    ("kind", "message", "zone", "wanted"),
    [
        ("", OUT, 0, b"<30>Nov  4 14:20:27 TAG[7]: out\n"),
        ("", ERR, 3600, b"<27>Nov  4 15:20:27 TAG[7]: err\n"),
        ("rfc3164", OUT, 0, b"<30>Nov  4 14:20:27 vm TAG[7]: out\n"),
        ("rfc5424", OUT, 0, b"<30>1 2026-11-04T14:20:27Z vm TAG 7 TAG - out\n"),
        ("rfc5424", ERR, -19800, b"<27>1 2026-11-04T08:50:27-05:30 vm TAG 7 TAG - err\n"),
        ("rfc5424micro", OUT, 0, b"<30>1 2026-11-04T14:20:27.788866Z vm TAG 7 TAG - out\n"),
    ],
)
def test_syslog(kind: str, message: Message, zone: int, wanted: bytes) -> None:
    header = syslog.Header(format=kind, hostname="vm", tag="TAG", pid=7)
    assert syslog.encode(header, message, zone) == wanted


def test_syslog_with_a_length() -> None:
    header = syslog.Header(format="rfc5424", hostname="vm", tag="T", pid=7, has_length=True, facility=19)
    text = b"<158>1 2026-11-04T14:20:27Z vm T 7 T - out\n"
    assert syslog.encode(header, OUT, 0) == b"%d " % len(text) + text


@pytest.mark.parametrize(
    ("text", "facility"),
    [("", 3), ("kern", 0), ("daemon", 3), ("local0", 16), ("local7", 23), ("0", 0), ("23", 23), ("5", 5)],
)
def test_facilities(text: str, facility: int) -> None:
    assert syslog.parse_facility(text) == facility


@pytest.mark.parametrize("text", ["foo", "24", "-1", "-", "LOCAL0", "1.5"])
def test_no_facilities(text: str) -> None:
    with pytest.raises(InvalidParameter, match=r"^invalid syslog facility$"):
        syslog.parse_facility(text)


def test_times() -> None:
    stamp = stamp_of(parse_rfc3339("2024-02-29T23:59:59.000001Z"), 5 * 3600 + 1800)
    assert stamp.short() == "Mar  1 05:29:59"
    assert stamp.rfc3339() == "2024-03-01T05:29:59+05:30"
    assert stamp.rfc3339_micro() == "2024-03-01T05:29:59.000001+05:30"
    assert stamp_of(-(10**30), 0).rfc3339() == "0001-01-01T00:00:00Z"


# GELF


def test_gelf() -> None:
    made = msgspec.json.decode(gelf.encode(ERR, "vm", {"_tag": "T"}))
    assert made == {
        "version": "1.1",
        "host": "vm",
        "short_message": "err",
        "timestamp": 1793802027.788,
        "level": 3,
        "_tag": "T",
    }
    assert list(made)[:3] == ["version", "host", "short_message"]
    assert msgspec.json.decode(gelf.encode(Message(1, AT, b"\xff"), "vm", {}))["short_message"] == "\ufffd"
    assert [gelf.field_name(name) for name in ("a.b-c", "_x")] == ["_a.b-c", "_x"]


@pytest.mark.parametrize("level", [-1, 0, 1, 9])
def test_gelf_compression(level: int) -> None:
    data = b"text " * 100
    assert gzip.decompress(gelf.compress(data, "gzip", level)) == data
    assert zlib.decompress(gelf.compress(data, "zlib", level)) == data
    assert gelf.compress(data, "none", level) == data


def test_gelf_chunks() -> None:
    assert gelf.datagrams(b"x" * 1420, b"12345678") == [b"x" * 1420]
    data = bytes(range(256)) * 20
    pieces = gelf.datagrams(data, b"12345678")
    assert [piece[:12] for piece in pieces] == [b"\x1e\x0f12345678" + bytes([number, 4]) for number in range(4)]
    assert all(len(piece) <= 1420 for piece in pieces)
    assert b"".join(piece[12:] for piece in pieces) == data
    assert len(gelf.datagrams(b"x" * 1408 * 128, b"12345678")) == 128
    assert gelf.datagrams(b"x" * (1408 * 128 + 1), b"12345678") == []


# Fluentd


def test_fluent() -> None:
    piece = Message(1, AT, b"x", Part("id", 2, False))
    tag, entries, options = msgspec.msgpack.decode(fluent.encode("T", [ERR, piece], {"container_name": "/box"}))
    assert (tag, options) == ("T", {"size": 2})
    assert entries == [
        [1793802027, {"container_name": "/box", "source": "stderr", "log": "err"}],
        [
            1793802027,
            {
                "container_name": "/box",
                "source": "stdout",
                "log": "x",
                "partial_message": "true",
                "partial_id": "id",
                "partial_ordinal": "2",
                "partial_last": "false",
            },
        ],
    ]


def test_fluent_with_nanoseconds_and_a_chunk() -> None:
    _, [[at, _]], options = msgspec.msgpack.decode(fluent.encode("T", [OUT], {}, sub_second=True, chunk="c"))
    assert at == msgspec.msgpack.Ext(0, struct.pack(">II", 1793802027, 788866123))
    assert options == {"size": 1, "chunk": "c"}


def test_fluent_s_answers() -> None:
    answer = msgspec.msgpack.encode({"ack": "c"})
    assert fluent.acknowledged(answer) == "c"
    assert fluent.acknowledged(msgspec.msgpack.encode({"ack": b"c"})) == "c"
    assert fluent.acknowledged(answer[:3]) == ""
    assert fluent.acknowledged(b"") == ""
    with pytest.raises(InvalidParameter):
        fluent.acknowledged(msgspec.msgpack.encode([1]))


# The journal


def test_journal() -> None:
    made = journal.encode([("MESSAGE", b"one"), ("TEXT", b"two\nlines"), ("EMPTY", b"")])
    assert made == b"MESSAGE=one\nTEXT\n\x09\0\0\0\0\0\0\0two\nlines\nEMPTY=\n"


@pytest.mark.parametrize(
    ("name", "wanted"), [("tier", "TIER"), ("com.docker/x-1", "COM_DOCKER_X_1"), ("_a", "A"), ("ä", ""), ("", "")]
)
def test_journal_names(name: str, wanted: str) -> None:
    assert journal.field_name(name) == wanted
