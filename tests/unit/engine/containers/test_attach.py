from typing import Any

import pytest

from tests.unit.engine.streams.stage import Stage, read, read_all, turns
from wharfd.engine.containers.attach import AttachRequest
from wharfd.model.config import LogConfig, RestartPolicy
from wharfd.model.container import ContainerRecord, State
from wharfd.model.errors import Conflict, ContainerNotFound, Internal, InvalidParameter, NotImplementedHere, StartFailed
from wharfd.testing.builders import a_config, a_host_config

STREAMING = AttachRequest(stream=True, stdout=True)


async def test_output_of_a_running_container() -> None:
    stage = await Stage.made()
    record = await stage.container()
    session = await stage.client(record)
    assert stage.told(record) == ["attach"]
    stage.say(record, b"hello ")
    assert await read(session) == b"hello "
    stage.say(record, b"world", "stderr")
    stage.world.runtime.exit(record.id)
    assert await read_all(session) == b"world"


async def test_unknown_container_and_unknown_keys() -> None:
    stage = await Stage.made()
    with pytest.raises(ContainerNotFound, match="No such container: nope"):
        await stage.attach("nope", STREAMING)
    record = await stage.container()
    with pytest.raises(InvalidParameter, match=r"Invalid detach keys \(ctrl-xx\) provided"):
        await stage.client(record, detach_keys="ctrl-xx")


async def test_a_paused_container_is_refused_by_the_name_that_was_used() -> None:
    stage = await Stage.made()
    record = await stage.running(name="web")
    await stage.pause(record.id)
    with pytest.raises(Conflict) as caught:
        await stage.attach("web", STREAMING)
    assert str(caught.value) == "container web is paused, unpause the container before attach"


async def test_a_restarting_container_is_refused() -> None:
    stage = await Stage.made()
    record = await stage.running(host_config=a_host_config(restart_policy=RestartPolicy(name="always")))
    stage.world.runtime.exit(record.id, 1)
    await stage.settle()
    assert stage.state(record) is State.RESTARTING
    with pytest.raises(Conflict) as caught:
        await stage.client(record)
    assert str(caught.value) == f"container {record.id} is restarting, wait until the container is running"


# Before the start


async def test_who_attaches_before_the_start_misses_nothing() -> None:
    stage = await Stage.made()
    record = await stage.container(running=False)
    session = await stage.client(record)
    assert stage.streams.calls == []
    stage.world.runtime.exits_after_start(record.id, 3)
    calls = stage.world.runtime.calls
    await stage.start(record.id)
    assert calls.index("create") < calls.index("start")
    assert stage.streams.calls == ["attach"]
    assert session.viewer.is_foreground
    assert await read_all(session) == b""


async def test_the_monitor_is_not_asked_where_nobody_is_attached() -> None:
    stage = await Stage.made()
    await stage.container()
    assert stage.streams.calls == []


async def test_input_before_the_start_waits_for_it() -> None:
    stage = await Stage.made()
    record = await stage.container(running=False, open_stdin=True, stdin_once=True)
    session = await stage.client(record, stdin=True)

    async def client() -> None:
        assert not await session.feed(b"early")
        assert not await session.input_over()

    typing = stage.tasks.spawn(client(), "client")
    await turns()
    assert not typing.done()
    await stage.start(record.id)
    await typing
    assert (stage.stdio(record).written, stage.stdio(record).is_stdin_closed) == (b"early", True)


async def test_a_start_that_fails_ends_those_who_wait_for_it() -> None:
    stage = await Stage.made()
    stage.world.runtime.missing_programs["nope"] = StartFailed("nope", 127)
    record = await stage.container(running=False, cmd=["nope"], entrypoint=None)
    session = await stage.client(record)
    with pytest.raises(StartFailed):
        await stage.start(record.id)
    assert await read_all(session) == b""
    assert stage.audience.waiting == {}


async def test_a_removal_ends_those_who_wait_for_a_start() -> None:
    stage = await Stage.made()
    record = await stage.container(running=False)
    session = await stage.client(record)
    await stage.remove(record.id)
    assert await read_all(session) == b""


async def test_who_leaves_before_the_start_is_forgotten() -> None:
    stage = await Stage.made()
    record = await stage.container(running=False)
    session = await stage.client(record)
    await session.close()
    assert stage.audience.waiting == {}
    assert stage.waiters.by_container == {}
    await stage.start(record.id)
    assert stage.streams.calls == []


