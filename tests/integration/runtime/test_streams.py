"""Streams of real containers by way of their monitors, and execs: by both runtimes, and by crun with and without its own cgroups."""

import asyncio
import hashlib
import os
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.engine import PATIENCE
from tests.integration.runtime.lab import Lab, Running, needs
from tests.waiting import until
from wharfd.drivers.runtime.streams import ConmonStreams
from wharfd.model.errors import Conflict, StartFailed
from wharfd.ports.streams import AttachedStdio, ExecProcess, ExecRequest, Output, Stdio
from wharfd.sys.cgroup_layout import cgroup_paths
from wharfd.sys.spawn import children, set_child_subreaper, unwatched
from wharfd.wire.userdb import resolve_user

pytestmark = needs()
PATIENCE_S = 30 * PATIENCE


@dataclass
class Streams(ConmonStreams):
    lab: Lab

    def __post_init__(self) -> None:
        super().__init__(self.lab.driver, str(self.lab.directory / "exec"))

    async def start(self, command: str, **config: Any) -> tuple[Running, AttachedStdio]:
        """Attached before its first byte."""
        record = self.lab.record(command, config=config)
        launched = await self.lab.driver.create(self.lab.launch(record))
        stdio = await self.attach(record.id)
        await self.lab.driver.start(record.id)
        return Running(self.lab, record.id, launched), stdio

    async def run(self, running: Running, *args: str, **wanted: Any) -> tuple[int, bytes]:
        """An exec's code and output."""
        process = await self.begin(running, *args, **wanted)
        output = text(await read_all(process))
        code = await process.wait()
        process.close()
        return code, output

    async def begin(self, running: Running, *args: str, **wanted: Any) -> ExecProcess:
        request = {"args": list(args), "env": ["PATH=/bin:/sbin"], "stdout": True, "stderr": True, **wanted}
        return await self.exec(running.id, ExecRequest(**request))


@pytest.fixture(params=["crun", "crun as it comes", "runc"])
async def streams(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Streams]:
    set_child_subreaper()
    plain = request.param == "crun as it comes"
    name = request.param.split(" ")[0]
    try:
        async with Lab.open(tmp_path, name, joins_cgroups=not plain, compiles_seccomp=not plain) as lab:
            found = Streams(lab)
            yield found
            found.close()
            async with asyncio.timeout(PATIENCE_S):
                while unwatched(children()):  # noqa: ASYNC110  nobody is left who would not be reaped
                    await asyncio.sleep(0.01)
    finally:
        # Or what an engine of a later test leaves when it is killed would be ours, and stay a zombie.
        set_child_subreaper(wanted=False)


async def read_all(stdio: Stdio) -> list[Output]:
    outputs: list[Output] = []
    async with asyncio.timeout(PATIENCE_S):
        while taken := await stdio.read():
            outputs += taken
    return outputs


def text(outputs: Sequence[Output], stream: int = 0) -> bytes:
    return b"".join(output.data for output in outputs if stream in (0, output.stream))


async def said(stdio: Stdio, wanted: bytes) -> bytes:
    """Read until that has come."""
    got = b""
    async with asyncio.timeout(PATIENCE_S):
        while wanted not in got:
            taken = await stdio.read()
            assert taken, f"ended after {got!r}"
            got += text(taken)
    return got


# attach


async def test_output_from_the_first_byte_to_the_last(streams: Streams) -> None:
    running, stdio = await streams.start("echo first; echo bad >&2; echo last")
    outputs = await read_all(stdio)
    assert (text(outputs, 1), text(outputs, 2)) == (b"first\nlast\n", b"bad\n")
    await stdio.wait_process_end()
    assert (await running.result()).exit.code == 0


async def test_input_arrives_whole_and_its_end_ends_it(streams: Streams) -> None:
    running, stdio = await streams.start("cat", open_stdin=True, stdin_once=True)
    sent = random.Random(1).randbytes(3 << 20)
    digest = hashlib.sha256()

    async def write() -> None:
        assert await stdio.write(sent)
        stdio.close_stdin()

    async with asyncio.TaskGroup() as group:
        group.create_task(write())
        for output in await read_all(stdio):
            digest.update(output.data)
    assert digest.digest() == hashlib.sha256(sent).digest()
    assert (await running.result()).exit.code == 0


