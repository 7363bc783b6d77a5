"""The states of a container and what may happen in each: the one place where a container's state changes.

`TABLE` decides every pair of state and event: the next state, or an outcome that refuses.  `apply` carries a decision out on a record and
gives back a new one; it knows no clock and does no I/O.  A word on the events: those called …Asked are wishes of clients (or of the
restart policy), the others are facts.  docs/container-states.md is drawn from the table by scripts/state_diagram.py.

States are finer than Docker's; `docker_status` has Docker's words.  Texts of refusals are dockerd's where clients see them.
"""

from dataclasses import dataclass
from typing import assert_never

import msgspec

from wharfd.engine import health
from wharfd.model.config import EndpointSettings
from wharfd.model.container import ContainerRecord, State, Step
from wharfd.model.errors import Conflict, Internal, NotModified
from wharfd.model.network import Endpoint

# What a start sets up; all of it is owed from the moment that the start begins.
ALL_STEPS = [Step.RUNTIME, Step.NETWORK, Step.ROOTFS]


class Event:
    """Base of all events."""


@dataclass(frozen=True, slots=True)
class Created(Event):
    """It is put together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartAsked(Event):
    """A client wants it to run.  `sandbox_id` is new for each start."""

    sandbox_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartDue(Event):
    """The restart policy's delay is over: it is started as by `StartAsked`, but the count goes on."""

    sandbox_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Started(Event):
    """Its process runs.  `endpoints` by network id, `networks` by name, as they are shown while it runs."""

    pid: int
    pid_start: int
    monitor_pid: int
    at_ns: int
    sandbox_key: str
    networks: dict[str, EndpointSettings]
    endpoints: dict[str, Endpoint]
    apparmor_profile: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartFailed(Event):
    exit_code: int
    error: str


@dataclass(frozen=True, slots=True)
class StartUndone(Event):
    """The start was broken off by no fault of the container: the engine died or went down."""


@dataclass(frozen=True, slots=True)
class PauseAsked(Event):
    """Its processes are frozen if the answer is a new record."""


@dataclass(frozen=True, slots=True)
class UnpauseAsked(Event):
    """Its processes are thawed if the answer is a new record."""


@dataclass(frozen=True, slots=True)
class StopAsked(Event):
    """Somebody wants it to end and not to come again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KillAsked(Event):
    """A signal is to be sent.  `final`: with it, the restart policy is told to leave the container alone."""

    final: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Exited(Event):
    code: int
    at_ns: int
    oom_killed: bool = False
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitedToRestart(Event):
    """It ended, and the restart policy will start it again."""

    code: int
    at_ns: int
    oom_killed: bool = False
    error: str = ""


@dataclass(frozen=True, slots=True)
class RestartAsked(Event):
    """The restart policy wants a container that is at rest to run: the engine has come up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveAsked(Event):
    volumes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovalFailed(Event):
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid(Event):
    """These debts of an earlier run are paid off."""

    steps: list[Step]


@dataclass(frozen=True, slots=True)
class Refuse:
    """409 with this text, in which {id} and {name} stand for the container's."""

    text: str


@dataclass(frozen=True, slots=True)
class Already:
    """304: it is so already."""

    text: str


@dataclass(frozen=True, slots=True)
class Never:
    """It cannot come to this; if it does, that is a fault of the engine."""


Cell = State | Refuse | Already | Never

NEVER = Never()
NOT_RUNNING = Refuse("container {id} is not running")
NOT_PAUSED = Refuse("Container {id} is not paused")  # Docker: whatever else it is
IS_RESTARTING = Refuse("Container {id} is restarting, wait until the container is running")
MARKED = Refuse("container is marked for removal and cannot be started")
STOPPED = Already("Container is already stopped")
RUNNING_ALREADY = Already("Container is already started")
BUSY = Refuse("container is starting: wait until it is running")
BEING_REMOVED = Refuse("removal of container {name} is already in progress")


def no_removal(word: str) -> Refuse:
    return Refuse(f"container is {word}: stop the container before removing or force remove")


