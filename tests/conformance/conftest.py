"""One engine for each module, with the base image, for clients that others have written."""

from collections.abc import Iterator

import pytest

from tests.engine import Engine


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with Engine(tmp_path_factory.mktemp("engine")) as running:
        running.load_base_image()
        yield running
