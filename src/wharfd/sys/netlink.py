"""rtnetlink sockets: links, addresses and routes of one network namespace.

A `Netlink` speaks about the namespace in which its socket was made, whatever thread uses it later.  The kernel carries requests out
inside the send call, so every method blocks for microseconds only (deleting links apart: up to tens of ms, since the kernel waits for
readers) and may be called on the event loop.

Errors are OSErrors with the kernel's errno; the text has the operation and the kernel's own explanation where it gives one.
"""

import errno
import socket
import threading
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Interface
from typing import TypeVar

from wharfd.sys.libc import os_error
from wharfd.sys.namespaces import run_in_netns
from wharfd.wire import rtlink, rtnetlink
from wharfd.wire.netlink import (
    NLM_F_DUMP_INTR,
    NLMSG_DONE,
    NLMSG_ERROR,
    Message,
    Request,
    decode_error,
    split_messages,
)
from wharfd.wire.rtlink import Link, LinkSpec
from wharfd.wire.rtnetlink import Address, IPAddress, IPInterface, IPNetwork, Route

T = TypeVar("T")

_SOL_NETLINK = 270
_NETLINK_CAP_ACK = 10
_NETLINK_EXT_ACK = 11
_NETLINK_GET_STRICT_CHK = 12
_RECEIVE_BYTES = 64 * 1024
# Acknowledgements wait in the socket's receive buffer, some 200 kB, each with its bookkeeping.
_BATCH = 64
_DUMP_ATTEMPTS = 20


