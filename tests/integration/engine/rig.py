"""What tests of a real engine share: streams that are read while something happens, cgroups looked at from outside, patience."""

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.engine import PATIENCE, Answer, Engine, UnixConnection
from wharfd.wire.stdcopy import Decoder


def until(claim: Callable[[], object], otherwise: str | Callable[[], str] = "", patience_s: float = 15.0) -> None:
    """Returns as soon as the claim holds."""
    deadline = time.monotonic() + patience_s * PATIENCE
    while not claim():
        if time.monotonic() > deadline:
            raise AssertionError(otherwise if isinstance(otherwise, str) else otherwise())
        time.sleep(0.02)


def difference(before: dict[str, list[str]], after: dict[str, list[str]]) -> list[str]:
    """What has come (+) and gone (-), in words that a failed test can show."""
    gone = [
        f"- {kind}: {each}" for kind in before for each in (Counter(before[kind]) - Counter(after[kind])).elements()
    ]
    come = [
        f"+ {kind}: {each}" for kind in before for each in (Counter(after[kind]) - Counter(before[kind])).elements()
    ]
    return gone + come


# Streams


@contextmanager
def streaming(engine: Engine, path: str, method: str = "GET", **query: Any) -> Iterator[HTTPResponse]:
    """An answer whose head has come; its body is read when the test wants to."""
    connection = UnixConnection(engine.socket, engine.timeout)
    words = {key: value if isinstance(value, str) else json.dumps(value) for key, value in query.items()}
    try:
        connection.request(method, f"{path}?{urlencode(words)}")
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        yield answer
    finally:
        connection.close()


class LogReader:
    """Text of a multiplexed stream, as it comes."""

    def __init__(self, stream: HTTPResponse) -> None:
        self.stream = stream
        self.decoder = Decoder()
        self.text = ""

    def says(self, words: str) -> None:
        """Returns when these words have come."""
        while words not in self.text:
            data = self.stream.read1(1 << 16)
            assert data, f"the log ended after {self.text!r}"
            self.take(data)

    def rest(self) -> str:
        """Everything to the end of the stream, and what came before."""
        self.take(self.stream.read())
        return self.text

    def take(self, data: bytes) -> None:
        self.text += b"".join(payload for _, payload in self.decoder.feed(data)).decode()


def says(engine: Engine, identifier: str, words: str) -> None:
    """Returns when the container has written these words."""
    with streaming(engine, f"/containers/{identifier}/logs", stdout="1", stderr="1", follow="1") as stream:
        LogReader(stream).says(words)


def events_of(stream: HTTPResponse, last: Callable[[Any], bool]) -> list[Any]:
    """Events up to the first that is `last`."""
    found: list[Any] = []
    while not found or not last(found[-1]):
        line = stream.readline()
        assert line, f"the events ended after {found}"
        found.append(json.loads(line))
    return found


def past_events(engine: Engine, **filters: list[str]) -> list[Any]:
    return engine.get("/events", query={"since": "1", "until": f"{time.time():.9f}", "filters": filters}).lines()


def actions(events: list[Any]) -> list[str]:
    """`container die`, `network disconnect` …"""
    return [f"{event['Type']} {event['Action']}" for event in events]


# Containers


def started(engine: Engine, *command: str, says_first: str = "", **config: Any) -> str:
    """A running container, which has written `says_first`."""
    identifier = engine.run(*command, **config)
    if says_first:
        says(engine, identifier, says_first)
    return identifier


def script(text: str) -> list[str]:
    return ["sh", "-c", text]


def outcome(engine: Engine, identifier: str) -> tuple[str, int]:
    """Status and exit code."""
    state = engine.inspect(identifier)["State"]
    return state["Status"], state["ExitCode"]


def done(answer: Answer, status: int = 204) -> Answer:
    assert answer.status == status, (answer.status, answer.body)
    return answer


# Control groups


def is_v2() -> bool:
    return Path("/sys/fs/cgroup/cgroup.controllers").exists()


def cgroup_directory(engine: Engine, identifier: str, controller: str) -> Path:
    """Where the limits of a running container are, on either version and with either driver."""
    pid = engine.inspect(identifier)["State"]["Pid"]
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        if names == "" if is_v2() else controller in names.split(","):
            return Path("/sys/fs/cgroup") / ("" if is_v2() else controller) / path.lstrip("/")
    raise AssertionError(f"no cgroup for {controller}")


def limit(engine: Engine, identifier: str, v1: str, v2: str) -> str:
    """What stands in a control file, named "controller/file" for v1 and "file" for v2."""
    controller, _, file = v1.partition("/")
    directory = cgroup_directory(engine, identifier, controller)
    return (directory / (v2 if is_v2() else file)).read_text().strip()


def block_device() -> tuple[str, str]:
    """Path and MAJOR:MINOR of a disk of this host; empty if it has none."""
    for disk in sorted(Path("/sys/block").iterdir()):
        path = f"/dev/{disk.name}"
        if os.path.exists(path) and int((disk / "size").read_text()):
            return path, (disk / "dev").read_text().strip()
    return "", ""
