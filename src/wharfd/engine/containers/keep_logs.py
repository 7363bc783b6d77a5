"""Has the logs of running containers looked after: rotated, and sent to where they are to go.

What has happened to containers is heard from the event bus.  When an engine comes up, the logs of containers that have ended are looked
after, too: what the engine before it has not sent is sent then.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from wharfd.engine.containers.log_details import expand_tag, extra_attributes
from wharfd.engine.ledger import Ledger
from wharfd.engine.tasks import Tasks
from wharfd.model.container import ContainerRecord, State
from wharfd.model.event import Event
from wharfd.model.ids import ContainerId
from wharfd.ports.host import Host
from wharfd.ports.logs import LogDriver, LogSubject
from wharfd.ports.runtime import RuntimeDriver

log = logging.getLogger(__name__)

TURNS = frozenset({"start", "die", "destroy"})
PARTING_S = 3.0
AT_WORK = frozenset({State.RUNNING, State.PAUSED})


class RunOver:
    """`ContainerEnd` that is told."""

    def __init__(self, *, is_over: bool) -> None:
        self.over = is_over
        self.calls: list[Callable[[], None]] = []

    def is_over(self) -> bool:
        return self.over

    def on_over(self, call: Callable[[], None]) -> None:
        if self.over:
            call()
        else:
            self.calls.append(call)

    def set(self) -> None:
        self.over = True
        calls, self.calls = self.calls, []
        for call in calls:
            call()


@dataclass(frozen=True, slots=True)
class Attendance:
    """Of one run of a container."""

    sandbox_id: str
    end: RunOver
    task: asyncio.Task[None]


class KeepLogs:
    def __init__(
        self,
        *,
        ledger: Ledger,
        tasks: Tasks,
        host: Host,
        runtime: RuntimeDriver,
        drivers: Mapping[str, LogDriver],
    ) -> None:
        self.ledger = ledger
        self.tasks = tasks
        self.host = host
        self.runtime = runtime
        self.drivers = drivers
        self.attended: dict[ContainerId, Attendance] = {}

    def open(self) -> None:
        self.tasks.spawn(self.listen(), "logs")

    async def listen(self) -> None:
        while True:
            subscription = self.ledger.bus.subscribe(is_turn)
            try:
                for record in list(self.ledger.containers):
                    if record.started_ns:
                        self.look(record.id)
                while (event := await subscription.next()) is not None:
                    self.look(ContainerId(event.actor_id))
                log.warning("logs: fell behind the events; all containers are looked at anew")
            finally:
                subscription.close()

    def look(self, container_id: ContainerId) -> None:
        record = self.ledger.containers.get(container_id)
        now = self.attended.get(container_id)
        if now is None:
            if record is not None:
                self.begin(record)
        elif record is None or record.sandbox_id != now.sandbox_id:
            now.task.cancel()  # `ended` looks again
        elif record.state not in AT_WORK:
            now.end.set()

    def begin(self, record: ContainerRecord) -> None:
        driver = self.drivers.get(record.host_config.log_config.type)
        if driver is None or not record.log_path:
            return
        end = RunOver(is_over=record.state not in AT_WORK)
        work = driver.attend(self.subject(record), end, partial(self.runtime.reopen_log, record.id))
        task = self.tasks.spawn(work, f"log:{record.id[:12]}")
        self.attended[record.id] = Attendance(record.sandbox_id, end, task)
        task.add_done_callback(partial(self.ended, record.id, record.sandbox_id))

    def ended(self, container_id: ContainerId, sandbox_id: str, task: "asyncio.Task[None]") -> None:
        del self.attended[container_id]
        record = self.ledger.containers.get(container_id)
        if record is not None and record.sandbox_id != sandbox_id and not self.tasks.closed:
            self.look(container_id)

    async def drained(self, container_id: ContainerId) -> None:
        """For a container that is about to be removed: what it wrote last may still be on its way, but is not waited for for long."""
        now = self.attended.get(container_id)
        if now is not None:
            now.end.set()
            await asyncio.wait([now.task], timeout=PARTING_S)

    def subject(self, record: ContainerRecord) -> LogSubject:
        options = dict(record.host_config.log_config.config or {})
        return LogSubject(
            container_id=record.id,
            name=record.name,
            image_id=record.image_id,
            image_name=record.config.image,
            command=" ".join(record.command_line),
            created_ns=record.created_ns,
            hostname=self.host.facts().hostname,
            path=record.log_path,
            options=options,
            attributes=extra_attributes(record),
            tag=expand_tag(options.get("tag", ""), record),
        )


def is_turn(event: Event) -> bool:
    return event.type == "container" and event.action in TURNS
