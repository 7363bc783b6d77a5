"""Events of execs."""

from wharfd.engine.execs.registry import Exec
from wharfd.engine.happenings import container_event
from wharfd.model.container import ContainerRecord
from wharfd.model.event import Event


def exec_event(record: ContainerRecord, action: str, each: Exec, at_ns: int) -> Event:
    """Docker: `exec_create: PROGRAM ARGUMENTS`, with a blank at the end where there are no arguments; the same for exec_start."""
    program, *arguments = each.config.cmd
    return container_event(record, f"{action}: {program} {' '.join(arguments)}", at_ns, execID=each.id)


def exec_died(record: ContainerRecord, each: Exec, exit_code: int, at_ns: int) -> Event:
    return container_event(record, "exec_die", at_ns, execID=each.id, exitCode=str(exit_code))


def exec_detached(record: ContainerRecord, each: Exec, at_ns: int) -> Event:
    return container_event(record, "exec_detach", at_ns, execID=each.id)
