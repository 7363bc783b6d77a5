"""The engine kills itself at every port call of a pull from a real registry, on real drivers; the next one is in order, and goes on.

The same on fakes, and faster, is tests/unit/engine/images/test_death_in_pull.py.
"""

from collections.abc import Iterator

import pytest

from tests.engine import PATIENCE, Engine
from tests.integration.engine.dying import all_calls, faulty_engine, is_dead, order, tried
from tests.integration.engine.rig import until
from tests.integration.exchange.conftest import OPEN
from tests.integration.exchange.images import check_runs, load
from tests.registries.inside import registry_inside
from wharfd.testing.faults import Fault, Phase

pytestmark = pytest.mark.root

SIZES = (300_000, 1_200_000)
NAME = f"127.0.0.1:{OPEN}/kill/me:1"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("killed")
    with faulty_engine(folder / "engine") as engine, registry_inside(engine.netns, folder / "registry", OPEN):
        load(engine, NAME, *SIZES)
        assert b"error" not in engine.post(f"/images/{NAME}/push").body
        engine.delete(f"/images/{NAME}")
        yield engine


def pull(engine: Engine) -> int:
    return tried(lambda: engine.post("/images/create", query={"fromImage": NAME}))


def on_disk(engine: Engine) -> set[str]:
    data = engine.data_root
    places = ["content/blobs/sha256", "content/ingest", "overlay2/layers", "overlay2/unpacking", "overlay2/trash"]
    return {f"{place}/{each.name}" for place in places for each in (data / place).iterdir()}


def remnants(engine: Engine) -> set[str]:
    return {each.name for each in (engine.data_root / "content/partial").iterdir()}


def ends(calls: list[Fault]) -> list[Fault]:
    """Nothing changes between an end and the beginning that follows it; into how many pieces a blob falls is different each time."""
    return [
        fault
        for number, fault in enumerate(calls)
        if (fault.phase is Phase.AFTER or number == 0 or calls[number - 1].phase is Phase.BEFORE)
        and (fault.point != "partial.write" or fault.nth <= 2)
    ]


@pytest.mark.timeout(300 * PATIENCE)
def test_kill_at_every_call(engine: Engine) -> None:
    order(engine, None)
    assert pull(engine) == 200
    calls = all_calls(engine)
    whole = on_disk(engine)
    engine.delete(f"/images/{NAME}")
    assert {"content.partial", "partial.commit", "layers.unpack", "records.commit"} <= {fault.point for fault in calls}
    for fault in ends(calls):
        try:
            die_and_go_on(engine, fault, whole)
        except AssertionError as error:
            raise AssertionError(f"died {fault.phase} call {fault.nth} of {fault.point}: {error}") from error


def die_and_go_on(engine: Engine, fault: Fault, whole: set[str]) -> None:
    order(engine, fault)
    pull(engine)
    until(lambda: is_dead(engine), "it does not come to this call")
    engine.start()
    if engine.get("/images/json").json:
        until(lambda: on_disk(engine) == whole, lambda: f"{on_disk(engine) ^ whole}")
    else:
        assert {each.rpartition("/")[2] for each in on_disk(engine)} <= remnants(engine)
    assert pull(engine) == 200
    assert remnants(engine) == set()
    check_runs(engine, NAME, *SIZES)
    assert engine.delete(f"/images/{NAME}").status == 200
    until(lambda: on_disk(engine) == set(), lambda: f"{on_disk(engine)}")
