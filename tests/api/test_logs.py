"""A container's output, and waiting for its end."""

import re
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.api.caller import Caller, edges, minor
from tests.engine import Engine

pytestmark = pytest.mark.root

LINE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z ")


@pytest.fixture(autouse=True)
def tidy(engine: Engine) -> Iterator[None]:
    yield
    engine.remove_all()


def frames(data: bytes) -> list[tuple[int, bytes]]:
    found = []
    while data:
        assert data[1:4] == b"\0\0\0"
        length = int.from_bytes(data[4:8], "big")
        assert len(data) >= 8 + length, "the last frame is whole"
        found.append((data[0], data[8 : 8 + length]))
        data = data[8 + length :]
    return found


def stream(data: bytes, number: int) -> str:
    return b"".join(piece for which, piece in frames(data) if which == number).decode()


def ended(engine: Engine, script: str, **config: object) -> str:
    identifier = engine.run("sh", "-c", script, **config)
    engine.wait(identifier)
    return identifier


@pytest.mark.parametrize("version", edges())
def test_the_container_has_a_terminal_or_frames(engine: Engine, version: str) -> None:
    at = Caller(engine, version)
    identifier = ended(engine, "echo out; echo err >&2")
    answer = at("GET", "/containers/{id}/logs", id=identifier, query={"stdout": "1", "stderr": "1"})
    assert sorted(frames(answer.body)) == [(1, b"out\n"), (2, b"err\n")]
    kind = "multiplexed" if minor(version) >= 42 else "raw"
    assert answer.headers["content-type"] == f"application/vnd.docker.{kind}-stream"
    for query, expected in (({"stdout": "1"}, [(1, b"out\n")]), ({"stderr": "true"}, [(2, b"err\n")])):
        assert frames(at("GET", "/containers/{id}/logs", id=identifier, query=query).body) == expected
    terminal = ended(engine, "echo out; echo err >&2", Tty=True)
    answer = at("GET", "/containers/{id}/logs", id=terminal, query={"stdout": "1"})
    assert answer.body == b"out\r\nerr\r\n"
    assert answer.headers["content-type"] == "application/vnd.docker.raw-stream"


def logs(engine: Engine, identifier: str, **query: str) -> str:
    answer = Caller(engine)("GET", "/containers/{id}/logs", id=identifier, query={"stdout": "1", **query})
    return stream(answer.body, 1)


def test_tail(engine: Engine) -> None:
    identifier = ended(engine, "for i in 1 2 3 4 5; do echo $i; done")
    for tail, expected in (
        ("0", ""),
        ("2", "4\n5\n"),
        ("5", "1\n2\n3\n4\n5\n"),
        ("99", "1\n2\n3\n4\n5\n"),
        ("all", "1\n2\n3\n4\n5\n"),
        ("-1", "1\n2\n3\n4\n5\n"),
        ("x", "1\n2\n3\n4\n5\n"),
        ("", "1\n2\n3\n4\n5\n"),
    ):
        assert logs(engine, identifier, tail=tail) == expected, tail


def test_times_and_bounds(engine: Engine) -> None:
    identifier = ended(engine, "echo early; sleep 0.3; echo late")
    early, late = logs(engine, identifier, timestamps="1").splitlines()
    assert LINE_TIME.match(early)
    assert early.endswith(" early")
    seconds = engine_seconds(late)
    assert logs(engine, identifier, since=seconds) == "late\n"
    assert logs(engine, identifier, until=seconds) in ("early\nlate\n", "early\n")
    assert logs(engine, identifier, since=late.split()[0]) == "late\n"
    assert logs(engine, identifier, since="1h") == "early\nlate\n"
    assert logs(engine, identifier, since="0") == "early\nlate\n"
    assert logs(engine, identifier, until="0") == "early\nlate\n"
    assert logs(engine, identifier, until="1") == ""
    assert logs(engine, identifier, since=f"{time.time() + 1000:.0f}") == ""


def engine_seconds(line: str) -> str:
    """The time of a line as seconds with nine digits."""
    whole, fraction = line.split(maxsplit=1)[0].rstrip("Z").split(".")
    return f"{int(time.mktime(time.strptime(whole + 'UTC', '%Y-%m-%dT%H:%M:%S%Z')) - time.timezone)}.{fraction}"


def test_details_are_labels_and_variables_that_the_log_options_name(engine: Engine) -> None:
    identifier = ended(
        engine,
        "echo x",
        Labels={"a": "1", "b": "x y"},
        Env=["C=3", "D=4"],
        HostConfig={"LogConfig": {"Type": "json-file", "Config": {"labels": "b", "env": "C"}}},
    )
    assert logs(engine, identifier, details="1") == "C=3,b=x+y x\n"


