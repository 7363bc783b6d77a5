"""The table of states: every cell is decided, and what `apply` does to a record."""

import importlib.util
from itertools import product
from pathlib import Path

import msgspec
import pytest

from wharfd.engine import lifecycle
from wharfd.engine.lifecycle import EVENTS, TABLE, Already, Event, Never, Refuse, apply, docker_status
from wharfd.model.config import EndpointSettings
from wharfd.model.container import ContainerRecord, State, Step
from wharfd.model.errors import Conflict, Internal, NotModified
from wharfd.model.network import Endpoint
from wharfd.testing.builders import a_container

EXAMPLES: dict[type[Event], Event] = {
    lifecycle.Created: lifecycle.Created(),
    lifecycle.StartAsked: lifecycle.StartAsked(sandbox_id="new"),
    lifecycle.RestartDue: lifecycle.RestartDue(sandbox_id="new"),
    lifecycle.Started: lifecycle.Started(
        pid=7, pid_start=70, monitor_pid=8, at_ns=500, sandbox_key="/key", networks={}, endpoints={}
    ),
    lifecycle.StartFailed: lifecycle.StartFailed(exit_code=127, error="no such program"),
    lifecycle.StartUndone: lifecycle.StartUndone(),
    lifecycle.PauseAsked: lifecycle.PauseAsked(),
    lifecycle.UnpauseAsked: lifecycle.UnpauseAsked(),
    lifecycle.StopAsked: lifecycle.StopAsked(),
    lifecycle.KillAsked: lifecycle.KillAsked(final=True),
    lifecycle.Exited: lifecycle.Exited(code=3, at_ns=600),
    lifecycle.ExitedToRestart: lifecycle.ExitedToRestart(code=3, at_ns=600),
    lifecycle.RestartAsked: lifecycle.RestartAsked(),
    lifecycle.RemoveAsked: lifecycle.RemoveAsked(volumes=True),
    lifecycle.RemovalFailed: lifecycle.RemovalFailed(error="busy"),
    lifecycle.Paid: lifecycle.Paid(steps=[Step.ROOTFS]),
}
CLIENTS_ASK = {
    lifecycle.StartAsked,
    lifecycle.PauseAsked,
    lifecycle.UnpauseAsked,
    lifecycle.StopAsked,
    lifecycle.KillAsked,
    lifecycle.RemoveAsked,
}
HAS_PROCESS = {State.RUNNING, State.PAUSED}


def in_state(state: State) -> ContainerRecord:
    return a_container(state=state, pid=7 if state in HAS_PROCESS else 0, owed=list(lifecycle.ALL_STEPS))


def test_every_event_of_the_module_is_in_the_table() -> None:
    defined = {
        value
        for value in vars(lifecycle).values()
        if isinstance(value, type) and issubclass(value, Event) and value is not Event
    }
    assert set(EVENTS) == defined == set(EXAMPLES)
    assert len(EVENTS) == len(set(EVENTS))


@pytest.mark.parametrize(("state", "event"), list(product(State, EVENTS)))
def test_every_cell_is_decided_and_apply_obeys_it(state: State, event: type[Event]) -> None:
    cell = TABLE[state, event]
    record = in_state(state)
    before = msgspec.json.encode(record)
    match cell:
        case State():
            assert apply(record, EXAMPLES[event]).state is cell
        case Refuse(text):
            with pytest.raises(Conflict) as conflict:
                apply(record, EXAMPLES[event])
            assert str(conflict.value) == text.format(id=record.id, name=record.name)
        case Already():
            with pytest.raises(NotModified):
                apply(record, EXAMPLES[event])
        case Never():
            with pytest.raises(Internal):
                apply(record, EXAMPLES[event])
    assert msgspec.json.encode(record) == before


@pytest.mark.parametrize(
    ("state", "event"), list(product(sorted(set(State) - {State.CREATING}), sorted(CLIENTS_ASK, key=str)))
)
def test_what_clients_can_ask_is_never_called_impossible(state: State, event: type[Event]) -> None:
    assert not isinstance(TABLE[state, event], Never)


def test_a_process_exists_in_the_states_that_an_exit_ends() -> None:
    assert {state for state in State if not isinstance(TABLE[state, lifecycle.Exited], Never)} == HAS_PROCESS


def test_every_state_but_the_first_can_be_reached_and_every_state_left() -> None:
    moves = {(state, cell) for (state, _), cell in TABLE.items() if isinstance(cell, State) and cell is not state}
    assert {target for _, target in moves} == set(State) - {State.CREATING}
    assert {source for source, _ in moves} == set(State)


def test_start_takes_on_all_debts_and_forgets_a_manual_stop() -> None:
    record = a_container(state=State.EXITED, manually_stopped=True, restart_count=4, sandbox_key="/old")
    started = apply(record, lifecycle.StartAsked(sandbox_id="new"))
    assert (started.sandbox_id, started.sandbox_key, started.owed) == ("new", "", lifecycle.ALL_STEPS)
    assert (started.manually_stopped, started.restart_count) == (False, 0)


