"""Ends of processes of build steps, told apart from those of containers."""

import asyncio

from wharfd.model.ids import ContainerId
from wharfd.ports.runtime import Exit


class StepExits:
    def __init__(self) -> None:
        self.awaited: dict[ContainerId, asyncio.Future[Exit]] = {}

    def expect(self, container_id: ContainerId) -> "asyncio.Future[Exit]":
        """Before it is launched.  `forget` afterwards."""
        future = self.awaited[container_id] = asyncio.get_running_loop().create_future()
        return future

    def forget(self, container_id: ContainerId) -> None:
        self.awaited.pop(container_id, None)

    def take(self, exit_seen: Exit) -> bool:
        """False if it is none of ours.  For the runtime driver's `on_exit`."""
        future = self.awaited.get(exit_seen.container_id)
        if future is None:
            return False
        if not future.done():
            future.set_result(exit_seen)
        return True
