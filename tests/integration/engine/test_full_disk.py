"""A disk without a free byte: nothing is lost, what is there can be removed, and the engine starts."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine import Engine
from tests.integration.engine.rig import done, until


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Engine]:
    data = tmp_path / "engine" / "data"
    data.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", str(data)], check=True)
    try:
        with Engine(tmp_path / "engine") as engine:
            engine.load_base_image()
            yield engine
    finally:
        subprocess.run(
            ["umount", "-q", "-l", str(data)], check=False
        )  # closing the engine has done it, unless it failed


def fill(engine: Engine) -> Path:
    file = engine.data_root / "filler"
    with open(file, "ab") as out:
        size = 1 << 20
        while size:
            try:
                os.write(out.fileno(), b"x" * size)
            except OSError:
                size //= 2
    return file


def test_containers_are_removed_on_a_full_disk(small: Engine) -> None:
    running = small.run("sleep", "1000")
    others = [small.create("true") for _ in range(20)]
    fill(small)
    done(small.delete(f"/containers/{running}?force=1"))
    for other in others:
        done(small.delete(f"/containers/{other}"))
    assert small.get("/containers/json?all=1").json == []


def test_an_engine_killed_on_a_full_disk_comes_back(small: Engine) -> None:
    running = small.run("sleep", "1000")
    fill(small)
    small.restart(kill=True)
    assert small.inspect(running)["State"]["Running"]
    done(small.delete(f"/containers/{running}?force=1"))


def test_the_reserve_is_made_again_when_there_is_room(small: Engine) -> None:
    reserve = small.data_root / "records.db.reserve"
    assert reserve.stat().st_size == 16 << 20
    running = small.run("sleep", "1000")
    filler = fill(small)
    created = 0
    while reserve.exists() and created < 2000:
        # Renaming writes records and little else.
        small.post(f"/containers/{running}/rename?name=name-{created}")
        created += 1
    assert not reserve.exists()
    filler.unlink()
    for _ in range(20):
        done(small.delete(f"/containers/{small.create('true')}"))
    until(lambda: reserve.exists() and reserve.stat().st_size == 16 << 20, "the reserve is not made again")
