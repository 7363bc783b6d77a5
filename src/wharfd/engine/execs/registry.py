"""The execs that are known: created, running, and for some minutes those that are over.  In memory only: they end with the engine.

An exec belongs to one run of its container.  What never ran is forgotten with that run; what is over can be inspected until two sweeps
have seen it (Docker: five to ten minutes), or until `KEPT` newer ones are over.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from wharfd.engine.ledger import Ledger
from wharfd.model.container import ContainerRecord
from wharfd.model.errors import ExecNotFound
from wharfd.model.ids import ContainerId, ExecId
from wharfd.ports.streams import ExecProcess

SWEEP_S = 300.0
KEPT = 4096  # that are over; a thousand bytes each


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecConfig:
    """What a client wants to be run.  `user` empty: the container's; `working_dir` empty: the container's."""

    cmd: list[str]
    user: str = ""
    privileged: bool = False
    tty: bool = False
    attach_stdin: bool = False
    attach_stdout: bool = False
    attach_stderr: bool = False
    detach_keys: bytes = b""
    env: list[str] = field(default_factory=list)
    working_dir: str = ""
    console_size: tuple[int, int] | None = None  # height, width


@dataclass(frozen=True, slots=True, kw_only=True)
class Exec:
    """`is_running` from the moment that it is to be started; `exit_code` None until it is over."""

    id: ExecId
    container_id: ContainerId
    sandbox_id: str  # which run of the container
    config: ExecConfig
    is_running: bool = False
    exit_code: int | None = None
    pid: int = 0
    can_remove: bool = False

    @property
    def is_over(self) -> bool:
        return self.exit_code is not None


class Cancellable(Protocol):
    def cancel(self) -> None: ...


Later = Callable[[float, Callable[[], None]], Cancellable]


def later(delay_s: float, action: Callable[[], None]) -> Cancellable:
    return asyncio.get_running_loop().call_later(delay_s, action)


class Execs:
    """`call_later(seconds, action)` is the loop's, or a test's."""

    def __init__(self, ledger: Ledger, call_later: Later = later, kept: int = KEPT) -> None:
        self.ledger = ledger
        self.call_later = call_later
        self.kept = kept
        self.by_id: dict[str, Exec] = {}
        self.over: dict[ExecId, None] = {}  # in the order of their ends
        self.processes: dict[ExecId, ExecProcess] = {}
        self.sizes: dict[ExecId, tuple[int, int]] = {}  # asked for before the process was there
        self.timer: Cancellable | None = None

    def close(self) -> None:
        if self.timer is not None:
            self.timer.cancel()

    def get(self, exec_id: str) -> Exec:
        """By its full id.  Raises ExecNotFound, also when its container is gone, or has ended before the exec was started."""
        found = self.by_id.get(exec_id)
        record = self.ledger.containers.get(found.container_id) if found is not None else None
        if found is None or record is None or is_lost(found, record):
            raise ExecNotFound(exec_id)
        return found

    def of(self, record: ContainerRecord) -> list[ExecId]:
        """Those of the run that goes on: waiting to be started, or running."""
        if not record.is_running:
            return []
        return [
            each.id
            for each in self.by_id.values()
            if each.container_id == record.id and not each.is_over and each.sandbox_id == record.sandbox_id
        ]

    def put(self, changed: Exec) -> None:
        self.by_id[changed.id] = changed
        if changed.is_over and changed.id not in self.over:
            self.over[changed.id] = None
            while len(self.over) > self.kept:
                self.forget(next(iter(self.over)))
        if self.timer is None:
            self.timer = self.call_later(SWEEP_S, self.sweep)

    def forget(self, exec_id: ExecId) -> None:
        self.by_id.pop(exec_id, None)
        self.over.pop(exec_id, None)
        self.sizes.pop(exec_id, None)

    def sweep(self) -> None:
        """Forget what the last sweep has marked, mark what is over, forget what has lost its container."""
        self.timer = None
        for each in list(self.by_id.values()):
            record = self.ledger.containers.get(each.container_id)
            is_gone = record is None or is_lost(each, record)
            if each.can_remove or (is_gone and not each.is_running):
                self.forget(each.id)
            elif each.is_over:
                self.by_id[each.id] = replace(each, can_remove=True)
        if self.by_id:
            self.timer = self.call_later(SWEEP_S, self.sweep)


def is_lost(each: Exec, record: ContainerRecord) -> bool:
    """It was never started, and the run of its container to which it belonged is over."""
    is_unused = not each.is_running and not each.is_over
    return is_unused and not (record.is_running and each.sandbox_id == record.sandbox_id)
