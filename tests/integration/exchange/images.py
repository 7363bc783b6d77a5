"""Images that run, of any size, in the engine and in its registry."""

import hashlib
from pathlib import Path
from typing import Any

from tests.engine import Engine
from tests.images import archive, image, layer
from tests.tars import directory, entry

BUSYBOX = Path("/bin/busybox")


def noise(size: int, seed: int) -> bytes:
    return hashlib.shake_128(seed.to_bytes(8, "big")).digest(size)


def runnable_layers(*sizes: int) -> list[bytes]:
    """The first with a shell, the others with a file of that many bytes that do not get smaller when compressed."""
    program = BUSYBOX.read_bytes()
    base = layer(directory("bin"), entry("bin/sh", program, mode=0o755), entry("bin/sha256sum", program, mode=0o755))
    return [base, *(layer(entry(f"noise{number}", noise(size, number))) for number, size in enumerate(sizes))]


def load(engine: Engine, name: str, *sizes: int) -> dict[str, Any]:
    """As inspect shows it."""
    answer = engine.post("/images/load", archive(image(name, layers=runnable_layers(*sizes)), oci=True))
    assert b"error" not in answer.body, answer.body
    found: dict[str, Any] = engine.get(f"/images/{name}/json").json
    return found


def check_runs(engine: Engine, name: str, *sizes: int) -> None:
    """Every file is there, and what it should be."""
    command = "sha256sum /noise* | while read a b; do echo $a; done" if sizes else "echo"
    code, output = engine.run_to_end("sh", "-c", command, Image=name, Env=["PATH=/bin"])
    assert (code, output.split()) == (
        0,
        [hashlib.sha256(noise(size, number)).hexdigest() for number, size in enumerate(sizes)],
    )