async def test_stdin_that_is_not_once_survives_its_clients(streams: Streams) -> None:
    running, first = await streams.start("while read line; do echo got $line; done", open_stdin=True)
    await first.write(b"one\n")
    await said(first, b"got one")
    first.close_stdin()
    first.close()
    second = await streams.attach(running.id)
    await second.write(b"two\n")
    await said(second, b"got two")
    await streams.lab.driver.signal(running.id, running.launched.pid, 9)
    await read_all(second)


async def test_a_terminal_survives_its_clients_also_with_stdin_once(streams: Streams) -> None:
    running, first = await streams.start(
        "while read line; do echo got $line; done", tty=True, open_stdin=True, stdin_once=True
    )
    await first.write(b"one\n")
    await said(first, b"got one")
    first.close()
    await asyncio.sleep(0.1)  # for the monitor to notice
    second = await streams.attach(running.id)
    await second.write(b"two\n")
    assert b"got two" in await said(second, b"got two")
    await streams.lab.driver.signal(running.id, running.launched.pid, 9)
    await read_all(second)


async def test_two_connections_do_not_disturb_each_other(streams: Streams) -> None:
    running, one = await streams.start("read a; echo $a; read b; echo $b", tty=True, open_stdin=True)
    two = await streams.attach(running.id)
    await one.write(b"aaa\n")
    for stdio in (one, two):
        await said(stdio, b"aaa\r\naaa")
    one.close()
    await two.write(b"bbb\n")
    assert text(await read_all(two)).endswith(b"bbb\r\nbbb\r\n")


async def test_the_end_is_known_though_nobody_reads(streams: Streams) -> None:
    """The monitor cannot tell of the exit as long as it waits for a reader."""
    running, stdio = await streams.start("head -c 2000000 /dev/zero & sleep 0.2; exit 5")
    async with asyncio.timeout(PATIENCE_S):
        await stdio.wait_process_end()
    assert not streams.lab.seen
    assert len(text(await read_all(stdio))) > 0
    assert (await running.result()).exit.code == 5


async def test_a_waiting_reader_and_a_waiting_writer_end_with_the_connection(streams: Streams) -> None:
    _, stdio = await streams.start("exec sleep 60", open_stdin=True)
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(stdio.read())
        await asyncio.sleep(0.05)
        stdio.close()
        async with asyncio.timeout(PATIENCE_S):
            assert list(await reading) == []
    assert not await stdio.write(b"x")


async def test_the_size_of_a_terminal(streams: Streams) -> None:
    running, stdio = await streams.start("read x; stty size", tty=True, open_stdin=True)
    async with asyncio.TaskGroup() as group:
        for width in (99, 2000, 98, 97):
            group.create_task(streams.resize(running.id, height=31, width=width))
    await streams.resize(
        running.id, height=33, width=101
    )  # the last counts, though the monitor may see several at once
    await asyncio.sleep(0.1)
    await stdio.write(b"\n")
    assert b"33 101" in text(await read_all(stdio))


async def test_what_has_ended_cannot_be_attached_to(streams: Streams) -> None:
    running, stdio = await streams.start("true")
    await read_all(stdio)
    await running.result()
    await until(lambda: running.id not in streams.lab.driver.monitors)
    with pytest.raises(Conflict):
        await streams.attach(running.id)
    with pytest.raises(Conflict):
        await streams.resize(running.id, height=1, width=1)
    with pytest.raises(Conflict):
        await streams.begin(running, "true")


# exec


async def test_an_exec_has_streams_code_and_pid(streams: Streams) -> None:
    running = await streams.lab.begin("exec sleep 60")
    process = await streams.begin(running, "sh", "-c", "echo out; echo err >&2; read x; exit 7", stdin=True)
    # runc ends a moment before the program takes its process over.
    await until(lambda: Path(f"/proc/{process.pid}/comm").read_text() == "sh\n")
    await process.write(b"go\n")
    outputs = await read_all(process)
    assert (text(outputs, 1), text(outputs, 2)) == (b"out\n", b"err\n")
    assert await process.wait() == 7
    await process.wait_output_end()
    process.close()
    assert await streams.run(running, "sh", "-c", "kill -9 $$") == (137, b"")


