import asyncio

import pytest

from tests.unit.engine.streams.stage import Stage, read, read_all, turns
from wharfd.engine.execs import session as sessions
from wharfd.engine.execs.session import ExecSession
from wharfd.model.errors import Conflict, ExecNotFound, Internal, NotFound, StartFailed


async def test_output_and_exit_code() -> None:
    stage = await Stage.made()
    record = await stage.container()
    session, process = await stage.run(record, "sh", attach_stdout=True)
    exec_id = session.exec.id
    assert stage.execs.get(exec_id).pid == process.pid
    assert stage.execs.of(record) == [exec_id]
    process.say(b"out ")
    assert await read(session) == b"out "
    process.say(b"err", "stderr")
    process.exit(7)
    assert await read_all(session) == b"err"
    over = stage.execs.get(exec_id)
    assert (over.is_running, over.exit_code, stage.execs.of(record)) == (False, 7, [])
    assert stage.told(record) == ["exec_create: sh ", "exec_start: sh ", "exec_die"]
    assert process.is_closed


async def test_the_code_is_known_when_the_stream_ends() -> None:
    stage = await Stage.made()
    session, process = await stage.run(await stage.container(), "sh", attach_stdout=True)
    reading = stage.tasks.spawn(session.read(), "client")
    process.end()  # it has closed its streams, and works on
    await turns()
    assert not reading.done()
    process.exit(4)
    assert list(await reading) == []
    assert stage.execs.get(session.exec.id).exit_code == 4


async def test_output_of_children_is_awaited_for_a_while_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "LINGER_S", 0.05)
    stage = await Stage.made()
    session, process = await stage.run(await stage.container(), "sh", attach_stdout=True)
    reading = stage.tasks.spawn(read_all(session), "client")
    await turns()
    process.exit(leaves_children=True)
    process.say(b"late")
    assert await reading == b"late"
    assert process.is_closed


async def test_children_that_say_nothing_are_awaited_as_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "LINGER_S", 0.05)
    stage = await Stage.made()
    session, process = await stage.run(await stage.container(), "sh", attach_stdout=True)
    reading = stage.tasks.spawn(read_all(session), "client")
    await turns()
    process.exit(leaves_children=True)
    assert await reading == b""


async def test_a_slow_client_loses_nothing_after_the_exit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "LINGER_S", 0.01)
    stage = await Stage.made()
    session, process = await stage.run(await stage.container(), "sh", attach_stdout=True)
    process.say(b"all of it")
    process.exit(leaves_children=True)
    await turns()
    await asyncio.sleep(0.05)
    assert await read(session) == b"all of it"


async def test_what_the_process_is_asked_for() -> None:
    stage = await Stage.made()
    record = await stage.container(env=["A=1", "B=2"], hostname="box", user="5")
    _, process = await stage.run(
        record, "sh", "-c", "id", env=["B=3", "C=4", "PATH"], working_dir="/srv", attach_stderr=True, attach_stdin=True
    )
    request = process.request
    assert request.args == ["sh", "-c", "id"]
    assert request.env == ["HOSTNAME=box", "A=1", "B=3", "C=4", "HOME=/"]
    assert request.cwd == "/srv"
    assert request.user is not None
    assert request.user.uid == 5
    assert (request.stdin, request.stdout, request.stderr, request.terminal) == (True, False, True, False)
    assert request.capabilities is None


async def test_HOME_is_the_users_unless_something_sets_it() -> None:
    stage = await Stage.made()
    record = await stage.container()
    stage.world.rootfs.files[record.id]["/etc/passwd"] = b"root:x:0:0::/root:/bin/sh\nann:x:7:7::/home/ann:/bin/sh\n"
    for config, home in (
        ({}, "/root"),
        ({"user": "ann"}, "/home/ann"),
        ({"user": "9"}, "/"),
        ({"env": ["HOME=/x"]}, "/x"),
    ):
        _, process = await stage.run(record, "sh", **config)
        assert [each for each in process.request.env if each.startswith("HOME=")] == [f"HOME={home}"]


async def test_a_terminal_brings_TERM_and_a_size() -> None:
    stage = await Stage.made()
    _, process = await stage.run(await stage.container(), "sh", tty=True, console_size=(30, 90))
    assert "TERM=xterm" in process.request.env
    assert (process.request.terminal, process.request.console_size) == (True, (30, 90))


