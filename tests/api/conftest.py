"""One engine for each module, with the base image."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine import Engine


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Engine]:
    with Engine(directory(tmp_path_factory)) as engine:
        if engine.get("/images/json").status == 200:
            engine.load_base_image()
        yield engine


def directory(factory: pytest.TempPathFactory) -> Path:
    """Short enough for a UNIX socket."""
    return factory.mktemp("e")
