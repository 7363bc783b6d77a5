"""The `host` network: a container lives in the engine's own network namespace; there is nothing to plug."""

from collections.abc import Mapping, Sequence

from wharfd.drivers.network.predefined import predefined
from wharfd.model.errors import Forbidden
from wharfd.model.network import Endpoint, EndpointRequest, NetworkRecord, PortWish
from wharfd.ports.clock import Clock


class HostNetwork:
    """Satisfies `ports.network.NetworkDriver`."""

    needs_sandbox = False
    driver = "host"

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    async def open(self, networks: Sequence[NetworkRecord], endpoints: Mapping[str, Sequence[Endpoint]]) -> None:
        pass

    async def close(self) -> None:
        pass

    async def default_network(self, name: str, known: NetworkRecord | None = None) -> NetworkRecord:
        return known or predefined(name, self.driver, self.clock.now_ns())

    async def create_network(self, network: NetworkRecord) -> NetworkRecord:
        raise Forbidden(f'only one instance of "{self.driver}" network is allowed')

    async def delete_network(self, network: NetworkRecord) -> None:
        raise Forbidden(f'{self.driver} network of name "{network.name}" cannot be deleted')

    async def attach(self, network: NetworkRecord, request: EndpointRequest, sandbox_key: str) -> Endpoint:
        return Endpoint(endpoint_id=request.endpoint_id)

    async def detach(self, network: NetworkRecord, endpoint: Endpoint, sandbox_key: str) -> None:
        pass

    async def unplug(self, network: NetworkRecord, endpoint: Endpoint, sandbox_key: str) -> None:
        pass

    async def lead(
        self, network: NetworkRecord, endpoint: Endpoint, sandbox_key: str, ports: Sequence[PortWish], name: str
    ) -> Endpoint:
        return endpoint

    async def yield_lead(self, network: NetworkRecord, endpoint: Endpoint, sandbox_key: str) -> Endpoint:
        return endpoint


class NullNetwork(HostNetwork):
    """The `none` network: a sandbox with nothing but its loopback link."""

    needs_sandbox = True
    driver = "null"