async def test_input_of_an_exec(streams: Streams) -> None:
    running = await streams.lab.begin("exec sleep 60")
    process = await streams.begin(running, "cat", stdin=True)
    sent = random.Random(2).randbytes(3 << 20)

    async def write() -> None:
        assert await process.write(sent)
        process.close_stdin()

    async with asyncio.TaskGroup() as group:
        group.create_task(write())
        assert text(await read_all(process)) == sent
    assert await process.wait() == 0
    assert not await process.write(b"x")


async def test_an_exec_is_in_the_container(streams: Streams) -> None:
    running = await streams.lab.begin("exec sleep 60")
    process = await streams.begin(running, "sleep", "60")
    init = running.launched.pid
    for kind in ("mnt", "pid", "net", "ipc", "uts"):
        assert os.readlink(f"/proc/{process.pid}/ns/{kind}") == os.readlink(f"/proc/{init}/ns/{kind}")
    assert cgroup_paths(process.pid) == cgroup_paths(init)
    assert process.pid in await streams.lab.driver.processes(running.id)
    status = {pid: confinement(pid) for pid in (process.pid, init)}
    assert status[process.pid] == status[init]
    assert status[init]["Seccomp"] == "2"
    os.kill(process.pid, 9)
    assert await process.wait() == 137
    process.close()


