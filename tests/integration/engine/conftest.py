"""One engine per module; every test leaves the host, and the engine itself, as it found them."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine import Engine, settled
from tests.integration.engine.rig import difference, until
from tests.requirements import mark_below

# An idle worker process is kept for 20 s.
HOLD_S = 30.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mark_below(Path(__file__).parent, items)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with Engine(tmp_path_factory.mktemp("engine")) as engine:
        engine.load_base_image()
        yield engine


@pytest.fixture(scope="module")
def quiet(engine: Engine) -> dict[str, list[str]]:
    """Its traces when it does nothing, with the directories that are made at their first use."""
    traces = engine.traces()
    engine.run_to_end("true", Volumes={"/data": {}})
    return settled(engine, {**traces, "files": warm_files(engine)})


def warm_files(engine: Engine) -> list[str]:
    until(
        lambda: not any(re.search(r"[0-9a-f]{12}", file) for file in engine.traces()["files"]),
        "the container is still there",
    )
    return engine.traces()["files"]


@pytest.fixture(autouse=True)
def nothing_is_left(engine: Engine, quiet: dict[str, list[str]]) -> Iterator[None]:
    held = engine.holdings()
    yield
    engine.remove_all()
    found = settled(engine, quiet)
    come_and_gone = difference(quiet, found)
    quiet.update(found)  # what one test has left is not the next one's fault
    assert come_and_gone == []
    until(lambda: not engine.holdings() - held, lambda: engine.held_beyond(held), patience_s=HOLD_S)