def test_lines_without_an_end_and_with_any_bytes(engine: Engine) -> None:
    identifier = ended(engine, r"printf '\377\000\001a\nno end'")
    answer = Caller(engine)("GET", "/containers/{id}/logs", id=identifier, query={"stdout": "1"})
    assert b"".join(piece for _, piece in frames(answer.body)) == b"\xff\0\x01a\nno end"


def test_a_line_longer_than_any_buffer(engine: Engine) -> None:
    identifier = ended(engine, "head -c 200000 /dev/zero | tr '\\0' x; echo; echo end")
    assert logs(engine, identifier) == "x" * 200000 + "\nend\n"
    assert logs(engine, identifier, tail="1") == "end\n"
    assert logs(engine, identifier, timestamps="1").count("Z ") == 2


def test_follow_ends_with_the_container(engine: Engine) -> None:
    identifier = engine.run("sh", "-c", "echo 1; sleep 0.5; echo 2")
    answer = Caller(engine)(
        "GET", "/containers/{id}/logs", id=identifier, query={"stdout": "1", "follow": "1", "tail": "all"}
    )
    assert stream(answer.body, 1) == "1\n2\n"
    assert answer.headers["transfer-encoding"] == "chunked"


def test_logs_of_one_that_never_ran_are_empty(engine: Engine) -> None:
    identifier = engine.create("true")
    assert logs(engine, identifier) == ""


def test_a_container_without_logs(engine: Engine) -> None:
    identifier = ended(engine, "echo x", HostConfig={"LogConfig": {"Type": "none"}})
    answer = engine.get(f"/containers/{identifier}/logs", query={"stdout": "1"})
    assert (answer.status, answer.message) == (501, "configured logging driver does not support reading")


# wait


@pytest.mark.parametrize("version", edges())
def test_wait(engine: Engine, version: str) -> None:
    at = Caller(engine, version)
    identifier = engine.create("sh", "-c", "exit 7")
    assert at("POST", "/containers/{id}/wait", id=identifier).json["StatusCode"] == 0
    engine.post(f"/containers/{identifier}/start")
    assert at("POST", "/containers/{id}/wait", id=identifier).json["StatusCode"] == 7
    assert (
        at("POST", "/containers/{id}/wait", id=identifier, query={"condition": "not-running"}).json["StatusCode"] == 7
    )
    answer = at.send("POST", "/containers/{id}/wait", id=identifier, query={"condition": "nonsense"})
    if minor(version) >= 30:
        assert (answer.status, answer.message) == (400, 'invalid condition: "nonsense"')
    else:
        assert answer.json["StatusCode"] == 7


class Waiting:
    """A wait whose head has come, and whose body has not."""

    def __init__(self, engine: Engine, reference: str, condition: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(30)
        self.socket.connect(engine.socket)
        request = f"POST /v1.44/containers/{reference}/wait?condition={condition} HTTP/1.1\r\nHost: d\r\n"
        self.socket.sendall(f"{request}Content-Length: 0\r\nConnection: close\r\n\r\n".encode())
        self.received = b""
        while b"\r\n\r\n" not in self.received:
            self.received += self.socket.recv(4096)
        assert self.received.startswith(b"HTTP/1.1 200 "), self.received

    def body(self) -> bytes:
        while piece := self.socket.recv(4096):
            self.received += piece
        self.socket.close()
        return self.received.partition(b"\r\n\r\n")[2]

    @property
    def has_begun(self) -> bool:
        return not self.received.endswith(b"\r\n\r\n")


def test_next_exit_is_registered_before_the_start(engine: Engine) -> None:
    """As `docker run` does it: wait, then start; the wait's head must not wait for the end."""
    identifier = engine.create("sh", "-c", "exit 5")
    waiting = Waiting(engine, identifier, "next-exit")
    assert not waiting.has_begun
    assert engine.post(f"/containers/{identifier}/start").status == 204
    assert b'{"StatusCode":5}' in waiting.body()


def test_removed_waits_for_the_removal(engine: Engine) -> None:
    identifier = engine.create("sh", "-c", "exit 5")
    waiting = Waiting(engine, identifier, "removed")
    engine.post(f"/containers/{identifier}/start")
    engine.wait(identifier)
    assert not waiting.has_begun
    engine.delete(f"/containers/{identifier}")
    assert b'{"StatusCode":5}' in waiting.body()


def test_removed_of_one_that_removes_itself(engine: Engine) -> None:
    identifier = engine.create("sh", "-c", "exit 6", HostConfig={"AutoRemove": True})
    waiting = Waiting(engine, identifier, "removed")
    engine.post(f"/containers/{identifier}/start")
    assert b'{"StatusCode":6}' in waiting.body()
    assert engine.get(f"/containers/{identifier}/json").status == 404


def test_a_removal_releases_whoever_waits(engine: Engine) -> None:
    identifier = engine.run("sleep", "1000", StopSignal="SIGKILL")
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(engine.wait(identifier)))
    thread.start()
    engine.delete(f"/containers/{identifier}", query={"force": "1"})
    thread.join(30)
    assert codes == [137]
