"""Health checks in real containers: what runs, what is shown and told, and nothing that piles up."""

import time
from typing import Any

import pytest

from tests.engine import PATIENCE, Engine
from tests.integration.engine.rig import past_events, until

MS = 10**6


def checked(engine: Engine, *test: str, **fields: Any) -> str:
    """A running container with a health check; `fields` are of the check."""
    return engine.run("sleep", "600", Healthcheck={"Test": list(test), "Interval": 100 * MS, **fields})


def health(engine: Engine, identifier: str) -> Any:
    return engine.inspect(identifier)["State"].get("Health")


def becomes(engine: Engine, identifier: str, status: str) -> None:
    until(lambda: health(engine, identifier)["Status"] == status, lambda: health(engine, identifier))


def shown(engine: Engine, wanted: str) -> list[str]:
    found = engine.get("/containers/json", query={"filters": {"health": [wanted]}}).json
    return [each["Id"] for each in found]


def processes(engine: Engine, identifier: str) -> list[str]:
    return [line[-1] for line in engine.get(f"/containers/{identifier}/top").json["Processes"]]


def test_from_starting_to_healthy_to_unhealthy(engine: Engine) -> None:
    identifier = checked(engine, "CMD-SHELL", "test -e /good && echo fine", Retries=2, StartPeriod=600_000 * MS)
    assert health(engine, identifier) == {"Status": "starting", "FailingStreak": 0, "Log": []}
    assert shown(engine, "starting") == [identifier]
    assert engine.get("/containers/json").json[0]["Status"].endswith(" (health: starting)")
    code, _ = exec_in(engine, identifier, "touch", "/good")
    assert code == 0
    # The start interval is 5 s by default.
    becomes(engine, identifier, "healthy")
    listed = engine.get("/containers/json").json[0]
    assert listed["Status"].endswith(" (healthy)")
    assert listed["Health"] == {"Status": "healthy", "FailingStreak": 0}
    assert shown(engine, "healthy") == [identifier]
    last = health(engine, identifier)["Log"][-1]
    assert (last["ExitCode"], last["Output"]) == (0, "fine\n")
    assert last["Start"] < last["End"]
    exec_in(engine, identifier, "rm", "/good")
    becomes(engine, identifier, "unhealthy")
    assert shown(engine, "unhealthy") == [identifier]
    assert len(health(engine, identifier)["Log"]) <= 5
    told = [event["Action"] for event in past_events(engine, container=[identifier])]
    assert [word for word in told if word.startswith("health_status")] == [
        "health_status: healthy",
        "health_status: unhealthy",
    ]
    command = "/bin/sh -c test -e /good && echo fine"
    assert f"exec_create: {command}" in told
    assert f"exec_start: {command}" in told


def exec_in(engine: Engine, identifier: str, *command: str) -> tuple[int, str]:
    made = engine.post(f"/containers/{identifier}/exec", {"Cmd": list(command), "AttachStdout": True}).json["Id"]
    answer = engine.post(f"/exec/{made}/start", {"Tty": True})
    return engine.get(f"/exec/{made}/json").json["ExitCode"], answer.body.decode()


@pytest.mark.parametrize("runtime", ["crun", "runc"])
def test_a_probe_that_takes_too_long_is_killed_with_its_children(engine: Engine, runtime: str) -> None:
    identifier = engine.run(
        "sleep",
        "600",
        Healthcheck={
            "Test": ["CMD-SHELL", "echo part; sleep 601 & sleep 602; true"],
            "Interval": 100 * MS,
            "Timeout": 500 * MS,
            "Retries": 2,
        },
        HostConfig={"Runtime": runtime},
    )
    becomes(engine, identifier, "unhealthy")
    for each in health(engine, identifier)["Log"]:
        assert (each["ExitCode"], each["Output"]) == (-1, "Health check exceeded timeout (500ms): part\n")
    assert len([line for line in processes(engine, identifier) if "sleep 601" in line]) <= 2  # the one that runs


def test_who_it_runs_as(engine: Engine) -> None:
    identifier = engine.run(
        "sleep",
        "600",
        User="7:8",
        WorkingDir="/tmp",
        Env=["A=5"],
        Healthcheck={"Test": ["CMD-SHELL", "id -u; id -g; pwd; echo $A $HOSTNAME; echo err >&2"], "Interval": 100 * MS},
    )
    becomes(engine, identifier, "healthy")
    assert health(engine, identifier)["Log"][0]["Output"] == f"7\n8\n/tmp\n5 {identifier[:12]}\nerr\n"


