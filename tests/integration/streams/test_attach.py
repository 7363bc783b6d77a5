"""Attaching to real containers: nothing lost, nobody disturbed, nothing stalled, nothing growing."""

import hashlib
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.engine import Engine
from tests.integration.engine.rig import past_events, until
from tests.integration.streams.rig import ALL, OUTPUT, Hijacked, attach, memory_kib
from tests.unit.wire.test_websocket import masked
from wharfd.wire.stdcopy import Decoder, frame

COUNTING = "i=0; while [ $i -lt {0} ]; do echo line $i; i=$((i+1)); done"
PATIENCE_S = 3.0  # engine/streams/hub.py


def sh(script: str) -> tuple[str, str, str]:
    return ("sh", "-c", script)


def test_from_the_first_byte_to_the_last(engine: Engine) -> None:
    identifier = engine.create(*sh("echo first; echo bad >&2; echo last; exit 3"))
    client = attach(engine, identifier)
    assert client.status == 101
    assert engine.post(f"/containers/{identifier}/start").status == 204
    assert client.outputs() == (b"first\nlast\n", b"bad\n")
    assert engine.wait(identifier) == 3
    client.close()


def test_a_short_life_is_seen_whole_again_and_again(engine: Engine) -> None:
    """Output and exit follow each other at once; a lost race would lose output."""
    for _ in range(10):
        identifier = engine.create("echo", "here")
        client = attach(engine, identifier)
        engine.post(f"/containers/{identifier}/start")
        assert client.outputs() == (b"here\n", b"")
        client.close()


def test_input_and_half_close(engine: Engine) -> None:
    identifier = engine.create(*sh("cat; echo end"), OpenStdin=True, StdinOnce=True)
    client = Hijacked.open(
        engine, "POST", f"/containers/{identifier}/attach?stream=1&stdin=1&stdout=1", behind=b"early "
    )
    engine.post(f"/containers/{identifier}/start")
    client.send(b"late ")
    client.half_close()
    assert client.outputs() == (b"early late end\n", b"")
    client.close()


def test_megabytes_through_cat(engine: Engine) -> None:
    identifier = engine.create("cat", OpenStdin=True, StdinOnce=True)
    client = attach(engine, identifier, **ALL)
    engine.post(f"/containers/{identifier}/start")
    sent = hashlib.sha256(b"seed").digest() * (8 << 15)

    def write() -> None:
        client.send(sent)
        client.half_close()

    writing = threading.Thread(target=write)
    writing.start()
    stdout, _ = client.outputs()
    writing.join()
    assert hashlib.sha256(stdout).digest() == hashlib.sha256(sent).digest()
    assert len(stdout) == len(sent)
    client.close()


def test_stdin_that_is_not_once_stays_open(engine: Engine) -> None:
    identifier = engine.run(*sh("while read x; do echo got $x; done"), OpenStdin=True)
    client = attach(engine, identifier, **ALL)
    client.send(b"one\n")
    client.says(b"got one\n")
    client.half_close()
    client.rest()
    client.close()
    again = attach(engine, identifier, **ALL)
    again.send(b"two\n")
    again.says(b"got two\n")
    again.close()
    assert engine.inspect(identifier)["State"]["Running"]


def test_a_client_that_goes_takes_the_stdin_that_was_its_own_along(engine: Engine) -> None:
    identifier = engine.run(*sh("cat; echo end"), OpenStdin=True, StdinOnce=True)
    watcher = attach(engine, identifier)
    owner = attach(engine, identifier, **ALL)
    owner.send(b"hello\n")
    watcher.says(b"hello\n")
    owner.close()
    watcher.says(b"end\n")
    watcher.rest()
    watcher.close()


def test_watching_and_leaving_does_not_close_stdin(engine: Engine) -> None:
    identifier = engine.run(*sh("read x; echo got $x"), OpenStdin=True, StdinOnce=True)
    attach(engine, identifier).close()
    time.sleep(0.2)
    owner = attach(engine, identifier, **ALL)
    owner.send(b"it\n")
    assert owner.outputs() == (b"got it\n", b"")
    owner.close()


