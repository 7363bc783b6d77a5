"""Port: sandboxes (network namespaces of containers) and the networks that they are plugged into.

Shaped for many drivers: `bridge`, `host` and `null` exist.  All teardown is idempotent and reported first, done in the background by
the caller.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from wharfd.model.network import Endpoint, EndpointRequest, NetworkRecord, PortWish


class SandboxDriver(Protocol):
    async def open(self) -> None:
        """Make directories; a pool of ready namespaces may be filled from here on."""

    async def close(self) -> None:
        """Drop what is pooled; sandboxes in use stay."""

    async def create(self, sandbox_id: str) -> str:
        """A network namespace with loopback up; returns its file (`SandboxKey`).  Existing: the same answer."""

    async def destroy(self, sandbox_id: str) -> None: ...

    async def leftovers(self) -> Sequence[str]:
        """Sandbox ids that exist, recorded or not (pooled ones excluded)."""

    async def interface_stats(self, pid: int) -> dict[str, dict[str, int]]:
        """Counters of the interfaces in that process's network namespace, loopback left out."""


class NetworkDriver(Protocol):
    """One kind of network (`NetworkRecord.driver`)."""

    @property
    def needs_sandbox(self) -> bool:
        """False for `host`, whose containers live in the engine's own network namespace."""

    async def open(self, networks: Sequence[NetworkRecord], endpoints: Mapping[str, Sequence[Endpoint]]) -> None:
        """Take up the networks that exist (by record); `endpoints` by network id are those in use by running containers.

        Heals what a reboot or a firewall reload removed, removes what no record explains.
        """

    async def close(self) -> None: ...

    async def default_network(self, name: str, known: NetworkRecord | None = None) -> NetworkRecord:
        """The record of the predefined network, with pools chosen so that they do not collide with the host's routes.

        Called at every start, before `open`; `known` is the record that is stored already, whose pools are kept where the settings
        say nothing else.
        """

    async def create_network(self, network: NetworkRecord) -> NetworkRecord:
        """Make it; may fill in pools and options.  Raises InvalidParameter, Forbidden, Conflict."""

    async def delete_network(self, network: NetworkRecord) -> None:
        """Idempotent.  Raises Forbidden while something is plugged in."""

    async def attach(self, network: NetworkRecord, request: EndpointRequest, sandbox_key: str) -> Endpoint:
        """Plug the sandbox in.  Undoes itself on failure."""

    async def detach(self, network: NetworkRecord, endpoint: Endpoint, sandbox_key: str) -> None:
        """Unplug and give the addresses back.  Idempotent."""

    async def unplug(self, network: NetworkRecord, endpoint: Endpoint, sandbox_key: str) -> None:
        """As `detach` from a sandbox that lives on: its link is gone when this returns."""

    async def lead(
        self, network: NetworkRecord, endpoint: Endpoint, sandbox_key: str, ports: Sequence[PortWish], name: str
    ) -> Endpoint:
        """From now on this endpoint has the sandbox's default routes and the published ports of the container `name`.

        Nothing is changed when it fails.  Raises as `attach`.
        """

    async def yield_lead(self, network: NetworkRecord, endpoint: Endpoint, sandbox_key: str) -> Endpoint:
        """The opposite: another endpoint of the sandbox will have them."""


class Lookup(Protocol):
    """The names that a sandbox can see.  Does not wait."""

    def addresses(self, name: str) -> Sequence[str]:
        """Of both families; empty: no name of ours."""

    def names(self, address: str) -> Sequence[str]: ...


class NameServers(Protocol):
    """The resolver at 127.0.0.11 in each sandbox that is on a network of one's own."""

    async def serve(self, sandbox_id: str, sandbox_key: str, lookup: Lookup, upstreams: Sequence[str]) -> None:
        """From now on, until `stop`.  What `lookup` does not know is asked of `upstreams`.  Served already: nothing changes."""

    async def stop(self, sandbox_id: str) -> None:
        """Idempotent."""

    async def close(self) -> None: ...
