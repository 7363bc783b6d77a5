"""A thread that does one thing after another for the loop.

`busy` is kept on the loop's side: it falls only when the loop has heard that a job ended.  So while it is 0 the thread is certain not
to touch what its jobs touch, and the loop may.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import TypeVar

from wharfd.sys.breather import breather_of

T = TypeVar("T")


class Worker:
    """Start it on a running loop; `close` before that loop ends."""

    def __init__(self, name: str) -> None:
        self.loop = asyncio.get_running_loop()
        self.jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self.busy = 0
        self.breather = breather_of(self.loop)
        self.thread = threading.Thread(target=self.work, name=name, daemon=True)
        self.thread.start()

    def submit(self, job: Callable[[], T]) -> asyncio.Future[T]:
        """Queue `job`.  Its result or error arrives in the future; a cancelled future does not stop the job."""
        outcome: asyncio.Future[T] = self.loop.create_future()
        self.busy += 1
        self.breather.begin()

        def settle(result: T | None, error: BaseException | None) -> None:
            self.busy -= 1
            self.breather.end()
            if outcome.cancelled():
                return
            if error is not None:
                outcome.set_exception(error)
            else:
                outcome.set_result(result)  # type: ignore[arg-type]  # None only if T allows it

        def run() -> None:
            try:
                result = job()
            except BaseException as e:  # noqa: BLE001 - handed to the one who asked
                self.loop.call_soon_threadsafe(settle, None, e)
            else:
                self.loop.call_soon_threadsafe(settle, result, None)

        self.jobs.put(run)
        return outcome

    def work(self) -> None:
        while (job := self.jobs.get()) is not None:
            job()

    def close(self) -> None:
        """End the thread after what is queued; blocks until it has ended."""
        self.jobs.put(None)
        self.thread.join()
