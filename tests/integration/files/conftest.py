"""One engine per module, left as it was found."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine import Engine
from tests.requirements import mark_below


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mark_below(Path(__file__).parent, items)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with Engine(tmp_path_factory.mktemp("files")) as engine:
        engine.load_base_image()
        yield engine


@pytest.fixture(autouse=True)
def nothing_is_mounted(engine: Engine) -> Iterator[None]:
    yield
    if engine.process is not None and engine.process.poll() is None:
        engine.remove_all()
    mounts = [mount for mount in engine.traces()["mounts"] if "/containers/" in mount]
    assert mounts == []
