"""One real engine per module, with the base image; no trace of a build may remain on the host."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine import Engine, settled
from tests.integration.build.contexts import Builder
from tests.requirements import mark_below


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mark_below(Path(__file__).parent, items)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with Engine(tmp_path_factory.mktemp("e")) as engine:
        engine.load_base_image()
        yield engine


@pytest.fixture
def builder(engine: Engine) -> Iterator[Builder]:
    """For one test, after which the host is as it was before."""
    before = engine.traces()
    yield Builder(engine)
    engine.remove_all()
    after = settled(engine, before)
    assert json.dumps(after, indent=1) == json.dumps(before, indent=1)


@pytest.fixture
def lone(tmp_path: Path) -> Iterator[Engine]:
    """An engine of one test's own, which may be killed."""
    with Engine(tmp_path) as engine:
        engine.load_base_image()
        yield engine
