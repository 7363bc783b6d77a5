"""Port specifications."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfd.model.config import PortBinding
from wharfd.model.errors import InvalidParameter
from wharfd.wire.ports import (
    Port,
    PublishedPort,
    format_spec,
    parse_bindings,
    parse_exposed,
    parse_host_ip,
    parse_host_port,
    parse_port,
    parse_spec,
)


@pytest.mark.parametrize(
    ("text", "port"),
    [
        ("80", Port(80)),
        ("80/tcp", Port(80)),
        ("53/udp", Port(53, "udp")),
        ("9/SCTP", Port(9, "sctp")),
        ("80/", Port(80)),
    ],
)
def test_port(text: str, port: Port) -> None:
    assert parse_port(text) == port
    assert parse_port(str(port)) == port


def test_exposed_ranges() -> None:
    assert parse_exposed("8000-8002/udp") == [Port(8000, "udp"), Port(8001, "udp"), Port(8002, "udp")]
    assert parse_exposed("7-7") == [Port(7)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x", 'invalid port specification: "x"'),
        ("", 'invalid port specification: ""'),
        ("80x/tcp", 'invalid port specification: "80x"'),
        ("65536", 'invalid port specification: "65536"'),
        ("-1", 'invalid port specification: "-1"'),
        ("80-70", 'invalid port specification: "80-70"'),
        ("80-", 'invalid port specification: "80-"'),
        ("0", 'invalid port specification: "0"'),
        ("٣", 'invalid port specification: "٣"'),
        ("80/icmp", "invalid proto: icmp"),
        ("80/tcp/x", "invalid proto: tcp/x"),
    ],
)
def test_exposed_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        parse_exposed(text)
    assert str(caught.value) == message


def test_a_range_is_no_port() -> None:
    with pytest.raises(InvalidParameter):
        parse_port("80-81")


@pytest.mark.parametrize(
    ("text", "ends"), [("", (0, 0)), ("0", (0, 0)), ("8080", (8080, 8080)), ("8000-8010", (8000, 8010))]
)
def test_host_port(text: str, ends: tuple[int, int]) -> None:
    assert parse_host_port(text) == ends


@pytest.mark.parametrize(
    ("text", "ip"), [("", ""), ("0.0.0.0", "0.0.0.0"), ("::", "::"), ("[::1]", "::1"), ("127.0.0.1", "127.0.0.1")]
)
def test_host_ip(text: str, ip: str) -> None:
    assert parse_host_ip(text) == ip


@pytest.mark.parametrize("text", ["x", "1.2.3", "1.2.3.4.5", "[1", "localhost", "1.2.3.4/8"])
def test_host_ip_refused(text: str) -> None:
    with pytest.raises(InvalidParameter, match="invalid IP address"):
        parse_host_ip(text)


def test_bindings() -> None:
    bindings = {
        "80/tcp": [PortBinding(host_port="8080"), PortBinding(host_ip="::1", host_port="8000-8010")],
        "53/udp": [PortBinding()],
        "90/tcp": None,
        "91": [],
    }
    assert parse_bindings(bindings) == [
        PublishedPort(Port(80), "", 8080, 8080),
        PublishedPort(Port(80), "::1", 8000, 8010),
        PublishedPort(Port(53, "udp")),
    ]
    assert parse_bindings(None) == []
    with pytest.raises(InvalidParameter, match='invalid port specification: "80x"'):
        parse_bindings({"80": [PortBinding(host_port="80x")]})


@pytest.mark.parametrize(
    ("text", "published"),
    [
        ("80", [PublishedPort(Port(80))]),
        ("8080:80/udp", [PublishedPort(Port(80, "udp"), "", 8080, 8080)]),
        ("127.0.0.1:8080:80", [PublishedPort(Port(80), "127.0.0.1", 8080, 8080)]),
        ("127.0.0.1::80", [PublishedPort(Port(80), "127.0.0.1")]),
        ("[::1]:8080:80", [PublishedPort(Port(80), "::1", 8080, 8080)]),
        ("::1:8080:80", [PublishedPort(Port(80), "::1", 8080, 8080)]),
        ("8000-8010:80", [PublishedPort(Port(80), "", 8000, 8010)]),
        ("8000-8001:80-81", [PublishedPort(Port(80), "", 8000, 8000), PublishedPort(Port(81), "", 8001, 8001)]),
        ("80-81", [PublishedPort(Port(80)), PublishedPort(Port(81))]),
    ],
)
def test_command_line_form(text: str, published: list[PublishedPort]) -> None:
    assert parse_spec(text) == published


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("8080:", "no port specified: 8080:<empty>"),
        ("8000-8002:80-81", "invalid ranges specified for container and host Ports: 80-81 and 8000-8002"),
        ("host:80:80", "invalid IP address: host"),
        ("80x:80", 'invalid port specification: "80x"'),
    ],
)
def test_command_line_form_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        parse_spec(text)
    assert str(caught.value) == message


published_ports = st.builds(
    lambda port, ip, one, other: PublishedPort(port, ip, min(one, other), max(one, other)),
    st.builds(Port, st.integers(1, 65535), st.sampled_from(["tcp", "udp", "sctp"])),
    st.sampled_from(["", "127.0.0.1", "::1", "fe80::2"]),
    st.integers(1, 65535),
    st.integers(1, 65535),
)


@given(published_ports)
def test_round_trip(published: PublishedPort) -> None:
    assert parse_spec(format_spec(published)) == [published]


@given(st.text(alphabet="0123456789-:/[].tcpudx", max_size=24))
def test_any_text_parses_or_is_refused(text: str) -> None:
    for parse in (parse_spec, parse_exposed, parse_host_port, parse_host_ip):
        try:
            parse(text)
        except InvalidParameter:
            pass
