"""The engine's rig with what attaching and execs need: a container, clients, and the fake's side of its streams."""

import asyncio
from typing import Any

from tests.unit.engine.rig import Machine, Rig, Timers, fresh_id
from wharfd.engine.containers.attach import Attach, AttachRequest, Session
from wharfd.engine.containers.audience import Audience
from wharfd.engine.containers.logs import Logs
from wharfd.engine.execs.create import CreateExec
from wharfd.engine.execs.registry import ExecConfig, Execs
from wharfd.engine.execs.resize import ResizeContainer, ResizeExec
from wharfd.engine.execs.session import ExecSession
from wharfd.engine.execs.start import StartExec
from wharfd.engine.execs.users import Users
from wharfd.model.container import ContainerRecord
from wharfd.model.ids import ExecId
from wharfd.testing.builders import a_config
from wharfd.testing.streams import FakeAttached, FakeExec


class Stage(Rig):
    def __init__(self, world: Machine, *args: Any, **kwargs: Any) -> None:
        super().__init__(world, *args, **kwargs)
        self.streams = world.streams
        self.audience = Audience(ledger=self.ledger, tasks=self.tasks, waiters=self.waiters, streams=self.streams)
        self.start.onlookers = self.audience
        self.attach = Attach(
            ledger=self.ledger,
            locks=self.locks,
            clock=self.clock,
            audience=self.audience,
            logs=Logs(ledger=self.ledger, waiters=self.waiters, drivers=world.logs),
        )
        self.sweeps = Timers()
        self.execs = Execs(self.ledger, call_later=self.sweeps, kept=3)
        users = Users(world.rootfs)
        self.create_exec = CreateExec(
            ledger=self.ledger, clock=self.clock, execs=self.execs, users=users, new_id=fresh_id
        )
        self.start_exec = StartExec(
            ledger=self.ledger,
            clock=self.clock,
            tasks=self.tasks,
            host=world.host,
            execs=self.execs,
            users=users,
            driver=self.streams,
        )
        self.resize_exec = ResizeExec(execs=self.execs)
        self.resize_container = ResizeContainer(ledger=self.ledger, streams=self.streams)

    @classmethod
    async def made(cls) -> "Stage":
        stage = cls(Machine())
        await stage.open()
        return stage

    async def container(self, *, running: bool = True, **config: Any) -> ContainerRecord:
        record = await (self.running if running else self.created)(config=a_config(**config))
        self.events()
        return record

    async def client(self, record: ContainerRecord, **wanted: Any) -> Session:
        """Attached to both streams, unless told otherwise."""
        defaults = {"stream": True, "stdout": True, "stderr": True}
        return await self.attach(record.id, AttachRequest(**{**defaults, **wanted}))

    def stdio(self, record: ContainerRecord) -> FakeAttached:
        return self.streams.stdio(record.id)

    def say(self, record: ContainerRecord, data: bytes, stream: str = "stdout") -> None:
        self.world.runtime.say(record.id, data, stream)

    async def exec(self, record: ContainerRecord, *cmd: str, **config: Any) -> ExecId:
        return await self.create_exec(record.id, ExecConfig(cmd=list(cmd), **config))

    async def run(self, record: ContainerRecord, *cmd: str, **config: Any) -> tuple[ExecSession, FakeExec]:
        """Created and started."""
        claimed = self.start_exec.claim(await self.exec(record, *cmd, **config))
        return await self.start_exec.launch(claimed), self.streams.execs[-1]


async def read_all(session: Session | ExecSession) -> bytes:
    """Until the end."""
    got = b""
    async with asyncio.timeout(10):
        while outputs := await session.read():
            got += b"".join(output.data for output in outputs)
    return got


async def read(session: Session | ExecSession) -> bytes:
    async with asyncio.timeout(10):
        return b"".join(output.data for output in await session.read())


async def turns(count: int = 20) -> None:
    """Let everybody who can go on do so."""
    for _ in range(count):
        await asyncio.sleep(0)
