"""DNS messages of any bytes: queries, or DnsError; what was read can be answered."""

from wharfd.wire.dns import (
    A,
    DnsError,
    Resource,
    address_record,
    encode_answer,
    encode_query,
    parse_name,
    parse_query,
    refusal,
    reverse_address,
)

SEEDS = [
    encode_query(1, "web.example.org", A),
    encode_query(2, "1.2.0.10.in-addr.arpa", 12),
    encode_query(3, "", 255)[:10] + b"\0\1\0\0\1\0\1\0\0\x29\x10\0\0\0\0\0\0\0",
    b"\0\1\1\0\0\1\0\0\0\0\0\0\xc0\x0c\0\1\0\1",
]


def fuzz_one(data: bytes) -> None:
    refusal(data, 1)
    try:
        query = parse_query(data)
    except DnsError:
        return
    reverse_address(query.name)
    records = [address_record("10.0.0.1"), address_record("fd00::1"), Resource(A, b"1234")] * 20
    for limit in (512, 65535):
        answer = encode_answer(query, records, limit=limit)
        assert len(answer) <= limit
        name, _ = parse_name(answer, 12)
        assert name == query.name
