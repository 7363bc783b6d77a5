"""A container's life by the API: start, stop, kill, pause, top, wait, rename, exit codes, restart policies, auto-remove."""

import json
import socket
from typing import Any

import pytest

from tests.engine import Engine
from tests.integration.engine.rig import done, outcome, says, script, started, streaming, until

TRAP = "trap 'echo got it; exit 7' {}; echo ready; while :; do sleep 0.05; done"
DEAF = "trap '' TERM; echo ready; while :; do sleep 0.05; done"


def trapping(engine: Engine, signal: str, **config: Any) -> str:
    return started(engine, *script(TRAP.format(signal)), says_first="ready", **config)


# Start


def test_a_start_of_what_runs_and_of_nothing(engine: Engine) -> None:
    identifier = engine.run("sleep", "1000")
    done(engine.post(f"/containers/{identifier}/start"), 304)
    answer = done(engine.post("/containers/nosuch/start"), 404)
    assert answer.message == "No such container: nosuch"


@pytest.mark.parametrize(
    ("command", "code", "reason"),
    [
        (["nosuch"], 127, 'exec: "nosuch": executable file not found in $PATH'),
        (["/no/such"], 127, 'exec: "/no/such": stat /no/such: no such file or directory'),
        (["/etc/passwd"], 126, 'exec: "/etc/passwd": permission denied'),
        (["/etc"], 126, 'exec: "/etc": permission denied'),
    ],
)
def test_a_program_that_cannot_be_run(engine: Engine, command: list[str], code: int, reason: str) -> None:
    identifier = engine.create(*command)
    answer = done(engine.post(f"/containers/{identifier}/start"), 400)
    assert answer.message == (
        "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: "
        f"unable to start container process: error during container init: {reason}: unknown"
    )
    state = engine.inspect(identifier)["State"]
    assert (state["Status"], state["ExitCode"], state["Error"]) == ("created", code, answer.message)


def test_a_container_may_be_started_again(engine: Engine) -> None:
    identifier = engine.run(*script("echo x >>/count; wc -l </count"))
    assert engine.wait(identifier) == 0
    done(engine.post(f"/containers/{identifier}/start"))
    assert engine.wait(identifier) == 0
    assert engine.output(identifier).split() == ["1", "2"]


@pytest.mark.parametrize(("command", "code"), [("exit 0", 0), ("exit 42", 42), ("sh -c 'kill -TERM $$'; exit $?", 143)])
def test_exit_codes(engine: Engine, command: str, code: int) -> None:
    identifier = engine.run(*script(command))
    assert engine.wait(identifier) == code
    assert outcome(engine, identifier) == ("exited", code)


# Stop and kill


def test_stop_sends_the_stop_signal_of_the_container(engine: Engine) -> None:
    identifier = trapping(engine, "USR1", StopSignal="SIGUSR1")
    done(engine.post(f"/containers/{identifier}/stop"))
    assert outcome(engine, identifier) == ("exited", 7)
    assert engine.output(identifier) == "ready\ngot it\n"
    done(engine.post(f"/containers/{identifier}/stop"), 304)


def test_stop_sends_the_signal_that_was_asked_for(engine: Engine) -> None:
    identifier = trapping(engine, "HUP")
    done(engine.post(f"/containers/{identifier}/stop?signal=HUP"))
    assert outcome(engine, identifier) == ("exited", 7)


@pytest.mark.parametrize(("query", "config"), [("?t=0", {}), ("", {"StopTimeout": 0})])
def test_what_does_not_obey_is_killed(engine: Engine, query: str, config: dict[str, Any]) -> None:
    identifier = started(engine, *script(DEAF), says_first="ready", **config)
    done(engine.post(f"/containers/{identifier}/stop{query}"))
    assert outcome(engine, identifier) == ("exited", 137)


def test_kill(engine: Engine) -> None:
    identifier = trapping(engine, "USR2")
    done(engine.post(f"/containers/{identifier}/kill?signal=WINCH"))
    assert outcome(engine, identifier)[0] == "running"
    done(engine.post(f"/containers/{identifier}/kill?signal=SIGUSR2"))
    assert engine.wait(identifier) == 7
    answer = done(engine.post(f"/containers/{identifier}/kill"), 409)
    assert answer.message == f"cannot kill container: {identifier}: container {identifier} is not running"
    done(engine.post(f"/containers/{identifier}/start"))
    done(engine.post(f"/containers/{identifier}/kill"))
    assert outcome(engine, identifier) == ("exited", 137)


