"""DNS messages (RFC 1035), as much of them as a resolver of names and addresses needs.

A query is read to its question and the sender's EDNS size; an answer is put together from records.  What is only passed on is not
decoded.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

A = 1
PTR = 12
AAAA = 28
OPT = 41
ANY = 255
IN = 1

NO_ERROR, FORMAT_ERROR, SERVER_FAILURE, NAME_ERROR, NOT_IMPLEMENTED, REFUSED = range(6)

UDP_BYTES = 512  # of an answer to who does not say that more may come
MAX_BYTES = 65535
MAX_JUMPS = 32

_HEADER = struct.Struct("!6H")
_QUESTION = struct.Struct("!HH")
_RECORD = struct.Struct("!HHIH")
_QR, _OPCODE, _AA, _TC, _RD, _RA = 0x8000, 0x7800, 0x0400, 0x0200, 0x0100, 0x0080


class DnsError(ValueError):
    """These bytes are no DNS message."""


@dataclass(frozen=True, slots=True)
class Query:
    """`name` without its last dot, as it was asked.  `size`: what the asker takes over UDP.  `question`: its bytes."""

    id: int
    flags: int
    name: str
    kind: int
    category: int
    question: bytes
    size: int = UDP_BYTES
    has_edns: bool = False

    @property
    def is_standard(self) -> bool:
        return not self.flags & _OPCODE


@dataclass(frozen=True, slots=True)
class Resource:
    """One record of the name that was asked for.  `data` packed."""

    kind: int
    data: bytes
    ttl_s: int = 600


def parse_query(data: bytes) -> Query:
    """Raises DnsError."""
    if len(data) < _HEADER.size:
        raise DnsError("shorter than a header")
    number, flags, questions, answers, authorities, extras = _HEADER.unpack_from(data)
    if flags & _QR:
        raise DnsError("an answer where a query is expected")
    if questions != 1:
        raise DnsError(f"{questions} questions")
    name, at = parse_name(data, _HEADER.size)
    if at + _QUESTION.size > len(data):
        raise DnsError("cut in its question")
    kind, category = _QUESTION.unpack_from(data, at)
    at += _QUESTION.size
    question = encode_name(name) + _QUESTION.pack(kind, category)
    size, has_edns = UDP_BYTES, False
    for _ in range(answers + authorities + extras):
        _, at = parse_name(data, at)
        if at + _RECORD.size > len(data):
            raise DnsError("cut in a record")
        record_kind, value, _, length = _RECORD.unpack_from(data, at)
        at += _RECORD.size + length
        if at > len(data):
            raise DnsError("cut in a record")
        if record_kind == OPT:
            size, has_edns = max(UDP_BYTES, value), True
    return Query(number, flags, name, kind, category, question, size, has_edns)


def parse_name(data: bytes, at: int) -> tuple[str, int]:
    """The name at that place, and the place behind it.  Bytes outside ASCII are kept one to one (latin-1)."""
    labels: list[str] = []
    after = -1
    jumps = length = 0
    while True:
        if at >= len(data):
            raise DnsError("cut in a name")
        size = data[at]
        if size & 0xC0 == 0xC0:
            if at + 1 >= len(data):
                raise DnsError("cut in a name")
            jumps += 1
            if jumps > MAX_JUMPS:
                raise DnsError("a name that goes in circles")
            after = at + 2 if after < 0 else after
            at = (size & 0x3F) << 8 | data[at + 1]
            continue
        if size & 0xC0:
            raise DnsError("a label of an unknown kind")
        at += 1
        if size == 0:
            return ".".join(labels), after if after >= 0 else at
        if at + size > len(data):
            raise DnsError("cut in a name")
        length += size + 1
        if length > 254:
            raise DnsError("a name of more than 255 bytes")
        label = data[at : at + size].decode("latin-1")
        if "." in label:
            raise DnsError("a label with a dot in it")
        labels.append(label)
        at += size


def encode_name(name: str) -> bytes:
    """Raises DnsError for what cannot be a name."""
    packed = b""
    for label in name.rstrip(".").split(".") if name.rstrip(".") else ():
        try:
            each = label.encode("latin-1")
        except UnicodeEncodeError as e:
            raise DnsError(f"not a name: {name!r}") from e
        if not 0 < len(each) < 64:
            raise DnsError(f"not a name: {name!r}")
        packed += bytes([len(each)]) + each
    if len(packed) > 254:
        raise DnsError(f"not a name: {name!r}")
    return packed + b"\0"


def encode_query(number: int, name: str, kind: int) -> bytes:
    return _HEADER.pack(number, _RD, 1, 0, 0, 0) + encode_name(name) + _QUESTION.pack(kind, IN)


def address_record(address: str) -> Resource:
    parsed = ip_address(address)
    return Resource(A if parsed.version == 4 else AAAA, parsed.packed)


def pointer_record(name: str) -> Resource:
    return Resource(PTR, encode_name(name))


def encode_answer(query: Query, records: Sequence[Resource], *, code: int = NO_ERROR, limit: int = MAX_BYTES) -> bytes:
    """What does not fit in `limit` bytes is left out, and the answer says that it was (`TC`)."""
    extra = b"\0" + _RECORD.pack(OPT, 1232, 0, 0) if query.has_edns else b""
    body = b""
    count = 0
    truncated = 0
    for record in records:
        # 0xC00C points at the name in the question.
        packed = b"\xc0\x0c" + _RECORD.pack(record.kind, IN, record.ttl_s, len(record.data)) + record.data
        if _HEADER.size + len(query.question) + len(body) + len(packed) + len(extra) > limit:
            truncated = _TC
            break
        body += packed
        count += 1
    flags = _QR | _RA | truncated | (query.flags & (_RD | _OPCODE)) | code
    head = _HEADER.pack(query.id, flags, 1, count, 0, 1 if extra else 0)
    return head + query.question + body + extra


def refusal(data: bytes, code: int) -> bytes | None:
    """The answer to a message that could not be read; None where there is not even a number to answer."""
    if len(data) < _HEADER.size or data[2] & 0x80:
        return None
    number, flags = struct.unpack_from("!HH", data)
    return _HEADER.pack(number, _QR | _RA | (flags & (_RD | _OPCODE)) | code, 0, 0, 0, 0)


def reverse_address(name: str) -> str | None:
    """The address of which `4.3.2.1.in-addr.arpa` or `….ip6.arpa` is the name; None if it is none."""
    lowered = name.lower().rstrip(".")
    try:
        if lowered.endswith(".in-addr.arpa"):
            parts = lowered.removesuffix(".in-addr.arpa").split(".")
            return str(IPv4Address(".".join(reversed(parts))))
        if lowered.endswith(".ip6.arpa"):
            digits = "".join(reversed(lowered.removesuffix(".ip6.arpa").split(".")))
            if len(digits) != 32 or lowered.count(".") != 33:
                return None
            return str(IPv6Address(int(digits, 16)))
    except ValueError:
        return None
    return None


def is_answer_to(query: bytes, answer: bytes) -> bool:
    """Same number, and an answer; the question is the same where it is repeated."""
    return len(answer) >= _HEADER.size and answer[:2] == query[:2] and bool(answer[2] & 0x80)


def answer_code(answer: bytes) -> int:
    return answer[3] & 0x0F


def is_truncated(answer: bytes) -> bool:
    return bool(answer[2] & (_TC >> 8))
