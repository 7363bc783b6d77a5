"""The engine, noting how late its event loop comes to what is due; used by `bench.lag`.  Each 2 ms a line: by how
many nanoseconds, and how many of processor time the loop has used since the line before."""

import asyncio
import os
import sys
import time
from typing import Any

from wharfd.app.serve import run
from wharfd.cli.config_file import load
from wharfd.cli.flags import parser

TICK_S = 0.002


class Ticker:
    """Starts when the first driver is made, on the engine's loop."""

    def __init__(self, path: str) -> None:
        self.file = open(path, "a", buffering=1)  # noqa: SIM115 - for as long as the process lives
        self.due = self.used = 0

    def begin(self, _port: str, driver: Any) -> Any:
        if not self.due:
            self.plan()
        return driver

    def plan(self) -> None:
        self.due = time.monotonic_ns() + int(TICK_S * 1e9)
        asyncio.get_running_loop().call_later(TICK_S, self.tick)

    def tick(self) -> None:
        used = time.thread_time_ns()
        self.file.write(f"{time.monotonic_ns() - self.due} {used - self.used}\n")
        self.used = time.thread_time_ns()
        self.plan()


def main() -> int:
    settings, _ = load(vars(parser().parse_args()))
    return run(settings, Ticker(os.environ["WHARFD_LAG"]).begin)


if __name__ == "__main__":
    sys.exit(main())
