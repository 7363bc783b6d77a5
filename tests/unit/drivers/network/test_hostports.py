"""Ports of the host and of routed networks, reserved without a kernel's say where none is needed."""

from wharfd.drivers.network.bridge.hostports import HostPorts
from wharfd.model.network import HostPort, PortWish


def test_a_routed_network_needs_no_port_of_the_host() -> None:
    book = HostPorts()
    wishes = [PortWish(port=80, first=80)]
    held = book.reserve(wishes, "", ["10.0.0.2", "fd00::2"], direct=(4, 6))
    assert [each.port for each in held] == [
        HostPort(port=80, protocol="tcp", host_ip=ip, host_port=0) for ip in ("0.0.0.0", "::")
    ]
    assert all(each.socket is None for each in held)
    assert book.taken == {}
    again = book.reserve(wishes, "", ["10.0.0.3"], direct=(4, 6))  # another container, at its own address
    assert [each.port.host_ip for each in again] == ["0.0.0.0"]
    book.release(held + again)


def test_one_family_may_be_routed_and_the_other_not() -> None:
    book = HostPorts()
    held = book.reserve([PortWish(port=80)], "127.0.0.1", ["10.0.0.2", "fd00::2"], direct=(6,))
    try:
        assert [(each.port.host_ip, each.port.host_port > 0) for each in held] == [("127.0.0.1", True)]
    finally:
        book.release(held)
