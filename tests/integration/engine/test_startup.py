"""An engine that cannot start says why and ends; it does not linger, and it leaves alone what another engine holds."""

import os
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.engine import START_TIMEOUT_S, Engine
from tests.integration.engine.rig import until


def told(engine: Engine, *flags: str, **places: Path) -> str:
    """What a second engine says that is given these flags; it must end by itself."""
    other = replace(engine, directory=places.pop("directory"), process=None)
    for name, place in places.items():
        setattr(other, name, place)
    other.netns = engine.netns
    other.directory.mkdir(exist_ok=True)
    done = subprocess.run(
        [*other.command(), *flags],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=START_TIMEOUT_S,
    )
    assert done.returncode == 1, done.stderr
    return done.stderr


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--default-runtime=nope"], "the OCI runtime nope is not installed"),
        (["--min-api-version=1.99"], "min-api-version 1.99 is not within 1.24 and 1.55"),
        (["--min-api-version=new"], "min-api-version: invalid API version: new"),
        (["--seccomp-profile=/nowhere/x"], "opening seccomp profile (/nowhere/x) failed: no such file or directory"),
        (["--bip=300.1.1.1/8"], "invalid bip 300.1.1.1/8"),
    ],
)
def test_what_is_wrong_is_told_without_a_traceback(
    engine: Engine, tmp_path: Path, flags: list[str], words: str
) -> None:
    said = told(engine, "--bridge=wtother", *flags, directory=tmp_path)
    assert words in said
    assert "Traceback" not in said


def test_one_engine_per_exec_root(engine: Engine, tmp_path: Path) -> None:
    """The second would take down what the first one runs, since its records know nothing of it."""
    assert f"another engine runs here: {engine.exec_root}/lock" in told(
        engine, "--bridge=wtother", directory=tmp_path, exec_root=engine.exec_root
    )


def test_one_engine_per_bridge(engine: Engine, tmp_path: Path) -> None:
    """Each would give out the other's addresses."""
    assert f"another engine uses the bridge {engine.tag}" in told(engine, f"--bridge={engine.tag}", directory=tmp_path)


def test_unforeseen_error_ends_the_engine(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "records.db").write_bytes(b"this is no database" * 100)
    assert "the engine cannot start" in told(engine, "--bridge=wtother", directory=tmp_path)


def test_it_writes_what_it_is_doing_on_sigusr1(engine: Engine) -> None:
    file = engine.exec_root / "stacks.txt"
    os.kill(engine.pid, signal.SIGUSR1)
    until(lambda: file.exists() and "thread MainThread" in file.read_text(), "no stacks are written")
    assert "task image-garbage" in file.read_text()
