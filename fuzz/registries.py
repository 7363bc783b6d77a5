"""What registries and operators write: refusals, headers, hosts.toml, lists of hosts, proxies."""

from wharfd.model.errors import InvalidParameter
from wharfd.wire.authconfig import Challenge
from wharfd.wire.distribution import (
    next_link,
    parse_content_range,
    parse_retry_after,
    parse_upload_range,
    read_refusal,
)
from wharfd.wire.hosts_toml import parse_hosts_file
from wharfd.wire.masking import masked
from wharfd.wire.noproxy import NoProxy
from wharfd.wire.registryhosts import parse_insecure, parse_mirrors, registry_of, split_search_term

SEEDS = [
    b'{"errors":[{"code":"DENIED","message":"requested access","detail":[{"Type":"repository"}]}]}',
    b'{"details":"incorrect username or password"}',
    b'</v2/a/tags/list?last=b&n=2>; rel="next", <https://x>; title="a"',
    b"bytes 0-99/1000",
    b"0-1023",
    b"Thu, 01 Jan 1970 00:02:00 GMT",
    b'server = "https://a.example"\n[host."https://b.example"]\ncapabilities = ["pull"]\nclient = [["a", "b"]]\nca = "c"\n',
    b"*.example.com, 10.0.0.0/8, [fd00::1]:80, host:5000",
    b"http://user:secret@proxy.example:3128",
    b"https://mirror.example/path",
]


def fuzz_one(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    for status in (400, 401, 404, 429, 500):
        challenges = [Challenge("bearer", {"error": "insufficient_scope", "error_description": text})]
        for refusal in (
            read_refusal(status, "Reason", [], data),
            read_refusal(status, text, challenges, data, quote=False),
        ):
            assert refusal.text
            assert "\n" not in refusal.text
    next_link([text, text])
    parse_content_range(text)
    assert parse_upload_range(text) >= 0
    waited = parse_retry_after(text, 0.0)
    assert waited is None or waited >= 0
    NoProxy(text).covers(text, 80)
    masked(text)
    registry_of(text)
    for parse in (lambda: parse_hosts_file(data, "/d"), lambda: parse_insecure([text]), lambda: parse_mirrors([text])):
        try:
            parse()
        except InvalidParameter:
            pass
    try:
        split_search_term(text)
    except InvalidParameter:
        pass
