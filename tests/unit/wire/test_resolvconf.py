import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfd.wire.resolvconf import (
    FALLBACK_NAMESERVERS,
    ResolvConf,
    format_resolv_conf,
    is_loopback,
    parse_resolv_conf,
    with_overrides,
    without_loopback,
)


@pytest.mark.parametrize(
    ("text", "conf"),
    [
        ("", ResolvConf()),
        ("nameserver 192.0.2.1\nnameserver 2001:db8::1\n", ResolvConf(("192.0.2.1", "2001:db8::1"))),
        ("search a.example b.example\n", ResolvConf(search=("a.example", "b.example"))),
        ("search a.example\ndomain b.example\n", ResolvConf(search=("b.example",))),
        ("options ndots:1 rotate\noptions timeout:2", ResolvConf(options=("ndots:1", "rotate", "timeout:2"))),
        ("# nameserver 192.0.2.1\n; nameserver 192.0.2.2\n", ResolvConf()),
        ("  nameserver   192.0.2.1 # the router\n", ResolvConf(("192.0.2.1",))),
        ("nameserver\nsortlist 192.0.2.0\nsearch\n", ResolvConf()),
    ],
)
def test_parse(text: str, conf: ResolvConf) -> None:
    assert parse_resolv_conf(text) == conf


words = st.lists(st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1), max_size=3).map(tuple)


@given(st.builds(ResolvConf, words, words, words))
def test_what_is_formatted_is_parsed_to_the_same(conf: ResolvConf) -> None:
    assert parse_resolv_conf(format_resolv_conf(conf)) == conf


@given(st.text())
def test_any_text_is_parsed(text: str) -> None:
    parse_resolv_conf(text)


@pytest.mark.parametrize(
    ("address", "answer"),
    [
        ("127.0.0.53", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("192.0.2.1", False),
        ("fe80::1%eth0", False),
        ("x", False),
    ],
)
def test_is_loopback(address: str, answer: bool) -> None:
    assert is_loopback(address) is answer


def test_loopback_servers_are_dropped_and_replaced_when_none_is_left() -> None:
    assert without_loopback(ResolvConf(("127.0.0.1", "192.0.2.1"))).nameservers == ("192.0.2.1",)
    assert without_loopback(ResolvConf(("127.0.0.1",), ("a",), ("b",))) == ResolvConf(
        FALLBACK_NAMESERVERS, ("a",), ("b",)
    )


def test_overrides_take_the_place_of_what_was_there() -> None:
    conf = ResolvConf(("192.0.2.1",), ("a.example",), ("rotate",))
    assert with_overrides(conf, [], [], []) == conf
    assert with_overrides(conf, ["192.0.2.9"], ["."], ["ndots:2"]) == ResolvConf(("192.0.2.9",), (), ("ndots:2",))