def test_kill_reaches_every_process(engine: Engine) -> None:
    identifier = started(engine, *script("sleep 1000 & echo up; wait"), says_first="up", HostConfig={"PidMode": "host"})
    assert len(engine.get(f"/containers/{identifier}/top").json["Processes"]) == 2
    done(engine.post(f"/containers/{identifier}/kill"))
    assert outcome(engine, identifier) == ("exited", 137)


# Pause and top


def test_pause(engine: Engine) -> None:
    identifier = started(engine, *script("while :; do echo tick; sleep 0.05; done"), says_first="tick")
    done(engine.post(f"/containers/{identifier}/pause"))
    state = engine.inspect(identifier)["State"]
    assert (state["Status"], state["Running"], state["Paused"]) == ("paused", True, True)
    frozen = engine.output(identifier)
    done(engine.post(f"/containers/{identifier}/pause"), 409)
    done(engine.post(f"/containers/{identifier}/start"), 409)
    assert [row["State"] for row in engine.get("/containers/json").json] == ["paused"]
    assert engine.output(identifier) == frozen
    done(engine.post(f"/containers/{identifier}/unpause"))
    until(lambda: len(engine.output(identifier)) > len(frozen), "it does not go on")


def test_a_paused_container_can_be_stopped_and_removed(engine: Engine) -> None:
    identifier = trapping(engine, "TERM")
    done(engine.post(f"/containers/{identifier}/pause"))
    answer = done(engine.delete(f"/containers/{identifier}"), 409)
    assert "paused" in answer.message
    done(engine.post(f"/containers/{identifier}/stop"))
    assert outcome(engine, identifier) == ("exited", 7)
    done(engine.post(f"/containers/{identifier}/start"))
    done(engine.post(f"/containers/{identifier}/pause"))
    done(engine.delete(f"/containers/{identifier}?force=1"))


def test_top(engine: Engine) -> None:
    identifier = started(engine, *script("sleep 1234 & echo up; wait"), says_first="up")
    table = engine.get(f"/containers/{identifier}/top").json
    assert table["Titles"][:3] == ["UID", "PID", "PPID"]
    assert sorted(row[-1] for row in table["Processes"])[1] == "sleep 1234"
    table = engine.get(f"/containers/{identifier}/top", query={"ps_args": "-o pid,args"}).json
    assert table["Titles"] == ["PID", "COMMAND"]
    assert str(engine.inspect(identifier)["State"]["Pid"]) in [row[0] for row in table["Processes"]]


# Wait


