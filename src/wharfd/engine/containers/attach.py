"""Attach to a container: see what it writes, write to its stdin.

A container that does not run can be attached to, too: the client waits for the next start and misses nothing of it (`docker run` does
so).  It stays for one run: when that ends its session ends, also if the restart policy starts the container again.

What the end of a client's input means is dockerd's: with `StdinOnce` and without a terminal the container's stdin is closed and output
goes on; else the session ends, and the container's stdin stays open for the next client.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from wharfd.engine.containers.audience import Audience
from wharfd.engine.containers.logs import ContainerLog, LogRequest, Logs
from wharfd.engine.happenings import container_event
from wharfd.engine.ledger import Ledger
from wharfd.engine.locks import KeyedLocks
from wharfd.engine.streams.hub import Viewer
from wharfd.model.container import ContainerRecord, State
from wharfd.model.errors import Conflict
from wharfd.ports.clock import Clock
from wharfd.ports.streams import Output
from wharfd.wire.detachkeys import DEFAULT_KEYS, KeyWatch, parse_detach_keys
from wharfd.wire.stdcopy import Stream


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachRequest:
    """`logs`: first what was written before; `stream`: what is written from now on.  `detach_keys` as in `wire.detachkeys`."""

    stream: bool = False
    logs: bool = False
    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    detach_keys: str = ""

    @property
    def streams(self) -> frozenset[int]:
        chosen = ((self.stdout, Stream.STDOUT), (self.stderr, Stream.STDERR))
        return frozenset(number for wanted, number in chosen if wanted)


class Attach:
    def __init__(self, *, ledger: Ledger, locks: KeyedLocks, clock: Clock, audience: Audience, logs: Logs) -> None:
        self.ledger = ledger
        self.locks = locks
        self.clock = clock
        self.audience = audience
        self.logs = logs

    async def __call__(self, ref: str, request: AttachRequest) -> "Session":
        """A session, which is registered: nothing that the container writes from now on is missed.  Close it.

        Raises:
            ContainerNotFound.
            Conflict: it is paused, waits for its restart, or is being removed.
            InvalidParameter: unknown detach keys.
            NotImplementedHere: the log is asked for, and its kind cannot be read.
        """
        record = self.ledger.container(ref)
        refuse(record, ref)
        keys = parse_detach_keys(request.detach_keys) or DEFAULT_KEYS
        session = Session(self, record, request, KeyWatch(keys if record.config.tty else b""))
        if request.logs and request.streams:
            session.log = self.open_log(session, 0)
        try:
            # With the log of a container that runs, it joins when that has been read: whoever reads a long log holds up nobody.
            if request.stream and not (session.log and record.is_running):
                await session.join()
        except BaseException:
            await session.close()
            raise
        self.ledger.post(events=[container_event(record, "attach", self.clock.now_ns())])
        return session

    def open_log(self, session: "Session", since_ns: int) -> ContainerLog:
        """From then until now."""
        request = session.request
        session.replayed_ns = self.clock.now_ns()
        wanted = LogRequest(
            stdout=request.stdout, stderr=request.stderr, since_ns=since_ns, until_ns=session.replayed_ns
        )
        return self.logs.open(session.record.id, wanted)


class Session:
    """One client's, from its registration to `close`.

    Use: `replay`, then `read` until it gives nothing, and beside it `feed` and `input_over`, which tell whether the session is over.
    """

    def __init__(self, attach: Attach, record: ContainerRecord, request: AttachRequest, keys: KeyWatch) -> None:
        self.attach = attach
        self.record = record
        self.request = request
        self.keys = keys
        self.viewer = Viewer(request.streams)
        self.is_joined = False
        self.log: ContainerLog | None = None
        self.replayed_ns = 0

    @property
    def has_tty(self) -> bool:
        return self.record.config.tty

    @property
    def takes_input(self) -> bool:
        return self.request.stream and self.request.stdin and self.record.config.open_stdin

    @property
    def closes_stdin(self) -> bool:
        """Its client is the one whose input the container's stdin is."""
        return self.record.config.stdin_once and not self.has_tty

    @property
    def is_live(self) -> bool:
        """There is something to wait for after the log."""
        return self.request.stream and (bool(self.request.streams) or self.takes_input or self.closes_stdin)

    @property
    def was_cut(self) -> bool:
        """It has stopped reading, and others had to wait for it."""
        return self.viewer.was_cut

    def when_cut(self, call: Callable[[], None]) -> None:
        """Call that as soon as it is cut off; who sends to the client may be waiting for it for ever."""
        self.viewer.on_cut = call
        if self.was_cut:
            call()

    async def join(self) -> None:
        """The run that goes on, or the next one; after the log only the run of which that was.  Raises as `Attach`."""
        audience, ledger = self.attach.audience, self.attach.ledger
        now = ledger.container(self.record.id)
        if self.log is not None and self.record.is_running:
            if now.is_running and now.sandbox_id == self.record.sandbox_id:
                await audience.join(now, self.viewer)
            else:
                self.viewer.end()
        elif now.state is State.RUNNING:
            await audience.join(now, self.viewer)
        else:
            async with self.attach.locks.hold("container", self.record.id):  # no start is under way
                now = ledger.container(self.record.id)
                refuse(now, now.id)
                if now.is_running:
                    await audience.join(now, self.viewer)
                else:
                    audience.expect(now, self.viewer)
        self.is_joined = True

    async def replay(self) -> AsyncIterator[bytes]:
        """The log, as `Logs` gives it: frames, or raw bytes of a container with a terminal."""
        if self.log is None:
            return
        async for block in self.log.blocks:
            yield block
        if self.request.stream and not self.is_joined:
            since_ns = self.replayed_ns + 1
            await self.join()
            # What was written while the log was read.
            async for block in self.attach.open_log(self, since_ns).blocks:
                yield block

    async def read(self) -> Sequence[Output]:
        """Waits; empty when no more will come."""
        return await self.viewer.read()

    async def feed(self, data: bytes) -> bool:
        """The client's input; waits until the container takes it.  True: it was the detach keys that came."""
        passed, is_detached = self.keys.feed(data)
        if passed:
            await self.viewer.write(passed)
        if is_detached:
            record = self.attach.ledger.containers.get(self.record.id) or self.record
            self.attach.ledger.post(events=[container_event(record, "detach", self.attach.clock.now_ns())])
        return is_detached

    async def input_over(self) -> bool:
        """The client sends no more.  True: the session is over."""
        rest = self.keys.rest()
        if rest:
            await self.viewer.write(rest)
        if not self.closes_stdin:
            return True
        await self.viewer.close_stdin()
        return False

    async def close(self) -> None:
        """Idempotent."""
        if self.log is not None:
            close = getattr(self.log.blocks, "aclose", None)
            if close is not None:
                await close()
        hub = self.viewer.hub
        if hub is not None and self.takes_input and self.closes_stdin:
            hub.close_stdin()
        self.attach.audience.leave(self.record.id, self.viewer)


def refuse(record: ContainerRecord, ref: str) -> None:
    """Raises Conflict for a container that cannot be attached to as it is."""
    match record.state:
        case State.PAUSED:
            raise Conflict(f"container {ref} is paused, unpause the container before attach")
        case State.RESTARTING:
            raise Conflict(f"container {ref} is restarting, wait until the container is running")
        case State.REMOVING | State.DEAD:
            raise Conflict(f"container {ref} is marked for removal and cannot be attached to")
        case _:
            return
