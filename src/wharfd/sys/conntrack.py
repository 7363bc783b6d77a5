"""Forgets tracked connections, so that their next packet is asked about anew."""

import errno
from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address

from wharfd.sys.netlink import Netlink
from wharfd.wire import conntrack

NETFILTER = 12


def forget_udp(port: int, addresses: Collection[IPv4Address | IPv6Address], *, is_ipv6: bool) -> int:
    """Flows whose first datagram went to that port of those addresses (none: of any); returns how many there were.

    In the caller's network namespace.  Blocks for a millisecond or a few.  Raises OSError.
    """
    with Netlink(NETFILTER) as netlink:
        listed = netlink.dump(conntrack.dump_flows(is_ipv6, conntrack.UDP, port), conntrack.decode_flow)
        flows = [
            flow
            for flow in listed
            if flow is not None
            and (flow.protocol, flow.port) == (conntrack.UDP, port)
            and (not addresses or flow.destination in addresses)
        ]
        try:
            netlink.execute([conntrack.del_flow(flow) for flow in flows])
        except OSError as e:
            if e.errno != errno.ENOENT:
                raise
    return len(flows)
