"""The engine kills itself before and after every port call of create, start, exit and removal; the next one puts everything in order.

Each operation is done once to note the calls that it makes, then once for each of them with the engine dying there.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.engine import BASE_IMAGE, PATIENCE, Engine, settled
from tests.images import archive, image, layer
from tests.integration.engine.dying import all_calls, faulty_engine, is_dead, order, tried
from tests.integration.engine.rig import actions, difference, done, outcome, past_events, script, started, until
from tests.tars import entry
from wharfd.testing.faults import Fault, Phase

NAME = "box"
CONFIG: dict[str, Any] = {"Image": BASE_IMAGE, "Volumes": {"/data": {}}}
WAITS = script("echo up; while [ ! -e /go ]; do sleep 0.02; done; exit 7")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with faulty_engine(tmp_path_factory.mktemp("engine")) as engine:
        engine.load_base_image()
        yield engine


# Operations.  Each begins with what it needs, gives the status of its answer, and says what must be true of the next engine.


@dataclass
class Operation:
    prepare: Callable[[Engine], None]
    operate: Callable[[Engine], int]
    verify: Callable[[Engine, int], None]
    first: str = ""  # what comes before this call is another operation's
    last: str = ""  # what comes after this one, too


def exists(engine: Engine) -> bool:
    return engine.get(f"/containers/{NAME}/json").status == 200


def create(engine: Engine) -> int:
    return tried(lambda: engine.post(f"/containers/create?name={NAME}", {**CONFIG, "Cmd": ["true"]}))


def is_created_or_not(engine: Engine, status: int) -> None:
    if exists(engine):
        assert outcome(engine, NAME) == ("created", 0)
        assert len(engine.get("/volumes").json["Volumes"]) == 1
    else:
        assert status == 0
        assert engine.get("/volumes").json["Volumes"] == []
        assert create(engine) == 201
    done(engine.post(f"/containers/{NAME}/start"))
    assert engine.wait(NAME) == 0


def created(engine: Engine) -> None:
    engine.create("sleep", "1000", name=NAME, **CONFIG)


def start(engine: Engine) -> int:
    return tried(lambda: engine.post(f"/containers/{NAME}/start"))


def runs_or_not(engine: Engine, status: int) -> None:
    state, code = outcome(engine, NAME)
    starts, ends = runs(engine)
    if state == "running":
        assert (starts, ends) == (1, 0)
        pid = engine.inspect(NAME)["State"]["Pid"]
        assert b"sleep" in Path(f"/proc/{pid}/cmdline").read_bytes()
    else:
        assert status == 0
        assert (state, code) == ("created", 0)
        assert (starts, ends) == (0, 0)
        assert engine.inspect(NAME)["State"]["Error"] == ""
        done(engine.post(f"/containers/{NAME}/start"))
    done(engine.post(f"/containers/{NAME}/stop?t=0"))
    assert outcome(engine, NAME) == ("exited", 137)


def runs(engine: Engine) -> tuple[int, int]:
    """How often it was told to have started and to have ended."""
    told = actions(past_events(engine, container=[engine.inspect(NAME)["Id"]]))
    return told.count("container start"), told.count("container die")


def waiting(engine: Engine) -> None:
    started(engine, *WAITS, says_first="up", name=NAME, **CONFIG)


def waiting_to_be_removed(engine: Engine) -> None:
    started(engine, *WAITS, says_first="up", name=NAME, HostConfig={"AutoRemove": True}, **CONFIG)


def end(engine: Engine) -> int:
    pid = engine.inspect(NAME)["State"]["Pid"]
    Path(f"/proc/{pid}/root/go").touch()
    until(lambda: not Path(f"/proc/{pid}/root/go").exists(), "it does not end")
    return 0


def has_ended(engine: Engine, status: int) -> None:
    assert outcome(engine, NAME) == ("exited", 7)
    assert runs(engine) == (1, 1)
    assert engine.wait(NAME) == 7
    assert engine.output(NAME) == "up\n"


def is_gone(engine: Engine, status: int) -> None:
    assert not exists(engine)
    assert engine.get("/volumes").json["Volumes"] == []


def ended(engine: Engine) -> None:
    engine.run("true", name=NAME, **CONFIG)
    assert engine.wait(NAME) == 0
    until(lambda: engine.traces()["mounts"] == [engine.netns] and not engine.processes(), "its run is not taken down")
    # Nor is anything of that still under way when its lock is free.
    done(engine.post(f"/containers/{NAME}/update", {}), 200)


def remove(engine: Engine) -> int:
    return tried(lambda: engine.delete(f"/containers/{NAME}?v=1&force=1"))


def is_gone_or_whole(engine: Engine, status: int) -> None:
    if exists(engine):
        assert status == 0
        state, code = outcome(engine, NAME)
        assert (state, code) in {("exited", 0), ("exited", 137), ("running", 0)}
        assert len(engine.get("/volumes").json["Volumes"]) == 1
        done(engine.delete(f"/containers/{NAME}?v=1&force=1"))
    is_gone(engine, status)


def running(engine: Engine) -> None:
    created(engine)
    done(engine.post(f"/containers/{NAME}/start"))


def nothing(engine: Engine) -> None:
    assert not exists(engine)


IMAGE = "kill:me"
ARCHIVE = archive(image(IMAGE, layers=[layer(entry("one", b"1")), layer(entry("two", b"2"))]))


def has_image(engine: Engine) -> bool:
    return engine.get(f"/images/{IMAGE}/json").status == 200


def load(engine: Engine) -> int:
    return tried(lambda: engine.post("/images/load", ARCHIVE))


def loaded(engine: Engine) -> None:
    done(engine.post("/images/load", ARCHIVE), 200)
    assert has_image(engine)


def is_loaded_or_not(engine: Engine, status: int) -> None:
    if not has_image(engine):
        loaded(engine)
    # Its layers are whole: a container stands on them, though there is no program to run.
    done(engine.post(f"/containers/create?name={NAME}", {"Image": IMAGE, "Cmd": ["/two"]}), 201)
    assert '"/two": permission denied' in done(engine.post(f"/containers/{NAME}/start"), 400).message
    done(engine.delete(f"/containers/{NAME}"))
    has_no_image_any_more(engine, 0)


def remove_image(engine: Engine) -> int:
    return tried(lambda: engine.delete(f"/images/{IMAGE}"))


def has_no_image_any_more(engine: Engine, status: int) -> None:
    if has_image(engine):
        assert status == 0
        done(engine.delete(f"/images/{IMAGE}"), 200)
    assert not has_image(engine)


OPERATIONS = {
    "load": Operation(nothing, load, is_loaded_or_not),
    "image removal": Operation(loaded, remove_image, has_no_image_any_more),
    "create": Operation(nothing, create, is_created_or_not),
    "start": Operation(created, start, runs_or_not),
    "exit": Operation(waiting, end, has_ended),
    "exit and removal": Operation(waiting_to_be_removed, end, is_gone, first="records.commit:2:before"),
    "removal": Operation(ended, remove, is_gone_or_whole),
    "removal of a running one": Operation(running, remove, is_gone_or_whole, last="records.commit:1:after"),
}


def survey(engine: Engine, operation: Operation, quiet: dict[str, list[str]]) -> list[Fault]:
    """Where the engine can die in this operation and in what comes of it."""
    operation.prepare(engine)
    order(engine, None)
    operation.operate(engine)
    calls = all_calls(engine)
    engine.remove_all()
    engine.delete(f"/images/{IMAGE}")
    assert difference(quiet, settled(engine, quiet)) == []
    return calls


def stored(engine: Engine) -> list[str]:
    """Blobs, and whatever else lies in the content store, and layers."""
    content = [str(file) for file in (engine.data_root / "content").rglob("*") if file.is_file()]
    return sorted([*content, *map(str, (engine.data_root / "overlay2/layers").iterdir())])


def worth_dying_at(calls: list[Fault], operation: Operation) -> list[Fault]:
    """Without what is another operation's, and without the beginnings that follow upon an end: nothing has changed in between."""
    places = [f"{fault.point}:{fault.nth}:{fault.phase}" for fault in calls]
    begin = places.index(operation.first) if operation.first else 0
    end = places.index(operation.last) + 1 if operation.last else len(calls)
    return [
        fault
        for number, fault in enumerate(calls)
        if begin <= number < end
        and (fault.phase is Phase.AFTER or number == begin or calls[number - 1].phase is Phase.BEFORE)
    ]


def live(engine: Engine, operation: Operation, fault: Fault, quiet: dict[str, list[str]]) -> None:
    content = stored(engine)
    operation.prepare(engine)
    order(engine, fault)
    status = operation.operate(engine)
    until(lambda: is_dead(engine), "the engine does not come to this call")
    engine.start()
    operation.verify(engine, status)
    engine.remove_all()
    assert difference(quiet, settled(engine, quiet)) == []
    until(lambda: stored(engine) == content, lambda: f"{sorted(set(stored(engine)) ^ set(content))}")


@pytest.mark.timeout(300 * PATIENCE)
@pytest.mark.parametrize("name", OPERATIONS)
def test_kill_at_every_step(engine: Engine, quiet: dict[str, list[str]], name: str) -> None:
    operation = OPERATIONS[name]
    for fault in worth_dying_at(survey(engine, operation, quiet), operation):
        try:
            live(engine, operation, fault, quiet)
        except AssertionError as error:
            raise AssertionError(f"died {fault.phase} call {fault.nth} of {fault.point}: {error}") from error