async def test_a_monitor_that_cannot_be_asked_does_not_keep_the_container_from_running() -> None:
    stage = await Stage.made()
    record = await stage.container(running=False)
    session = await stage.client(record)
    stage.streams.fail_next("attach", Internal("no"))
    await stage.start(record.id)
    assert stage.state(record) is State.RUNNING
    assert await read_all(session) == b""


async def test_an_exited_container_is_attached_to_for_its_next_run() -> None:
    stage = await Stage.made()
    record = await stage.container()
    stage.world.runtime.exit(record.id)
    await stage.settle()
    session = await stage.client(record)
    await stage.start(record.id)
    stage.say(record, b"again")
    assert await read(session) == b"again"


# Ends


async def test_each_run_ends_the_sessions_also_when_it_is_restarted() -> None:
    stage = await Stage.made()
    record = await stage.running(host_config=a_host_config(restart_policy=RestartPolicy(name="always")))
    session = await stage.client(record)
    stage.world.runtime.exit(record.id, 1)
    await stage.settle()
    stage.timers.fire()
    await stage.settle()
    assert stage.state(record) is State.RUNNING
    assert await read_all(session) == b""
    assert len(stage.streams.attached[record.id]) == 1


async def test_the_last_client_takes_the_connection_with_it() -> None:
    stage = await Stage.made()
    record = await stage.container()
    one, two = await stage.client(record), await stage.client(record)
    assert len(stage.streams.attached[record.id]) == 1
    await one.close()
    await turns()
    assert not stage.stdio(record).is_closed
    await two.close()
    await turns()
    assert stage.stdio(record).is_closed
    third = await stage.client(record)
    stage.say(record, b"new")
    assert await read(third) == b"new"


async def test_who_comes_while_the_connection_is_being_closed_gets_a_new_one() -> None:
    stage = await Stage.made()
    record = await stage.container()
    await (await stage.client(record)).close()
    session = await stage.client(record)  # no turn of the loop between
    stage.say(record, b"new")
    assert await read(session) == b"new"


async def test_a_container_that_has_just_ended_shows_nothing() -> None:
    stage = await Stage.made()
    record = await stage.container()
    stage.streams.fail_next("attach", Conflict("container is not running"))
    assert await read_all(await stage.client(record)) == b""


# Input


async def ended_by_eof(stage: Stage, record: ContainerRecord) -> bool:
    session = await stage.client(record, stdin=True)
    assert session.takes_input
    return await session.input_over()


async def test_the_end_of_input_closes_stdin_only_with_stdin_once() -> None:
    stage = await Stage.made()
    once = await stage.container(open_stdin=True, stdin_once=True)
    assert not await ended_by_eof(stage, once)
    assert stage.stdio(once).is_stdin_closed


@pytest.mark.parametrize("config", [{}, {"tty": True}, {"tty": True, "stdin_once": True}])
async def test_else_it_ends_the_session_and_stdin_stays_open(config: dict[str, bool]) -> None:
    stage = await Stage.made()
    record = await stage.container(open_stdin=True, **config)
    assert await ended_by_eof(stage, record)
    assert not stage.stdio(record).is_stdin_closed


async def test_a_client_that_goes_away_closes_the_stdin_that_was_its_own() -> None:
    stage = await Stage.made()
    record = await stage.container(open_stdin=True, stdin_once=True)
    watcher, owner = await stage.client(record), await stage.client(record, stdin=True)
    await owner.close()
    assert stage.stdio(record).is_stdin_closed
    stage.say(record, b"on")
    assert await read(watcher) == b"on"


async def test_watching_and_leaving_does_not_close_a_stdin_that_waits_for_its_owner() -> None:
    """The monitor would close it with the connection."""
    stage = await Stage.made()
    record = await stage.container(open_stdin=True, stdin_once=True)
    await (await stage.client(record)).close()
    await turns()
    assert not stage.stdio(record).is_closed
    owner = await stage.client(record, stdin=True)
    await owner.feed(b"mine")
    assert stage.stdio(record).written == b"mine"
    assert len(stage.streams.attached[record.id]) == 1


async def test_a_closed_stdin_takes_no_input() -> None:
    stage = await Stage.made()
    record = await stage.container(open_stdin=False)
    assert not (await stage.client(record, stdin=True)).takes_input


