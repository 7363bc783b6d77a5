"""Connect a container to a network and disconnect it: at once when it runs, else at its next start."""

import msgspec

from wharfd.engine.containers.attachment import JOINS, Attached, Attachment
from wharfd.engine.containers.endpoints import asked_only, check_combination, check_endpoint
from wharfd.engine.containers.files import NameFiles
from wharfd.engine.happenings import network_event
from wharfd.engine.ledger import Ledger
from wharfd.engine.locks import KeyedLocks
from wharfd.model.config import EndpointSettings
from wharfd.model.container import ContainerRecord, State
from wharfd.model.errors import Conflict, EngineError, Forbidden, InvalidParameter, NotFound
from wharfd.model.network import NetworkRecord
from wharfd.ports.clock import Clock

SHARES = "container sharing network namespace with another container or host cannot be connected to any other network"
GOING = "container {id} is marked for removal and cannot be connected or disconnected to the network {name}"


class ConnectNetwork:
    def __init__(
        self, *, ledger: Ledger, locks: KeyedLocks, clock: Clock, attachment: Attachment, files: NameFiles
    ) -> None:
        self.ledger = ledger
        self.locks = locks
        self.clock = clock
        self.attachment = attachment
        self.files = files

    async def __call__(self, network_ref: str, container_ref: str, asked: EndpointSettings | None = None) -> None:
        """Raises InvalidParameter, NotFound, Forbidden (it is on it, or the address is taken), Conflict (it is being removed)."""
        check_refs(container_ref)
        container_id = self.ledger.container(container_ref).id
        async with self.locks.hold("container", container_id):
            record = self.ledger.container(container_id)
            network = self.ledger.network(network_ref)
            settings = asked_only(asked or EndpointSettings())
            check_endpoint(network.name, settings, network)
            check_state(record, network)
            check_mode(record, network)
            if record.is_running:
                await self.plug(record, network, settings)
            else:
                named = msgspec.structs.replace(settings, dns_names=self.attachment.names(record, settings, network))
                networks = {**record.networks, network.name: named}
                await self.ledger.commit(msgspec.structs.replace(record, networks=networks), durable=True)

    async def plug(self, record: ContainerRecord, network: NetworkRecord, settings: EndpointSettings) -> None:
        if network.name in record.networks:
            raise Forbidden(f"endpoint with name {record.name} already exists in network {network.name}")
        macs = {**record.asked_macs, **({network.name: settings.mac_address} if settings.mac_address else {})}
        attached = await self.attachment.connect(record, network, settings)
        after = put(record, attached, macs)
        event = network_event(network, "connect", self.clock.now_ns(), container=record.id)
        try:
            await self.ledger.commit(after, events=[event], durable=True)
        except EngineError:
            await self.attachment.disconnect(after, network)
            raise
        self.files.rewrite(after, after.networks)


class DisconnectNetwork:
    def __init__(
        self, *, ledger: Ledger, locks: KeyedLocks, clock: Clock, attachment: Attachment, files: NameFiles
    ) -> None:
        self.ledger = ledger
        self.locks = locks
        self.clock = clock
        self.attachment = attachment
        self.files = files

    async def __call__(self, network_ref: str, container_ref: str, *, force: bool = False) -> None:
        """Docker: `force` is for a container that is gone, whose endpoint is still there; this engine leaves none.

        Raises:
            InvalidParameter, NotFound, Conflict (it is not on it, or is being removed).
        """
        check_refs(container_ref)
        network = self.ledger.network(network_ref)
        try:
            container_id = self.ledger.container(container_ref).id
        except NotFound as e:
            if force:
                raise NotFound(f"endpoint {container_ref} not found") from e
            raise
        async with self.locks.hold("container", container_id):
            record = self.ledger.container(container_id)
            check_state(record, network)
            if record.host_config.network_mode == "host" and network.name == "host":
                raise InvalidParameter(
                    "cannot disconnect container from host network - container was created in host network mode"
                )
            if network.name not in record.networks:
                # Docker: 500, though it is no fault of the daemon's.
                raise Conflict(f"container {record.id} is not connected to network {network.name}")
            if record.is_running:
                await self.unplug(record, network)
            else:
                networks = {name: each for name, each in record.networks.items() if name != network.name}
                await self.ledger.commit(msgspec.structs.replace(record, networks=networks), durable=True)

    async def unplug(self, record: ContainerRecord, network: NetworkRecord) -> None:
        attached = await self.attachment.disconnect(record, network)
        macs = {name: mac for name, mac in record.asked_macs.items() if name != network.name}
        after = put(record, attached, macs)
        event = network_event(network, "disconnect", self.clock.now_ns(), container=record.id)
        await self.ledger.commit(after, events=[event], durable=True)
        self.files.rewrite(after, after.networks)


def put(record: ContainerRecord, attached: Attached, macs: dict[str, str]) -> ContainerRecord:
    return msgspec.structs.replace(record, networks=attached.networks, endpoints=attached.endpoints, asked_macs=macs)


def check_refs(container_ref: str) -> None:
    if not container_ref:
        raise InvalidParameter('invalid name or ID supplied: ""')


def check_state(record: ContainerRecord, network: NetworkRecord) -> None:
    if record.state in {State.REMOVING, State.DEAD}:
        raise Conflict(GOING.format(id=record.id, name=network.name))


def check_mode(record: ContainerRecord, network: NetworkRecord) -> None:
    """What cannot be on several networks, or not on this one."""
    mode = record.host_config.network_mode
    if mode.startswith(JOINS):
        raise InvalidParameter(SHARES)
    if network.name in record.networks:
        return
    check_combination(mode, {**record.networks, network.name: EndpointSettings()})
