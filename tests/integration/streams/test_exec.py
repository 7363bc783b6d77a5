"""Execs in real containers: codes, texts, users, terminals; nothing left behind, also when it goes wrong."""

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.engine import Engine
from tests.integration.engine.rig import past_events, until
from tests.integration.streams.rig import (
    Hijacked,
    exec_create,
    exec_inspect,
    exec_open,
    exec_run,
)

OUTPUTS = {"AttachStdout": True, "AttachStderr": True}


@pytest.fixture
def running(engine: Engine) -> str:
    return engine.run("sleep", "600")


def test_codes_and_streams(engine: Engine, running: str) -> None:
    assert exec_run(engine, running, "sh", "-c", "echo out; echo err >&2; exit 7") == (7, b"out\n", b"err\n")
    assert exec_run(engine, running, "sh", "-c", "kill -9 $$") == (137, b"", b"")
    assert exec_run(engine, running, "echo", "x", AttachStdout=False) == (0, b"", b"")


@pytest.mark.parametrize(
    ("program", "reason", "code"),
    [
        ("nope", 'exec: "nope": executable file not found in $PATH', 127),
        ("/nope", 'exec: "/nope": stat /nope: no such file or directory', 127),
        ("/etc", 'exec: "/etc": permission denied', 126),
    ],
)
def test_what_cannot_be_executed(engine: Engine, running: str, program: str, reason: str, code: int) -> None:
    text = f"OCI runtime exec failed: exec failed: unable to start container process: {reason}: unknown"
    assert exec_run(engine, running, program) == (code, f"{text}\r\n".encode(), b"")
    detached = exec_create(engine, running, program)
    answer = engine.post(f"/exec/{detached}/start", {"Detach": True})
    assert (answer.status, answer.message) == (400, text)
    assert exec_inspect(engine, detached)["ExitCode"] == code
    assert engine.inspect(running)["ExecIDs"] is None


def test_input(engine: Engine, running: str) -> None:
    exec_id, client = exec_open(engine, running, "cat", AttachStdin=True, **OUTPUTS)
    sent = os.urandom(4 << 20)

    def write() -> None:
        client.send(sent)
        client.half_close()

    writing = threading.Thread(target=write)
    writing.start()
    stdout, _ = client.outputs()
    writing.join()
    assert stdout == sent
    assert exec_inspect(engine, exec_id)["ExitCode"] == 0
    client.close()


def test_who_where_and_with_what(engine: Engine) -> None:
    identifier = engine.run("sleep", "600", User="1000:1000", WorkingDir="/tmp", Env=["A=1", "B=2"], Hostname="box")
    code, stdout, _ = exec_run(
        engine, identifier, "sh", "-c", "id -u; pwd; echo $A $B $C $HOSTNAME", Env=["B=3", "C=4"]
    )
    assert (code, stdout) == (0, b"1000\n/tmp\n1 3 4 box\n")
    code, stdout, _ = exec_run(engine, identifier, "sh", "-c", "id -u; pwd", User="0", WorkingDir="/etc")
    assert (code, stdout) == (0, b"0\n/etc\n")
    answer = engine.post(f"/containers/{identifier}/exec", {"Cmd": ["ls"], "User": "ghost"})
    assert (answer.status, answer.message) == (400, "unable to find user ghost: no matching entries in passwd file")


def test_privileged(engine: Engine) -> None:
    identifier = engine.run("sleep", "600", HostConfig={"CapDrop": ["ALL"]})
    script = ("sh", "-c", "grep CapEff /proc/self/status")
    assert exec_run(engine, identifier, *script)[1] == b"CapEff:\t0000000000000000\n"
    effective = exec_run(engine, identifier, *script, Privileged=True)[1].split()[1]
    own = next(
        line for line in Path(f"/proc/{engine.pid}/status").read_text().splitlines() if line.startswith("CapEff")
    )
    assert int(effective, 16) == int(own.split()[1], 16)