def test_a_terminal_detach_and_again(engine: Engine) -> None:
    identifier = engine.create("sh", Tty=True, OpenStdin=True, StdinOnce=True)
    client = attach(engine, identifier, **ALL)
    engine.post(f"/containers/{identifier}/start")
    client.send(b"echo h''i\n")
    client.says(b"hi\r\n")
    client.send(b"\x10\x11")
    client.rest()
    client.close()
    again = attach(engine, identifier, **ALL, detachKeys="ctrl-x,x")
    again.send(b"echo ag''ain\n")
    again.says(b"again\r\n")
    again.send(b"\x18x")
    again.rest()
    again.close()
    last = attach(engine, identifier, **ALL)
    last.send(b"exit 4\n")
    last.rest()
    last.close()
    assert engine.wait(identifier) == 4
    told = [event["Action"] for event in past_events(engine, container=[identifier])]
    assert [action for action in told if "tach" in action] == ["attach", "detach", "attach", "detach", "attach"]


def test_the_size_of_a_terminal(engine: Engine) -> None:
    identifier = engine.create(*sh("read x; stty size"), Tty=True, OpenStdin=True, HostConfig={"ConsoleSize": [30, 90]})
    assert engine.post(f"/containers/{identifier}/resize?h=1&w=1").status == 409
    client = attach(engine, identifier, **ALL)
    engine.post(f"/containers/{identifier}/start")
    for height in (20, 25, 33):
        assert engine.post(f"/containers/{identifier}/resize?h={height}&w=101").status == 200
    time.sleep(0.2)
    client.send(b"\n")
    client.says(b"33 101\r\n")
    client.rest()
    client.close()


