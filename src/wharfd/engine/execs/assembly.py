"""All use cases of execs, put together over what they share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from wharfd.engine.execs.create import CreateExec
from wharfd.engine.execs.inspect import InspectExec
from wharfd.engine.execs.registry import Execs
from wharfd.engine.execs.resize import ResizeContainer, ResizeExec
from wharfd.engine.execs.start import StartExec
from wharfd.engine.execs.users import Users
from wharfd.engine.ledger import Ledger
from wharfd.engine.tasks import Tasks
from wharfd.ports.clock import Clock
from wharfd.ports.host import Host
from wharfd.ports.storage import RootfsStore
from wharfd.ports.streams import ExecDriver, StdioDriver


class Streams(ExecDriver, StdioDriver, Protocol):
    """Processes in containers, and the terminals of both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecUseCases:
    """`execs` knows those that there are; close it at the end."""

    execs: Execs
    create: CreateExec
    start: StartExec
    inspect: InspectExec
    resize: ResizeExec
    resize_container: ResizeContainer


def assemble_execs(
    *,
    ledger: Ledger,
    clock: Clock,
    tasks: Tasks,
    host: Host,
    rootfs: RootfsStore,
    streams: Streams,
    new_id: Callable[[], str],
) -> ExecUseCases:
    """`new_id` makes 64 hex digits."""
    execs, users = Execs(ledger), Users(rootfs)
    return ExecUseCases(
        execs=execs,
        create=CreateExec(ledger=ledger, clock=clock, execs=execs, users=users, new_id=new_id),
        start=StartExec(ledger=ledger, clock=clock, tasks=tasks, host=host, execs=execs, users=users, driver=streams),
        inspect=InspectExec(execs=execs),
        resize=ResizeExec(execs=execs),
        resize_container=ResizeContainer(ledger=ledger, streams=streams),
    )
