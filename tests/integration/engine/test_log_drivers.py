"""Drivers that send lines away, in a real engine: delivery, reading the local copy, receivers and engines that go away."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.engine import PATIENCE, Engine
from tests.integration.engine.rig import script, until
from wharfd.sys import netns
from wharfd.wire.stdcopy import Decoder


class Receiver:
    """Takes what comes to a UNIX stream socket; may be stopped and started again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.received = bytearray()
        self.connections: list[socket.socket] = []
        self.listener: socket.socket | None = None

    def start(self) -> None:
        self.path.unlink(missing_ok=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen()
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self.take, args=(connection,), daemon=True).start()

    def take(self, connection: socket.socket) -> None:
        try:
            while data := connection.recv(1 << 16):
                self.received += data
        except OSError:
            pass

    def stop(self) -> None:
        if self.listener is not None:
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
            self.listener = None
        for connection in self.connections:
            connection.close()
        self.connections.clear()

    def numbers(self) -> list[int]:
        """Of syslog messages that are whole."""
        whole = bytes(self.received).rpartition(b"\n")[0]
        return [int(line.rpartition(b" ")[2]) for line in whole.splitlines() if line.rpartition(b" ")[2].isdigit()]


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    made = Receiver(tmp_path / "s")
    made.start()
    yield made
    made.stop()


def logged(engine: Engine, text: str, kind: str, options: dict[str, str], **config: Any) -> str:
    host = {"LogConfig": {"Type": kind, "Config": options}, "NetworkMode": "none"}
    return engine.run(*script(text), HostConfig=host, **config)


def to(receiver: Receiver) -> dict[str, str]:
    return {"syslog-address": f"unix://{receiver.path}"}


def read(engine: Engine, identifier: str) -> str:
    answer = engine.get(f"/containers/{identifier}/logs?stdout=1")
    assert answer.status == 200
    return b"".join(text for _, text in Decoder().feed(answer.body)).decode()


def test_syslog(engine: Engine, receiver: Receiver) -> None:
    identifier = logged(
        engine, "echo 1; echo 2; printf 3", "syslog", {**to(receiver), "tag": "{{.Name}}"}, name="talker"
    )
    engine.wait(identifier)
    until(lambda: receiver.numbers() == [1, 2, 3], lambda: bytes(receiver.received).decode())
    assert b" talker[" in receiver.received
    assert read(engine, identifier) == "1\n2\n3"


def test_fluentd(engine: Engine, tmp_path: Path) -> None:
    receiver = Receiver(tmp_path / "f")
    receiver.start()
    options = {"fluentd-address": f"unix://{receiver.path}", "labels": "tier", "env": "MODE"}
    identifier = logged(engine, "echo hello", "fluentd", options, Labels={"tier": "front"}, Env=["MODE=fast"])
    engine.wait(identifier)
    until(lambda: b"hello" in receiver.received)
    tag, [[_, record]], _ = msgspec.msgpack.decode(receiver.received)
    assert tag == identifier[:12]
    assert (record["log"], record["tier"], record["MODE"]) == ("hello", "front", "fast")
    assert record["container_id"] == identifier
    receiver.stop()


@contextmanager
def listening(engine: Engine, kind: socket.SocketKind) -> Iterator[tuple[socket.socket, int]]:
    """In the engine's network namespace."""

    def make() -> socket.socket:
        made = socket.socket(socket.AF_INET, kind)
        made.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            made.listen()
        made.settimeout(30 * PATIENCE)
        return made

    made = netns.run_in(engine.netns, make)
    try:
        yield made, made.getsockname()[1]
    finally:
        made.close()


def test_gelf_by_udp_and_tcp(engine: Engine) -> None:
    with listening(engine, socket.SOCK_DGRAM) as (receiver, port):
        options = {"gelf-address": f"udp://127.0.0.1:{port}", "gelf-compression-type": "none"}
        engine.wait(logged(engine, "echo by udp", "gelf", options))
        assert msgspec.json.decode(receiver.recv(2000))["short_message"] == "by udp"
    with listening(engine, socket.SOCK_STREAM) as (receiver, port):
        identifier = logged(engine, "echo by tcp", "gelf", {"gelf-address": f"tcp://localhost:{port}"})
        connection, _ = receiver.accept()
        connection.settimeout(30 * PATIENCE)
        engine.wait(identifier)
        assert b'"by tcp"' in connection.recv(2000)
        connection.close()


def test_a_dead_receiver_holds_up_nobody(engine: Engine, receiver: Receiver) -> None:
    receiver.stop()
    identifier = logged(engine, "seq 1 100000", "syslog", {**to(receiver), "cache-max-size": "-1"})
    assert engine.wait(identifier) == 0
    assert read(engine, identifier).count("\n") == 100_000
    receiver.start()
    until(lambda: receiver.numbers()[-1:] == [100_000], patience_s=60)
    assert list(dict.fromkeys(receiver.numbers())) == list(range(1, 100_001))