def test_a_start_by_the_policy_keeps_the_count() -> None:
    record = a_container(state=State.RESTARTING, restart_count=4)
    assert apply(record, lifecycle.RestartDue(sandbox_id="new")).restart_count == 4


def test_started_clears_what_the_last_run_left() -> None:
    record = a_container(state=State.STARTING, exit_code=137, error="old", oom_killed=True, finished_ns=9)
    running = apply(record, EXAMPLES[lifecycle.Started])
    assert (running.pid, running.pid_start, running.monitor_pid, running.started_ns) == (7, 70, 8, 500)
    assert (running.exit_code, running.error, running.oom_killed, running.finished_ns) == (0, "", False, 9)


def test_exit_shows_no_addresses_but_keeps_what_must_be_given_back() -> None:
    given = EndpointSettings(
        network_id="net",
        endpoint_id="ep",
        ip_address="172.17.0.2",
        ip_prefix_len=16,
        gateway="172.17.0.1",
        aliases=["a"],
    )
    endpoint = Endpoint(endpoint_id="ep", ipv4="172.17.0.2")
    record = a_container(
        state=State.RUNNING, pid=7, started_ns=100, networks={"bridge": given}, endpoints={"net": endpoint}
    )
    exited = apply(record, lifecycle.Exited(code=3, at_ns=600, oom_killed=True))
    assert exited.networks == {"bridge": EndpointSettings(network_id="net", aliases=["a"])}
    assert exited.endpoints == {"net": endpoint}
    assert (exited.pid, exited.exit_code, exited.finished_ns, exited.oom_killed) == (0, 3, 600, True)
    assert apply(exited, lifecycle.Paid(steps=[Step.NETWORK])).endpoints == {}


def test_a_mac_address_that_was_asked_for_survives_a_run() -> None:
    record = a_container(
        state=State.CREATED,
        networks={"mine": EndpointSettings(mac_address="02:00:00:00:00:01"), "other": EndpointSettings()},
    )
    starting = apply(record, lifecycle.StartAsked(sandbox_id="new"))
    running = apply(
        starting,
        lifecycle.Started(
            pid=7,
            pid_start=70,
            monitor_pid=8,
            at_ns=500,
            sandbox_key="",
            networks={
                "mine": EndpointSettings(mac_address="02:00:00:00:00:01"),
                "other": EndpointSettings(mac_address="02:42:ac:11:00:02"),
            },
            endpoints={},
        ),
    )
    exited = apply(running, lifecycle.Exited(code=0, at_ns=600))
    assert {name: settings.mac_address for name, settings in exited.networks.items()} == {
        "mine": "02:00:00:00:00:01",
        "other": "",
    }


def test_finish_is_never_before_start() -> None:
    record = a_container(state=State.RUNNING, pid=7, started_ns=1000)
    assert apply(record, lifecycle.Exited(code=0, at_ns=990)).finished_ns == 1000


def test_only_a_restart_by_the_policy_counts() -> None:
    record = a_container(state=State.RUNNING, pid=7, restart_count=1)
    assert apply(record, lifecycle.ExitedToRestart(code=1, at_ns=1)).restart_count == 2
    assert apply(record, lifecycle.Exited(code=1, at_ns=1)).restart_count == 1


def test_paid_takes_off_those_debts_alone() -> None:
    record = a_container(state=State.EXITED, owed=list(lifecycle.ALL_STEPS))
    assert apply(record, lifecycle.Paid(steps=[Step.RUNTIME, Step.ROOTFS])).owed == [Step.NETWORK]


def test_kill_that_is_not_final_leaves_the_restart_policy_in_force() -> None:
    record = a_container(state=State.RUNNING, pid=7)
    assert not apply(record, lifecycle.KillAsked(final=False)).manually_stopped
    assert apply(record, lifecycle.KillAsked(final=True)).manually_stopped


@pytest.mark.parametrize(
    ("state", "started_ns", "word"),
    [
        (State.CREATED, 0, "created"),
        (State.STARTING, 0, "created"),
        (State.STARTING, 1, "exited"),
        (State.EXITED, 0, "created"),
        (State.EXITED, 1, "exited"),
        (State.RUNNING, 1, "running"),
        (State.PAUSED, 1, "paused"),
        (State.RESTARTING, 1, "restarting"),
        (State.REMOVING, 1, "removing"),
        (State.DEAD, 1, "dead"),
    ],
)
def test_words_that_clients_know(state: State, started_ns: int, word: str) -> None:
    assert docker_status(a_container(state=state, started_ns=started_ns)) == word


def test_the_diagram_in_the_documents_is_current() -> None:
    script = Path(__file__).resolve().parents[3] / "scripts" / "state_diagram.py"
    spec = importlib.util.spec_from_file_location("state_diagram", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.PAGE.read_text(encoding="utf-8") == module.page(), "run scripts/state_diagram.py"
