"""Containers outlive their engine: killed, stopped or cut off from power, the next one finds everything as it is."""

import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine import Answer, Engine
from tests.integration.engine.rig import (
    LogReader,
    actions,
    done,
    events_of,
    outcome,
    past_events,
    says,
    script,
    started,
    streaming,
    until,
)
from wharfd.wire.timestamps import parse_rfc3339

TICKING = "n=0; while :; do n=$((n+1)); echo line $n; sleep 0.02; done"
DEAF = "trap '' TERM; echo up; while :; do sleep 0.05; done"


def waiting_for(signal_file: str, then: str) -> list[str]:
    return script(f"echo up; while [ ! -e {signal_file} ]; do sleep 0.02; done; {then}")


def pid_of(engine: Engine, identifier: str) -> int:
    pid: int = engine.inspect(identifier)["State"]["Pid"]
    return pid


def let_go(pid: int) -> None:
    """Tell a container that waits for /go that it may end, and wait for its end; works without an engine."""
    Path(f"/proc/{pid}/root/go").touch()
    until(lambda: not Path(f"/proc/{pid}").exists() or is_zombie(pid), "it does not end")


def is_zombie(pid: int) -> bool:
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


DEATHS: dict[str, Callable[[Engine], object]] = {"SIGKILL": Engine.kill, "SIGTERM": Engine.stop}


@pytest.fixture(params=DEATHS)
def end_engine(request: pytest.FixtureRequest) -> Callable[[Engine], object]:
    return DEATHS[request.param]


# What runs goes on


def test_what_runs_goes_on_and_is_logged(engine: Engine, end_engine: Callable[[Engine], object]) -> None:
    identifier = started(engine, *script(TICKING), says_first="line 2")
    before = engine.inspect(identifier)
    log = Path(before["LogPath"])
    end_engine(engine)
    written = log.stat().st_size
    until(lambda: log.stat().st_size > written + 200, "it is not logged without an engine")
    engine.start()
    after = engine.inspect(identifier)
    for key in ("Status", "Running", "Pid", "StartedAt"):
        assert after["State"][key] == before["State"][key]
    assert after["NetworkSettings"]["Networks"] == before["NetworkSettings"]["Networks"]
    seen = len(re.findall("line", engine.output(identifier)))
    until(lambda: len(re.findall("line", engine.output(identifier))) > seen, "it is not logged any more")
    numbers = [int(word) for word in re.findall(r"line (\d+)", engine.output(identifier))]
    assert numbers == list(range(1, len(numbers) + 1))


def test_what_can_be_done_after_it(engine: Engine, end_engine: Callable[[Engine], object]) -> None:
    trap = "trap 'exit 9' TERM; echo up; while :; do sleep 0.02; done"
    stopped, killed, removed, waited = (started(engine, *script(trap), says_first="up") for _ in range(4))
    end_engine(engine)
    engine.start()
    with streaming(engine, f"/containers/{waited}/wait", "POST") as stream:
        done(engine.post(f"/containers/{waited}/kill?signal=TERM"))
        assert json.loads(stream.read()) == {"StatusCode": 9}
    done(engine.post(f"/containers/{stopped}/stop"))
    assert outcome(engine, stopped) == ("exited", 9)
    done(engine.post(f"/containers/{killed}/kill"))
    assert outcome(engine, killed) == ("exited", 137)
    done(engine.delete(f"/containers/{removed}?force=1"))
    done(engine.post(f"/containers/{stopped}/start"))
    says(engine, stopped, "up\nup\n")
    assert len(engine.get(f"/containers/{stopped}/top").json["Processes"]) >= 1
    done(engine.post(f"/containers/{stopped}/restart?t=5"))
    assert outcome(engine, stopped)[0] == "running"


def test_many_at_once(engine: Engine) -> None:
    running = [engine.run("sleep", "1000") for _ in range(12)]
    pids = [pid_of(engine, identifier) for identifier in running]
    engine.restart(kill=True)
    assert [pid_of(engine, identifier) for identifier in running] == pids
    for pid in pids[:6]:
        os.kill(pid, signal.SIGKILL)
    until(lambda: len(engine.get("/containers/json").json) == 6, "the exits are not seen")


def test_paused_stays_paused(engine: Engine, end_engine: Callable[[Engine], object]) -> None:
    identifier = started(engine, *script(TICKING), says_first="line 2")
    done(engine.post(f"/containers/{identifier}/pause"))
    log = engine.output(identifier)
    end_engine(engine)
    engine.start()
    assert outcome(engine, identifier)[0] == "paused"
    assert engine.output(identifier) == log
    done(engine.post(f"/containers/{identifier}/unpause"))
    until(lambda: len(engine.output(identifier)) > len(log), "it does not go on")


