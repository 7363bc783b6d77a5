"""Many containers with a health check that runs as often as it can, for a long time: nothing may grow.

usage: python -m bench.health [--count N] [--seconds S] [--interval-ms MS]

Prints once in a while how many probes have run, and what the engine holds: resident memory, descriptors, tasks.  Ends with 1 if any of
them has grown between the first third and the end, or if a container is not healthy.
"""

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.engine import Engine

MS = 10**6
GROWTH_KIB = 8 << 10  # of memory that is not taken for a leak


@dataclass
class Holding:
    memory_kib: int
    descriptors: int
    tasks: int

    @classmethod
    def of(cls, engine: Engine) -> "Holding":
        with open(f"/proc/{engine.pid}/status") as f:
            memory = next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))
        kinds = engine.holdings()
        tasks = kinds.pop("tasks")
        return cls(memory, kinds.total() - kinds["listeners"], tasks)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--interval-ms", type=int, default=100)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="wharf-health-", dir="/var/tmp") as directory:  # noqa: SIM117
        with Engine(Path(directory)) as engine:
            engine.load_base_image()
            check = {"Test": ["CMD", "true"], "Interval": args.interval_ms * MS}
            for _ in range(args.count):
                engine.run("sleep", "1000000", Healthcheck=check, HostConfig={"NetworkMode": "none"})
            return watch(engine, args.count, args.seconds)


def watch(engine: Engine, count: int, seconds: float) -> int:
    began = time.monotonic()
    settled: Holding | None = None
    while True:
        time.sleep(min(30.0, seconds / 6))
        passed = time.monotonic() - began
        now = Holding.of(engine)
        listed = engine.get("/containers/json").json
        healthy = sum(each["Health"]["Status"] == "healthy" for each in listed)
        print(f"{passed:6.0f} s  healthy {healthy}/{count}  {now}", flush=True)
        if passed < seconds / 3:
            continue
        settled = settled or now
        if passed >= seconds:
            # A probe holds a handful of descriptors, and a few tasks.
            has_grown = (
                now.memory_kib - settled.memory_kib > GROWTH_KIB
                or now.descriptors - settled.descriptors > 8 * count
                or now.tasks - settled.tasks > 4 * count
            )
            print("grown" if has_grown else "nothing has grown")
            return int(has_grown or healthy < count)


if __name__ == "__main__":
    sys.exit(main())