async def test_detach_keys_end_the_session_and_are_told_of() -> None:
    stage = await Stage.made()
    record = await stage.container(tty=True, open_stdin=True, stdin_once=True)
    session = await stage.client(record, stdin=True)
    assert not await session.feed(b"ls\x10")
    assert await session.feed(b"\x11")
    assert stage.stdio(record).written == b"ls"
    assert stage.told(record) == ["attach", "detach"]
    await session.close()
    assert not stage.stdio(record).is_stdin_closed


async def test_detach_keys_of_ones_own() -> None:
    stage = await Stage.made()
    record = await stage.container(tty=True, open_stdin=True)
    session = await stage.client(record, stdin=True, detach_keys="a,b")
    assert not await session.feed(b"\x10\x11")
    assert await session.feed(b"xab")


async def test_without_a_terminal_there_are_no_detach_keys() -> None:
    stage = await Stage.made()
    record = await stage.container(open_stdin=True, stdin_once=True)
    session = await stage.client(record, stdin=True)
    assert not await session.feed(b"\x10\x11")
    assert stage.stdio(record).written == b"\x10\x11"


async def test_keys_that_were_held_back_are_passed_on_at_the_end() -> None:
    stage = await Stage.made()
    record = await stage.container(tty=True, open_stdin=True)
    session = await stage.client(record, stdin=True)
    await session.feed(b"\x10")
    await session.input_over()
    assert stage.stdio(record).written == b"\x10"


@pytest.mark.parametrize(
    ("wanted", "config", "live"),
    [
        ({}, {}, False),
        ({"stdin": True}, {}, False),
        ({"stdin": True}, {"open_stdin": True}, True),
        ({}, {"open_stdin": True, "stdin_once": True}, True),
        ({"stderr": True}, {}, True),
        ({"stdout": True, "stream": False}, {}, False),
    ],
)
async def test_whether_there_is_something_to_wait_for(
    wanted: dict[str, Any], config: dict[str, bool], live: bool
) -> None:
    stage = await Stage.made()
    record = await stage.container(**config)
    session = await stage.attach(record.id, AttachRequest(**{"stream": True, **wanted}))
    assert session.is_live is live


# The log


async def replayed(stage: Stage, record: ContainerRecord, **wanted: bool) -> tuple[bytes, bytes]:
    """What comes of the log, and what comes after it until the end."""
    session = await stage.client(record, logs=True, **wanted)
    old = b"".join([block async for block in session.replay()])
    stage.say(record, b"new")
    stage.world.runtime.exit(record.id)
    return old, await read_all(session)


async def test_the_log_comes_first() -> None:
    stage = await Stage.made()
    record = await stage.running(config=a_config(tty=True), log_path="/log")
    stage.say(record, b"old\n")
    assert await replayed(stage, record) == (b"old\n", b"new")


async def test_what_is_written_while_the_log_is_read_comes_once() -> None:
    stage = await Stage.made()
    record = await stage.running(config=a_config(tty=True), log_path="/log")
    stage.say(record, b"old\n")
    session = await stage.client(record, logs=True)
    got = b""
    async for block in session.replay():
        if not got:
            stage.say(record, b"meanwhile\n")
        got += block
    stage.say(record, b"new\n")
    stage.world.runtime.exit(record.id)
    assert got + await read_all(session) == b"old\nmeanwhile\nnew\n"


async def test_a_run_that_ends_while_its_log_is_read_is_not_followed_by_the_next() -> None:
    stage = await Stage.made()
    record = await stage.running(config=a_config(tty=True), log_path="/log")
    stage.say(record, b"old\n")
    session = await stage.client(record, logs=True)
    replay = session.replay()
    assert await anext(replay) == b"old\n"
    stage.world.runtime.exit(record.id)
    await stage.settle()
    await stage.start(record.id)
    assert [block async for block in replay] == []
    assert await read_all(session) == b""


async def test_a_log_that_cannot_be_read_is_refused_before_anything_is_sent() -> None:
    stage = await Stage.made()
    host = a_host_config(log_config=LogConfig(type="none"))
    record = await stage.running(host_config=host)
    with pytest.raises(NotImplementedHere, match="configured logging driver does not support reading"):
        await stage.client(record, logs=True)
    assert stage.streams.calls == []
