"""Fluentd's forward protocol: MessagePack arrays, many lines in one (`Forward` mode).

    [tag, [[time, record], …], {"size": n}]                        the receiver says nothing
    [tag, [[time, record], …], {"size": n, "chunk": id}]           the receiver answers {"ack": id}

Source: the specification of the forward protocol, version 1.
"""

import struct
from collections.abc import Mapping, Sequence

import msgspec

from wharfd.model.errors import InvalidParameter
from wharfd.wire.crilog import STDERR
from wharfd.wire.loglines import Message

_EVENT_TIME = 0  # the extension type
_TIME = struct.Struct(">II")
_encoder = msgspec.msgpack.Encoder()

Time = int | msgspec.msgpack.Ext


def record_of(message: Message, common: Mapping[str, str]) -> dict[str, str]:
    """`common`: fields that all of a container's lines have."""
    record = {
        **common,
        "source": "stderr" if message.stream == STDERR else "stdout",
        "log": message.text.decode(errors="replace"),
    }
    if message.part is not None:
        record |= {
            "partial_message": "true",
            "partial_id": message.part.line_id,
            "partial_ordinal": str(message.part.ordinal),
            "partial_last": "true" if message.part.is_last else "false",
        }
    return record


def time_of(at_ns: int, *, sub_second: bool) -> Time:
    seconds, nanos = divmod(at_ns, 10**9)
    return msgspec.msgpack.Ext(_EVENT_TIME, _TIME.pack(seconds & 0xFFFFFFFF, nanos)) if sub_second else seconds


def encode(
    tag: str, messages: Sequence[Message], common: Mapping[str, str], *, sub_second: bool = False, chunk: str = ""
) -> bytes:
    """`chunk` not empty: the receiver is to answer with it."""
    entries = [[time_of(message.at_ns, sub_second=sub_second), record_of(message, common)] for message in messages]
    options: dict[str, int | str] = {"size": len(entries)}
    if chunk:
        options["chunk"] = chunk
    return _encoder.encode([tag, entries, options])


def acknowledged(answer: bytes) -> str:
    """The chunk that an answer is about; empty as long as the answer is not whole.  Raises InvalidParameter: it is none."""
    try:
        found: object = msgspec.msgpack.decode(answer)
    except msgspec.DecodeError:
        return ""
    ack = found.get("ack") if isinstance(found, dict) else None
    if isinstance(ack, bytes):
        ack = ack.decode(errors="replace")
    if not isinstance(ack, str) or not ack:
        raise InvalidParameter(f"fluentd answers {answer[:100]!r}")
    return ack
