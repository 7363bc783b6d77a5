"""Runs a process of a build step: a container in all but name, by the same driver, plan and network as those that clients make.

It has no record.  What an engine that dies leaves of it (process, mounts, sandbox, files) is found by the next one as traces that no record
explains, and goes.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

import msgspec

from wharfd.engine.build.execution.exits import StepExits
from wharfd.engine.build.reports import Report
from wharfd.engine.containers.attachment import Attached, Attachment
from wharfd.engine.containers.files import NameFiles
from wharfd.engine.containers.start import Ground, Planner
from wharfd.engine.tasks import Tasks
from wharfd.model.container import ContainerRecord
from wharfd.model.errors import EngineError
from wharfd.ports.files import ContainerFiles
from wharfd.ports.runtime import RuntimeDriver
from wharfd.ports.streams import Output, StdioDriver

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    code: int
    oom_killed: bool = False


def whole_lines_first(outputs: Sequence[Output]) -> Iterator[Output]:
    """The monitor reads one stream after the other, so which of two was written to first is not known any more: a line that has no end
    yet does not get another stream's into its middle, since clients show both in one."""
    begun: dict[int, bytes] = {}
    for output in outputs:
        data = begun.pop(output.stream, b"") + output.data
        whole = data.rfind(b"\n") + 1
        if whole:
            yield Output(output.stream, data[:whole])
        if whole < len(data):
            begun[output.stream] = data[whole:]
    for stream, rest in begun.items():
        yield Output(stream, rest)


class Processes:
    def __init__(
        self,
        *,
        tasks: Tasks,
        runtime: RuntimeDriver,
        streams: StdioDriver,
        planner: Planner,
        name_files: NameFiles,
        container_files: ContainerFiles,
        attachment: Attachment,
        exits: StepExits,
    ) -> None:
        self.tasks = tasks
        self.runtime = runtime
        self.streams = streams
        self.planner = planner
        self.name_files = name_files
        self.container_files = container_files
        self.attachment = attachment
        self.exits = exits

    async def run(self, record: ContainerRecord, root: str, report: Report) -> Outcome:
        """The root is mounted at `root`.  Returns when the process has ended, all of its output was told and nothing of it runs.

        Raises StartFailed.
        """
        async with AsyncExitStack() as undo:
            attached = await self.attached(record, undo)
            files = self.name_files.write(record, attached.networks)
            undo.push_async_callback(self.container_files.remove, record.id)
            launch = await self.planner(record, Ground(root, attached.sandbox_key, files))
            ended = self.exits.expect(record.id)
            undo.callback(self.exits.forget, record.id)
            # Before anything is launched: what is cancelled in the middle is taken down, too.
            undo.push_async_callback(self.runtime.delete, record.id)
            await self.runtime.create(launch)
            stdio = await self.streams.attach(record.id)
            undo.callback(stdio.close)
            await self.runtime.start(record.id)
            stdio.close_stdin()
            while outputs := await stdio.read():
                for output in whole_lines_first(outputs):
                    report.log(output.stream, output.data)
                await report.room()
            exit_seen = await ended
        return Outcome(exit_seen.code, exit_seen.oom_killed)

    async def attached(self, record: ContainerRecord, undo: AsyncExitStack) -> Attached:
        """A link takes its time to go: nobody waits for that."""
        plugged = record
        undo.callback(lambda: self.detach_later(plugged))
        attached = await self.attachment.attach(record)
        plugged = msgspec.structs.replace(record, sandbox_key=attached.sandbox_key, endpoints=attached.endpoints)
        return attached

    def detach_later(self, record: ContainerRecord) -> None:
        self.tasks.spawn(self.detach(record), f"build-detach:{record.id[:12]}")

    async def detach(self, record: ContainerRecord) -> None:
        try:
            await self.attachment.detach(record)
        except EngineError as error:
            log.error("container=%s (of a build) keeps its network: error=%s", record.id, error)