class Netlink:
    """One socket.  May be shared by threads: calls exclude each other."""

    def __init__(self, protocol: int = socket.NETLINK_ROUTE) -> None:
        """Bound to the network namespace of the calling thread.  Of another protocol only `execute`, `ask` and `dump` are of use."""
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
        self._lock = threading.Lock()
        self._sequence = 0
        try:
            for option in (_NETLINK_CAP_ACK, _NETLINK_EXT_ACK, _NETLINK_GET_STRICT_CHK):
                self._socket.setsockopt(_SOL_NETLINK, option, 1)
            self._socket.bind((0, 0))
        except BaseException:
            self._socket.close()
            raise

    @classmethod
    def in_netns(cls, namespace: str | int) -> "Netlink":
        """Bound to the namespace given by its file or by a descriptor (0.1 ms: a thread goes there and ends)."""
        return run_in_netns(namespace, cls)

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> "Netlink":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def execute(self, requests: Sequence[Request]) -> None:
        """Carry out changes (`new_…`, `set_…`, `del_…`) in one go, in their order.

        Linux: the kernel goes on behind a request that failed.  The first failure is raised after all have been tried.
        """
        with self._lock:
            failure: OSError | None = None
            for start in range(0, len(requests), _BATCH):
                error = self._execute_batch(requests[start : start + _BATCH])
                failure = failure or error
        if failure is not None:
            raise failure

    def ask(self, request: Request, decode: Callable[[bytes], T]) -> T:
        """The one answer to a `get_…` request."""
        with self._lock:
            sequence = self._send([request])
            for message in self._receive(sequence, sequence):
                if message.kind == NLMSG_ERROR:
                    raise _error(request, message)
                return decode(message.body)
        raise os_error(errno.ENODATA, request.operation)

    def dump(self, request: Request, decode: Callable[[bytes], T]) -> list[T]:
        """All answers to a `dump_…` request, taken anew when something changed meanwhile."""
        for _ in range(_DUMP_ATTEMPTS):
            with self._lock:
                bodies = self._dump_once(request)
            if bodies is not None:
                return [decode(body) for body in bodies]
        raise os_error(errno.EAGAIN, request.operation, detail="the table kept changing")

    def links(self) -> list[Link]:
        return self.dump(rtlink.dump_links(), rtlink.decode_link)

    def link(self, index_or_name: int | str) -> Link:
        """ENODEV when there is none."""
        return self.ask(rtlink.get_link(index_or_name), rtlink.decode_link)

    def find_link(self, name: str) -> Link | None:
        try:
            return self.link(name)
        except OSError as e:
            if e.errno == errno.ENODEV:
                return None
            raise

    def create_bridge(self, name: str, *, mac: str | None = None, mtu: int | None = None, up: bool = False) -> None:
        """EEXIST when the name is taken."""
        self.execute([rtlink.new_link("bridge", LinkSpec(name=name, mac=mac, mtu=mtu, up=up))])

    def create_veth(self, near: LinkSpec, far: LinkSpec) -> None:
        """A pair with both ends complete, each in the namespace that it names (default: the socket's)."""
        self.execute([rtlink.new_veth(near, far)])

    def set_link(
        self,
        index: int,
        *,
        up: bool | None = None,
        name: str | None = None,
        mac: str | None = None,
        mtu: int | None = None,
        master: int | None = None,
        netns_fd: int | None = None,
    ) -> None:
        """Change what is given; `master` 0 releases the link from its bridge."""
        self.execute([rtlink.set_link(index, up=up, name=name, mac=mac, mtu=mtu, master=master, netns_fd=netns_fd)])

    def set_bridge_port(self, index: int, *, hairpin: bool | None = None, isolated: bool | None = None) -> None:
        self.execute([rtlink.set_bridge_port(index, hairpin=hairpin, isolated=isolated)])

    def delete_link(self, index_or_name: int | str) -> None:
        """ENODEV when there is none.  Takes about 10 ms for a veth pair: batch deletions, or use a thread."""
        self.execute([rtlink.del_link(index_or_name)])

    def addresses(self, *, index: int = 0) -> list[Address]:
        """Of both families; of one link, or of all."""
        return self.dump(rtnetlink.dump_addresses(index=index), rtnetlink.decode_address)

    def add_address(self, index: int, interface: IPInterface, *, no_dad: bool = False) -> None:
        """EEXIST when the link has it.  An IPv4 subnet of more than two addresses gets its broadcast address set."""
        self.execute([rtnetlink.new_address(index, interface, broadcast=broadcast_of(interface), no_dad=no_dad)])

    def delete_address(self, index: int, interface: IPInterface) -> None:
        """EADDRNOTAVAIL when the link does not have it."""
        self.execute([rtnetlink.del_address(index, interface)])

    def routes(self, family: int | None = None) -> list[Route]:
        """The unicast routes of the main table, of one family or of both."""
        families = (socket.AF_INET, socket.AF_INET6) if family is None else (family,)
        found: list[Route] = []
        for each in families:
            try:
                decoded = self.dump(rtnetlink.dump_routes(each), rtnetlink.decode_route)
            except OSError as e:
                # Linux: strict checking answers ENOENT for a table that has not been made yet.
                if e.errno != errno.ENOENT:
                    raise
                continue
            found += [route for route in decoded if route is not None]
        return found

    def add_route(
        self,
        destination: IPNetwork,
        *,
        gateway: IPAddress | None = None,
        oif: int | None = None,
        source: IPAddress | None = None,
        priority: int | None = None,
        onlink: bool = False,
    ) -> None:
        """ENETUNREACH when the gateway is on no link, EEXIST when the route is there."""
        self.execute(
            [
                rtnetlink.new_route(
                    destination, gateway=gateway, oif=oif, source=source, priority=priority, onlink=onlink
                )
            ]
        )

    def delete_route(self, destination: IPNetwork, *, gateway: IPAddress | None = None, oif: int | None = None) -> None:
        """ESRCH when there is none."""
        self.execute([rtnetlink.del_route(destination, gateway=gateway, oif=oif)])

    def _send(self, requests: Sequence[Request]) -> int:
        """Send as one datagram; returns the first sequence number."""
        first = self._sequence + 1
        self._sequence += len(requests)
        self._socket.send(b"".join(request.pack(first + i) for i, request in enumerate(requests)))
        return first

    def _receive(self, first: int, last: int) -> list[Message]:
        """The next datagram's messages that answer ours; what a broken-off call left behind is dropped."""
        while True:
            messages = split_messages(self._socket.recv(_RECEIVE_BYTES))
            ours = [message for message in messages if first <= message.sequence <= last]
            if ours:
                return ours

    def _execute_batch(self, requests: Sequence[Request]) -> OSError | None:
        first = self._send(requests)
        last = first + len(requests) - 1
        failure: OSError | None = None
        outstanding = len(requests)
        while outstanding:
            for message in self._receive(first, last):
                if message.kind != NLMSG_ERROR:
                    continue
                outstanding -= 1
                if failure is None and decode_error(message)[0]:
                    failure = _error(requests[message.sequence - first], message)
        return failure

    def _dump_once(self, request: Request) -> list[bytes] | None:
        """None when the table changed during the dump."""
        sequence = self._send([request])
        bodies: list[bytes] = []
        interrupted = False
        while True:
            for message in self._receive(sequence, sequence):
                interrupted = interrupted or bool(message.flags & NLM_F_DUMP_INTR)
                if message.kind in (NLMSG_DONE, NLMSG_ERROR):
                    if decode_error(message)[0]:
                        raise _error(request, message)
                    return None if interrupted else bodies
                bodies.append(message.body)


def broadcast_of(interface: IPInterface) -> IPv4Address | None:
    """The broadcast address that an IPv4 subnet of more than two addresses has."""
    if isinstance(interface, IPv4Interface) and interface.network.prefixlen <= 30:
        return interface.network.broadcast_address
    return None


def _error(request: Request, message: Message) -> OSError:
    number, words = decode_error(message)
    return os_error(number, request.operation, detail=words)
