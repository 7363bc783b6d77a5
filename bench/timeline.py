"""Where the time of a start goes: every port call of create, start, exit and removal, with its offset and duration.

    python -m bench.timeline [RUNS]     medians in milliseconds, network bridge

The engine is a real one; `bench.timed_main` puts a stopwatch around each of its drivers.
"""

import json
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from statistics import median

from bench.client import Connection
from bench.measures import create
from tests.engine import Engine

PHASES = ("create", "start", "wait", "remove")


def main(runs: int) -> None:
    rows: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    totals: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="wharf-timeline-", dir="/var/tmp") as directory:
        calls = Path(directory) / "calls"
        engine = Engine(
            Path(directory) / "e", main=("-m", "bench.timed_main"), environment={"WHARFD_TIMED_CALLS": str(calls)}
        )
        with engine, Connection(engine.socket) as c:
            engine.load_base_image()
            for _ in range(3):
                engine.run_to_end("true")
            for _ in range(runs):
                at = calls.stat().st_size
                marks = [time.monotonic_ns()]
                identifier = create(c, "true")
                marks.append(time.monotonic_ns())
                c.json("POST", f"/containers/{identifier}/start")
                marks.append(time.monotonic_ns())
                c.json("POST", f"/containers/{identifier}/wait")
                marks.append(time.monotonic_ns())
                c.json("DELETE", f"/containers/{identifier}")
                marks.append(time.monotonic_ns())
                time.sleep(0.3)
                for phase, begin, end in zip(PHASES, marks, marks[1:], strict=False):
                    totals[phase].append((end - begin) / 1e6)
                with open(calls) as file:
                    file.seek(at)
                    for line in file:
                        name, begin, end = json.loads(line)
                        number = next((i for i in range(4) if marks[i] <= begin < marks[i + 1]), 3)
                        rows[PHASES[number], name].append(((begin - marks[number]) / 1e6, (end - begin) / 1e6))
    for phase in PHASES:
        print(f"\n{phase}: {median(totals[phase]):.1f} ms")
        print("| begins at | takes | call |\n|---|---|---|")
        found = [
            (median(offset for offset, _ in times), median(took for _, took in times), name)
            for (where, name), times in rows.items()
            if where == phase and len(times) >= runs // 2
        ]
        for offset, took, name in sorted(found):
            if took >= 0.05:
                print(f"| {offset:.1f} | {took:.1f} | {name} |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
