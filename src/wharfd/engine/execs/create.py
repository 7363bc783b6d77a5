"""Make an exec: a process that is to be run in a container, and does not run yet."""

from collections.abc import Callable
from dataclasses import replace

from wharfd.engine.execs.happenings import exec_event
from wharfd.engine.execs.registry import Exec, ExecConfig, Execs
from wharfd.engine.execs.state import refuse_unless_running
from wharfd.engine.execs.users import Users
from wharfd.engine.ledger import Ledger
from wharfd.model.errors import InvalidParameter
from wharfd.model.ids import ExecId
from wharfd.ports.clock import Clock


class CreateExec:
    """`new_id` makes 64 hex digits."""

    def __init__(self, *, ledger: Ledger, clock: Clock, execs: Execs, users: Users, new_id: Callable[[], str]) -> None:
        self.ledger = ledger
        self.clock = clock
        self.execs = execs
        self.users = users
        self.new_id = new_id

    async def __call__(self, ref: str, config: ExecConfig) -> ExecId:
        """Its id.

        Raises:
            ContainerNotFound.
            Conflict: the container does not run, or is paused.
            InvalidParameter: no command, or a user that does not exist there.
        """
        record = self.ledger.container(ref)
        refuse_unless_running(record, ref)
        if not config.cmd:
            raise InvalidParameter("No exec command specified")
        if config.user:
            await self.users.find(record, config.user)
        else:
            config = replace(config, user=record.config.user)
        made = Exec(id=ExecId(self.new_id()), container_id=record.id, sandbox_id=record.sandbox_id, config=config)
        self.execs.put(made)
        self.ledger.post(events=[exec_event(record, "exec_create", made, self.clock.now_ns())])
        return made.id
