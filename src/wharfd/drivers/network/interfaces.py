"""What every driver has the kernel do: an interface's addresses, routes and settings inside a sandbox, and a look at the host's routes.

All functions block for about a millisecond.
"""

import contextlib
import os
import sys
from collections.abc import Sequence
from ipaddress import IPv4Interface, IPv4Network, IPv6Interface, IPv6Network, ip_address

from wharfd.model.errors import InvalidParameter
from wharfd.model.network import Endpoint
from wharfd.sys.netlink import Netlink, broadcast_of
from wharfd.wire import rtlink, rtnetlink
from wharfd.wire.netlink import Request

DEFAULT_IPV4, DEFAULT_IPV6 = IPv4Network("0.0.0.0/0"), IPv6Network("::/0")


def configure(inside: Netlink, endpoint: Endpoint, *, onlink: bool = False) -> None:
    """`onlink`: the default routes go by the link itself, without a gateway."""
    index = inside.link(endpoint.interface).index
    changes: list[Request] = []
    if endpoint.ipv4:
        address = IPv4Interface(f"{endpoint.ipv4}/{endpoint.ipv4_prefix}")
        changes.append(rtnetlink.new_address(index, address, broadcast=broadcast_of(address)))
    if endpoint.ipv6:
        changes.append(
            rtnetlink.new_address(index, IPv6Interface(f"{endpoint.ipv6}/{endpoint.ipv6_prefix}"), no_dad=True)
        )
    # Linux: what is up and has its addresses tells its neighbours of them, where it is set to (arp_notify).
    changes.append(rtlink.set_link(index, up=True))
    if endpoint.is_gateway:
        changes += default_routes(endpoint, index, onlink=onlink)
    inside.execute(changes)


def default_routes(endpoint: Endpoint, index: int, *, onlink: bool = False) -> list[Request]:
    """Through its gateways, where it has them."""
    routes = []
    for destination, address, gateway in (
        (DEFAULT_IPV4, endpoint.ipv4, endpoint.gateway),
        (DEFAULT_IPV6, endpoint.ipv6, endpoint.ipv6_gateway),
    ):
        if gateway:
            routes.append(rtnetlink.new_route(destination, gateway=ip_address(gateway), oif=index))
        elif onlink and address:
            routes.append(rtnetlink.new_route(destination, oif=index))
    return routes


def set_default_routes(endpoint: Endpoint, sandbox_key: str, *, onlink: bool = False) -> None:
    """Instead of those that are there."""
    with Netlink.in_netns(sandbox_key) as inside:
        drop_default_routes(inside)
        inside.execute(default_routes(endpoint, inside.link(endpoint.interface).index, onlink=onlink))


def clear_default_routes(sandbox_key: str) -> None:
    with Netlink.in_netns(sandbox_key) as inside:
        drop_default_routes(inside)


def drop_default_routes(inside: Netlink) -> None:
    for route in inside.routes():
        if route.destination.prefixlen == 0:
            with contextlib.suppress(OSError):
                inside.delete_route(route.destination, gateway=route.gateway, oif=route.oif or None)


def foreign_routes(own: set[str]) -> list[IPv4Network]:
    """What the host reaches without its default route, but for links of the names `own`.

    Read as text: with a thousand networks that takes a millisecond, and ten by netlink.
    """
    found = []
    with open("/proc/thread-self/net/route") as file:
        next(file)
        for line in file:
            words = line.split()
            if words[0] in own or words[7] == "00000000":
                continue
            address, mask = (int.from_bytes(int(words[at], 16).to_bytes(4, sys.byteorder), "big") for at in (1, 7))
            found.append(IPv4Network((address & mask, mask.bit_count())))
    return found


def write_settings(settings: Sequence[tuple[str, str]]) -> None:
    """In the namespace of the caller.  Raises InvalidParameter with dockerd's text."""
    for path, value in settings:
        if not os.path.isfile(path):
            raise InvalidParameter(f"{path} is not a sysctl file")
        try:
            with open(path, "w") as file:
                file.write(value)
        except OSError as e:
            raise InvalidParameter(f"{path}: {(e.strerror or str(e)).lower()}") from e


def write_setting(path: str, value: str) -> None:
    """Unless it is so already; nothing where the kernel has no such setting."""
    with contextlib.suppress(FileNotFoundError):
        with open(path) as file:
            if file.read().strip() == value:
                return
        with open(path, "w") as file:
            file.write(value)