def test_output_is_cut(engine: Engine) -> None:
    identifier = checked(engine, "CMD-SHELL", "head -c 100000 /dev/zero | tr '\\0' x")
    becomes(engine, identifier, "healthy")
    assert health(engine, identifier)["Log"][0]["Output"] == "x" * 4096 + "..."


def test_what_cannot_be_executed(engine: Engine) -> None:
    identifier = checked(engine, "CMD", "nope", Retries=1)
    becomes(engine, identifier, "unhealthy")
    first = health(engine, identifier)["Log"][0]
    assert first["ExitCode"] == -1
    assert 'exec: "nope": executable file not found in $PATH' in first["Output"]


def test_pause_restart_and_stop(engine: Engine) -> None:
    identifier = checked(engine, "CMD", "true")
    becomes(engine, identifier, "healthy")
    assert engine.post(f"/containers/{identifier}/pause").status == 204
    assert health(engine, identifier)["Status"] == "unhealthy"
    assert engine.post(f"/containers/{identifier}/unpause").status == 204
    becomes(engine, identifier, "healthy")
    assert engine.post(f"/containers/{identifier}/restart?t=0").status == 204
    assert health(engine, identifier)["Status"] in {"starting", "healthy"}
    becomes(engine, identifier, "healthy")
    assert engine.post(f"/containers/{identifier}/stop?t=0").status == 204
    stopped = health(engine, identifier)
    assert stopped["Status"] == "unhealthy"
    assert stopped["Log"] != []


def test_an_image_s_check_and_its_switching_off(engine: Engine) -> None:
    source = engine.create("true")
    check = ["CMD", "true"]
    answer = engine.post(
        f"/commit?container={source}&repo=wharfd/checked&tag=local",
        {"Healthcheck": {"Test": check, "Interval": 100 * MS}},
    )
    assert answer.status == 201, answer.body
    inherits = engine.run("sleep", "600", Image="wharfd/checked:local", Healthcheck={"Retries": 7})
    assert engine.inspect(inherits)["Config"]["Healthcheck"] == {"Test": check, "Interval": 100 * MS, "Retries": 7}
    becomes(engine, inherits, "healthy")
    without = engine.run("sleep", "600", Image="wharfd/checked:local", Healthcheck={"Test": ["NONE"]})
    assert health(engine, without) is None
    engine.remove_all()
    assert engine.delete("/images/wharfd/checked:local").status == 200


def test_the_start_interval_is_of_1_44(engine: Engine) -> None:
    body = {"Image": "wharfd/busybox:local", "Healthcheck": {"Test": ["CMD", "true"], "StartInterval": 2 * MS}}
    for version, kept in (("1.43", False), ("1.44", True)):
        made = engine.post("/containers/create", {**body, "Cmd": ["true"]}, version=version).json
        assert ("StartInterval" in engine.inspect(made["Id"])["Config"]["Healthcheck"]) is kept


def test_it_survives_the_engine(engine: Engine) -> None:
    identifier = checked(engine, "CMD-SHELL", "test ! -e /bad", Retries=1)
    becomes(engine, identifier, "healthy")
    engine.restart(kill=True)
    assert health(engine, identifier)["Status"] == "healthy"
    assert exec_in(engine, identifier, "touch", "/bad")[0] == 0
    becomes(engine, identifier, "unhealthy")


def test_many_probes_leave_nothing(engine: Engine) -> None:
    """Also at the end of the module's fixture: descriptors and tasks are as before."""
    many = [checked(engine, "CMD", "true", Interval=MS) for _ in range(5)]
    for identifier in many:
        becomes(engine, identifier, "healthy")
    before, resident = engine.holdings(), memory_kib(engine)
    count = 0
    deadline = time.monotonic() + 20 * PATIENCE
    while count < 300 and time.monotonic() < deadline:
        time.sleep(0.5)
        count = sum(1 for e in past_events(engine, event=["exec_die"], container=many))
    assert count >= 300
    after = engine.holdings()
    grown = {kind: number for kind, number in (after - before).items() if number > 3 * len(many)}
    assert grown == {}  # what the probes hold that run just now
    assert memory_kib(engine) - resident < 8 << 10


def memory_kib(engine: Engine) -> int:
    with open(f"/proc/{engine.pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))
