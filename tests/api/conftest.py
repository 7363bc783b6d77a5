"""One real engine for the tables of a module."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.faults import faults
from tests.engine import Engine


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    directory: Path = tmp_path_factory.mktemp("engine")
    with Engine(directory) as running:
        running.load_base_image()
        yield running
        found = faults(running.log)
    assert not found, found[0]
