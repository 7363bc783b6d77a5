"""A container's place on the network: its sandbox, and an endpoint on each network that it is to be on.

`NetworkMode` is `bridge`, `host`, `none`, `container:REF` or a network of one's own; what a container is plugged into stands in its
record's `networks`, by name.  A container that joins another's sandbox has none of its own, nor has one on the host's network.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec

from wharfd.engine.containers.endpoints import check_combination
from wharfd.engine.ledger import Ledger
from wharfd.model.config import EndpointSettings
from wharfd.model.container import ContainerRecord, State
from wharfd.model.errors import Conflict, InvalidParameter, Unavailable
from wharfd.model.network import Endpoint, EndpointRequest, NetworkRecord
from wharfd.ports.network import NetworkDriver, SandboxDriver

JOINS = "container:"


@dataclass(frozen=True, slots=True)
class Attached:
    """`sandbox_key` empty: the engine's own network namespace.  `networks` by name, `endpoints` by network id."""

    sandbox_key: str
    networks: dict[str, EndpointSettings]
    endpoints: dict[str, Endpoint]


class Attachment:
    """`drivers` by the name in `NetworkRecord.driver`; `new_id` makes 64 hex digits."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        sandboxes: SandboxDriver,
        drivers: Mapping[str, NetworkDriver],
        new_id: Callable[[], str],
    ) -> None:
        self.ledger = ledger
        self.sandboxes = sandboxes
        self.drivers = drivers
        self.new_id = new_id

    async def attach(self, record: ContainerRecord) -> Attached:
        """Plug it in, into the sandbox that the record names.

        What is plugged when a later network fails is unplugged again; the sandbox is left to `detach`.

        Raises:
            Conflict: the container whose network it joins does not run.
            NotFound: a network, or that container, is gone.
            InvalidParameter: networks that do not go together.
        """
        mode = record.host_config.network_mode
        if mode.startswith(JOINS):
            return Attached(self.sandbox_of(record, mode.removeprefix(JOINS)), dict(record.networks), {})
        check_combination(mode, record.networks)
        wanted = self.wanted(record)
        needs_sandbox = not wanted or any(self.driver(network).needs_sandbox for _, _, network in wanted)
        key = await self.sandboxes.create(record.sandbox_id) if needs_sandbox else ""
        gateway = min(wanted, key=gateway_order)[0] if wanted else ""
        networks = dict(record.networks)
        endpoints: dict[str, Endpoint] = {}
        try:
            for number, (name, settings, network) in enumerate(wanted):
                request = EndpointRequest(
                    endpoint_id=self.new_id(),
                    container_id=record.id,
                    interface=f"eth{number}",
                    ipv4=settings.ipam_config.ipv4_address if settings.ipam_config else "",
                    ipv6=settings.ipam_config.ipv6_address if settings.ipam_config else "",
                    mac=settings.mac_address or (record.config.mac_address if number == 0 else ""),
                    aliases=settings.aliases or [],
                    driver_opts=settings.driver_opts or {},
                    is_gateway=name == gateway,
                )
                endpoint = await self.driver(network).attach(network, request, key)
                endpoints[network.id] = endpoint
                networks[name] = plugged(record, settings, network, endpoint)
        except BaseException:
            await self.unplug(endpoints, key)
            raise
        return Attached(key, networks, endpoints)

    async def detach(self, record: ContainerRecord) -> None:
        """Give everything back that the record's run may hold.  May be repeated, also for a run that got half-way.

        Every part is tried; the first error is raised at the end.
        """
        mode = record.host_config.network_mode
        errors = await self.unplug(record.endpoints, record.sandbox_key)
        if record.sandbox_id and mode != "host" and not mode.startswith(JOINS):
            await self.sandboxes.destroy(record.sandbox_id)
        if errors:
            raise errors[0]

    async def unplug(self, endpoints: Mapping[str, Endpoint], key: str) -> list[Exception]:
        errors: list[Exception] = []
        for network_id, endpoint in endpoints.items():
            network = self.ledger.networks.get(network_id)
            if network is None:
                continue
            try:
                await self.driver(network).detach(network, endpoint, key)
            except Exception as e:  # noqa: BLE001 - the others are to be unplugged all the same
                errors.append(e)
        return errors

    def wanted(self, record: ContainerRecord) -> list[tuple[str, EndpointSettings, NetworkRecord]]:
        """In the order of the interfaces: the network of `NetworkMode` first, then by name."""
        if record.config.network_disabled:
            return []
        mode = record.host_config.network_mode
        found = []
        for name in sorted(record.networks, key=lambda name: (name != mode, name)):
            settings = record.networks[name]
            found.append((name, settings, self.ledger.network(settings.network_id or name)))
        return found

    def driver(self, network: NetworkRecord) -> NetworkDriver:
        driver = self.drivers.get(network.driver)
        if driver is None:
            raise Unavailable(f"could not find plugin {network.driver} in v1 plugin registry: plugin not found")
        return driver

    def sandbox_of(self, record: ContainerRecord, ref: str) -> str:
        other = self.ledger.container(ref)
        if other.id == record.id:
            raise InvalidParameter("cannot join own network namespace")
        if other.state is State.RESTARTING:
            raise Conflict(f"Container {other.id} is restarting, wait until the container is running")
        if not other.is_running:
            raise Conflict(f"cannot join network namespace of a non running container: {other.id}")
        return other.sandbox_key


def gateway_order(wanted: tuple[str, EndpointSettings, NetworkRecord]) -> tuple[int, bool, str]:
    """The least one has the default route.  Docker: the highest `GwPriority`, then networks that lead out, then by name."""
    name, settings, network = wanted
    return -settings.gw_priority, network.internal, name


def plugged(
    record: ContainerRecord, settings: EndpointSettings, network: NetworkRecord, endpoint: Endpoint
) -> EndpointSettings:
    """The settings with what the driver gave.  Docker: names in the network's DNS exist on networks of one's own only."""
    names = [record.name, *(settings.aliases or []), record.id[:12], record.config.hostname]
    return msgspec.structs.replace(
        settings,
        network_id=network.id,
        endpoint_id=endpoint.endpoint_id,
        gateway=endpoint.gateway,
        ip_address=endpoint.ipv4,
        ip_prefix_len=endpoint.ipv4_prefix,
        ipv6_gateway=endpoint.ipv6_gateway,
        global_ipv6_address=endpoint.ipv6,
        global_ipv6_prefix_len=endpoint.ipv6_prefix,
        mac_address=endpoint.mac,
        dns_names=settings.dns_names if network.predefined else [name for name in dict.fromkeys(names) if name],
    )