ROWS: dict[State, dict[type[Event], Cell]] = {
    State.CREATING: {
        Created: State.CREATED,
    },
    State.CREATED: {
        StartAsked: State.STARTING,
        PauseAsked: NOT_RUNNING,
        UnpauseAsked: NOT_PAUSED,
        StopAsked: STOPPED,
        KillAsked: NOT_RUNNING,
        RemoveAsked: State.REMOVING,
        Paid: State.CREATED,
    },
    State.STARTING: {
        StartAsked: BUSY,
        Started: State.RUNNING,
        StartFailed: State.EXITED,
        StartUndone: State.EXITED,
        PauseAsked: BUSY,
        UnpauseAsked: BUSY,
        StopAsked: BUSY,
        KillAsked: BUSY,
        RemoveAsked: BUSY,
        Paid: State.STARTING,
    },
    State.RUNNING: {
        StartAsked: RUNNING_ALREADY,
        PauseAsked: State.PAUSED,
        UnpauseAsked: NOT_PAUSED,
        StopAsked: State.RUNNING,
        KillAsked: State.RUNNING,
        Exited: State.EXITED,
        ExitedToRestart: State.RESTARTING,
        RemoveAsked: no_removal("running"),
    },
    State.PAUSED: {
        StartAsked: Refuse("cannot start a paused container, try unpause instead"),
        PauseAsked: Refuse("Container {id} is already paused"),
        UnpauseAsked: State.RUNNING,
        StopAsked: State.PAUSED,
        KillAsked: State.PAUSED,
        Exited: State.EXITED,
        ExitedToRestart: State.RESTARTING,
        RemoveAsked: Refuse("container is paused and must be unpaused first"),
    },
    State.RESTARTING: {
        StartAsked: RUNNING_ALREADY,  # Docker: a container that waits for its restart counts as running
        RestartDue: State.STARTING,
        PauseAsked: IS_RESTARTING,
        UnpauseAsked: NOT_PAUSED,
        StopAsked: State.EXITED,
        KillAsked: State.EXITED,
        RestartAsked: State.RESTARTING,
        RemoveAsked: no_removal("restarting"),
        Paid: State.RESTARTING,
    },
    State.EXITED: {
        StartAsked: State.STARTING,
        PauseAsked: NOT_RUNNING,
        UnpauseAsked: NOT_PAUSED,
        StopAsked: STOPPED,
        KillAsked: NOT_RUNNING,
        RestartAsked: State.RESTARTING,
        RemoveAsked: State.REMOVING,
        Paid: State.EXITED,
    },
    State.REMOVING: {
        StartAsked: MARKED,
        PauseAsked: NOT_RUNNING,
        UnpauseAsked: NOT_PAUSED,
        StopAsked: STOPPED,
        KillAsked: NOT_RUNNING,
        RemoveAsked: BEING_REMOVED,
        RemovalFailed: State.DEAD,
        Paid: State.REMOVING,
    },
    State.DEAD: {
        StartAsked: MARKED,
        PauseAsked: NOT_RUNNING,
        UnpauseAsked: NOT_PAUSED,
        StopAsked: STOPPED,
        KillAsked: NOT_RUNNING,
        RemoveAsked: State.REMOVING,
        Paid: State.DEAD,
    },
}

EVENTS: tuple[type[Event], ...] = (
    Created,
    StartAsked,
    RestartDue,
    Started,
    StartFailed,
    StartUndone,
    PauseAsked,
    UnpauseAsked,
    StopAsked,
    KillAsked,
    Exited,
    ExitedToRestart,
    RestartAsked,
    RemoveAsked,
    RemovalFailed,
    Paid,
)

TABLE: dict[tuple[State, type[Event]], Cell] = {
    (state, event): row.get(event, NEVER) for state, row in ROWS.items() for event in EVENTS
}


def apply(record: ContainerRecord, event: Event) -> ContainerRecord:
    """The record after the event.

    Raises:
        Conflict: the state forbids it.
        NotModified: it is so already.
        Internal: a fault of the engine; this cannot happen in this state.
    """
    cell = TABLE[record.state, type(event)]
    match cell:
        case State():
            return changed(record, cell, event)
        case Refuse(text):
            raise Conflict(text.format(id=record.id, name=record.name))
        case Already(text):
            raise NotModified(text)
        case Never():
            raise Internal(f"container {record.id} is {record.state}: {type(event).__name__} cannot happen")
        case _:
            assert_never(cell)


