"""Threads for calls that block: bounded named pools, and fresh threads for work that changes its thread for good.

A `Pool` is for disk and kernel calls.  A fresh thread is for code that enters another namespace: it ends with the work, so no later
job can run in the wrong namespace.

Cancellation: a job that has not begun is dropped.  One that has begun cannot be stopped; its caller waits for its end and only then
sees CancelledError, so that undo code never runs beside the call it undoes.  The result is lost then: register the undo before the
call and make it bear "nothing was done".
"""

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from wharfd.sys.breather import breather_of

P = ParamSpec("P")
T = TypeVar("T")

# libnftables keeps message buffers of over 100 KiB on the stack; only touched pages cost memory.
STACK_BYTES = 512 * 1024

_stack_size_lock = threading.Lock()


class Pool:
    """At most `workers` threads named `name`, started on demand and kept.  Used from one event loop; close it before the loop ends."""

    def __init__(self, name: str, workers: int) -> None:
        self.name = name
        self._executor = concurrent.futures.ThreadPoolExecutor(workers, thread_name_prefix=name)

    async def run(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """`fn(...)` on a thread of the pool.  See the module's text for cancellation; RuntimeError after `close`."""
        with _small_stacks():
            job = self._executor.submit(fn, *args, **kwargs)
        return await _outcome(job)

    async def run_through(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """As `run`, for undo code: it is carried out also if the caller is cancelled before it has begun."""
        with _small_stacks():
            job = self._executor.submit(fn, *args, **kwargs)
        breather = breather_of(asyncio.get_running_loop())
        breather.begin()
        try:
            return await asyncio.shield(asyncio.wrap_future(job))
        except asyncio.CancelledError:
            await _wait_uncancellable(job)
            raise
        finally:
            breather.end()

    def close(self) -> None:
        """Drop what has not begun, wait for what has, end the threads.  Blocks; may be called twice."""
        self._executor.shutdown(wait=True, cancel_futures=True)


async def run_in_fresh_thread(fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """`fn(...)` on a thread of its own that ends with it."""
    job, _ = _start_fresh(fn, *args, **kwargs)
    return await _outcome(job)


def call_in_fresh_thread(fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """As `run_in_fresh_thread` for callers that may block: returns when the thread has ended."""
    job, thread = _start_fresh(fn, *args, **kwargs)
    thread.join()
    return job.result()


def _start_fresh(
    fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
) -> tuple[concurrent.futures.Future[T], threading.Thread]:
    job: concurrent.futures.Future[T] = concurrent.futures.Future()

    def body() -> None:
        if not job.set_running_or_notify_cancel():
            return
        try:
            result = fn(*args, **kwargs)
        except BaseException as e:  # noqa: BLE001 - handed to the caller whole, as an executor does
            job.set_exception(e)
        else:
            job.set_result(result)

    thread = threading.Thread(target=body, name=f"fresh:{getattr(fn, '__name__', 'job')}", daemon=False)
    with _small_stacks():
        thread.start()
    return job, thread


async def _outcome(job: concurrent.futures.Future[T]) -> T:
    breather = breather_of(asyncio.get_running_loop())
    breather.begin()
    try:
        return await asyncio.wrap_future(job)
    except asyncio.CancelledError:
        # `wrap_future` has tried to cancel the job: that succeeds only before its beginning.
        await _wait_uncancellable(job)
        raise
    finally:
        breather.end()


async def _wait_uncancellable(job: concurrent.futures.Future[T]) -> None:
    loop = asyncio.get_running_loop()
    ended = loop.create_future()

    def notify(_: object) -> None:
        loop.call_soon_threadsafe(ended.set_result, None)

    job.add_done_callback(notify)
    while not ended.done():
        try:
            await asyncio.shield(ended)
        except asyncio.CancelledError:
            continue


class _small_stacks:  # noqa: N801 - reads as a statement
    """Threads started inside get STACK_BYTES.  The setting is the interpreter's, hence the lock."""

    def __enter__(self) -> None:
        _stack_size_lock.acquire()
        self._before = threading.stack_size(STACK_BYTES)

    def __exit__(self, *_: object) -> None:
        threading.stack_size(self._before)
        _stack_size_lock.release()
