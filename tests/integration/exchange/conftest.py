"""A real engine, and registries in its network namespace: an open one, and one with accounts."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.api.faults import faults
from tests.engine import Engine
from tests.registries.inside import registry_inside

HERE = Path(__file__).parent
OPEN, CLOSED = 5000, 5001


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents and shutil.which("docker-registry") is None:
            item.add_marker(pytest.mark.skip(reason="not installed: docker-registry"))


@dataclass
class Rig:
    """`open` and `closed` are where the registries keep their blobs."""

    engine: Engine
    open: Path
    closed: Path

    def stored(self) -> list[str]:
        """Blobs, remnants and layers on the engine's disk, and what is on its way."""
        data = self.engine.data_root
        places = ["content/blobs/sha256", "content/partial", "content/ingest", "overlay2/layers", "overlay2/unpacking"]
        return sorted(f"{place}/{each.name}" for place in places for each in (data / place).iterdir())

    def forget_images(self) -> None:
        """No image, no remnant, no layer."""
        self.engine.remove_all()
        for image in self.engine.get("/images/json").json:
            assert self.engine.delete(f"/images/{image['Id']}", query={"force": "1"}).status == 200
        assert self.engine.post("/images/prune").status == 200


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    folder = tmp_path_factory.mktemp("exchange")
    with (
        Engine(folder / "engine") as engine,
        registry_inside(engine.netns, folder / "open", OPEN) as unguarded,
        registry_inside(engine.netns, folder / "closed", CLOSED, htpasswd=True) as closed,
    ):
        yield Rig(engine, unguarded, closed)
        found = faults(engine.log)
    assert not found, found[0]


@pytest.fixture
def rig(machine: Rig) -> Iterator[Rig]:
    """Without images before and after."""
    yield machine
    machine.forget_images()
    assert machine.stored() == []