def changed(record: ContainerRecord, state: State, event: Event) -> ContainerRecord:
    replace = msgspec.structs.replace
    match event:
        case StartAsked() | RestartDue():
            return replace(
                record,
                state=state,
                sandbox_id=event.sandbox_id,
                sandbox_key="",
                owed=ALL_STEPS,
                restart_count=record.restart_count if isinstance(event, RestartDue) else 0,
                manually_stopped=False,
                asked_macs={name: given.mac_address for name, given in record.networks.items() if given.mac_address},
            )
        case Started():
            return replace(
                record,
                state=state,
                pid=event.pid,
                pid_start=event.pid_start,
                monitor_pid=event.monitor_pid,
                started_ns=event.at_ns,
                sandbox_key=event.sandbox_key,
                networks=event.networks,
                endpoints=event.endpoints,
                apparmor_profile=event.apparmor_profile,
                health=health.begun(record.config, record.health),
                exit_code=0,
                error="",
                oom_killed=False,
            )
        case StartFailed():
            return replace(at_rest(record), state=state, exit_code=event.exit_code, error=event.error)
        case Exited() | ExitedToRestart():
            return replace(
                at_rest(record),
                state=state,
                exit_code=event.code,
                error=event.error,
                oom_killed=event.oom_killed,
                # Linux: file times come from a coarse clock and may lie a few milliseconds before the start.
                finished_ns=max(event.at_ns, record.started_ns),
                restart_count=record.restart_count + isinstance(event, ExitedToRestart),
            )
        case StartUndone():
            return replace(at_rest(record), state=state)
        case PauseAsked():
            return replace(record, state=state, health=health.unwatched(record.health))
        case StopAsked():
            return replace(record, state=state, manually_stopped=True)
        case KillAsked():
            return replace(record, state=state, manually_stopped=record.manually_stopped or event.final)
        case RemoveAsked():
            return replace(record, state=state, removing_volumes=event.volumes)
        case RemovalFailed():
            return replace(record, state=state, error=event.error)
        case Paid():
            owed = [step for step in record.owed if step not in event.steps]
            endpoints = {} if Step.NETWORK in event.steps else record.endpoints
            return replace(record, state=state, owed=owed, endpoints=endpoints)
        case _:
            return replace(record, state=state)


def at_rest(record: ContainerRecord) -> ContainerRecord:
    """Without a process; the addresses that it had are no longer shown (`endpoints` keeps them for whoever takes them back)."""
    return msgspec.structs.replace(
        record,
        pid=0,
        pid_start=0,
        monitor_pid=0,
        health=health.unwatched(record.health),
        networks={
            name: unplugged(settings, record.asked_macs.get(name, "")) for name, settings in record.networks.items()
        },
    )


def holding(record: ContainerRecord, sandbox_key: str, endpoints: dict[str, Endpoint]) -> ContainerRecord:
    """The record of a start that did not come to its end, with what it was given and must give back."""
    return msgspec.structs.replace(record, sandbox_key=sandbox_key, endpoints=endpoints)


def unplugged(settings: EndpointSettings, asked_mac: str = "") -> EndpointSettings:
    """What was asked for, without what was given."""
    return msgspec.structs.replace(
        settings,
        endpoint_id="",
        gateway="",
        ip_address="",
        ip_prefix_len=0,
        ipv6_gateway="",
        global_ipv6_address="",
        global_ipv6_prefix_len=0,
        mac_address=asked_mac,
    )


def docker_status(record: ContainerRecord) -> str:
    """The word that clients know: created, running, paused, restarting, removing, exited, dead.

    Docker: a container whose only starts failed is still "created"; one that is being started is what it was before.
    """
    if record.is_restarting:
        return "restarting"
    match record.state:
        case State.CREATING | State.CREATED:
            return "created"
        case State.STARTING | State.EXITED:
            return "exited" if record.started_ns else "created"
        case State.RUNNING | State.PAUSED | State.RESTARTING | State.REMOVING | State.DEAD:
            return record.state.value
        case _:
            assert_never(record.state)
