"""The engine with a stopwatch around every driver; used by `bench.timeline`.  Lines of [port.method, begin, end] in nanoseconds."""

import inspect
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from wharfd.app.serve import run
from wharfd.cli.config_file import load
from wharfd.cli.flags import parser


class Timed:
    def __init__(self, port: str, driver: Any, note: Callable[[str, int, int], None]) -> None:
        self.port = port
        self.driver = driver
        self.note = note

    def __getattr__(self, name: str) -> Any:
        member = getattr(self.driver, name)
        if not callable(member) or name.startswith("_"):
            return member
        label = f"{self.port}.{name}"
        if inspect.iscoroutinefunction(member):

            async def waited(*args: Any, **kwargs: Any) -> Any:
                begin = time.monotonic_ns()
                try:
                    return await member(*args, **kwargs)
                finally:
                    self.note(label, begin, time.monotonic_ns())

            return waited

        def called(*args: Any, **kwargs: Any) -> Any:
            begin = time.monotonic_ns()
            try:
                return member(*args, **kwargs)
            finally:
                self.note(label, begin, time.monotonic_ns())

        return called


def main() -> int:
    settings, _ = load(vars(parser().parse_args()))
    with open(os.environ["WHARFD_TIMED_CALLS"], "a", buffering=1) as file:

        def note(label: str, begin: int, end: int) -> None:
            file.write(json.dumps([label, begin, end]) + "\n")

        return run(settings, lambda port, driver: Timed(port, driver, note))


if __name__ == "__main__":
    sys.exit(main())
