"""What is in force for a network and a port, as elements of the rules' sets; that the kernel takes them is shown with real engines."""

from typing import Any

import pytest

from wharfd.drivers.network.bridge.firewall import OBEY_INPUT, SETS, Forward, elements_of_network, ruleset
from wharfd.drivers.network.bridge.options import parse_options

PLAIN = {"bridges", "same", "masked4", "masked6"}
MODE4, MODE6 = ("com.docker.network.bridge.gateway_mode_ipv4", "com.docker.network.bridge.gateway_mode_ipv6")


@pytest.mark.parametrize(
    ("options", "internal", "more", "less"),
    [
        ({}, False, set(), set()),
        ({}, True, {"internal"}, {"masked4", "masked6"}),
        ({"com.docker.network.bridge.enable_icc": "false"}, False, {"quiet"}, set()),
        ({"com.docker.network.bridge.enable_ip_masquerade": "false"}, False, set(), {"masked4", "masked6"}),
        ({MODE4: "routed"}, False, {"routed4"}, {"masked4"}),
        ({MODE6: "nat-unprotected"}, False, {"unguarded6"}, set()),
        ({MODE4: "isolated", MODE6: "isolated"}, True, {"internal"}, {"masked4", "masked6"}),
    ],
)
def test_sets_that_a_network_is_in(options: dict[str, str], internal: bool, more: set[str], less: set[str]) -> None:
    elements = elements_of_network("br-1", parse_options(options), internal=internal)
    assert {kind for kind, _, _ in elements} == (PLAIN | more) - less


@pytest.mark.parametrize(
    ("port", "element"),
    [
        ({"host_ip": "0.0.0.0"}, ("any4", "tcp . 8080", "10.0.0.2 . 80")),
        ({"host_ip": "192.0.2.1"}, ("one4", "192.0.2.1 . tcp . 8080", "10.0.0.2 . 80")),
        ({"host_ip": "::", "address": "fd00::2"}, ("any6", "tcp . 8080", "fd00::2 . 80")),
        ({"host_ip": "0.0.0.0", "host_port": 0}, ("direct4", "10.0.0.2 . tcp . 80", "")),
    ],
)
def test_a_port(port: dict[str, Any], element: tuple[str, str, str]) -> None:
    given = {"protocol": "tcp", "host_port": 8080, "address": "10.0.0.2", "port": 80, **port}
    assert Forward(**given).element() == element


def test_the_whole_table() -> None:
    text = ruleset("t", [("any4", "tcp . 1", "10.0.0.2 . 80"), ("bridges", '"b"', "")])
    assert text.startswith("table inet t {}\ndelete table inet t\n")
    assert "elements = { tcp . 1 : 10.0.0.2 . 80 };" in text
    assert all(f" {name} {{" in text for name in SETS)
    assert OBEY_INPUT not in text
    assert "@INPUT@" not in text
    assert OBEY_INPUT in ruleset("t", [], obey_input=True)