def test_the_head_of_a_wait_comes_before_the_end(engine: Engine) -> None:
    identifier = engine.create("sh", "-c", "exit 3")
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(engine.timeout)
        client.connect(engine.socket)
        client.sendall(f"POST /containers/{identifier}/wait?condition=next-exit HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        received = b""
        while b"\r\n\r\n" not in received:
            received += client.recv(4096)
        assert received.startswith(b"HTTP/1.1 200 OK\r\n")
        assert received.endswith(b"\r\n\r\n")
        assert outcome(engine, identifier) == ("created", 0)
        done(engine.post(f"/containers/{identifier}/start"))
        body = b""
        while not body.endswith(b"0\r\n\r\n"):
            body += client.recv(4096)
    assert json.loads(body.split(b"\r\n")[1]) == {"StatusCode": 3}


def test_conditions_of_a_wait(engine: Engine) -> None:
    identifier = engine.create(*script("exit 5"))
    assert engine.wait(identifier) == 0  # it does not run
    with (
        streaming(engine, f"/containers/{identifier}/wait", "POST", condition="next-exit") as exit_seen,
        streaming(engine, f"/containers/{identifier}/wait", "POST", condition="removed") as removed,
    ):
        done(engine.post(f"/containers/{identifier}/start"))
        assert json.loads(exit_seen.read()) == {"StatusCode": 5}
        assert engine.wait(identifier) == 5
        done(engine.delete(f"/containers/{identifier}"))
        assert json.loads(removed.read()) == {"StatusCode": 5}
    done(engine.post(f"/containers/{identifier}/wait"), 404)
    identifier = engine.create("true")
    answer = done(engine.post(f"/containers/{identifier}/wait?condition=nonsense"), 400)
    assert answer.message == 'invalid condition: "nonsense"'


# Names


def test_rename(engine: Engine) -> None:
    identifier = engine.run("sleep", "1000")
    other = engine.create("true", name="taken")
    old = engine.inspect(identifier)["Name"]
    done(engine.post(f"/containers/{identifier}/rename?name=fresh"))
    assert engine.inspect("fresh")["Id"] == identifier
    done(engine.get(f"/containers{old}/json"), 404)
    answer = done(engine.post("/containers/fresh/rename?name=taken"), 409)
    assert f'The container name "/taken" is already in use by container "{other}"' in answer.message
    engine.restart()
    assert engine.inspect(identifier)["Name"] == "/fresh"


# Ends that something follows


def test_auto_remove(engine: Engine) -> None:
    identifier = engine.create(*script("exit 4"), HostConfig={"AutoRemove": True}, Volumes={"/data": {}})
    with streaming(engine, f"/containers/{identifier}/wait", "POST", condition="removed") as removed:
        done(engine.post(f"/containers/{identifier}/start"))
        assert json.loads(removed.read()) == {"StatusCode": 4}
    done(engine.get(f"/containers/{identifier}/json"), 404)
    assert engine.get("/volumes").json["Volumes"] == []


@pytest.mark.parametrize(
    ("policy", "command", "wanted"),
    [
        ({"Name": "no"}, "exit 1", 1),
        ({"Name": "on-failure", "MaximumRetryCount": 2}, "exit 1", 3),
        ({"Name": "on-failure"}, "test $(wc -l </runs) -ge 2", 2),
        ({"Name": "on-failure"}, "exit 0", 1),
    ],
)
def test_a_restart_policy_that_comes_to_an_end(engine: Engine, policy: Any, command: str, wanted: int) -> None:
    identifier = engine.run(*script(f"echo run >>/runs; echo run; {command}"), HostConfig={"RestartPolicy": policy})
    until(lambda: engine.output(identifier).count("run") >= wanted, lambda: engine.output(identifier))
    until(lambda: outcome(engine, identifier)[0] == "exited", lambda: str(outcome(engine, identifier)))
    assert engine.output(identifier).count("run") == wanted
    assert engine.inspect(identifier)["RestartCount"] == wanted - 1


@pytest.mark.parametrize("policy", ["always", "unless-stopped"])
def test_a_restart_policy_without_an_end_but_a_stop(engine: Engine, policy: str) -> None:
    identifier = engine.run(*script("echo run; exit 0"), HostConfig={"RestartPolicy": {"Name": policy}})
    until(lambda: engine.output(identifier).count("run") >= 3, "it is not restarted")
    done(engine.post(f"/containers/{identifier}/stop"))
    assert outcome(engine, identifier)[0] == "exited"
    runs = engine.output(identifier)
    done(engine.post(f"/containers/{identifier}/start"))
    until(lambda: engine.output(identifier).count("run") > runs.count("run") + 1, "it is not restarted any more")


def test_a_restart_by_hand(engine: Engine) -> None:
    identifier = trapping(engine, "TERM")
    before = engine.inspect(identifier)["State"]
    done(engine.post(f"/containers/{identifier}/restart"))
    after = engine.inspect(identifier)["State"]
    assert after["Running"]
    assert after["Pid"] != before["Pid"]
    assert after["StartedAt"] > before["StartedAt"]
    says(engine, identifier, "ready\ngot it\nready\n")


def test_force_removes_what_runs(engine: Engine) -> None:
    identifier = engine.run("sleep", "1000")
    answer = done(engine.delete(f"/containers/{identifier}"), 409)
    assert "stop the container before removing or force remove" in answer.message
    done(engine.delete(f"/containers/{identifier}?force=1"))
    done(engine.get(f"/containers/{identifier}/json"), 404)
