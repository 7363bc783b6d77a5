"""One engine per module; a test that leaves a task or a descriptor of the engine behind fails."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine import Engine
from tests.integration.engine.rig import until
from tests.integration.streams.rig import attach, exec_run
from tests.requirements import DOCKER, mark_below

# An idle worker process is kept for 20 s.
HOLD_S = 30.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mark_below(Path(__file__).parent, items)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with Engine(tmp_path_factory.mktemp("engine")) as engine:
        engine.load_base_image()
        # What the first of each kind makes and keeps.
        identifier = engine.run("sleep", "60")
        exec_run(engine, identifier, "true")
        attach(engine, identifier).close()
        engine.remove_all()
        yield engine


@pytest.fixture(autouse=True)
def nothing_is_left(engine: Engine) -> Iterator[None]:
    held = engine.holdings()
    yield
    engine.remove_all()
    until(lambda: not engine.holdings() - held, lambda: engine.held_beyond(held), patience_s=HOLD_S)


@pytest.fixture
def docker(engine: Engine, tmp_path: Path) -> list[str]:
    """The client's command line, before the verb."""
    if not DOCKER:
        pytest.skip("not installed: docker (the command line client)")
    return [DOCKER, "--config", str(tmp_path / "docker"), "--host", f"unix://{engine.socket}"]