async def test_privileged_means_all_that_the_engine_has() -> None:
    stage = await Stage.made()
    _, process = await stage.run(await stage.container(), "sh", privileged=True)
    assert process.request.capabilities == stage.world.host.facts().capabilities


async def test_a_size_that_is_set_before_the_process_is_there() -> None:
    stage = await Stage.made()
    record = await stage.container()
    exec_id = await stage.exec(record, "sh", tty=True, console_size=(30, 90))
    stage.resize_exec(exec_id, height=44, width=99)
    await stage.start_exec.launch(stage.start_exec.claim(exec_id))
    assert stage.streams.execs[-1].size == (44, 99)
    stage.resize_exec(exec_id, height=10, width=20)
    assert stage.streams.execs[-1].size == (10, 20)
    stage.streams.execs[-1].exit()
    await turns()
    with pytest.raises(NotFound, match=f"process does not exist {exec_id}: not found"):
        stage.resize_exec(exec_id, height=1, width=1)


async def test_detached_its_streams_lead_nowhere() -> None:
    stage = await Stage.made()
    record = await stage.container()
    claimed = stage.start_exec.claim(await stage.exec(record, "sh", attach_stdout=True, attach_stdin=True))
    await stage.start_exec.launch(claimed, detach=True)
    request = stage.streams.execs[-1].request
    assert (request.stdin, request.stdout, request.stderr) == (False, False, False)
    stage.streams.execs[-1].exit(3)
    await stage.settle()
    assert stage.execs.get(claimed.id).exit_code == 3
    assert stage.streams.execs[-1].is_closed


async def test_started_twice() -> None:
    stage = await Stage.made()
    session, process = await stage.run(await stage.container(), "sh")
    exec_id = session.exec.id
    with pytest.raises(Conflict) as caught:
        stage.start_exec.claim(exec_id)
    assert str(caught.value) == f"exec command {exec_id} is already running"
    process.exit()
    await stage.settle()
    with pytest.raises(Conflict) as caught:
        stage.start_exec.claim(exec_id)
    assert str(caught.value) == f"exec command {exec_id} has already run"


async def test_a_claim_that_was_released_may_be_made_again() -> None:
    stage = await Stage.made()
    exec_id = await stage.exec(await stage.container(), "sh")
    stage.start_exec.release(stage.start_exec.claim(exec_id))
    stage.start_exec.claim(exec_id)


async def test_the_container_must_run() -> None:
    stage = await Stage.made()
    record = await stage.container()
    exec_id = await stage.exec(record, "sh")
    await stage.pause(record.id)
    with pytest.raises(Conflict) as caught:
        stage.start_exec.claim(exec_id)
    assert str(caught.value) == f"Container {record.id} is paused, unpause the container before exec"
    await stage.unpause(record.id)
    stage.world.runtime.exit(record.id)
    await stage.settle()
    with pytest.raises(ExecNotFound):
        stage.start_exec.claim(exec_id)
    await stage.start(record.id)
    with pytest.raises(ExecNotFound):
        stage.start_exec.claim(exec_id)


@pytest.mark.parametrize(
    ("error", "code"), [(StartFailed("OCI runtime exec failed: …", 127), 127), (Internal("no"), 128)]
)
async def test_a_process_that_cannot_be_started_is_over_with_a_code(error: Exception, code: int) -> None:
    stage = await Stage.made()
    record = await stage.container()
    exec_id = await stage.exec(record, "nope")
    stage.streams.fail_next("exec", error)
    with pytest.raises(type(error)):
        await stage.start_exec.launch(stage.start_exec.claim(exec_id))
    over = stage.execs.get(exec_id)
    assert (over.is_running, over.exit_code) == (False, code)
    assert stage.told(record) == ["exec_create: nope ", "exec_start: nope "]  # Docker: it did not die, it never lived


async def test_the_end_of_the_container_is_that_of_its_execs() -> None:
    stage = await Stage.made()
    record = await stage.container()
    session, _ = await stage.run(record, "sleep", "9", attach_stdout=True)
    unused = await stage.exec(record, "true")
    stage.world.runtime.exit(record.id)
    assert await read_all(session) == b""
    await stage.settle()
    assert stage.execs.get(session.exec.id).exit_code == 137
    assert stage.execs.of(stage.now(record)) == []
    with pytest.raises(ExecNotFound):
        stage.execs.get(unused)


# The client


