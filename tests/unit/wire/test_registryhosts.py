from ipaddress import ip_address

import pytest

from wharfd.model.errors import InvalidParameter
from wharfd.wire.registryhosts import (
    literal_address,
    parse_insecure,
    parse_mirrors,
    registry_of,
    split_host,
    split_search_term,
)


@pytest.mark.parametrize(
    ("address", "registry"),
    [
        ("", "docker.io"),
        ("https://index.docker.io/v1/", "docker.io"),
        ("registry-1.docker.io", "docker.io"),
        ("docker.io", "docker.io"),
        ("127.0.0.1:5000", "127.0.0.1:5000"),
        ("https://registry.example/v2/", "registry.example"),
        ("http://registry.example:80", "registry.example:80"),
    ],
)
def test_the_registry_of_a_login(address: str, registry: str) -> None:
    assert registry_of(address) == registry


@pytest.mark.parametrize(
    ("host", "parts"),
    [
        ("a.example", ("a.example", None)),
        ("a.example:5000", ("a.example", 5000)),
        ("[::1]:5000", ("::1", 5000)),
        ("[::1]", ("::1", None)),
        ("::1", ("::1", None)),
    ],
)
def test_hosts_are_split(host: str, parts: tuple[str, int | None]) -> None:
    assert split_host(host) == parts


def test_an_address_is_told_from_a_name() -> None:
    assert literal_address("[::1]:5000") == ip_address("::1")
    assert literal_address("10.0.0.1:5000") == ip_address("10.0.0.1")
    assert literal_address("localhost:5000") is None


def test_loopback_is_always_insecure_and_comes_last() -> None:
    insecure = parse_insecure(
        ["registry.example:5000", "http://old.example", "10.1.2.3/8", "10.0.0.0/8", "[fe80::1]:80"]
    )
    assert insecure.hosts == ("registry.example:5000", "old.example", "[fe80::1]:80")
    assert [str(network) for network in insecure.networks] == ["10.0.0.0/8", "::1/128", "127.0.0.0/8"]
    assert insecure.names("registry.example:5000")
    assert not insecure.names("registry.example")
    assert insecure.holds([ip_address("127.3.2.1")])
    assert insecure.holds([ip_address("192.168.0.1"), ip_address("10.9.9.9")])
    assert not insecure.holds([ip_address("192.168.0.1"), ip_address("fe80::1")])


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("-a.example", "invalid index name (-a.example). Cannot begin or end with a hyphen"),
        ("ftp://a.example", "insecure registry ftp://a.example should not contain '://'"),
        ("a.example:65536", 'insecure registry a.example:65536 is not valid: invalid port "65536"'),
        ("a b", 'insecure registry a b is not valid: invalid host "a b"'),
    ],
)
def test_what_is_no_insecure_registry(given: str, text: str) -> None:
    with pytest.raises(InvalidParameter) as raised:
        parse_insecure([given])
    assert str(raised.value) == text


def test_mirrors_end_with_a_slash_and_come_once() -> None:
    assert parse_mirrors(["https://m.example", "https://m.example/", "http://10.0.0.1:5000/path"]) == [
        "https://m.example/",
        "http://10.0.0.1:5000/path/",
    ]


@pytest.mark.parametrize(
    ("mirror", "text"),
    [
        ("m.example:5000", 'invalid mirror: no scheme specified for "m.example:5000": must use either \'https://\' or \'http://\''),
        ("ftp://m.example", 'invalid mirror: unsupported scheme "ftp" in "ftp://m.example": must use either \'https://\' or \'http://\''),
        ("https://m.example?x=y", 'invalid mirror: query or fragment at end of the URI "https://m.example?x=y"'),
        ("https://u:secret@m.example", 'invalid mirror: username/password not allowed in URI "https://u:xxxxx@m.example"'),
        ("https://", 'invalid mirror: "https://" is not a valid URI'),
    ],
)  # fmt: skip
def test_what_is_no_mirror(mirror: str, text: str) -> None:
    with pytest.raises(InvalidParameter) as raised:
        parse_mirrors([mirror])
    assert str(raised.value) == text


@pytest.mark.parametrize(
    ("term", "split"),
    [
        ("busybox", ("docker.io", "busybox")),
        ("library/busybox", ("docker.io", "busybox")),
        ("someone/app", ("docker.io", "someone/app")),
        ("index.docker.io/library/busybox", ("docker.io", "busybox")),
        ("registry.example/app", ("registry.example", "app")),
        ("localhost/app", ("localhost", "app")),
        ("localhost:5000/a/b", ("localhost:5000", "a/b")),
    ],
)
def test_a_search_term_may_name_its_registry(term: str, split: tuple[str, str]) -> None:
    assert split_search_term(term) == split


def test_a_search_term_has_no_scheme() -> None:
    with pytest.raises(InvalidParameter, match=r"repository name \(https://x/y\) should not have a scheme"):
        split_search_term("https://x/y")
