"""One run of a container's health check: an exec whose output and exit code are the result.

Its exec is known (`ExecIDs`, events) while it runs, and forgotten with its end: probes come by the thousand, and would push clients' execs
out of the registry.
"""

import asyncio
from collections.abc import Callable

from wharfd.engine.execs.happenings import exec_event
from wharfd.engine.execs.registry import Exec, ExecConfig, Execs
from wharfd.engine.execs.session import ExecSession
from wharfd.engine.execs.start import StartExec
from wharfd.engine.health import NO_ANSWER, Check, ProbeOutput, timeout_text
from wharfd.engine.ledger import Ledger
from wharfd.model.container import ContainerRecord, HealthResult
from wharfd.model.errors import EngineError
from wharfd.model.ids import ExecId
from wharfd.ports.clock import Clock


class Probe:
    """`new_id` makes 64 hex digits."""

    def __init__(
        self, *, ledger: Ledger, clock: Clock, execs: Execs, start: StartExec, new_id: Callable[[], str]
    ) -> None:
        self.ledger = ledger
        self.clock = clock
        self.execs = execs
        self.start = start
        self.new_id = new_id

    async def __call__(self, record: ContainerRecord, check: Check) -> HealthResult:
        """Its result, also if it could not be run.  A process that takes too long, or longer than this call, is killed."""
        began_ns = self.clock.now_ns()
        try:
            code, output = await self.run(record, check)
        except (EngineError, OSError) as error:  # no more descriptors, for one: the next probe may fare better
            code, output = NO_ANSWER, str(error)
        return HealthResult(start_ns=began_ns, end_ns=self.clock.now_ns(), exit_code=code, output=output)

    async def run(self, record: ContainerRecord, check: Check) -> tuple[int, str]:
        """Exit code and output.  Raises what a start of an exec raises."""
        config = ExecConfig(cmd=check.args or [""], attach_stdout=True, attach_stderr=True)
        made = Exec(id=ExecId(self.new_id()), container_id=record.id, sandbox_id=record.sandbox_id, config=config)
        self.execs.put(made)
        try:
            self.ledger.post(events=[exec_event(record, "exec_create", made, self.clock.now_ns())])
            session = await self.start.launch(self.start.claim(made.id))
            # Docker: its time counts from here; how long the engine takes to start it does not.
            try:
                return await self.follow(session, made, check)
            finally:
                if not session.is_over:
                    session.process.kill()
                session.leave()
        finally:
            self.execs.forget(made.id)

    async def follow(self, session: ExecSession, made: Exec, check: Check) -> tuple[int, str]:
        output = ProbeOutput()
        try:
            async with asyncio.timeout(check.timeout_ns / 1e9):
                await collect(session, output)
        except TimeoutError:
            text = timeout_text(check, output.text())
            session.process.kill()
            await collect(session, output)  # dying probes must not pile up
            return NO_ANSWER, text
        code = self.execs.get(made.id).exit_code
        return (NO_ANSWER if code is None else code), output.text()


async def collect(session: ExecSession, output: ProbeOutput) -> None:
    """Until its end."""
    while outputs := await session.read():
        for each in outputs:
            output.add(each.data)
