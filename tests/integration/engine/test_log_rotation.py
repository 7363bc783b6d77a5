"""Rotation in a real engine: sizes, what is read back, followers, and an engine that is killed while it rotates."""

import random
import re
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.engine import Engine
from tests.integration.engine.rig import script, until
from wharfd.wire.stdcopy import Decoder

# Lines with rising numbers, 5,000 at a time.
CHATTY = "n=0; while [ $n -lt {turns} ]; do seq $((n*5000+1)) $((n*5000+5000)); n=$((n+1)); {between}; done"


def chatty(engine: Engine, turns: int, *, between: str = "sleep 0.05", kind: str = "json-file", **options: str) -> str:
    dashed = {name.replace("_", "-"): value for name, value in options.items()}
    return engine.run(
        *script(CHATTY.format(turns=turns, between=between)),
        HostConfig={"LogConfig": {"Type": kind, "Config": dashed}, "NetworkMode": "none"},
    )


def files(engine: Engine, identifier: str) -> dict[str, int]:
    """Names behind the log's own, and sizes."""
    log = Path(engine.inspect(identifier)["LogPath"])
    return {path.name.removeprefix(log.name): path.stat().st_size for path in log.parent.glob(f"{log.name}*")}


def read(engine: Engine, identifier: str, **query: str) -> list[int]:
    answer = engine.get(f"/containers/{identifier}/logs", query={"stdout": "1", **query})
    assert answer.status == 200
    return [int(line) for line in b"".join(text for _, text in Decoder().feed(answer.body)).split()]


def names(found: dict[str, int]) -> set[str]:
    return {name for name in found if not name.endswith(".tmp")}


@pytest.mark.parametrize("kind", ["json-file", "local"])
def test_generations_are_made_and_deleted(engine: Engine, kind: str) -> None:
    identifier = chatty(engine, 20, kind=kind, max_size="100k", max_file="4", compress="true")
    engine.wait(identifier)
    until(
        lambda: names(files(engine, identifier)) == {"", ".1.gz", ".2.gz", ".3.gz"},
        lambda: str(files(engine, identifier)),
    )
    found = read(engine, identifier)
    assert found == list(range(found[0], 100_001))
    assert found[0] > 1  # the oldest are gone
    assert read(engine, identifier, tail="30000") == found[-30_000:]
    assert read(engine, identifier, tail="1") == [100_000]


def test_a_follower_gets_every_line_once(engine: Engine) -> None:
    identifier = chatty(engine, 40, max_size="200k", max_file="2")
    seen: list[int] = []

    def follow() -> None:
        seen.extend(read(engine, identifier, follow="1"))

    follower = threading.Thread(target=follow)
    follower.start()
    engine.wait(identifier)
    follower.join(60)
    assert seen == list(range(1, 200_001))
    assert names(files(engine, identifier)) == {"", ".1"}


@pytest.mark.parametrize("seed", range(3))
def test_an_engine_that_is_killed_loses_no_line(engine: Engine, seed: int) -> None:
    chance = random.Random(seed)
    identifier = chatty(engine, 60, between="sleep 0.02", max_size="50k", max_file="1000", compress="true")
    for _ in range(5):
        time.sleep(chance.uniform(0.05, 0.6))
        engine.restart(kill=True)
    engine.wait(identifier)
    assert read(engine, identifier) == list(range(1, 300_001))
    assert len(files(engine, identifier)) >= 3
    assert not [name for name in files(engine, identifier) if not re.fullmatch(r"(\.\d+(\.gz)?|\.tmp|)", name)]


def test_a_run_goes_on_where_the_last_one_ended(engine: Engine) -> None:
    identifier = chatty(engine, 2, max_size="60k", max_file="100")
    engine.wait(identifier)
    for _ in range(2):
        assert engine.post(f"/containers/{identifier}/start").status == 204
        engine.wait(identifier)
    assert read(engine, identifier) == list(range(1, 10_001)) * 3


def test_what_is_not_asked_for_is_not_in_the_answers(engine: Engine) -> None:
    """The defaults are the engine's own; inspect shows what was asked for."""
    identifier = engine.create("true", HostConfig={"LogConfig": {"Type": "", "Config": {}}})
    shown: Any = engine.inspect(identifier)["HostConfig"]["LogConfig"]
    assert shown == {"Type": "json-file", "Config": {}}
    refused = engine.post(
        "/containers/create",
        {
            "Image": "wharfd/busybox:local",
            "Cmd": ["true"],
            "HostConfig": {"LogConfig": {"Type": "local", "Config": {"max-file": "1"}}},
        },
    )
    assert (refused.status, refused.message) == (400, "compression cannot be enabled when max file count is 1")


def test_removing_a_container_that_writes(engine: Engine) -> None:
    for _ in range(5):
        identifier = chatty(engine, 1000, between="true", max_size="20k", max_file="5", compress="true")
        time.sleep(0.3)
        assert engine.delete(f"/containers/{identifier}?force=1").status == 204
    assert engine.get("/containers/json?all=1").json == []
