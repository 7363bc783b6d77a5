"""DNS messages: questions read, answers written, what does not fit said so, what is broken refused."""

import struct

import pytest

from wharfd.wire import dns
from wharfd.wire.dns import DnsError


def test_a_question_is_read() -> None:
    query = dns.parse_query(dns.encode_query(7, "Web.example.org.", dns.A))
    assert (query.id, query.name, query.kind, query.category) == (7, "Web.example.org", dns.A, dns.IN)
    assert (query.size, query.has_edns, query.is_standard) == (dns.UDP_BYTES, False, True)


def test_edns_tells_what_the_asker_takes() -> None:
    plain = dns.encode_query(7, "web", dns.A)
    extended = plain[:10] + b"\0\1" + plain[12:] + b"\0" + struct.pack("!HHIH", dns.OPT, 4096, 0, 0)
    query = dns.parse_query(extended)
    assert (query.size, query.has_edns) == (4096, True)
    answer = dns.encode_answer(query, [dns.address_record("10.0.0.1")])
    assert struct.unpack_from("!6H", answer)[3:] == (1, 0, 1)


def test_an_answer_holds_question_and_records() -> None:
    query = dns.parse_query(dns.encode_query(7, "web", dns.A))
    answer = dns.encode_answer(query, [dns.address_record("10.0.0.1"), dns.address_record("10.0.0.2")])
    number, flags, questions, answers, _, _ = struct.unpack_from("!6H", answer)
    assert (number, flags, questions, answers) == (7, 0x8180, 1, 2)
    assert dns.parse_name(answer, 12) == ("web", 17)
    assert answer.endswith(b"\xc0\x0c" + struct.pack("!HHIH", dns.A, dns.IN, 600, 4) + bytes([10, 0, 0, 2]))
    assert dns.is_answer_to(dns.encode_query(7, "web", dns.A), answer)
    assert not dns.is_answer_to(dns.encode_query(8, "web", dns.A), answer)


def test_what_does_not_fit_is_left_out_and_said() -> None:
    query = dns.parse_query(dns.encode_query(7, "web", dns.A))
    records = [dns.address_record(f"10.0.{n}.1") for n in range(100)]
    short = dns.encode_answer(query, records, limit=dns.UDP_BYTES)
    assert len(short) <= dns.UDP_BYTES
    assert dns.is_truncated(short)
    assert not dns.is_truncated(dns.encode_answer(query, records))


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("4.3.2.1.in-addr.arpa", "1.2.3.4"),
        ("4.3.2.1.IN-ADDR.ARPA.", "1.2.3.4"),
        ("1." + "0." * 23 + "8.b.d.0.1.0.0.2.ip6.arpa", "2001:db8::1"),
        ("3.2.1.in-addr.arpa", None),
        ("x.3.2.1.in-addr.arpa", None),
        ("1.0.ip6.arpa", None),
        ("web", None),
    ],
)
def test_addresses_of_reverse_names(name: str, address: str | None) -> None:
    assert dns.reverse_address(name) == address


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 11,
        dns.encode_query(1, "web", dns.A)[:-1],
        b"\0\1\1\0\0\1\0\0\0\0\0\0\xc0\x0c\0\1\0\1",  # a name that is its own end
        b"\0\1\x81\0\0\1\0\0\0\0\0\0\0\0\1\0\1",  # an answer
        b"\0\1\1\0\0\2\0\0\0\0\0\0\0\0\1\0\1",  # two questions
        b"\0\1\1\0\0\1\0\0\0\0\0\0\x40a\0\0\1\0\1",  # a label of an unknown kind
    ],
)
def test_what_is_broken_is_refused(data: bytes) -> None:
    with pytest.raises(DnsError):
        dns.parse_query(data)


def test_a_refusal_has_the_number_of_the_question() -> None:
    refused = dns.refusal(b"\0\7\1\0" + b"\0" * 8, dns.FORMAT_ERROR)
    assert refused is not None
    assert refused[:2] == b"\0\7"
    assert dns.answer_code(refused) == dns.FORMAT_ERROR
    assert dns.refusal(b"\0\7", dns.FORMAT_ERROR) is None


@pytest.mark.parametrize("name", ["a" * 64, "a..b", ".".join(["a" * 60] * 5), "snow\u2603"])
def test_what_cannot_be_a_name(name: str) -> None:
    with pytest.raises(DnsError):
        dns.encode_name(name)
