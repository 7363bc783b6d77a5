"""Attach, exec and resize over the socket, on fake drivers: heads, frames, half-closes, and what each version is given."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.api.rig import ApiRig
from tests.integration.transport.rig import Client
from tests.unit.engine.streams.stage import Stage
from tests.unit.wire.test_websocket import masked
from tests.waiting import until
from wharfd.api.handlers.attach import AttachHandlers
from wharfd.api.handlers.exec import ExecHandlers
from wharfd.engine.execs.inspect import InspectExec
from wharfd.model.container import ContainerRecord
from wharfd.model.errors import StartFailed
from wharfd.testing.builders import a_config
from wharfd.testing.streams import FakeAttached, FakeExec
from wharfd.wire.stdcopy import frame

UPGRADE = ("Connection: Upgrade", "Upgrade: tcp")
WEBSOCKET = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
RAW = "application/vnd.docker.raw-stream"
MULTIPLEXED = "application/vnd.docker.multiplexed-stream"
ALL = "stream=1&stdin=1&stdout=1&stderr=1"


class Engine:
    def __init__(self, path: Path, stage: Stage) -> None:
        self.stage = stage
        handlers = (
            AttachHandlers(attach=stage.attach, resize=stage.resize_container),
            ExecHandlers(
                create=stage.create_exec,
                start=stage.start_exec,
                inspect=InspectExec(execs=stage.execs),
                resize=stage.resize_exec,
            ),
        )
        self.rig = ApiRig(path, [route for each in handlers for route in each.routes()])

    async def call(self, method: str, path: str, body: Any = None, *, version: str = "1.55") -> tuple[int, Any]:
        client = await self.rig.connect()
        data = b"" if body is None else json.dumps(body).encode()
        lines = ("Content-Type: application/json", f"Content-Length: {len(data)}") if data else ()
        await client.request(f"{method} /v{version}{path}", "Host: x", *lines, body=data)
        answer = await client.answer()
        return answer.status, json.loads(answer.body) if answer.body else None

    async def open(
        self, path: str, *lines: str, body: Any = None, method: str = "POST", version: str = "1.55", behind: bytes = b""
    ) -> Client:
        """A connection that is to be hijacked; `behind`: bytes sent right behind the request."""
        client = await self.rig.connect()
        data = b"" if body is None else json.dumps(body).encode()
        if data:
            lines = (*lines, "Content-Type: application/json", f"Content-Length: {len(data)}")
        await client.request(f"{method} /v{version}{path}", "Host: x", *lines, body=data + behind)
        return client

    async def attach(self, record: ContainerRecord, query: str = ALL, **how: Any) -> tuple[Client, FakeAttached]:
        client = await self.open(f"/containers/{record.id}/attach?{query}", *UPGRADE, **how)
        assert (await client.head()).status == 101
        return client, self.stage.stdio(record)

    async def exec(self, record: ContainerRecord, *cmd: str, **config: Any) -> str:
        status, doc = await self.call("POST", f"/containers/{record.id}/exec", {"Cmd": list(cmd), **config})
        assert status == 201
        exec_id: str = doc["Id"]
        return exec_id

    async def run(self, record: ContainerRecord, *cmd: str, **config: Any) -> tuple[Client, FakeExec]:
        exec_id = await self.exec(record, *cmd, **config)
        body = {"Detach": False, "Tty": config.get("Tty", False)}
        client = await self.open(f"/exec/{exec_id}/start", *UPGRADE, body=body)
        assert (await client.head()).status == 101
        await until(lambda: self.stage.streams.execs)
        return client, self.stage.streams.execs[-1]


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    stage = await Stage.made()
    made = Engine(tmp_path / "api.sock", stage)
    await made.rig.start()
    yield made
    await made.rig.stop()
    await stage.tasks.close()


# Attach: heads


@pytest.mark.parametrize(
    ("version", "tty", "content_type"),
    [("1.41", False, RAW), ("1.42", False, MULTIPLEXED), ("1.55", False, MULTIPLEXED), ("1.55", True, RAW)],
)
async def test_the_head_of_an_upgraded_attach(engine: Engine, version: str, tty: bool, content_type: str) -> None:
    record = await engine.stage.container(tty=tty)
    client = await engine.open(f"/containers/{record.id}/attach?{ALL}", *UPGRADE, version=version)
    head = await client.head()
    assert (head.status, head.reason) == (101, "UPGRADED")
    assert head.header("Content-Type") == content_type
    assert (head.header("Connection"), head.header("Upgrade")) == ("Upgrade", "tcp")
    engine.stage.say(record, b"hi")
    engine.stage.world.runtime.exit(record.id)
    assert await client.take_all() == (b"hi" if tty else frame(1, b"hi"))


async def test_without_an_upgrade_it_is_a_plain_200(engine: Engine) -> None:
    """Docker: raw-stream by name, though framed and of a version that knows the other one."""
    record = await engine.stage.container()
    client = await engine.open(f"/containers/{record.id}/attach?stream=1&stderr=1")
    head = await client.head()
    assert (head.status, head.header("Content-Type"), head.header("Upgrade")) == (200, RAW, None)
    engine.stage.say(record, b"not wanted")
    engine.stage.say(record, b"err", "stderr")
    engine.stage.world.runtime.exit(record.id)
    assert await client.take_all() == frame(2, b"err")


async def test_what_is_wrong_is_told_by_hand(engine: Engine) -> None:
    record = await engine.stage.running(name="web")
    await engine.stage.pause(record.id)
    client = await engine.open("/containers/web/attach?stream=1&stdout=1", *UPGRADE)
    assert await client.take_all() == (
        b"HTTP/1.1 409 Conflict\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n"
        b"container web is paused, unpause the container before attach\r\n"
    )
    client = await engine.open("/containers/nope/attach?stream=1&stdout=1", *UPGRADE)
    assert (await client.take_all()).startswith(b"HTTP/1.1 404 Not Found\r\n")
    client = await engine.open(f"/containers/{record.id}/attach?stream=1&stdout=1&detachKeys=ctrl-xx")
    assert (await client.take_all()).startswith(b"HTTP/1.1 409 Conflict\r\n")
    await engine.stage.unpause(record.id)
    client = await engine.open(f"/containers/{record.id}/attach?stream=1&stdout=1&detachKeys=ctrl-xx")
    assert (await client.take_all()).endswith(b"\r\n\r\nInvalid detach keys (ctrl-xx) provided\r\n")


async def test_nothing_wanted_is_over_at_once(engine: Engine) -> None:
    record = await engine.stage.container(running=False)
    for query in ("", "stdout=1", "stream=1"):
        client = await engine.open(f"/containers/{record.id}/attach?{query}", *UPGRADE)
        assert (await client.head()).status == 101
        assert await client.take_all() == b""


async def test_the_log_and_then_what_is_new(engine: Engine) -> None:
    record = await engine.stage.running(config=a_config(), log_path="/log")
    engine.stage.say(record, b"old\n")
    client = await engine.open(f"/containers/{record.id}/attach?logs=1&stream=1&stdout=1&stderr=1", *UPGRADE)
    assert (await client.head()).status == 101
    assert await client.take(8 + 4) == frame(1, b"old\n")
    await until(lambda: record.id in engine.stage.audience.hubs)
    engine.stage.say(record, b"new\n")
    engine.stage.world.runtime.exit(record.id)
    assert await client.take_all() == frame(1, b"new\n")


# Attach: input and ends


async def test_bytes_behind_the_head_reach_stdin_and_a_half_close_leaves_the_output(engine: Engine) -> None:
    record = await engine.stage.container(running=False, open_stdin=True, stdin_once=True)
    client = await engine.open(f"/containers/{record.id}/attach?{ALL}", *UPGRADE, behind=b"early ")
    assert (await client.head()).status == 101
    await engine.stage.start(record.id)
    await client.send(b"late")
    client.half_close()
    stdio = engine.stage.stdio(record)
    await until(lambda: stdio.is_stdin_closed)
    assert stdio.written == b"early late"
    engine.stage.say(record, b"still")
    engine.stage.world.runtime.exit(record.id)
    assert await client.take_all() == frame(1, b"still")


async def test_without_stdin_once_a_half_close_ends_the_session(engine: Engine) -> None:
    record = await engine.stage.container(open_stdin=True)
    client, stdio = await engine.attach(record)
    await client.send(b"say hello\n")
    client.half_close()
    assert await client.take_all() == b""
    assert (stdio.written, stdio.is_stdin_closed) == (b"say hello\n", False)


async def test_detach_keys_close_the_connection_and_leave_the_container(engine: Engine) -> None:
    record = await engine.stage.container(tty=True, open_stdin=True, stdin_once=True)
    client, stdio = await engine.attach(record)
    await client.send(b"ls\n\x10\x11")
    assert await client.take_all() == b""
    assert (stdio.written, stdio.is_stdin_closed) == (b"ls\n", False)
    assert engine.stage.now(record).is_running


async def test_a_client_that_goes_away_is_noticed_though_nothing_is_written(engine: Engine) -> None:
    record = await engine.stage.container()
    client, stdio = await engine.attach(record)
    client.close()
    await until(lambda: stdio.is_closed)
    assert engine.stage.audience.hubs == {}


async def test_a_client_that_has_stopped_reading_is_cut_off_and_the_other_reads_on(engine: Engine) -> None:
    engine.stage.audience.patience_s = 0.1
    record = await engine.stage.container()
    stalled, _ = await engine.attach(record)
    reads, _ = await engine.attach(record)
    total, last = 0, b""
    piece = bytes(64 * 1024)

    async def write() -> None:
        while len(engine.stage.audience.hubs[record.id].viewers) == 2:
            engine.stage.say(record, piece)
            await asyncio.sleep(0)
        engine.stage.say(record, b"end")
        engine.stage.world.runtime.exit(record.id)

    async with asyncio.TaskGroup() as group:
        group.create_task(write())
        while await reads.more():
            total += len(reads.buffer)
            last, reads.buffer = reads.buffer[-11:], b""
    assert last == frame(1, b"end")
    assert total > 4 << 20
    reads.close()
    await until(lambda: not engine.rig.server.connections)  # nothing is kept for one who does not read
    assert len(await take_what_comes(stalled)) < total


async def take_what_comes(client: Client) -> bytes:
    try:
        return await client.take_all()
    except ConnectionResetError:
        return client.buffer


async def test_the_engine_ends_with_clients_attached(engine: Engine) -> None:
    record = await engine.stage.container()
    client, _ = await engine.attach(record)
    await engine.rig.server.shutdown(5)
    assert await client.take_all() == b""


# WebSocket


async def websocket(engine: Engine, record: ContainerRecord, query: str, version: str = "1.55") -> Client:
    client = await engine.open(f"/containers/{record.id}/attach/ws?{query}", *WEBSOCKET, method="GET", version=version)
    head = await client.head()
    assert (head.status, head.header("Sec-WebSocket-Accept")) == (101, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    return client


@pytest.mark.parametrize(("version", "first"), [("1.27", 0x81), ("1.28", 0x82), ("1.55", 0x82)])
async def test_output_over_a_websocket(engine: Engine, version: str, first: int) -> None:
    record = await engine.stage.container()
    client = await websocket(engine, record, "stream=1&stdout=1&stderr=1", version)
    engine.stage.say(record, b"out")
    assert await client.take(5) == bytes((first, 3)) + b"out"
    engine.stage.say(record, b"err", "stderr")
    assert await client.take(5) == bytes((first, 3)) + b"err"
    engine.stage.world.runtime.exit(record.id)
    assert await client.take_all() == b"\x88\x02\x03\xe8"


async def test_input_over_a_websocket(engine: Engine) -> None:
    record = await engine.stage.container(open_stdin=True, stdin_once=True)
    client = await websocket(engine, record, ALL)
    await client.send(masked(1, b"hello ") + masked(9, b"?") + masked(2, b"world"))
    assert await client.take(3) == b"\x8a\x01?"
    stdio = engine.stage.stdio(record)
    await until(lambda: stdio.written == b"hello world")
    await client.send(masked(8, b"\x03\xe8"))
    assert await client.take(4) == b"\x88\x02\x03\xe8"
    await until(lambda: stdio.is_stdin_closed)


async def test_broken_frames_end_it(engine: Engine) -> None:
    record = await engine.stage.container(open_stdin=True)
    client = await websocket(engine, record, ALL)
    await client.send(b"\x82\x01x")
    assert await client.take_all() == b"\x88\x02\x03\xea"


async def test_below_1_42_a_websocket_takes_all_streams(engine: Engine) -> None:
    record = await engine.stage.container()
    old = await websocket(engine, record, "stream=1", "1.41")
    new = await websocket(engine, record, "stream=1")
    engine.stage.say(record, b"out")
    assert await old.take(5) == b"\x82\x03out"
    assert await new.take_all() == b"\x88\x02\x03\xe8"


async def test_the_log_over_a_websocket_has_no_frames_of_its_own(engine: Engine) -> None:
    record = await engine.stage.running(config=a_config(), log_path="/log")
    engine.stage.say(record, b"old\n")
    client = await websocket(engine, record, "logs=1&stdout=1")
    assert await client.take_all() == b"\x82\x04old\n\x88\x02\x03\xe8"


async def test_what_is_no_opening_handshake(engine: Engine) -> None:
    record = await engine.stage.container()
    status, doc = await engine.call("GET", f"/containers/{record.id}/attach/ws?stream=1")
    assert (status, doc) == (400, {"message": "not websocket protocol"})
    await engine.stage.pause(record.id)
    client = await engine.open(f"/containers/{record.id}/attach/ws?stream=1", *WEBSOCKET, method="GET")
    answer = await client.answer()
    assert (answer.status, answer.header("Content-Type")) == (409, "application/json")


# Exec


async def test_create_and_inspect(engine: Engine) -> None:
    record = await engine.stage.container()
    exec_id = await engine.exec(record, "sh", "-c", "exit 3", AttachStdout=True, DetachKeys="ctrl-p,ctrl-q", User="5:6")
    status, doc = await engine.call("GET", f"/exec/{exec_id}/json")
    assert status == 200
    assert doc == {
        "ID": exec_id,
        "Running": False,
        "ExitCode": None,
        "ProcessConfig": {
            "tty": False,
            "entrypoint": "sh",
            "arguments": ["-c", "exit 3"],
            "privileged": False,
            "user": "5:6",
        },
        "OpenStdin": False,
        "OpenStderr": False,
        "OpenStdout": True,
        "CanRemove": False,
        "ContainerID": record.id,
        "DetachKeys": "EBE=",
        "Pid": 0,
    }
    other = await engine.exec(record, "true")
    _, doc = await engine.call("GET", f"/exec/{other}/json")
    assert (doc["ProcessConfig"], doc["DetachKeys"]) == (
        {"tty": False, "entrypoint": "true", "arguments": [], "privileged": False},
        "",
    )


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (None, "No exec command specified"),
        ({}, "No exec command specified"),
        ({"Cmd": []}, "No exec command specified"),
        ({"Cmd": ["ls"], "DetachKeys": "ctrl-xx"}, "Invalid escape keys (ctrl-xx) provided"),
        ({"Cmd": ["ls"], "User": "ghost"}, "unable to find user ghost: no matching entries in passwd file"),
        (
            {"Cmd": ["ls"], "Tty": 1},
            "invalid JSON: json: cannot unmarshal number into Go struct field ExecCreateRequest.Tty of type bool",
        ),
    ],
)
async def test_bodies_that_are_refused(engine: Engine, body: Any, message: str) -> None:
    record = await engine.stage.container()
    assert await engine.call("POST", f"/containers/{record.id}/exec", body) == (400, {"message": message})


async def test_a_command_may_be_a_string(engine: Engine) -> None:
    record = await engine.stage.container()
    status, doc = await engine.call("POST", f"/containers/{record.id}/exec", {"cmd": "ls"})
    assert (status, engine.stage.execs.get(doc["Id"]).config.cmd) == (201, ["ls"])


@pytest.mark.parametrize(("version", "size"), [("1.41", None), ("1.42", (30, 90))])
async def test_console_sizes_count_from_1_42_on(engine: Engine, version: str, size: tuple[int, int] | None) -> None:
    record = await engine.stage.container()
    body = {"Cmd": ["sh"], "Tty": True, "ConsoleSize": [30, 90]}
    _, doc = await engine.call("POST", f"/containers/{record.id}/exec", body, version=version)
    assert engine.stage.execs.get(doc["Id"]).config.console_size == size
    exec_id = await engine.exec(record, "sh", Tty=True)
    client = await engine.open(
        f"/exec/{exec_id}/start", *UPGRADE, body={"Tty": True, "ConsoleSize": [30, 90]}, version=version
    )
    await client.head()
    await until(lambda: engine.stage.streams.execs)
    assert engine.stage.streams.execs[-1].request.console_size == size


async def test_without_a_terminal_there_is_no_console_size(engine: Engine) -> None:
    record = await engine.stage.container()
    exec_id = await engine.exec(record, "sh", ConsoleSize=[30, 90])
    client = await engine.open(f"/exec/{exec_id}/start", *UPGRADE, body={"ConsoleSize": [30, 90]})
    await client.head()
    await until(lambda: engine.stage.streams.execs)
    assert engine.stage.streams.execs[-1].request.console_size is None


@pytest.mark.parametrize(
    ("version", "tty", "content_type"), [("1.41", False, RAW), ("1.42", False, MULTIPLEXED), ("1.55", True, RAW)]
)
async def test_the_start_decides_about_frames(engine: Engine, version: str, tty: bool, content_type: str) -> None:
    record = await engine.stage.container()
    exec_id = await engine.exec(record, "sh", AttachStdout=True, Tty=not tty)
    client = await engine.open(f"/exec/{exec_id}/start", *UPGRADE, body={"Tty": tty}, version=version)
    assert (await client.head()).header("Content-Type") == content_type
    await until(lambda: engine.stage.streams.execs)
    engine.stage.streams.execs[-1].say(b"hi")
    engine.stage.streams.execs[-1].exit()
    assert await client.take_all() == (b"hi" if tty else frame(1, b"hi"))


async def test_a_plain_200_without_an_upgrade(engine: Engine) -> None:
    record = await engine.stage.container()
    exec_id = await engine.exec(record, "sh", AttachStdout=True)
    client = await engine.open(f"/exec/{exec_id}/start", body={"Detach": False})
    assert (await client.head()).status == 200
    await until(lambda: engine.stage.streams.execs)
    engine.stage.streams.execs[-1].say(b"hi")
    engine.stage.streams.execs[-1].exit()
    assert await client.take_all() == frame(1, b"hi")


async def test_input_and_half_close(engine: Engine) -> None:
    record = await engine.stage.container()
    exec_id = await engine.exec(record, "cat", AttachStdout=True, AttachStdin=True)
    client = await engine.open(f"/exec/{exec_id}/start", *UPGRADE, body={}, behind=b"input")
    client.half_close()
    await client.head()
    await until(lambda: engine.stage.streams.execs and engine.stage.streams.execs[-1].is_stdin_closed)
    process = engine.stage.streams.execs[-1]
    assert process.written == b"input"
    process.say(b"output")
    process.exit()
    assert await client.take_all() == frame(1, b"output")


async def test_the_exit_code_is_there_when_the_stream_ends(engine: Engine) -> None:
    record = await engine.stage.container()
    client, process = await engine.run(record, "sh", AttachStdout=True)
    process.exit(7)
    assert await client.take_all() == b""
    (exec_id,) = engine.stage.execs.by_id
    _, doc = await engine.call("GET", f"/exec/{exec_id}/json")
    assert (doc["ExitCode"], doc["Running"]) == (7, False)


async def test_a_client_that_leaves_lets_the_process_go_on(engine: Engine) -> None:
    record = await engine.stage.container()
    client, process = await engine.run(record, "sh", AttachStdout=True)
    client.close()
    await until(lambda: any(task.get_name().startswith("exec-drain") for task in engine.stage.tasks.running))
    process.say(b"to nobody")
    await until(lambda: not process.unread)
    assert process.code is None


async def test_detach_keys_of_an_exec(engine: Engine) -> None:
    record = await engine.stage.container()
    client, process = await engine.run(record, "sh", Tty=True, AttachStdin=True, AttachStdout=True)
    await client.send(b"x\x10\x11")
    assert await client.take_all() == b""
    assert (process.written, process.code) == (b"x", None)


@pytest.mark.parametrize("tty", [False, True])
async def test_a_failure_to_start_is_text_on_the_stream(engine: Engine, tty: bool) -> None:
    text = 'OCI runtime exec failed: exec failed: unable to start container process: exec: "nope": …: unknown'
    engine.stage.world.runtime.missing_programs["nope"] = StartFailed(text, 127)
    record = await engine.stage.container()
    exec_id = await engine.exec(record, "nope", AttachStderr=True)
    client = await engine.open(f"/exec/{exec_id}/start", *UPGRADE, body={"Tty": tty})
    assert (await client.head()).status == 101
    said = f"{text}\r\n".encode()
    assert await client.take_all() == (said if tty else frame(1, said))
    _, doc = await engine.call("GET", f"/exec/{exec_id}/json")
    assert (doc["ExitCode"], doc["Running"]) == (127, False)


@pytest.mark.parametrize(("code", "status"), [(126, 400), (127, 400), (128, 500)])
async def test_detached_a_failure_to_start_is_a_status(engine: Engine, code: int, status: int) -> None:
    engine.stage.world.runtime.missing_programs["nope"] = StartFailed("no", code)
    record = await engine.stage.container()
    exec_id = await engine.exec(record, "nope")
    assert await engine.call("POST", f"/exec/{exec_id}/start", {"Detach": True}) == (status, {"message": "no"})


async def test_detached_there_is_an_empty_200(engine: Engine) -> None:
    record = await engine.stage.container()
    exec_id = await engine.exec(record, "sleep", AttachStdout=True)
    assert await engine.call("POST", f"/exec/{exec_id}/start", {"Detach": True}) == (200, None)
    _, doc = await engine.call("GET", f"/exec/{exec_id}/json")
    assert (doc["Running"], doc["ExitCode"]) == (True, None)
    assert doc["Pid"] == engine.stage.streams.execs[-1].pid


async def test_refused_before_the_connection_is_taken_over(engine: Engine) -> None:
    record = await engine.stage.container()
    assert await engine.call("POST", "/exec/nope/start", {}) == (404, {"message": "No such exec instance: nope"})
    assert await engine.call("GET", "/exec/nope/json") == (404, {"message": "No such exec instance: nope"})
    exec_id = await engine.exec(record, "sleep")
    await engine.call("POST", f"/exec/{exec_id}/start", {"Detach": True})
    message = f"exec command {exec_id} is already running"
    assert await engine.call("POST", f"/exec/{exec_id}/start", {"Detach": True}) == (409, {"message": message})
    waiting = await engine.exec(record, "sleep")
    await engine.stage.pause(record.id)
    message = f"Container {record.id} is paused, unpause the container before exec"
    assert await engine.call("POST", f"/exec/{waiting}/start", {}) == (409, {"message": message})


# Sizes


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("", 'invalid resize height "": invalid syntax'),
        ("h=x&w=1", 'invalid resize height "x": invalid syntax'),
        ("h=1", 'invalid resize width "": invalid syntax'),
        ("h=1&w=-1", 'invalid resize width "-1": value out of range'),
        ("h=4294967296&w=1", 'invalid resize height "4294967296": value out of range'),
    ],
)
async def test_sizes_that_are_none(engine: Engine, query: str, message: str) -> None:
    record = await engine.stage.container()
    exec_id = await engine.exec(record, "sh")
    for path in (f"/containers/{record.id}/resize", f"/exec/{exec_id}/resize"):
        assert await engine.call("POST", f"{path}?{query}") == (400, {"message": message})


async def test_sizes(engine: Engine) -> None:
    record = await engine.stage.container()
    assert await engine.call("POST", f"/containers/{record.id}/resize?h=0&w=0") == (200, None)
    exec_id = await engine.exec(record, "sh", Tty=True)
    assert await engine.call("POST", f"/exec/{exec_id}/resize?h=30&w=90") == (200, None)
    client = await engine.open(f"/exec/{exec_id}/start", *UPGRADE, body={"Tty": True})
    await client.head()
    await until(lambda: engine.stage.streams.execs)
    process = engine.stage.streams.execs[-1]
    assert process.size == (30, 90)
    assert await engine.call("POST", f"/exec/{exec_id}/resize?h=31&w=91") == (200, None)
    assert process.size == (31, 91)
    process.exit()
    await client.take_all()
    status, doc = await engine.call("POST", f"/exec/{exec_id}/resize?h=1&w=1")
    assert (status, doc) == (404, {"message": f"NotFound: process does not exist {exec_id}: not found"})