# What ends meanwhile


@pytest.mark.parametrize("code", [0, 7])
def test_an_exit_meanwhile_is_recorded(engine: Engine, end_engine: Callable[[Engine], object], code: int) -> None:
    identifier = started(engine, *waiting_for("/go", f"echo bye; exit {code}"), says_first="up")
    pid = pid_of(engine, identifier)
    end_engine(engine)
    first = time.time_ns() - 10**8  # Linux: the time of a file is that of the last tick
    let_go(pid)
    until(lambda: not any(identifier in words for words in engine.processes()), "the monitor does not end")
    last = time.time_ns() + 10**9
    time.sleep(1)  # so that the time of the engine's own start is another one
    engine.start()
    state = engine.inspect(identifier)["State"]
    assert (state["Status"], state["ExitCode"], state["Error"], state["Pid"]) == ("exited", code, "", 0)
    assert first <= parse_rfc3339(state["FinishedAt"]) <= last
    assert engine.wait(identifier) == code
    assert engine.output(identifier) == "up\nbye\n"
    told = past_events(engine, container=[identifier])
    assert actions(told) == ["container create", "container start", "container die"]
    assert told[-1]["Actor"]["Attributes"]["exitCode"] == str(code)
    done(engine.post(f"/containers/{identifier}/start"))
    assert engine.wait(identifier) == code


def test_one_that_runs_out_of_memory_meanwhile(engine: Engine) -> None:
    limits = {"Memory": 16 << 20, "MemorySwap": 16 << 20}
    greedy = waiting_for("/go", "exec dd if=/dev/zero of=/dev/null bs=64M count=1")
    identifier = started(engine, *greedy, says_first="up", HostConfig=limits)
    pid = pid_of(engine, identifier)
    engine.kill()
    let_go(pid)
    engine.start()
    assert outcome(engine, identifier) == ("exited", 137)
    assert engine.inspect(identifier)["State"]["OOMKilled"] is True


def test_one_that_removes_itself_is_removed(engine: Engine, end_engine: Callable[[Engine], object]) -> None:
    identifier = started(
        engine,
        *waiting_for("/go", "exit 3"),
        says_first="up",
        HostConfig={"AutoRemove": True},
        Volumes={"/data": {}},
    )
    stays = started(engine, *script(TICKING), says_first="line", HostConfig={"AutoRemove": True})
    pid = pid_of(engine, identifier)
    end_engine(engine)
    let_go(pid)
    engine.start()
    done(engine.get(f"/containers/{identifier}/json"), 404)
    assert engine.get("/volumes").json["Volumes"] == []
    assert actions(past_events(engine, container=[identifier]))[-2:] == ["container die", "container destroy"]
    assert outcome(engine, stays)[0] == "running"


@pytest.mark.parametrize(
    ("policy", "code", "comes_back"),
    [
        ({"Name": "no"}, 1, False),
        ({"Name": "always"}, 0, True),
        ({"Name": "unless-stopped"}, 0, True),
        ({"Name": "on-failure"}, 1, True),
        ({"Name": "on-failure"}, 0, False),
    ],
)
def test_a_restart_policy_for_an_exit_meanwhile(engine: Engine, policy: Any, code: int, comes_back: bool) -> None:
    command = waiting_for("/go", f"rm /go; exit {code}")
    identifier = started(engine, *command, says_first="up", HostConfig={"RestartPolicy": policy})
    pid = pid_of(engine, identifier)
    engine.kill()
    let_go(pid)
    engine.start()
    if comes_back:
        until(lambda: engine.output(identifier) == "up\nup\n", "it is not started again")
        assert outcome(engine, identifier)[0] == "running"
    else:
        assert outcome(engine, identifier) == ("exited", code)
        assert engine.output(identifier) == "up\n"


@pytest.mark.parametrize(
    ("policy", "comes_back"),
    [({"Name": "always"}, True), ({"Name": "unless-stopped"}, False), ({"Name": "on-failure"}, False)],
)
def test_a_restart_policy_for_what_was_stopped_before(
    engine: Engine, end_engine: Callable[[Engine], object], policy: Any, comes_back: bool
) -> None:
    identifier = started(engine, *script(DEAF), says_first="up", HostConfig={"RestartPolicy": policy})
    done(engine.post(f"/containers/{identifier}/stop?t=0"))
    end_engine(engine)
    engine.start()
    if comes_back:
        until(lambda: engine.output(identifier) == "up\nup\n", "it is not started again")
    else:
        assert outcome(engine, identifier) == ("exited", 137)


