"""Satisfies `ports.streams`: the streams of the containers that a `ConmonRuntime` runs, and execs in them."""

from wharfd.drivers.runtime import attach
from wharfd.drivers.runtime.driver import ConmonRuntime
from wharfd.drivers.runtime.execs import Execs
from wharfd.drivers.runtime.placement import Placement
from wharfd.drivers.runtime.terminal import ContainerSizes
from wharfd.model.errors import Conflict
from wharfd.model.ids import ContainerId
from wharfd.ports.streams import AttachedStdio, ExecProcess, ExecRequest


class ConmonStreams:
    """`StdioDriver` and `ExecDriver` in one.  `exec_root`: that of the runtime driver."""

    def __init__(self, driver: ConmonRuntime, exec_root: str) -> None:
        self.driver = driver
        self.sizes = ContainerSizes()
        self.execs = Execs(driver, f"{exec_root}/execs")

    async def attach(self, container_id: ContainerId) -> AttachedStdio:
        return attach.connect(self._demand(container_id))

    async def resize(self, container_id: ContainerId, *, height: int, width: int) -> None:
        await self.sizes.set(self._demand(container_id), height, width)

    async def exec(self, container_id: ContainerId, request: ExecRequest) -> ExecProcess:
        return await self.execs.exec(container_id, request)

    def close(self) -> None:
        """Running execs go on; nobody reads what they write."""
        self.execs.close()

    def _demand(self, container_id: ContainerId) -> Placement:
        placement = self.driver.placements.get(container_id)
        if placement is None or not placement.pid:
            raise Conflict(f"container {container_id} is not running")
        return placement
