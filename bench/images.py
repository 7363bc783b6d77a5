"""Images on their way: from an archive, to a registry, back from it, out as an archive, and away.

    files     200 MB in 20,000 files, two layers: what a system's root file system is like
    layers    40 layers of 2 MB

The registry is Debian's, one in the network namespace of each engine, on one directory.  While the large image is pulled, somebody asks
for the list of containers again and again.  Loopback brings a blob faster than any line; so the same image is pulled once more with the
line held to 400 Mbit/s (tc's token bucket on the loopback of the engine's namespace).
"""

import gzip
import random
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from statistics import median, quantiles

from bench.client import Connection
from bench.measures import Figures, Target, now
from bench.memory import cpu_seconds
from tests.images import archive, image
from tests.registries.inside import registry_inside
from tests.tars import directory, entry, tar_of

PORT = 5043
LINE_MBIT = 400
REPOSITORY = f"127.0.0.1:{PORT}/bench"


def content(random_bytes: random.Random, size: int) -> bytes:
    """Half of it compresses well, as programs and texts do."""
    half = size // 2
    return random_bytes.randbytes(half) + b"The same words again and again. " * (half // 32)


def layer_of(seed: int, files: int, size: int) -> bytes:
    source = random.Random(seed)
    members = [directory(f"d{seed}")]
    for number in range(files):
        if number % 100 == 0:
            members.append(directory(f"d{seed}/{number // 100}"))
        members.append(entry(f"d{seed}/{number // 100}/f{number}", content(source, size)))
    return tar_of(*members)


@cache
def packed(kind: str, scale: int) -> bytes:
    """An archive of the image `KIND:1`; `scale` divides what is in it."""
    if kind == "files":
        plain = [layer_of(number, 10_000 // scale, 10_000) for number in range(2)]
    else:
        plain = [layer_of(100 + number, 20 // min(scale, 4), 100_000) for number in range(40)]
    stored = [gzip.compress(each, 6, mtime=0) for each in plain]
    return archive(image(f"{REPOSITORY}/{kind}:1", layers=plain, stored=stored), oci=True)


def images(target: Target, quick: bool) -> Figures:
    """Nothing of an engine whose network namespace is not known."""
    if not target.netns:
        return {}
    figures: Figures = {}
    with (
        tempfile.TemporaryDirectory(prefix="wharf-bench-registry-", dir="/var/tmp") as folder,
        registry_inside(target.netns, Path(folder), PORT),
        target.connect() as c,
    ):
        for kind in ("files", "layers"):
            figures |= ways(target, c, kind, packed(kind, 10 if quick else 1))
    return figures


def ways(target: Target, c: Connection, kind: str, data: bytes) -> Figures:
    name = f"{REPOSITORY}/{kind}"
    figures: Figures = {}

    @contextmanager
    def timed(what: str) -> Iterator[None]:
        t0 = now()
        yield
        figures[f"{what}_{kind}_ms"] = (now() - t0) * 1e3

    with timed("load"):
        done(c.request("POST", "/images/load", data))
    with timed("push"):
        done(c.request("POST", f"/images/{name}/push?tag=1&tlsVerify=false"))
    with timed("save"):
        done(c.request("GET", f"/images/{name}:1/get"))
    rest(target)
    with timed("delete"):
        done(c.request("DELETE", f"/images/{name}:1?force=1"))
    rest(target)  # what a deletion leaves to the background is not the pull's
    with asked_meanwhile(target, kind, figures), timed("pull"):
        done(c.request("POST", f"/images/create?fromImage={name}&tag=1&tlsVerify=false"))
    with timed("pull_again"):
        done(c.request("POST", f"/images/create?fromImage={name}&tag=1&tlsVerify=false"))
    done(c.request("DELETE", f"/images/{name}:1?force=1"))
    rest(target)
    with line(target.netns, LINE_MBIT), timed(f"pull_{LINE_MBIT}mbit"):
        done(c.request("POST", f"/images/create?fromImage={name}&tag=1&tlsVerify=false"))
    done(c.request("DELETE", f"/images/{name}:1?force=1"))
    return figures


@contextmanager
def line(netns: str, mbit: int) -> Iterator[None]:
    """A loopback that carries so much."""
    tc = ["nsenter", f"--net={netns}", "tc", "qdisc"]
    subprocess.run(
        [*tc, "add", "dev", "lo", "root", "tbf", "rate", f"{mbit}mbit", "burst", "1mb", "latency", "50ms"], check=True
    )
    try:
        yield
    finally:
        subprocess.run([*tc, "del", "dev", "lo", "root"], check=True)


@contextmanager
def asked_meanwhile(target: Target, kind: str, figures: Figures) -> Iterator[None]:
    """How long the list of containers takes during the block, and before it."""
    over = threading.Event()
    times: list[float] = []

    def ask() -> None:
        with target.connect() as c:
            while not over.is_set():
                t0 = now()
                c.request("GET", "/containers/json")
                times.append((now() - t0) * 1e3)
                over.wait(0.01)

    with target.connect() as c:
        idle = []
        for _ in range(50):
            t0 = now()
            c.request("GET", "/containers/json")
            idle.append((now() - t0) * 1e3)
            over.wait(0.01)
    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield
    finally:
        over.set()
        asking.join()
    figures[f"list_idle_{kind}_ms"] = median(idle)
    figures[f"list_while_pulling_{kind}_ms"] = median(times)
    figures[f"list_while_pulling_{kind}_p99_ms"] = quantiles(times, n=100)[-1] if len(times) > 1 else times[0]


def rest(target: Target, patience_s: float = 60.0) -> None:
    """Wait until the engine does nothing any more."""
    deadline = now() + patience_s
    before, quiet = cpu_seconds(target.netns), 0
    while quiet < 3 and now() < deadline:
        time.sleep(0.2)
        after = cpu_seconds(target.netns)
        quiet = quiet + 1 if after - before < 0.02 else 0
        before = after


def done(answer: tuple[int, bytes]) -> None:
    status, body = answer
    if status != 200 or b'"errorDetail"' in body:
        raise RuntimeError(f"{status} {body[-500:]!r}")
