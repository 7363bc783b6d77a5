"""A container's place on the network: its sandbox, and an endpoint on each network that it is to be on.

`NetworkMode` is `bridge`, `host`, `none`, `container:REF` or a network of one's own; what a container is plugged into stands in its
record's `networks`, by name.  A container that joins another's sandbox has none of its own, nor has one on the host's network.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from wharfd.engine.containers.endpoints import check_combination
from wharfd.engine.ledger import Ledger
from wharfd.engine.names import Names
from wharfd.model.config import EndpointIPAMConfig, EndpointSettings
from wharfd.model.container import ContainerRecord, State
from wharfd.model.errors import Conflict, EngineError, Forbidden, InvalidParameter, NotFound, Unavailable
from wharfd.model.network import Endpoint, EndpointRequest, NetworkRecord, PortWish
from wharfd.ports.network import NameServers, NetworkDriver, SandboxDriver
from wharfd.wire.endpointopts import DEFAULT_PREFIX, IFNAME, PREFIX, free_name
from wharfd.wire.ports import Port, parse_bindings, parse_exposed
from wharfd.wire.rtlink import is_link_name

JOINS = "container:"


@dataclass(frozen=True, slots=True)
class Attached:
    """`sandbox_key` empty: the engine's own network namespace.  `networks` by name, `endpoints` by network id."""

    sandbox_key: str
    networks: dict[str, EndpointSettings]
    endpoints: dict[str, Endpoint]


