"""Who is attached to which container: the hubs of containers that run, and clients that wait for a start.

A hub exists only while somebody is attached; the first opens the connection to the monitor, the last closes it.
"""

import asyncio
import logging

from wharfd.engine.containers.waiters import Waiters, Waiting
from wharfd.engine.ledger import Ledger
from wharfd.engine.streams.hub import PATIENCE_S, Hub, Viewer
from wharfd.engine.tasks import Tasks
from wharfd.model.container import ContainerRecord
from wharfd.model.errors import Conflict, EngineError
from wharfd.model.ids import ContainerId
from wharfd.ports.streams import StdioDriver

log = logging.getLogger(__name__)


class Audience:
    """`connect` is for `Start`: the container is there, and its first process waits to be let go."""

    def __init__(
        self, *, ledger: Ledger, tasks: Tasks, waiters: Waiters, streams: StdioDriver, patience_s: float = PATIENCE_S
    ) -> None:
        self.ledger = ledger
        self.tasks = tasks
        self.waiters = waiters
        self.streams = streams
        self.patience_s = patience_s
        self.opening = asyncio.Lock()
        self.hubs: dict[ContainerId, Hub] = {}
        self.waiting: dict[ContainerId, dict[Viewer, Waiting]] = {}

    async def join(self, record: ContainerRecord, viewer: Viewer) -> None:
        """To a container that runs.  Of one that has just ended there is nothing to be seen."""
        async with self.opening:  # it takes no time, and two must not open a hub each
            hub = self.hubs.get(record.id)
            if hub is None or hub.is_over:
                try:
                    hub = await self.open(record)
                except Conflict:
                    viewer.end()
                    return
            hub.add(viewer)

    def expect(self, record: ContainerRecord, viewer: Viewer) -> None:
        """Wait for the next start; its lock is held.  The viewer ends if that fails, or if the container is removed."""
        viewer.is_foreground = True
        waiting = self.waiters.next_exit(record.id)
        waiting.outcome.add_done_callback(lambda _: self.give_up(record.id, viewer))
        self.waiting.setdefault(record.id, {})[viewer] = waiting

    def give_up(self, container_id: ContainerId, viewer: Viewer) -> None:
        """It waits no longer.  Nothing happens to one that is attached to a run."""
        viewers = self.waiting.get(container_id, {})
        waiting = viewers.pop(viewer, None)
        if waiting is not None:
            waiting.close()
            viewer.end()
        if not viewers:
            self.waiting.pop(container_id, None)

    def leave(self, container_id: ContainerId, viewer: Viewer) -> None:
        """The client is gone."""
        self.give_up(container_id, viewer)
        viewer.leave()

    async def connect(self, container_id: ContainerId) -> None:
        """Those who wait for the start see it from its first byte on.  Never fails the start: they are the ones who end then."""
        viewers = self.waiting.pop(container_id, None)
        if not viewers:
            return
        for waiting in viewers.values():
            waiting.close()
        try:
            hub = await self.open(self.ledger.container(container_id))
        except EngineError as error:
            log.error("container=%s clients cannot be attached error=%s", container_id, error)
            for viewer in viewers:
                viewer.end()
            return
        for viewer in viewers:
            hub.add(viewer)

    async def open(self, record: ContainerRecord) -> Hub:
        stdio = await self.streams.attach(record.id)
        config = record.config
        hub = Hub(
            stdio,
            name=record.id,
            keeps=config.open_stdin and config.stdin_once and not config.tty,
            on_idle=lambda: self.close(record.id),
            patience_s=self.patience_s,
        )
        self.hubs[record.id] = hub
        hub.task = self.tasks.spawn(self.follow(record.id, hub), f"attach:{record.id[:12]}")
        return hub

    async def follow(self, container_id: ContainerId, hub: Hub) -> None:
        try:
            await hub.run()
        finally:
            if self.hubs.get(container_id) is hub:
                del self.hubs[container_id]

    def close(self, container_id: ContainerId) -> None:
        """Nobody is attached any more."""
        hub = self.hubs.pop(container_id, None)
        if hub is not None:
            hub.stop()