def test_a_terminal(engine: Engine, running: str) -> None:
    exec_id = exec_create(engine, running, "sh", Tty=True, AttachStdin=True, **OUTPUTS)
    client = Hijacked.open(engine, "POST", f"/exec/{exec_id}/start", {"Tty": True, "ConsoleSize": [30, 90]})
    assert "Content-Type: application/vnd.docker.raw-stream" in client.head
    client.send(b"tty; stty size; echo $TERM\n")
    client.says(b"/dev/pts/")
    client.says(b"30 90\r\nxterm\r\n")
    assert engine.post(f"/exec/{exec_id}/resize?h=44&w=144").status == 200
    client.send(b"stty size\n")
    client.says(b"44 144\r\n")
    client.send(b"exit 5\n")
    client.rest()
    assert exec_inspect(engine, exec_id)["ExitCode"] == 5
    assert engine.post(f"/exec/{exec_id}/resize?h=1&w=1").status == 404
    client.close()


def test_detach_keys_leave_it_running(engine: Engine, running: str) -> None:
    exec_id, client = exec_open(engine, running, "sh", Tty=True, AttachStdin=True, DetachKeys="ctrl-a,d", **OUTPUTS)
    client.send(b"echo h''i\n")
    client.says(b"hi\r\n")
    client.send(b"\x01d")
    client.rest()
    client.close()
    assert exec_inspect(engine, exec_id)["Running"]
    assert engine.inspect(running)["ExecIDs"] == [exec_id]
    os.kill(exec_inspect(engine, exec_id)["Pid"], signal.SIGKILL)
    until(lambda: exec_inspect(engine, exec_id)["ExitCode"] == 137)


def test_detached(engine: Engine, running: str) -> None:
    exec_id = exec_create(engine, running, "sh", "-c", "echo to nobody; cat; exit 3", AttachStdin=True, **OUTPUTS)
    answer = engine.post(f"/exec/{exec_id}/start", {"Detach": True})
    assert (answer.status, answer.body) == (200, b"")
    until(lambda: exec_inspect(engine, exec_id)["ExitCode"] == 3)


def test_a_client_that_leaves_lets_it_go_on(engine: Engine, running: str) -> None:
    script = "yes to nobody | head -c 3000000; sleep 0.2; echo done >/tmp/done; exit 9"
    exec_id, client = exec_open(engine, running, "sh", "-c", script, **OUTPUTS)
    client.says(b"nobody")
    client.close()
    until(lambda: exec_inspect(engine, exec_id)["ExitCode"] == 9)
    assert exec_run(engine, running, "cat", "/tmp/done")[1] == b"done\n"


def test_a_client_that_does_not_read_holds_up_its_own_process_only(engine: Engine, running: str) -> None:
    exec_id, client = exec_open(engine, running, "sh", "-c", "head -c 8000000 /dev/zero; echo end >&2", **OUTPUTS)
    time.sleep(1)
    assert exec_inspect(engine, exec_id)["Running"]
    assert exec_run(engine, running, "echo", "fine")[1] == b"fine\n"
    stdout, stderr = client.outputs()
    assert (len(stdout), stderr) == (8_000_000, b"end\n")
    client.close()


def test_children_that_keep_the_streams_are_not_waited_for_long(engine: Engine, running: str) -> None:
    exec_id, client = exec_open(engine, running, "sh", "-c", "sleep 100 & echo hi", **OUTPUTS)
    assert client.outputs() == (b"hi\n", b"")
    assert exec_inspect(engine, exec_id)["ExitCode"] == 0
    client.close()


def test_the_code_is_awaited_though_the_streams_are_closed(engine: Engine, running: str) -> None:
    exec_id, client = exec_open(engine, running, "sh", "-c", "exec >&- 2>&-; sleep 0.5; exit 4", **OUTPUTS)
    assert client.outputs() == (b"", b"")
    assert exec_inspect(engine, exec_id)["ExitCode"] == 4
    client.close()


