"""One engine per module; a test that leaves a task or a descriptor of the engine behind fails."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine import Engine
from tests.integration.engine.rig import until
from tests.integration.streams.rig import attach, exec_run

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
    held, pid = engine.holdings(), engine.pid
    yield
    engine.remove_all()
    if engine.pid != pid:
        return  # another process: what it holds says nothing of what the first one held
    until(
        lambda: not engine.holdings() - held, lambda: f"the engine holds more than before: {engine.holdings() - held}"
    )


@pytest.fixture
def docker(engine: Engine, tmp_path: Path) -> list[str]:
    """The client's command line, before the verb."""
    program = shutil.which("docker")
    if program is None:
        pytest.skip("not installed: docker (the command line client)")
    return [program, "--config", str(tmp_path / "docker"), "--host", f"unix://{engine.socket}"]
