"""The host's IPv4 routes, kept by what the kernel tells of changes: with a thousand of them a look at all takes a millisecond.

Of the main table, in the network namespace in which the watch was made.  May be used by several threads.
"""

import errno
import socket
import threading
from collections.abc import Container
from ipaddress import IPv4Network

from wharfd.sys.netlink import Netlink
from wharfd.wire.netlink import split_messages
from wharfd.wire.rtlink import RTM_DELLINK, RTM_NEWLINK, decode_link_state
from wharfd.wire.rtnetlink import RT_TABLE_MAIN, RTM_DELROUTE, RTM_NEWROUTE, Route, decode_route

_RTMGRP_LINK = 0x1
_RTMGRP_IPV4_ROUTE = 0x40
_RECEIVE_BYTES = 64 * 1024

Key = tuple[IPv4Network, int, int]  # destination, link, priority


class RouteWatch:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE)
        try:
            self._socket.bind((0, _RTMGRP_LINK | _RTMGRP_IPV4_ROUTE))
        except BaseException:
            self._socket.close()
            raise
        self._routes: dict[Key, IPv4Network] | None = None  # None: not known

    def close(self) -> None:
        self._socket.close()

    def networks(self, own: Container[int]) -> list[IPv4Network]:
        """What is reached without a default route, but by the links of these indexes.  Raises OSError."""
        with self._lock:
            if self._routes is not None:
                self._follow(own)
            if self._routes is None:
                self._drain()
                self._routes = {}
                with Netlink() as netlink:
                    for route in netlink.routes(socket.AF_INET):
                        self._put(route, own)
            return list(dict.fromkeys(self._routes.values()))

    def _follow(self, own: Container[int]) -> None:
        for kind, body in self._drain():
            if kind in {RTM_NEWLINK, RTM_DELLINK}:
                # Linux: IPv4 routes by a link that goes or is set down go without a word.
                index, is_up = decode_link_state(body)
                if kind == RTM_DELLINK or not is_up:
                    self._drop(index)
                continue
            route = decode_route(body)
            if route is None or route.table != RT_TABLE_MAIN or not isinstance(route.destination, IPv4Network):
                continue
            if kind == RTM_NEWROUTE:
                self._put(route, own)
            elif kind == RTM_DELROUTE and self._routes is not None:
                self._routes.pop(key_of(route), None)

    def _put(self, route: Route, own: Container[int]) -> None:
        if self._routes is not None and route.destination.prefixlen and route.oif not in own:
            self._routes[key_of(route)] = key_of(route)[0]

    def _drop(self, index: int) -> None:
        for key in [key for key in self._routes or () if key[1] == index]:
            if self._routes is not None:
                del self._routes[key]

    def _drain(self) -> list[tuple[int, bytes]]:
        """What has been told; nothing, and all is to be looked at anew, when that was too much."""
        found: list[tuple[int, bytes]] = []
        while True:
            try:
                data = self._socket.recv(_RECEIVE_BYTES)
            except BlockingIOError:
                return found
            except OSError as e:
                if e.errno != errno.ENOBUFS:
                    raise
                self._routes = None
                found.clear()
                continue
            found += [(message.kind, message.body) for message in split_messages(data)]


def key_of(route: Route) -> Key:
    destination = route.destination
    if not isinstance(destination, IPv4Network):
        raise TypeError(f"{destination} is not of IPv4")
    return destination, route.oif, route.priority
