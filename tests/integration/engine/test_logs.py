"""What a container writes, read by the API: bounds, streams, following it to its end and over a restart of the engine."""

import re
from typing import Any

import pytest

from tests.engine import Engine
from tests.integration.engine.rig import LogReader, done, script, started, streaming, until
from wharfd.wire.stdcopy import Decoder, Stream

COUNT = "n=0; while [ $n -lt 50 ]; do n=$((n+1)); echo line $n; done"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z")


def logs(engine: Engine, identifier: str, **query: str) -> str:
    return "".join(text for _, text in frames(engine, identifier, **query))


def frames(engine: Engine, identifier: str, **query: str) -> list[tuple[Stream, str]]:
    query = {"stdout": "1", "stderr": "1", **query}
    answer = done(engine.get(f"/containers/{identifier}/logs", query=query), 200)
    assert answer.headers["content-type"] == "application/vnd.docker.multiplexed-stream"
    decoder = Decoder()
    found = [(stream, payload.decode()) for stream, payload in decoder.feed(answer.body)]
    assert decoder.at_boundary
    return found


def ended(engine: Engine, text: str, **config: Any) -> str:
    identifier = engine.run(*script(text), **config)
    engine.wait(identifier)
    return identifier


def numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"line (\d+)", text)]


@pytest.mark.parametrize(
    ("tail", "wanted"), [("5", [46, 47, 48, 49, 50]), ("0", []), ("all", None), ("1000", None), ("", None)]
)
def test_tail(engine: Engine, tail: str, wanted: list[int] | None) -> None:
    identifier = ended(engine, COUNT)
    assert numbers(logs(engine, identifier, tail=tail)) == (list(range(1, 51)) if wanted is None else wanted)


def test_timestamps_and_bounds(engine: Engine) -> None:
    identifier = ended(engine, "for n in 1 2 3 4; do echo line $n; sleep 0.05; done")
    rows = [row.split(" ", 1) for row in logs(engine, identifier, timestamps="1").splitlines()]
    assert [text for _, text in rows] == ["line 1", "line 2", "line 3", "line 4"]
    times = [time for time, _ in rows]
    assert all(TIME.fullmatch(time) for time in times)
    assert times == sorted(times)
    assert (
        engine.inspect(identifier)["State"]["StartedAt"] < times[0] < engine.inspect(identifier)["State"]["FinishedAt"]
    )
    assert numbers(logs(engine, identifier, since=times[1])) == [2, 3, 4]
    assert numbers(logs(engine, identifier, until=times[1])) == [1, 2]
    assert numbers(logs(engine, identifier, since=times[1], until=times[2])) == [2, 3]
    assert numbers(logs(engine, identifier, since=times[1], tail="1")) == [4]
    assert numbers(logs(engine, identifier, since="0", until="1")) == []


def test_streams_are_told_apart(engine: Engine) -> None:
    identifier = ended(engine, "echo out; sleep 0.1; echo err >&2")
    assert frames(engine, identifier) == [(Stream.STDOUT, "out\n"), (Stream.STDERR, "err\n")]
    assert frames(engine, identifier, stderr="0") == [(Stream.STDOUT, "out\n")]
    assert frames(engine, identifier, stdout="0") == [(Stream.STDERR, "err\n")]
    answer = done(engine.get(f"/containers/{identifier}/logs"), 400)
    assert answer.message == "Bad parameters: you must choose at least one stream"


def test_a_terminal_has_one_raw_stream(engine: Engine) -> None:
    identifier = ended(engine, "tty; echo err >&2", Tty=True)
    answer = engine.get(f"/containers/{identifier}/logs?stdout=1&stderr=1")
    assert answer.headers["content-type"] == "application/vnd.docker.raw-stream"
    assert answer.body == b"/dev/pts/0\r\nerr\r\n"


def test_every_byte_is_kept(engine: Engine) -> None:
    identifier = ended(engine, "head -c 1000000 /dev/zero; printf '\\001\\377\\r\\nno newline'")
    answer = engine.get(f"/containers/{identifier}/logs?stdout=1")
    assert b"".join(payload for _, payload in Decoder().feed(answer.body)) == bytes(1_000_000) + b"\1\xff\r\nno newline"


def test_details_are_labels_and_variables(engine: Engine) -> None:
    config = {"Labels": {"team": "red"}, "Env": ["COLOR=blue"]}
    log = {"Type": "json-file", "Config": {"labels": "team", "env": "COLOR"}}
    identifier = ended(engine, "echo x", HostConfig={"LogConfig": log}, **config)
    assert logs(engine, identifier, details="1") == "COLOR=blue,team=red x\n"


def test_following_ends_with_the_run(engine: Engine) -> None:
    identifier = started(
        engine, *script("echo first; while [ ! -e /go ]; do sleep 0.02; done; echo last"), says_first="first"
    )
    with streaming(engine, f"/containers/{identifier}/logs", stdout="1", follow="1", tail="0") as stream:
        reader = LogReader(stream)
        pid = engine.inspect(identifier)["State"]["Pid"]
        with open(f"/proc/{pid}/root/go", "w"):
            pass
        assert reader.rest() == "last\n"
    assert engine.wait(identifier) == 0
    with streaming(engine, f"/containers/{identifier}/logs", stdout="1", follow="1") as stream:
        assert LogReader(stream).rest() == "first\nlast\n"


def test_following_over_a_restart_of_the_engine_loses_nothing(engine: Engine) -> None:
    identifier = started(
        engine, *script("n=0; while :; do n=$((n+1)); echo line $n; sleep 0.01; done"), says_first="line 3"
    )
    with streaming(engine, f"/containers/{identifier}/logs", stdout="1", follow="1", timestamps="1") as stream:
        reader = LogReader(stream)
        reader.says("line 5")
        engine.stop()
        first = reader.rest()
    assert first.endswith("\n")
    engine.start()
    last_time = TIME.findall(first)[-1]
    with streaming(engine, f"/containers/{identifier}/logs", stdout="1", follow="1", since=last_time) as stream:
        reader = LogReader(stream)
        reader.says(f"line {numbers(first)[-1] + 20}\n")
        second = reader.text
    seen = numbers(first) + numbers(second)[1:]  # the bound is within
    assert seen == list(range(1, len(seen) + 1))


def test_a_log_is_gone_with_its_container(engine: Engine) -> None:
    identifier = ended(engine, "echo x")
    path = engine.inspect(identifier)["LogPath"]
    assert path.startswith(str(engine.data_root))
    with open(path, "rb") as file:
        assert b"x" in file.read()
    done(engine.delete(f"/containers/{identifier}"))
    done(engine.get(f"/containers/{identifier}/logs?stdout=1"), 404)


def test_without_a_log(engine: Engine) -> None:
    identifier = ended(engine, "echo x", HostConfig={"LogConfig": {"Type": "none"}})
    answer = done(engine.get(f"/containers/{identifier}/logs?stdout=1"), 501)
    assert answer.message == "configured logging driver does not support reading"


def test_a_reader_that_leaves_is_forgotten(engine: Engine) -> None:
    identifier = started(engine, *script("echo up; exec sleep 1000"), says_first="up")
    before = len(list(engine.get("/info").json))
    for _ in range(20):
        with streaming(engine, f"/containers/{identifier}/logs", stdout="1", follow="1") as stream:
            LogReader(stream).says("up")
    until(lambda: engine.get("/info").json["NGoroutines"] < before + 20, "readers stay")
