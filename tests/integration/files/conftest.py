"""One engine per module, left as it was found."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine import Engine

NEEDED = ("conmon", "crun", "busybox", "nft", "ip", "nsenter")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = [program for program in NEEDED if shutil.which(program) is None]
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.root)
            item.add_marker(pytest.mark.skipif(os.geteuid() != 0, reason="needs root"))
            item.add_marker(pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}"))


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