def test_a_receiver_that_comes_and_goes_while_the_engine_dies(engine: Engine, receiver: Receiver) -> None:
    text = "n=0; while [ $n -lt 100 ]; do seq $((n*200+1)) $((n*200+200)); n=$((n+1)); sleep 0.05; done"
    options = {**to(receiver), "cache-max-size": "50k", "cache-max-file": "1000"}
    identifier = logged(engine, text, "syslog", options)
    steps: list[Callable[[], object]] = [
        receiver.stop,
        lambda: engine.restart(kill=True),
        receiver.start,
        lambda: engine.restart(kill=True),
        receiver.stop,
        receiver.start,
        engine.restart,
    ]
    for step in steps:
        time.sleep(0.4)
        step()
    engine.wait(identifier)
    until(lambda: 20_000 in receiver.numbers(), lambda: str(receiver.numbers()[-5:]), patience_s=60)
    assert sorted(set(receiver.numbers())) == list(range(1, 20_001))


def test_what_was_not_sent_is_sent_by_the_next_engine(engine: Engine, receiver: Receiver) -> None:
    receiver.stop()
    identifier = logged(engine, "seq 1 100", "syslog", to(receiver))
    engine.wait(identifier)
    engine.restart(kill=True)
    receiver.start()
    until(lambda: receiver.numbers() == list(range(1, 101)))
    engine.restart()
    time.sleep(0.5)
    assert receiver.numbers() == list(range(1, 101))


def test_removing_a_container_whose_receiver_is_dead(engine: Engine, receiver: Receiver) -> None:
    receiver.stop()
    identifier = logged(engine, "seq 1 100; sleep 600", "syslog", to(receiver))
    assert engine.delete(f"/containers/{identifier}?force=1").status == 204
    assert engine.get(f"/containers/{identifier}/json").status == 404


def test_a_container_that_removes_itself_is_heard_to_its_last_word(engine: Engine, receiver: Receiver) -> None:
    host = {"LogConfig": {"Type": "syslog", "Config": to(receiver)}, "NetworkMode": "none", "AutoRemove": True}
    identifier = engine.create(*script("seq 1 1000"), HostConfig=host)
    engine.post(f"/containers/{identifier}/start")
    until(lambda: engine.get(f"/containers/{identifier}/json").status == 404)
    until(lambda: receiver.numbers() == list(range(1, 1001)), lambda: str(receiver.numbers()[-3:]))


def test_reading_is_refused_where_no_copy_is_wanted(engine: Engine, receiver: Receiver) -> None:
    identifier = logged(engine, "echo 1", "syslog", {**to(receiver), "cache-disabled": "true"})
    answer = engine.get(f"/containers/{identifier}/logs?stdout=1")
    assert (answer.status, answer.message) == (501, "configured logging driver does not support reading")
    silent = logged(engine, "echo 1", "none", {"any": "thing"})
    assert engine.get(f"/containers/{silent}/logs?stdout=1").status == 501


def test_a_start_that_is_refused(engine: Engine) -> None:
    identifier = engine.create(
        "true",
        HostConfig={
            "LogConfig": {
                "Type": "syslog",
                "Config": {"syslog-address": "tcp+tls://127.0.0.1:1", "syslog-tls-ca-cert": "/nosuch"},
            }
        },
    )
    answer = engine.post(f"/containers/{identifier}/start")
    assert answer.status == 400
    assert answer.message == (
        "failed to create task for container: failed to initialize logging driver: "
        'could not read CA certificate "/nosuch": open /nosuch: no such file or directory'
    )


def test_they_are_told_of(engine: Engine) -> None:
    assert engine.get("/info").json["Plugins"]["Log"] == [
        "fluentd",
        "gelf",
        "journald",
        "json-file",
        "local",
        "syslog",
    ]


def test_defaults_that_are_wrong_keep_the_engine_from_starting(tmp_path: Path) -> None:
    flags = ("--log-driver=syslog", "--log-opt=syslog-format=foo")
    with pytest.raises(RuntimeError, match="failed to set log opts: Invalid syslog format"), Engine(tmp_path, flags):
        pass


def test_defaults_of_the_engine(tmp_path: Path, receiver: Receiver) -> None:
    flags = ("--log-driver=syslog", f"--log-opt=syslog-address=unix://{receiver.path}", "--log-opt=tag={{.Name}}")
    with Engine(tmp_path / "e", flags) as engine:
        engine.load_base_image()
        engine.wait(engine.run("echo", "7", name="talker", HostConfig={"NetworkMode": "none"}))
        until(lambda: receiver.numbers() == [7])
        assert b" talker[" in receiver.received
        assert engine.get("/info").json["LoggingDriver"] == "syslog"
