"""Create a network of one's own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from wharfd.engine.containers.endpoints import PREDEFINED
from wharfd.engine.happenings import network_event
from wharfd.engine.ledger import Ledger
from wharfd.model.errors import Conflict, Forbidden, InvalidParameter, NotFound
from wharfd.model.ids import NetworkId
from wharfd.model.network import IPAMPool, NetworkRecord
from wharfd.ports.clock import Clock
from wharfd.ports.network import NetworkDriver
from wharfd.wire.ipam import check_pools

DEFAULT_DRIVER = "bridge"
CONFIG_DRIVER = "null"  # Docker: that of a network that is a set of options only
OPERATOR_FIELDS = (
    "configuration network can only contain network specific fields. Network operator fields like "
    "[ ingress | internal | attachable | scope ] are not supported."
)
SWARM_DRIVERS = ("overlay",)
NO_MANAGER = (
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm '
    "and try again."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedNetwork:
    """A decoded create request."""

    name: str
    driver: str = ""
    scope: str = ""
    enable_ipv4: bool = True
    enable_ipv6: bool = False
    ipam_driver: str = ""
    ipam_options: dict[str, str] | None = None
    pools: Sequence[IPAMPool] = ()
    internal: bool = False
    attachable: bool = False
    ingress: bool = False
    config_only: bool = False
    config_from: str = ""
    options: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)


class CreateNetwork:
    """`drivers` by the name in `NetworkRecord.driver`; `new_id` makes 64 hex digits.

    `default_options` by driver: those of networks that do not say otherwise.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        clock: Clock,
        drivers: Mapping[str, NetworkDriver],
        new_id: Callable[[], str],
        default_options: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self.ledger = ledger
        self.clock = clock
        self.drivers = drivers
        self.new_id = new_id
        self.default_options = default_options or {}

    async def __call__(self, asked: AskedNetwork) -> NetworkRecord:
        """Raises InvalidParameter, Forbidden (predefined, overlapping), Conflict (the name is taken), NotFound (no such driver)."""
        check_name(asked.name)
        if asked.config_only:
            check_config_only(asked)
        check_swarm(asked)
        if asked.config_from:
            asked = self.configured(asked)
        driver = None if asked.config_only else self.driver(asked.driver or DEFAULT_DRIVER)
        check_families(asked)
        check_pools(asked.pools)
        network_id = NetworkId(self.new_id())
        if self.ledger.networks.reserve(asked.name, network_id) is not None:
            raise Conflict(f"network with name {asked.name} already exists")
        try:
            network = self.record(asked, network_id)
            if driver is not None:
                network = await driver.create_network(network)
            try:
                event = network_event(network, "create", network.created_ns)
                await self.ledger.commit(network, events=[event], durable=True)
            except BaseException:
                if driver is not None:
                    await driver.delete_network(network)
                raise
        except BaseException:
            self.ledger.networks.release(asked.name, network_id)
            raise
        return network

    def driver(self, name: str) -> NetworkDriver:
        driver = self.drivers.get(name)
        if driver is not None:
            return driver
        if name in SWARM_DRIVERS:
            raise Forbidden(NO_MANAGER)
        raise NotFound(f'plugin "{name}" not found')

    def configured(self, asked: AskedNetwork) -> AskedNetwork:
        """With the options of the configuration network that it names.  Raises NotFound, Forbidden."""
        source = self.ledger.networks.find(asked.config_from)
        if source is None or not source.config_only:
            raise NotFound(f'configuration network "{asked.config_from}" does not exist')
        if asked.options:
            raise Forbidden(
                "network driver options are not supported if the network depends on a configuration network"
            )
        if asked.labels or asked.pools or asked.enable_ipv6 or asked.ipam_driver or asked.ipam_options:
            raise Forbidden(
                "user specified configurations are not supported if the network depends on a configuration network"
            )
        return replace(
            asked,
            config_from=source.name,
            enable_ipv4=source.enable_ipv4,
            enable_ipv6=source.enable_ipv6,
            ipam_options=source.ipam_options,
            pools=source.pools,
            options=source.options,
            labels=source.labels,
        )

    def record(self, asked: AskedNetwork, network_id: NetworkId) -> NetworkRecord:
        driver = CONFIG_DRIVER if asked.config_only else asked.driver or DEFAULT_DRIVER
        return NetworkRecord(
            id=network_id,
            name=asked.name,
            created_ns=self.clock.now_ns(),
            driver=driver,
            enable_ipv4=asked.enable_ipv4,
            enable_ipv6=asked.enable_ipv6,
            ipam_options=asked.ipam_options,
            pools=list(asked.pools),
            internal=asked.internal,
            attachable=asked.attachable,
            options={**self.default_options.get(driver, {}), **asked.options},
            labels=asked.labels,
            config_only=asked.config_only,
            config_from=asked.config_from,
        )


def check_name(name: str) -> None:
    if not name.strip():
        raise InvalidParameter("invalid name: name is empty")
    if name in PREDEFINED:
        raise Forbidden(f"operation is not permitted on predefined {name} network ")


def check_config_only(asked: AskedNetwork) -> None:
    if asked.config_from:
        raise Forbidden("a configuration network cannot depend on another configuration network")
    if asked.internal or asked.attachable or asked.ingress or asked.scope not in {"", "local"}:
        raise Forbidden(OPERATOR_FIELDS)


def check_swarm(asked: AskedNetwork) -> None:
    """What only a swarm's networks can be."""
    if asked.scope == "swarm":
        raise Forbidden("cannot create a swarm scoped network when swarm is not active")
    if asked.ingress:
        raise Forbidden("Ingress network can only be global scope network")


def check_families(asked: AskedNetwork) -> None:
    if not asked.enable_ipv4 and not asked.enable_ipv6:
        raise InvalidParameter("IPv4 or IPv6 must be enabled")
    if asked.ipam_driver not in {"", "default"}:
        raise NotFound(f'plugin "{asked.ipam_driver}" not found')