class Attachment:
    """`drivers` by the name in `NetworkRecord.driver`; `new_id` makes 64 hex digits.

    `upstreams` gives the resolvers of a container's host.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        sandboxes: SandboxDriver,
        drivers: Mapping[str, NetworkDriver],
        name_servers: NameServers,
        new_id: Callable[[], str],
        upstreams: Callable[[ContainerRecord], Sequence[str]] = lambda _: (),
    ) -> None:
        self.ledger = ledger
        self.sandboxes = sandboxes
        self.drivers = drivers
        self.name_servers = name_servers
        self.new_id = new_id
        self.upstreams = upstreams
        self.known = Names(ledger)

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
        try:
            check_combination(mode, record.networks)
            return await self.plug_all(record)
        except EngineError as e:
            raise e.prefixed("failed to set up container networking: ") from e

    async def plug_all(self, record: ContainerRecord) -> Attached:
        wanted = self.wanted(record)
        needs_sandbox = not wanted or any(self.driver(network).needs_sandbox for _, _, network in wanted)
        key = await self.sandboxes.create(record.sandbox_id) if needs_sandbox else ""
        leader = min(wanted, key=gateway_order)[0] if wanted else ""
        attached = Attached(key, dict(record.networks), {})
        try:
            for number, (name, settings, network) in enumerate(wanted):
                interface = interface_name(settings, network, attached.endpoints.values())
                request = self.request(record, settings, interface, leads=name == leader)
                if number == 0 and not request.mac:
                    request = msgspec.structs.replace(request, mac=record.config.mac_address)
                endpoint = await self.driver(network).attach(network, request, key)
                attached.endpoints[network.id] = endpoint
                attached.networks[name] = self.plugged(record, settings, network, endpoint)
            await self.serve_names(record, attached)
        except BaseException:
            await self.name_servers.stop(record.sandbox_id)
            await self.unplug(attached.endpoints, key)
            raise
        return attached

    def request(
        self, record: ContainerRecord, settings: EndpointSettings, interface: str, *, leads: bool
    ) -> EndpointRequest:
        ipam = settings.ipam_config or EndpointIPAMConfig()
        return EndpointRequest(
            endpoint_id=self.new_id(),
            container_id=record.id,
            name=record.name,
            interface=interface,
            ipv4=ipam.ipv4_address,
            ipv6=ipam.ipv6_address,
            mac=settings.mac_address,
            aliases=settings.aliases or [],
            driver_opts=settings.driver_opts or {},
            is_gateway=leads,
            ports=port_wishes(record) if leads else [],
        )

    async def serve_names(self, record: ContainerRecord, attached: Attached) -> None:
        """Docker: there is a resolver of the engine's where there is a network of one's own."""
        if not is_named(self.ledger, attached.networks):
            return
        self.known.begin(msgspec.structs.replace(record, networks=attached.networks))
        await self.name_servers.serve(
            record.sandbox_id, attached.sandbox_key, self.known.lookup(record.id), self.upstreams_of(record, attached)
        )

    def upstreams_of(self, record: ContainerRecord, attached: Attached) -> Sequence[str]:
        """Docker: who is on internal networks alone asks nobody outside."""
        networks = [self.ledger.networks.get(network_id) for network_id in attached.endpoints]
        if all(network is None or network.internal for network in networks):
            return ()
        return self.upstreams(record)

    async def resume(self, record: ContainerRecord) -> None:
        """The engine has come up, and the container runs on."""
        if record.sandbox_key and not record.host_config.network_mode.startswith(JOINS):
            await self.serve_names(record, Attached(record.sandbox_key, record.networks, record.endpoints))

    # While it runs

    async def connect(self, record: ContainerRecord, network: NetworkRecord, settings: EndpointSettings) -> Attached:
        """Plug a running container into one more network, which may become its way out.

        Raises:
            EngineError: nothing is changed then.
        """
        wanted = [*self.plugged_in(record), (network.name, settings, network)]
        leads = min(wanted, key=gateway_order)[0] == network.name
        endpoints = dict(record.endpoints)
        old = self.leader(record) if leads else None
        if old is not None:
            endpoints[old.id] = await self.driver(old).yield_lead(old, endpoints[old.id], record.sandbox_key)
        try:
            interface = interface_name(settings, network, endpoints.values())
            request = self.request(record, settings, interface, leads=leads)
            endpoint = await self.driver(network).attach(network, request, record.sandbox_key)
            endpoints[network.id] = endpoint
            networks = {**record.networks, network.name: self.plugged(record, settings, network, endpoint)}
            attached = Attached(record.sandbox_key, networks, endpoints)
            await self.serve_names(record, attached)
        except BaseException:
            if network.id in endpoints:
                await self.driver(network).unplug(network, endpoints[network.id], record.sandbox_key)
            if old is not None:
                await self.lead(record, old, record.endpoints[old.id])
            raise
        return attached

    async def disconnect(self, record: ContainerRecord, network: NetworkRecord) -> Attached:
        """Unplug a running container from a network; if that was its way out, the next one becomes it."""
        endpoints = {key: each for key, each in record.endpoints.items() if key != network.id}
        networks = {name: each for name, each in record.networks.items() if name != network.name}
        gone = record.endpoints.get(network.id)
        if gone is not None:
            await self.driver(network).unplug(network, gone, record.sandbox_key)
        left = [each for each in self.plugged_in(record) if each[0] != network.name]
        if left and gone is not None and gone.is_gateway:
            heir = min(left, key=gateway_order)[2]
            endpoints[heir.id] = await self.lead(record, heir, endpoints[heir.id])
        return Attached(record.sandbox_key, networks, endpoints)

    async def lead(self, record: ContainerRecord, network: NetworkRecord, endpoint: Endpoint) -> Endpoint:
        return await self.driver(network).lead(network, endpoint, record.sandbox_key, port_wishes(record), record.name)

    def plugged_in(self, record: ContainerRecord) -> list[tuple[str, EndpointSettings, NetworkRecord]]:
        """Of a running container."""
        found = []
        for name, settings in record.networks.items():
            network = self.ledger.networks.get(settings.network_id)
            if network is not None and network.id in record.endpoints:
                found.append((name, settings, network))
        return found

    def leader(self, record: ContainerRecord) -> NetworkRecord | None:
        for network_id, endpoint in record.endpoints.items():
            if endpoint.is_gateway:
                return self.ledger.networks.get(network_id)
        return None

    async def detach(self, record: ContainerRecord) -> None:
        """Give everything back that the record's run may hold.  May be repeated, also for a run that got half-way.

        Every part is tried; the first error is raised at the end.
        """
        mode = record.host_config.network_mode
        self.known.end(record.id)
        await self.name_servers.stop(record.sandbox_id)
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
        main = self.ledger.networks.find(record.host_config.network_mode)
        main_name = main.name if main is not None else record.host_config.network_mode
        found = []
        for name in sorted(record.networks, key=lambda name: (name != main_name, name)):
            settings = record.networks[name]
            known = self.ledger.networks.get(settings.network_id) or self.ledger.network(name)
            found.append((name, settings, known))
        return found

    def names(self, record: ContainerRecord, settings: EndpointSettings, network: NetworkRecord) -> list[str] | None:
        """By which others on the network find it.  Docker: there are such names on networks of one's own only."""
        if network.predefined:
            return settings.dns_names
        names = [record.name, *(settings.aliases or []), record.id[:12], record.config.hostname]
        return [name for name in dict.fromkeys(names) if name]

    def plugged(
        self, record: ContainerRecord, settings: EndpointSettings, network: NetworkRecord, endpoint: Endpoint
    ) -> EndpointSettings:
        """The settings with what the driver gave."""
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
            dns_names=self.names(record, settings, network),
        )

    def driver(self, network: NetworkRecord) -> NetworkDriver:
        if network.config_only:
            raise Forbidden("cannot create endpoint on configuration-only network")
        driver = self.drivers.get(network.driver)
        if driver is None:
            raise Unavailable(f"could not find plugin {network.driver} in v1 plugin registry: plugin not found")
        return driver

    def sandbox_of(self, record: ContainerRecord, ref: str) -> str:
        try:
            other = self.ledger.container(ref)
        except NotFound as error:
            raise error.prefixed("joining network namespace of container: ") from error
        if other.id == record.id:
            raise InvalidParameter("cannot join own network namespace")
        if other.state is State.RESTARTING:
            raise Conflict(f"Container {other.id} is restarting, wait until the container is running")
        if not other.is_running:
            raise Conflict(
                f"cannot join network namespace of a non running container: container {other.name} is {other.state}"
            )
        return other.sandbox_key