async def test_a_client_that_leaves_does_not_disturb_the_process() -> None:
    stage = await Stage.made()
    session, process = await stage.run(await stage.container(), "sh", attach_stdout=True, attach_stdin=True)
    session.leave()
    session.leave()
    assert process.is_stdin_closed
    process.say(b"to nobody")
    await turns()
    assert process.unread == []
    assert not process.is_closed
    process.exit(5)
    await stage.settle()
    assert stage.execs.get(session.exec.id).exit_code == 5
    assert process.is_closed


async def end_of_input(tty: bool) -> tuple[bool, bool]:
    """Whether that ends the session, and whether the process reads to the end of input."""
    stage = await Stage.made()
    session, process = await stage.run(await stage.container(), "sh", attach_stdin=True, tty=tty)
    assert session.takes_input
    await session.feed(b"text")
    assert process.written == b"text"
    return await session.input_over(), process.is_stdin_closed


async def test_the_end_of_input() -> None:
    assert await end_of_input(tty=False) == (False, True)
    assert await end_of_input(tty=True) == (True, False)


@pytest.mark.parametrize(("keys", "typed"), [(b"", b"\x10\x11"), (b"ab", b"ab")])
async def test_detach_keys(keys: bytes, typed: bytes) -> None:
    stage = await Stage.made()
    record = await stage.container()
    session, process = await stage.run(record, "sh", attach_stdin=True, tty=True, detach_keys=keys)
    assert not await session.feed(b"x" + typed[:1])
    assert await session.feed(typed[1:])
    session.leave()
    assert stage.told(record)[-1] == "exec_detach"
    assert process.written == b"x"
    assert stage.execs.get(session.exec.id).is_running


async def test_without_a_terminal_there_are_none() -> None:
    stage = await Stage.made()
    session, process = await stage.run(await stage.container(), "sh", attach_stdin=True)
    assert not await session.feed(b"\x10\x11")
    assert process.written == b"\x10\x11"


# Memory


async def sweep(stage: Stage) -> None:
    assert stage.sweeps.fire() == [300.0]
    await turns()


async def ended(stage: Stage, session: ExecSession) -> None:
    stage.streams.execs[-1].exit()
    await read_all(session)
    await turns()


async def test_two_sweeps_after_its_end_it_is_forgotten() -> None:
    stage = await Stage.made()
    record = await stage.container()
    session, _ = await stage.run(record, "sh")
    await sweep(stage)
    assert not stage.execs.get(session.exec.id).can_remove
    await ended(stage, session)
    await sweep(stage)
    assert stage.execs.get(session.exec.id).can_remove
    await sweep(stage)
    with pytest.raises(ExecNotFound):
        stage.execs.get(session.exec.id)
    assert stage.sweeps.waiting == []
    assert stage.execs.by_id == {}
    assert stage.execs.over == {}


async def test_one_that_was_never_started_stays_as_long_as_its_run() -> None:
    stage = await Stage.made()
    record = await stage.container()
    exec_id = await stage.exec(record, "sh")
    for _ in range(3):
        await sweep(stage)
    assert stage.execs.get(exec_id).id == exec_id
    stage.world.runtime.exit(record.id)
    await stage.settle()
    await stage.start(record.id)
    with pytest.raises(ExecNotFound):
        stage.execs.get(exec_id)
    assert stage.execs.of(stage.now(record)) == []
    await sweep(stage)
    assert stage.execs.by_id == {}


async def test_with_the_container_they_are_gone() -> None:
    stage = await Stage.made()
    record = await stage.container()
    session, _ = await stage.run(record, "sh")
    await ended(stage, session)
    await stage.remove(record.id, force=True)
    with pytest.raises(ExecNotFound, match=f"No such exec instance: {session.exec.id}"):
        stage.execs.get(session.exec.id)
    await sweep(stage)
    assert stage.execs.by_id == {}


async def test_only_so_many_are_kept() -> None:
    stage = await Stage.made()
    record = await stage.container()
    ids = []
    for _ in range(5):
        session, _ = await stage.run(record, "sh")
        await ended(stage, session)
        ids.append(session.exec.id)
    assert list(stage.execs.by_id) == ids[-3:]
    assert stage.execs.processes == {}
    await stage.settle()


async def test_resizing_a_container() -> None:
    stage = await Stage.made()
    record = await stage.container()
    await stage.resize_container(record.id, height=1, width=2)
    assert stage.streams.calls == []
    stage.world.runtime.exit(record.id)
    await stage.settle()
    with pytest.raises(Conflict, match=f"container {record.id} is not running"):
        await stage.resize_container(record.id, height=1, width=2)
