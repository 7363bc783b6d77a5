"""Every fuzz target holds on its seeds and on a few mutations of them; long runs are `python -m fuzz`."""

import importlib
import pkgutil
import random

import pytest

import fuzz
from fuzz.__main__ import mutate, run

TARGETS = sorted(module.name for module in pkgutil.iter_modules(fuzz.__path__) if not module.name.startswith("__"))


@pytest.mark.parametrize("name", TARGETS)
def test_target_holds(name: str) -> None:
    target = importlib.import_module(f"fuzz.{name}")
    rng = random.Random(7)
    for data in [*target.SEEDS, *(mutate(rng, target.SEEDS) for _ in range(60))]:
        target.fuzz_one(data)


def test_the_runner_sees_a_broken_target(capsys: pytest.CaptureFixture[str]) -> None:
    def broken(data: bytes) -> None:
        if b"x" in data:
            raise ValueError("found")

    assert run("whole", lambda data: None, [b"a"], random.Random(1), 5.0, 50)
    assert not run("broken", broken, [b"a", b"x"], random.Random(1), 5.0, 50)
    assert "broken by b'x'" in capsys.readouterr().out