# A power cut


def cut_power(engine: Engine) -> None:
    """Everything that a reboot takes: processes, mounts, links, rules, cgroups, the exec root."""
    engine.kill()
    pids = [pid for pid, words in command_lines() if "conmon" in words and str(engine.directory) in words]
    inner = [pid for pid, parent in parents() if parent in pids]
    for pid in [*pids, *inner]:
        os.kill(pid, signal.SIGKILL)
    until(lambda: not any(Path(f"/proc/{pid}").exists() and not is_zombie(pid) for pid in [*pids, *inner]))
    for place in [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]:
        if place.startswith(f"{engine.directory}/") and place != engine.netns:
            subprocess.run(["umount", "-l", place], check=True)
    engine.inside(f"ip link del {engine.tag}; nft flush ruleset")
    for path in sorted(engine.traces()["cgroups"], reverse=True):
        until(lambda path=path: removed(path), f"{path} is busy")  # type: ignore[misc]
    subprocess.run(["rm", "-rf", str(engine.exec_root)], check=True)


def removed(path: str) -> bool:
    try:
        os.rmdir(path)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def command_lines() -> Iterator[tuple[int, str]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                yield int(entry.name), (entry / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue


def parents() -> Iterator[tuple[int, int]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                yield int(entry.name), int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue


def test_a_power_cut(engine: Engine) -> None:
    running = started(engine, *script(TICKING), says_first="line 2")
    always = started(engine, *script(TICKING), says_first="line 2", HostConfig={"RestartPolicy": {"Name": "always"}})
    gone = started(engine, *script(TICKING), says_first="line 2", HostConfig={"AutoRemove": True})
    created = engine.create("true")
    cut_power(engine)
    engine.start()
    state = engine.inspect(running)["State"]
    assert (state["Status"], state["ExitCode"], state["Pid"]) == ("exited", 255, 0)
    assert engine.output(running).startswith("line 1\nline 2\n")
    done(engine.get(f"/containers/{gone}/json"), 404)
    assert outcome(engine, created) == ("created", 0)
    until(lambda: outcome(engine, always)[0] == "running", "it is not started again")
    done(engine.post(f"/containers/{running}/start"))
    assert outcome(engine, running)[0] == "running"


# SIGTERM and open answers


def test_open_streams_end_cleanly(engine: Engine) -> None:
    identifier = started(engine, *script(TICKING), says_first="line 2")
    with (
        streaming(engine, "/events", since="1") as events,
        streaming(engine, f"/containers/{identifier}/logs", stdout="1", follow="1") as logs,
        streaming(engine, f"/containers/{identifier}/wait", "POST") as wait,
    ):
        events_of(events, lambda event: event["Action"] == "start" and event["Actor"]["ID"] == identifier)
        reader = LogReader(logs)
        reader.says("line 3")
        assert engine.stop() == 0
        # Each ends with its last chunk (a cut would raise), the log between two frames; no exit is made up.
        assert events.read() == b""
        reader.rest()
        assert reader.decoder.at_boundary
        assert wait.read() == b""
    engine.start()
    assert outcome(engine, identifier)[0] == "running"


def test_an_answer_that_takes_its_time_is_given(engine: Engine) -> None:
    identifier = started(engine, *script(DEAF), says_first="up")
    answers: list[Answer] = []
    asking = threading.Thread(target=lambda: answers.append(engine.post(f"/containers/{identifier}/stop?t=1")))
    asking.start()
    until(lambda: "container kill" in actions(past_events(engine, container=[identifier])), "the stop does not begin")
    assert engine.stop() == 0
    asking.join()
    assert [answer.status for answer in answers] == [204]
    engine.start()
    assert outcome(engine, identifier) == ("exited", 137)


def test_a_large_answer_that_is_read_slowly_is_whole(engine: Engine) -> None:
    identifier = engine.run(*script("head -c 6000000 /dev/zero | tr '\\0' x"))
    engine.wait(identifier)
    with streaming(engine, f"/containers/{identifier}/logs", stdout="1") as stream:
        reader = LogReader(stream)
        reader.says("xxx")
        stopping = threading.Thread(target=engine.stop)
        stopping.start()
        time.sleep(0.3)
        assert len(reader.rest()) == 6_000_000
        stopping.join()
    engine.start()