def confinement(pid: int) -> dict[str, str]:
    lines = (line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
    return {name: value for name, value in lines if name.startswith(("Cap", "Seccomp", "NoNewPrivs"))}


async def test_an_exec_is_told_who_and_where_it_is(streams: Streams) -> None:
    running = await streams.lab.begin("exec sleep 60", config={"user": "web", "working_dir": "/tmp"})
    assert await streams.run(running, "sh", "-c", "id -u; pwd") == (0, b"1000\n/tmp\n")
    passwd, group = (Path(streams.lab.rootfs, "etc", name).read_text() for name in ("passwd", "group"))
    root = resolve_user("root:media", passwd, group)
    code, said_text = await streams.run(
        running, "sh", "-c", "id; pwd; echo $A $HOME", user=root, cwd="/etc", env=["PATH=/bin", "A=b c"]
    )
    assert code == 0
    assert said_text.startswith(b"uid=0(root) gid=44(media)")
    assert said_text.endswith(b"/etc\nb c /root\n")


async def test_a_user_may_reopen_the_streams(streams: Streams) -> None:
    running = await streams.lab.begin("exec sleep 60")
    web = resolve_user("1000:1000")
    assert await streams.run(running, "sh", "-c", "echo hello >/dev/stdout", user=web) == (0, b"hello\n")


async def test_capabilities_of_its_own(streams: Streams) -> None:
    running = await streams.lab.begin("exec sleep 60", cap_drop=["ALL"])
    script = "grep CapBnd /proc/self/status"
    assert (await streams.run(running, "sh", "-c", script))[1] == b"CapBnd:\t0000000000000000\n"
    kill = await streams.run(running, "sh", "-c", script, capabilities=["CAP_KILL"])
    assert kill[1] == b"CapBnd:\t0000000000000020\n"


async def test_a_terminal_of_its_own(streams: Streams) -> None:
    running = await streams.lab.begin("exec sleep 60")
    process = await streams.begin(
        running, "sh", "-c", "stty size; read x; stty size; tty", terminal=True, console_size=(30, 90)
    )
    assert b"30 90" in await said(process, b"30 90")
    process.resize(height=41, width=141)
    await process.write(b"\n")
    rest = text(await read_all(process))
    assert b"41 141" in rest
    assert b"/dev/pts/" in rest
    assert await process.wait() == 0
    process.close()


async def test_streams_that_are_not_wanted_lead_nowhere(streams: Streams) -> None:
    running = await streams.lab.begin("exec sleep 60")
    process = await streams.begin(
        running, "sh", "-c", "cat; echo out; echo err >&2; exit 3", stdout=False, stderr=False
    )
    assert list(await process.read()) == []
    assert await process.wait() == 3
    process.close()


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize(
    ("program", "text_of_it", "code"),
    [
        ("nope", 'exec: "nope": executable file not found in $PATH', 127),
        ("/nope", 'exec: "/nope": stat /nope: no such file or directory', 127),
        ("/etc", 'exec: "/etc": permission denied', 126),
        ("/etc/passwd", 'exec: "/etc/passwd": permission denied', 126),
        ("", 'exec: "": executable file not found in $PATH', 127),
    ],
)
async def test_what_cannot_be_executed(
    streams: Streams, program: str, text_of_it: str, code: int, terminal: bool
) -> None:
    running = await streams.lab.begin("exec sleep 60")
    with pytest.raises(StartFailed) as caught:
        await streams.begin(running, program, terminal=terminal)
    begin = "OCI runtime exec failed: exec failed: unable to start container process: "
    # runc since 1.2 tells a directory from a file that may not be executed.
    found = str(caught.value).replace("is a directory", "permission denied")
    assert (found, caught.value.exit_code) == (f"{begin}{text_of_it}: unknown", code)
    assert os.listdir(streams.execs.directory) == []


@pytest.mark.parametrize(
    ("wanted", "reason", "code"),
    [
        (
            {"cwd": "/gone"},
            'unable to start container process: chdir to cwd ("/gone") set in config.json failed: '
            "no such file or directory",
            127,
        ),
        ({"cwd": "tmp"}, "Cwd must be an absolute path", 128),
        ({"env": ["=x"]}, "unable to start container process: invalid environment variable: name cannot be empty", 128),
    ],
)
async def test_other_failures(streams: Streams, wanted: dict[str, Any], reason: str, code: int) -> None:
    running = await streams.lab.begin("exec sleep 60")
    with pytest.raises(StartFailed) as caught:
        await streams.begin(running, "true", **wanted)
    assert (str(caught.value), caught.value.exit_code) == (
        f"OCI runtime exec failed: exec failed: {reason}: unknown",
        code,
    )


async def test_many_at_once_good_and_bad(streams: Streams) -> None:
    """Runtimes that fail leave halves behind, which must be reaped without taking others' exit codes."""
    running = await streams.lab.begin("exec sleep 60")

    async def one(number: int) -> None:
        if number % 2:
            with pytest.raises(StartFailed):
                await streams.begin(running, "nope")
        else:
            assert await streams.run(running, "sh", "-c", f"exit {number}") == (number, b"")

    async with asyncio.TaskGroup() as group:
        for number in range(24):
            group.create_task(one(number))


async def test_a_failed_exec_does_not_keep_the_container_from_ending(streams: Streams) -> None:
    """Linux: dead processes that nobody reaps keep a pid namespace's init alive."""
    running = await streams.lab.begin("exec sleep 60")
    for _ in range(3):
        with pytest.raises(StartFailed):
            await streams.begin(running, "nope")
    await streams.begin(running, "sleep", "60")
    await streams.lab.driver.signal(running.id, running.launched.pid, 9)
    assert (await running.result()).exit.code == 137


async def test_execs_leave_nothing_behind(streams: Streams) -> None:
    running = await streams.lab.begin("exec sleep 60")
    await streams.run(running, "true")
    held = len(os.listdir("/proc/self/fd"))
    for terminal in (False, True):
        await streams.run(running, "true", terminal=terminal, stdin=True)
    assert len(os.listdir("/proc/self/fd")) == held
    assert os.listdir(streams.execs.directory) == []
    assert len(await streams.lab.driver.processes(running.id)) == 1


async def test_another_engine_makes_the_directory_anew(streams: Streams) -> None:
    running = await streams.lab.begin("exec sleep 60")
    os.makedirs(streams.execs.directory)
    Path(streams.execs.directory, "1.json").write_text("left by an engine that died")
    assert await streams.run(running, "true") == (0, b"")
