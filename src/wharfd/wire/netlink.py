"""netlink(7) framing, the same for every family: headers, attributes, acknowledgements.

A `Request` is a message without its sequence number; `split_messages` cuts what the kernel sent.  Integers are in the byte order of
the host.
"""

import functools
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

NLMSG_ERROR = 2
NLMSG_DONE = 3

NLM_F_REQUEST = 0x1
NLM_F_ACK = 0x4
NLM_F_DUMP_INTR = 0x10
NLM_F_DUMP = 0x300
NLM_F_EXCL = 0x200
NLM_F_CREATE = 0x400
_NLM_F_ACK_TLVS = 0x200
NEW = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL
CHANGE = NLM_F_REQUEST | NLM_F_ACK
DUMP = NLM_F_REQUEST | NLM_F_DUMP

AF_UNSPEC = 0
AF_INET = 2
AF_BRIDGE = 7
AF_INET6 = 10

NLA_F_NESTED = 0x8000
_NLA_TYPE_MASK = 0x3FFF
_NLMSGERR_ATTR_MSG = 1

_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_I32 = struct.Struct("=i")
U32 = struct.Struct("=I")


@dataclass(frozen=True, slots=True)
class Request:
    """A message for the kernel.  `operation` names it in errors."""

    operation: str
    kind: int
    flags: int
    body: bytes

    def pack(self, sequence: int) -> bytes:
        return _HEADER.pack(_HEADER.size + len(self.body), self.kind, self.flags, sequence, 0) + self.body


@dataclass(frozen=True, slots=True)
class Message:
    """A message from the kernel."""

    kind: int
    flags: int
    sequence: int
    body: bytes


def split_messages(data: bytes) -> Iterator[Message]:
    """The messages of one datagram; ValueError when it is cut."""
    at = 0
    while at < len(data):
        if len(data) - at < _HEADER.size:
            raise ValueError("netlink message is cut in its header")
        length, kind, flags, sequence, _ = _HEADER.unpack_from(data, at)
        if length < _HEADER.size or at + length > len(data):
            raise ValueError(f"netlink message of {length} bytes where {len(data) - at} are left")
        yield Message(kind, flags, sequence, data[at + _HEADER.size : at + length])
        at += _aligned(length)


def parse_attributes(data: bytes, at: int = 0) -> dict[int, bytes]:
    """The attributes from `at` on; of equal types the last one.  ValueError when one is cut."""
    found: dict[int, bytes] = {}
    while len(data) - at >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if length < _ATTRIBUTE.size or at + length > len(data):
            raise ValueError(f"netlink attribute of {length} bytes where {len(data) - at} are left")
        found[kind & _NLA_TYPE_MASK] = data[at + _ATTRIBUTE.size : at + length]
        at += _aligned(length)
    return found


def decode_error(message: Message) -> tuple[int, str]:
    """Errno (0: an acknowledgement) and the kernel's words, of an NLMSG_ERROR or NLMSG_DONE message.

    The socket must have NETLINK_CAP_ACK set, so that of the request only the header is repeated.
    """
    if len(message.body) < 4:
        return 0, ""
    (error,) = _I32.unpack_from(message.body)
    words = ""
    if message.flags & _NLM_F_ACK_TLVS:
        start = 4 + (_HEADER.size if message.kind == NLMSG_ERROR else 0)
        words = text_of(parse_attributes(message.body, start).get(_NLMSGERR_ATTR_MSG, b""))
    return -error, words


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded to four bytes."""
    length = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(length, kind) + value + bytes(-length % 4)


def text_of(value: bytes) -> str:
    """A NUL-terminated string attribute."""
    return value.rstrip(b"\0").decode(errors="replace")


def number_of(attributes: dict[int, bytes], kind: int) -> int:
    """An attribute of 32 bits; 0 if it is not there."""
    value = attributes.get(kind)
    return 0 if value is None else int(U32.unpack_from(value)[0])


def declared_errors(decode: Callable[[bytes], T]) -> Callable[[bytes], T]:
    """Whatever is wrong with a body, ValueError says so."""

    @functools.wraps(decode)
    def checked(body: bytes) -> T:
        try:
            return decode(body)
        except (struct.error, KeyError, IndexError) as e:
            raise ValueError(f"{decode.__name__}: malformed message") from e

    return checked


def _aligned(length: int) -> int:
    return length + (-length % 4)