def test_events(engine: Engine, running: str) -> None:
    exec_run(engine, running, "sh", "-c", "exit 3")
    told = [event for event in past_events(engine, container=[running]) if event["Action"].startswith("exec")]
    assert [event["Action"] for event in told] == [
        "exec_create: sh -c exit 3",
        "exec_start: sh -c exit 3",
        "exec_die",
    ]
    assert len({event["Actor"]["Attributes"]["execID"] for event in told}) == 1
    assert told[-1]["Actor"]["Attributes"]["exitCode"] == "3"


def pid_of(engine: Engine, exec_id: str) -> int:
    """As soon as it runs, which is a moment after the head of its stream."""
    until(lambda: exec_inspect(engine, exec_id)["Pid"] > 0)
    pid: int = exec_inspect(engine, exec_id)["Pid"]
    return pid


def test_it_ends_with_its_container(engine: Engine, running: str) -> None:
    exec_id, client = exec_open(engine, running, "sleep", "600", **OUTPUTS)
    pid_of(engine, exec_id)
    unused = exec_create(engine, running, "true")
    assert engine.post(f"/containers/{running}/kill").status == 204
    assert client.outputs() == (b"", b"")
    client.close()
    assert exec_inspect(engine, exec_id)["ExitCode"] == 137
    answer = engine.post(f"/exec/{unused}/start", {})
    assert (answer.status, answer.message) == (404, f"No such exec instance: {unused}")
    assert engine.inspect(running)["ExecIDs"] is None
    engine.delete(f"/containers/{running}")
    assert engine.get(f"/exec/{exec_id}/json").status == 404


def test_refused(engine: Engine, running: str) -> None:
    assert engine.post("/containers/nope/exec", {"Cmd": ["ls"]}).status == 404
    assert engine.get("/exec/nope/json").message == "No such exec instance: nope"
    waiting = exec_create(engine, running, "true")
    engine.post(f"/containers/{running}/pause")
    text = f"Container {running} is paused, unpause the container before exec"
    for answer in (
        engine.post(f"/containers/{running}/exec", {"Cmd": ["ls"]}),
        engine.post(f"/exec/{waiting}/start", {}),
    ):
        assert (answer.status, answer.message) == (409, text)
    engine.post(f"/containers/{running}/unpause")
    stopped = engine.create("true")
    answer = engine.post(f"/containers/{stopped}/exec", {"Cmd": ["ls"]})
    assert (answer.status, answer.message) == (409, f"container {stopped} is not running")


def test_many_execs_leave_nothing(engine: Engine, running: str) -> None:
    def several(count: int) -> None:
        for number in range(count):
            assert exec_run(engine, running, "sh", "-c", f"exit {number % 5}")[0] == number % 5
            exec_run(engine, running, "nope")

    several(2)
    held = engine.holdings()
    several(20)
    until(lambda: not engine.holdings() - held, lambda: f"{engine.holdings() - held}")
    assert [child for child in children(engine.pid) if state(child) == "Z"] == []
    until(lambda: engine.post(f"/containers/{running}/stop?t=0").status in (204, 304))


def children(pid: int) -> list[int]:
    """Of an engine behind nsenter, which has become it."""
    return [
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]


def state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return ""


def test_several_at_once(engine: Engine, running: str) -> None:
    found: list[Any] = [None] * 8

    def one(number: int) -> None:
        found[number] = exec_run(engine, running, "sh", "-c", f"echo {number}; exit {number}")

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [(number, b"%d\n" % number, b"") for number in range(8)]


def test_the_engine_is_killed_during_an_exec(engine: Engine, running: str) -> None:
    exec_id, client = exec_open(engine, running, "sleep", "600", **OUTPUTS)
    pid = pid_of(engine, exec_id)
    engine.restart(kill=True)
    try:
        client.rest()
    except ConnectionResetError:
        pass
    client.close()
    assert engine.inspect(running)["State"]["Running"]
    assert Path(f"/proc/{pid}/comm").read_text() == "sleep\n"
    assert engine.get(f"/exec/{exec_id}/json").status == 404
    assert exec_run(engine, running, "echo", "on")[1] == b"on\n"
    os.kill(pid, signal.SIGKILL)