def test_each_run_ends_the_sessions(engine: Engine) -> None:
    identifier = engine.create(
        *sh("echo run; exit 1"), HostConfig={"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 2}}
    )
    client = attach(engine, identifier)
    engine.post(f"/containers/{identifier}/start")
    assert client.outputs() == (b"run\n", b"")
    client.close()
    until(lambda: engine.inspect(identifier)["RestartCount"] == 2, "it is not restarted")
    sleeper = engine.run("sleep", "60")
    client = attach(engine, sleeper)
    engine.post(f"/containers/{sleeper}/restart?t=0")
    assert client.outputs() == (b"", b"")
    client.close()


def test_starts_that_fail_and_removals_end_who_waits(engine: Engine) -> None:
    failing = engine.create("nope")
    client = attach(engine, failing)
    assert engine.post(f"/containers/{failing}/start").status == 400
    assert client.rest() == b""
    client.close()
    created = engine.create("true")
    client = attach(engine, created)
    engine.delete(f"/containers/{created}")
    assert client.rest() == b""
    client.close()


def test_paused_and_restarting_containers_are_refused(engine: Engine) -> None:
    identifier = engine.run("sleep", "60")
    engine.post(f"/containers/{identifier}/pause")
    client = attach(engine, identifier)
    assert client.head == "HTTP/1.1 409 Conflict\r\nContent-Type: application/vnd.docker.raw-stream"
    text = f"container {identifier} is paused, unpause the container before attach\r\n"
    assert client.rest().decode() == text
    client.close()
    engine.post(f"/containers/{identifier}/unpause")


def test_the_log_and_then_what_is_new(engine: Engine) -> None:
    identifier = engine.run(*sh("echo old; echo bad >&2; read x; echo new"), OpenStdin=True)
    until(lambda: "old" in engine.output(identifier) and "bad" in engine.output(identifier))
    client = attach(engine, identifier, **ALL, logs="1")
    client.says(b"bad\n")
    client.send(b"\n")
    client.says(frame(1, b"new\n"))
    client.rest()
    client.close()
    over = attach(engine, identifier, logs="1", stderr="1")
    assert over.outputs() == (b"", b"bad\n")
    over.close()


def test_a_websocket(engine: Engine) -> None:
    identifier = engine.run(*sh("read x; echo got $x; echo bad >&2"), OpenStdin=True, StdinOnce=True)
    headers = (
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    )
    path = f"/containers/{identifier}/attach/ws?stream=1&stdin=1&stdout=1&stderr=1"
    client = Hijacked.open(engine, "GET", path, headers=headers)
    assert client.head.startswith("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n")
    client.send(masked(2, b"it\n"))
    client.says(b"\x82\x07got it\n")
    client.says(b"\x82\x04bad\n")
    assert client.rest() == b"\x88\x02\x03\xe8"
    client.close()


# Slow clients


def test_a_pipeline_waits_for_its_reader_and_loses_nothing(engine: Engine) -> None:
    """`docker run IMAGE dump | slow`"""
    size = 24 << 20
    identifier = engine.create(*sh(f"head -c {size} /dev/zero; echo done >&2"))
    client = attach(engine, identifier)
    engine.post(f"/containers/{identifier}/start")
    time.sleep(PATIENCE_S + 1)
    assert engine.inspect(identifier)["State"]["Running"]
    stdout, stderr = client.outputs()
    assert (len(stdout), stdout.count(0), stderr) == (size, size, b"done\n")
    client.close()


def test_stopping_a_container_whose_only_reader_does_not_read(engine: Engine) -> None:
    identifier = engine.create(*sh("trap 'exit 7' TERM; while :; do echo xxxxxxxxxxxxxxxxxxxxxxxx; done"))
    client = attach(engine, identifier)
    engine.post(f"/containers/{identifier}/start")
    log = Path(engine.inspect(identifier)["LogPath"])
    size = -1
    while size != log.stat().st_size:
        size = log.stat().st_size
        time.sleep(0.3)
    assert engine.post(f"/containers/{identifier}/stop?t=2").status == 204
    assert engine.inspect(identifier)["State"]["Status"] == "exited"
    assert b"xxxx" in client.rest()
    client.close()


def test_a_visitor_that_does_not_read_stalls_nothing(engine: Engine) -> None:
    """It came after the start: the container goes on without it."""
    count = 400_000
    identifier = engine.run(*sh("read x; " + COUNTING.format(count)), OpenStdin=True)
    stalled = attach(engine, identifier)
    starter = attach(engine, identifier, stream="1", stdin="1")
    starter.send(b"go\n")
    starter.half_close()
    starter.rest()
    assert engine.post(f"/containers/{identifier}/wait", timeout=100).json["StatusCode"] == 0
    log = engine.get(f"/containers/{identifier}/logs?stdout=1").body
    lines = b"".join(data for _, data in Decoder().feed(log)).decode().splitlines()
    assert lines == [f"line {number}" for number in range(count)]
    assert len(stalled.rest()) < sum(len(line) for line in lines)
    stalled.close()
    starter.close()


@pytest.mark.parametrize("before", [False, True])
def test_one_that_reads_beside_one_that_does_not(engine: Engine, before: bool) -> None:
    count = 300_000
    script = sh(COUNTING.format(count)) if before else sh("read x; " + COUNTING.format(count))
    identifier = engine.create(*script, OpenStdin=True)
    if not before:
        engine.post(f"/containers/{identifier}/start")
    stalled, reads = attach(engine, identifier), attach(engine, identifier, **OUTPUT)
    rss = memory_kib(engine.pid)
    if before:
        engine.post(f"/containers/{identifier}/start")
    else:
        starter = attach(engine, identifier, stream="1", stdin="1")
        starter.send(b"go\n")
        starter.half_close()
        starter.close()
    stdout, _ = reads.outputs()
    assert stdout.decode().splitlines() == [f"line {number}" for number in range(count)]
    assert memory_kib(engine.pid) - rss < 64 << 10
    for client in (stalled, reads):
        client.close()


def test_many_follow_one(engine: Engine) -> None:
    count, followers = 20_000, 20
    identifier = engine.create(*sh(COUNTING.format(count)))
    clients = [attach(engine, identifier) for _ in range(followers)]
    found: list[Any] = [None] * followers

    def follow(number: int) -> None:
        found[number] = hashlib.sha256(clients[number].outputs()[0]).digest()

    threads = [threading.Thread(target=follow, args=(number,)) for number in range(followers)]
    for thread in threads:
        thread.start()
    engine.post(f"/containers/{identifier}/start")
    for thread in threads:
        thread.join()
    expected = hashlib.sha256("".join(f"line {number}\n" for number in range(count)).encode()).digest()
    assert found == [expected] * followers
    for client in clients:
        client.close()


def test_detaching_one_does_not_disturb_another(engine: Engine) -> None:
    identifier = engine.run(*sh("while read x; do echo got $x; done"), Tty=True, OpenStdin=True)
    stays, leaves = attach(engine, identifier, **ALL), attach(engine, identifier, **ALL)
    leaves.send(b"one\n\x10\x11")
    stays.says(b"got one\r\n")
    leaves.rest()
    leaves.close()
    stays.send(b"two\n")
    stays.says(b"got two\r\n")
    stays.close()


# The engine's end


def test_the_engine_is_killed_under_its_clients(engine: Engine) -> None:
    identifier = engine.run(*sh("n=0; while :; do n=$((n+1)); echo tick $n; sleep 0.05; done"), OpenStdin=True)
    client = attach(engine, identifier)
    client.says(b"tick")
    pid = engine.inspect(identifier)["State"]["Pid"]
    engine.restart(kill=True)
    try:
        client.rest()
    except ConnectionResetError:
        pass
    client.close()
    state = engine.inspect(identifier)["State"]
    assert (state["Running"], state["Pid"]) == (True, pid)
    again = attach(engine, identifier)
    again.says(b"tick")
    again.close()