def gateway_order(wanted: tuple[str, EndpointSettings, NetworkRecord]) -> tuple[int, bool, str]:
    """The least one has the default route.  Docker: the highest `GwPriority`, then networks that lead out, then by name."""
    name, settings, network = wanted
    return -settings.gw_priority, network.internal, name


def is_named(ledger: Ledger, networks: Mapping[str, EndpointSettings]) -> bool:
    """Whether one of the networks that it is plugged into gives names to its members."""
    found = (ledger.networks.get(settings.network_id) for settings in networks.values() if settings.endpoint_id)
    return any(network is not None and not network.predefined for network in found)


def interface_name(settings: EndpointSettings, network: NetworkRecord, endpoints: Iterable[Endpoint]) -> str:
    """As the endpoint asks, or the next one of the network's kind (`eth0`, `eth1`, …)."""
    asked = (settings.driver_opts or {}).get(IFNAME, "")
    prefix = network.options.get(PREFIX) or DEFAULT_PREFIX
    name = asked or free_name(prefix, [endpoint.interface for endpoint in endpoints])
    if not is_link_name(name):
        raise InvalidParameter(f'failed to add an interface to sandbox: it cannot be called "{name}"')
    return name


def port_wishes(record: ContainerRecord) -> list[PortWish]:
    """What its host configuration publishes.  Docker: with `PublishAllPorts` also what is exposed and not bound."""
    wishes = []
    bound = set()
    for binding in parse_bindings(record.host_config.port_bindings):
        bound.add(binding.port)
        wishes.append(
            PortWish(
                port=binding.port.number,
                protocol=binding.port.protocol,
                host_ip=binding.host_ip,
                first=binding.first,
                last=binding.last,
            )
        )
    if record.host_config.publish_all_ports:
        for key in record.config.exposed_ports or ():
            for port in exposed(key):
                if port not in bound:
                    bound.add(port)
                    wishes.append(PortWish(port=port.number, protocol=port.protocol))
    # Docker: ports that are asked for by number are given before those that may be any.
    return sorted(wishes, key=lambda wish: (not wish.first, wish.port, wish.protocol))


def exposed(key: str) -> list[Port]:
    """An image may hold anything."""
    try:
        return parse_exposed(key)
    except InvalidParameter:
        return []
