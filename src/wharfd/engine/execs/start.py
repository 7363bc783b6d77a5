"""Start an exec.

In steps, since what can be refused must be refused before the client's connection is taken over: `find` and `claim`, then `launch`.
A process that cannot be started is over with the code that a shell would give it (126, 127), and 128 for other reasons.
"""

from dataclasses import replace

from wharfd.engine.containers.linked import link_variables
from wharfd.engine.containers.plan import has_home, variables, with_home
from wharfd.engine.execs.happenings import exec_detached, exec_died, exec_event
from wharfd.engine.execs.registry import Exec, Execs
from wharfd.engine.execs.session import ExecSession
from wharfd.engine.execs.state import refuse_unless_running
from wharfd.engine.execs.users import Users
from wharfd.engine.ledger import Ledger
from wharfd.engine.tasks import Tasks
from wharfd.model.container import ContainerRecord
from wharfd.model.errors import Conflict, StartFailed
from wharfd.ports.clock import Clock
from wharfd.ports.host import Host
from wharfd.ports.streams import ExecDriver, ExecProcess, ExecRequest
from wharfd.wire.detachkeys import DEFAULT_KEYS, KeyWatch

FAILED = 128


class StartExec:
    def __init__(
        self,
        *,
        ledger: Ledger,
        clock: Clock,
        tasks: Tasks,
        host: Host,
        execs: Execs,
        users: Users,
        driver: ExecDriver,
    ) -> None:
        self.ledger = ledger
        self.clock = clock
        self.tasks = tasks
        self.host = host
        self.execs = execs
        self.users = users
        self.driver = driver

    def find(self, exec_id: str) -> Exec:
        """The exec, if its container can have one started now.

        Raises:
            ExecNotFound.
            Conflict: its container does not run, or is paused.
        """
        each = self.execs.get(exec_id)
        record = self.ledger.container(each.container_id)
        refuse_unless_running(record, record.id)
        return each

    def claim(self, exec_id: str) -> Exec:
        """It is to be started, and by nobody else.  `launch` must follow, or `release`.

        Raises:
            What `find` raises.
            Conflict: it was started before.
        """
        each = self.find(exec_id)
        if each.is_running:
            raise Conflict(f"exec command {each.id} is already running")
        if each.is_over:
            raise Conflict(f"exec command {each.id} has already run")
        claimed = replace(each, is_running=True)
        self.execs.put(claimed)
        return claimed

    def release(self, each: Exec) -> None:
        """It will not be launched after all; it may be started another time."""
        self.execs.put(replace(each, is_running=False))

    async def launch(
        self, each: Exec, *, console_size: tuple[int, int] | None = None, detach: bool = False
    ) -> ExecSession:
        """Run what was claimed.  `detach`: nobody will be attached, and the session is no longer the caller's.

        Raises:
            StartFailed: the process could not be started.
            Conflict, InvalidParameter: the container has ended, or its users have changed, meanwhile.
        """
        record = self.ledger.containers.get(each.container_id)
        try:
            if record is None:
                raise Conflict(f"container {each.container_id} is not running")
            self.ledger.post(events=[exec_event(record, "exec_start", each, self.clock.now_ns())])
            request = await self.request(record, each, console_size, detach)
            process = await self.driver.exec(record.id, request)
        except BaseException as error:
            code = error.exit_code if isinstance(error, StartFailed) else FAILED
            self.execs.put(replace(each, is_running=False, exit_code=code))
            self.execs.sizes.pop(each.id, None)
            raise
        running = replace(each, pid=process.pid)
        self.execs.put(running)
        self.execs.processes[each.id] = process
        size = self.execs.sizes.pop(each.id, None)
        if size is not None:
            process.resize(height=size[0], width=size[1])
        session = ExecSession(running, process, self.keys(each), on_leave=self.drain, on_detach=self.detached)
        self.tasks.spawn(self.follow(running, process, session), f"exec:{each.id[:12]}")
        if detach:
            session.leave()
        return session

    async def request(
        self, record: ContainerRecord, each: Exec, console_size: tuple[int, int] | None, detach: bool
    ) -> ExecRequest:
        config = each.config
        linked = link_variables(self.ledger, record, must_run=False)
        env = variables(record, tty=config.tty, more=config.env, linked=linked)
        user = await self.users.find(record, config.user) if config.user or not has_home(env) else None
        return ExecRequest(
            args=config.cmd,
            # Docker: as for the container's first process.  crun sets HOME only for users that /etc/passwd knows.
            env=with_home(env, user.home if user is not None else ""),
            cwd=config.working_dir,
            user=user if config.user else None,
            capabilities=self.host.facts().capabilities if config.privileged else None,
            terminal=config.tty,
            console_size=self.execs.sizes.get(each.id) or console_size or config.console_size,
            stdin=config.attach_stdin and not detach,
            stdout=config.attach_stdout and not detach,
            stderr=config.attach_stderr and not detach,
        )

    def keys(self, each: Exec) -> KeyWatch:
        return KeyWatch((each.config.detach_keys or DEFAULT_KEYS) if each.config.tty else b"")

    async def follow(self, each: Exec, process: ExecProcess, session: ExecSession) -> None:
        """Until its end, of which everybody learns before the client's stream ends."""
        code = await process.wait()
        self.execs.processes.pop(each.id, None)
        self.execs.put(replace(each, is_running=False, exit_code=code))
        record = self.ledger.containers.get(each.container_id)
        if record is not None:
            self.ledger.post(events=[exec_died(record, each, code, self.clock.now_ns())])
        session.exit()

    def drain(self, session: ExecSession) -> None:
        self.tasks.spawn(session.drain(), f"exec-drain:{session.exec.id[:12]}")

    def detached(self, each: Exec) -> None:
        record = self.ledger.containers.get(each.container_id)
        if record is not None:
            self.ledger.post(events=[exec_detached(record, each, self.clock.now_ns())])
