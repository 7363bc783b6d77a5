"""What the bridge driver has the kernel do: bridges and veth pairs.  All functions block for about a millisecond."""

import contextlib
import errno
import logging
import os
from collections.abc import Sequence
from ipaddress import IPv4Interface, IPv6Interface, ip_interface, ip_network

from wharfd.drivers.network.bridge.openings import BRIDGE_GROUP
from wharfd.drivers.network.interfaces import configure, write_setting, write_settings
from wharfd.model.errors import Internal, Unavailable
from wharfd.model.network import Endpoint, IPAMPool
from wharfd.sys import netns
from wharfd.sys.netlink import Netlink
from wharfd.wire import rtlink
from wharfd.wire.rtlink import LinkSpec

log = logging.getLogger(__name__)

GROUP = 0x57000000  # of links that are to go; with the number of the process that deletes them


def veth_name(endpoint_id: str) -> str:
    return "veth" + endpoint_id[:7]


def gateway_interface(pool: IPAMPool) -> IPv4Interface | IPv6Interface:
    return ip_interface(f"{pool.gateway}/{ip_network(pool.subnet).prefixlen}")


def make_bridge(near: Netlink, name: str, pools: Sequence[IPAMPool], *, mtu: int, owner: str) -> int:
    """The bridge with the gateways of its pools, up; what is there already is kept.  Returns its index.

    `owner` is written to the link (`alias`), so that it can be told from other programs' bridges.
    """
    try:
        link = near.find_link(name)
        if link is None:
            near.create_bridge(name, mtu=mtu)
            link = near.link(name)
            near.execute([rtlink.set_link(link.index, alias=owner), rtlink.set_group(link.index, BRIDGE_GROUP)])
            if not any(":" in pool.subnet for pool in pools):
                write_setting(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6", "1")
        elif link.kind != "bridge":
            raise Unavailable(f"cannot use {name} as a bridge: there is a link of that name and another kind")
        elif not link.group:
            near.execute([rtlink.set_group(link.index, BRIDGE_GROUP)])
        wanted = {str(gateway_interface(pool)): gateway_interface(pool) for pool in pools if pool.gateway}
        have = {str(address.interface) for address in near.addresses(index=link.index)}
        for text, gateway in wanted.items():
            if text not in have:
                near.add_address(link.index, gateway, no_dad=gateway.version == 6)
        for old in have - wanted.keys():
            if ip_interface(old).version == 4:
                near.delete_address(link.index, ip_interface(old))
        near.set_link(link.index, up=True)
        # Linux: what the host sends from 127.0.0.1 to a published port leaves by the bridge only with this set (ip-sysctl).
        write_setting(f"/proc/sys/net/ipv4/conf/{name}/route_localnet", "1")
        allow_forwarding(pools)
    except OSError as e:
        raise Unavailable(f"cannot make bridge {name}: {e}") from e
    return link.index


def delete_bridge(near: Netlink, name: str) -> None:
    try:
        near.delete_link(name)
    except OSError as e:
        if e.errno != errno.ENODEV:
            raise Internal(f"cannot delete bridge {name}: {e}") from e


def drop_addresses(near: Netlink, name: str) -> None:
    """So that its subnets are free at once; the link itself takes longer to delete."""
    link = near.find_link(name)
    if link is not None:
        for address in near.addresses(index=link.index):
            with contextlib.suppress(OSError):
                near.delete_address(link.index, address.interface)


def delete_links(near: Netlink, names: Sequence[str]) -> None:
    """Those that are there, in one go: the kernel waits for its readers once and not for each."""
    if not names:
        return
    group = GROUP | (os.getpid() & 0xFFFFFF)
    with contextlib.suppress(OSError):
        near.execute([rtlink.set_group(name, group) for name in names])
    try:
        near.execute([rtlink.del_group(group)])
    except OSError as e:
        if e.errno != errno.ENODEV:
            log.warning("links=%s not deleted: error=%s", ",".join(names), e)


def plug(
    near: Netlink,
    endpoint: Endpoint,
    sandbox_key: str,
    *,
    bridge: int,
    mtu: int,
    isolated: bool,
    settings: Sequence[tuple[str, str]] = (),
) -> None:
    """A veth pair from the bridge into the sandbox, with addresses and routes; `settings` are files of its and their contents.

    Raises:
        InvalidParameter: a setting that there is not.
        OSError: nothing is left, in both cases.
    """
    name = veth_name(endpoint.endpoint_id)
    fd = netns.open_fd(sandbox_key)
    try:
        host_end = LinkSpec(name=name, mtu=mtu, master=bridge, up=True)
        near.create_veth(host_end, LinkSpec(name=endpoint.interface, mac=endpoint.mac, mtu=mtu, netns_fd=fd))
        try:
            if isolated:
                near.set_bridge_port(near.link(name).index, isolated=True)
            with Netlink.in_netns(fd) as inside:
                configure(inside, endpoint)
            if settings:
                netns.run_in(fd, lambda: write_settings(settings))
        except BaseException:
            with contextlib.suppress(OSError):
                near.delete_link(name)
            raise
    finally:
        os.close(fd)


def allow_hairpin(near: Netlink, endpoint_id: str) -> None:
    """A container that asks for its own published port must get its packets back through the link that they came by.

    Linux: only where frames pass through the rules of IP (br_netfilter); else they go by the host's routes anyway, and a port in
    hairpin mode is sent its own broadcasts.
    """
    with contextlib.suppress(FileNotFoundError), open("/proc/sys/net/bridge/bridge-nf-call-iptables") as file:
        if file.read().strip() == "1":
            near.set_bridge_port(near.link(veth_name(endpoint_id)).index, hairpin=True)


def own_links(near: Netlink, owner: str) -> tuple[dict[str, int], dict[str, int]]:
    """Bridges that carry this owner's mark, by name, and the links on any bridge with the index of that bridge."""
    links = near.links()
    bridges = {link.name: link.index for link in links if link.kind == "bridge" and link.alias == owner}
    return bridges, {link.name: link.master for link in links if link.master}


def allow_forwarding(pools: Sequence[IPAMPool]) -> None:
    """Linux: packets pass between bridge and world only with this set (networking/ip-sysctl)."""
    if any(":" not in pool.subnet for pool in pools):
        write_setting("/proc/sys/net/ipv4/ip_forward", "1")
    if any(":" in pool.subnet for pool in pools):
        write_setting("/proc/sys/net/ipv6/conf/all/forwarding", "1")
