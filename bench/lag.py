"""How late the engine's event loop comes to what is due while an image is pulled, and while nothing is done.

    python -m bench.lag [--quick]     percentiles in milliseconds; the image is that of 200 MB in 20,000 files of `bench.images`

A timer of 2 ms runs on the loop (`bench.lag_main`); how much later than due it comes is how long anything else would have waited.  What
the machine itself takes from the process shows in the idle row; `own` is what the loop was at itself between two timers, in processor time.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import quantiles

from bench.images import PORT, REPOSITORY, packed
from tests.engine import Engine
from tests.registries.inside import registry_inside


def main(quick: bool) -> None:
    with tempfile.TemporaryDirectory(prefix="wharf-lag-", dir="/var/tmp") as folder:
        noted = Path(folder) / "lag"
        engine = Engine(Path(folder) / "e", main=("-m", "bench.lag_main"), environment={"WHARFD_LAG": str(noted)})
        with engine, registry_inside(engine.netns, Path(folder) / "registry", PORT):
            name = f"{REPOSITORY}/files:1"
            row("load", noted, lambda: engine.post("/images/load", packed("files", 10 if quick else 1)))
            row("push", noted, lambda: engine.post(f"/images/{name}/push"))
            row("delete", noted, lambda: engine.delete(f"/images/{name}"))
            row("idle", noted, lambda: time.sleep(3))
            row("pull", noted, lambda: engine.post("/images/create", query={"fromImage": name}))


def row(what: str, noted: Path, work: Callable[[], object]) -> None:
    begun, at = time.monotonic(), noted.stat().st_size
    work()
    took_s = time.monotonic() - begun
    pairs = [line.split() for line in noted.read_text()[at:].splitlines()[1:-1]]
    late, own = (sorted(int(pair[which]) / 1e6 for pair in pairs) for which in (0, 1))
    print(f"{what:8} {took_s:6.2f} s   late {points(late)}   own {points(own)}   ms, of {len(pairs)}")


def points(values: list[float]) -> str:
    cuts = quantiles(values, n=100)
    return f"p50 {cuts[49]:6.2f}  p99 {cuts[98]:6.2f}  max {values[-1]:6.2f}"


if __name__ == "__main__":
    main("--quick" in sys.argv[1:])
