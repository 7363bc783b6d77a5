"""What macvlan and ipvlan networks have the kernel do: parents that are made, and links on them.  All functions block for a
millisecond or a few."""

import contextlib
import errno
import os
from collections.abc import Sequence

from wharfd.drivers.network.interfaces import configure, write_settings
from wharfd.drivers.network.macvlan.options import (
    IPVLAN_FLAGS,
    IPVLAN_MODES,
    MACVLAN,
    MACVLAN_MODES,
    WireOptions,
    parse_vlan,
)
from wharfd.model.errors import Internal, InvalidParameter, NotImplementedHere
from wharfd.model.network import Endpoint
from wharfd.sys import netns
from wharfd.sys.netlink import Netlink
from wharfd.wire import rtlink
from wharfd.wire.netlink import Request
from wharfd.wire.rtlink import LinkSpec

NO_SUCH_KIND = frozenset({errno.EOPNOTSUPP, errno.ENOTSUP})


def ensure_parent(near: Netlink, name: str, *, owner: str, is_own: bool) -> int:
    """The index of the parent, which is made if it is missing: a sub-interface of a VLAN, or one that leads nowhere (`is_own`).

    `owner` is written to what is made (`alias`), so that it can be told from the host's own links.

    Raises:
        InvalidParameter: it is no name of a link that is there or could be made.
        NotImplementedHere: this kernel has no links of that kind.
        Internal.
    """
    link = near.find_link(name)
    if link is not None:
        return link.index
    if is_own:
        make(near, rtlink.new_link("dummy", LinkSpec(name=name, up=True)), f"failed to create {name}")
    else:
        vlan = parse_vlan(name)
        below = near.find_link(vlan.parent)
        if below is None:
            raise InvalidParameter(f"-o parent interface was not found on the host: {vlan.parent}")
        spec = LinkSpec(name=name, parent=below.index, up=True)
        make(near, rtlink.new_vlan(spec, vlan.vlan_id), f"failed to create {name} vlan link")
    index = near.link(name).index
    near.execute([rtlink.set_link(index, alias=owner)])
    return index


def make(near: Netlink, request: Request, words: str) -> None:
    try:
        near.execute([request])
    except OSError as e:
        text = f"{words}: {os.strerror(e.errno or 0).lower()}"
        raise (NotImplementedHere(text) if e.errno in NO_SUCH_KIND else Internal(text)) from e


def drop_parent(near: Netlink, name: str, *, owner: str) -> None:
    """If it was made by us."""
    link = near.find_link(name)
    if link is not None and link.alias == owner:
        with contextlib.suppress(OSError):
            near.delete_link(link.index)


def plug(
    near: Netlink,
    endpoint: Endpoint,
    sandbox_key: str,
    *,
    parent: int,
    options: WireOptions,
    settings: Sequence[tuple[str, str]],
) -> None:
    """A link on the parent, made inside the sandbox, with addresses and routes.

    Raises:
        InvalidParameter: a setting that there is not.
        NotImplementedHere: this kernel has no links of that kind.
        OSError: nothing is left, in all cases.
    """
    fd = netns.open_fd(sandbox_key)
    try:
        spec = LinkSpec(
            name=endpoint.interface, mac=endpoint.mac or None, mtu=options.mtu or None, netns_fd=fd, parent=parent
        )
        if options.kind == MACVLAN:
            request = rtlink.new_macvlan(spec, MACVLAN_MODES[options.mode])
        else:
            request = rtlink.new_ipvlan(spec, IPVLAN_MODES[options.mode], IPVLAN_FLAGS[options.flag])
        make(near, request, f"failed to create the {options.kind} port")
        try:
            netns.run_in(fd, lambda: announce(endpoint.interface))
            with Netlink.in_netns(fd) as inside:
                configure(inside, endpoint, onlink=options.is_routed)
            if settings:
                netns.run_in(fd, lambda: write_settings(settings))
        except BaseException:
            unplug(endpoint.interface, sandbox_key)
            raise
    finally:
        os.close(fd)


def announce(interface: str) -> None:
    """Linux: neighbours on the wire are told of the addresses when the link comes up; they may remember another machine's."""
    for path in (
        f"/proc/sys/net/ipv4/conf/{interface}/arp_notify",
        f"/proc/sys/net/ipv6/conf/{interface}/ndisc_notify",
    ):
        with contextlib.suppress(OSError), open(path, "w") as file:
            file.write("1")


def unplug(interface: str, sandbox_key: str) -> None:
    """At once, and not with the sandbox: the next link with its address is refused as long as it is there.  Idempotent."""
    with contextlib.suppress(OSError), Netlink.in_netns(sandbox_key) as inside:
        inside.delete_link(interface)
