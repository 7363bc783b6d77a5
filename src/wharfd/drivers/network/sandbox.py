"""Sandboxes: a container's network namespace, kept by a file as `ip netns` does, so that it outlives the engine.

Making a namespace costs 0.3 to 1 ms, more while the kernel takes others down.  A few are made ahead of need by a thread and held by
descriptors only: they have no file, so an engine that dies leaves nothing of them.
"""

import contextlib
import logging
import os
import threading
from collections import deque
from collections.abc import Sequence

from wharfd.sys import mount, netns
from wharfd.sys.blocking import Pool, call_in_fresh_thread
from wharfd.sys.namespaces import CLONE_NEWNET, unshare
from wharfd.sys.netlink import Netlink

log = logging.getLogger(__name__)

LOOPBACK_INDEX = 1
NAME_LENGTH = 12  # Docker: the file is named by the first 12 characters of the sandbox id
READY = 8  # namespaces kept ahead of need


def nameless_namespace() -> int:
    """A new network namespace with loopback up, as a descriptor.  Blocks."""

    def inside() -> int:
        unshare(CLONE_NEWNET)
        with Netlink() as netlink:
            netlink.set_link(LOOPBACK_INDEX, up=True)
        # Linux: /proc/self/ns is that of the main thread, which stayed where it was.
        return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    return call_in_fresh_thread(inside)


class Reserve:
    """Namespaces made ahead of need by a thread of its own."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.fds: deque[int] = deque()
        self.changed = threading.Condition()
        self.closing = False
        self.thread: threading.Thread | None = None

    def open(self) -> None:
        if self.size:
            self.thread = threading.Thread(target=self.fill, name="netns-reserve")
            self.thread.start()

    def fill(self) -> None:
        while True:
            with self.changed:
                while len(self.fds) >= self.size and not self.closing:
                    self.changed.wait()
                if self.closing:
                    return
            try:
                fd = nameless_namespace()
            except OSError as e:
                log.warning("no network namespace ahead of need: error=%s", e)
                return
            self.fds.append(fd)

    def take(self) -> int | None:
        with self.changed:
            fd = self.fds.popleft() if self.fds else None
            self.changed.notify()
        return fd

    def close(self) -> None:
        with self.changed:
            self.closing = True
            self.changed.notify()
        if self.thread is not None:
            self.thread.join()
        while self.fds:
            os.close(self.fds.popleft())


class SandboxFiles:
    """Satisfies `ports.network.SandboxDriver`.  `directory` lies below the exec root."""

    def __init__(self, directory: str, pool: Pool, *, ready: int = READY) -> None:
        self.directory = directory
        self.pool = pool
        self.reserve = Reserve(ready)

    async def open(self) -> None:
        await self.pool.run(os.makedirs, self.directory, 0o711, True)
        self.reserve.open()

    async def close(self) -> None:
        await self.pool.run(self.reserve.close)

    def path(self, sandbox_id: str) -> str:
        return os.path.join(self.directory, sandbox_id[:NAME_LENGTH])

    async def create(self, sandbox_id: str) -> str:
        path = self.path(sandbox_id)
        await self.pool.run(self.make, path)
        return path

    def make(self, path: str) -> None:
        if netns.is_netns(path):
            return
        netns.delete(path)  # a bare file, left by a crash between its making and the mount
        fd = self.reserve.take()
        if fd is None:
            netns.create(path)
            return
        try:
            os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444))
            mount.bind(f"/proc/self/fd/{fd}", path)
        except BaseException:
            netns.delete(path)
            raise
        finally:
            os.close(fd)

    async def destroy(self, sandbox_id: str) -> None:
        await self.pool.run(netns.delete, self.path(sandbox_id))

    async def leftovers(self) -> Sequence[str]:
        """Ids as far as the file names tell them: their first 12 characters."""
        return await self.pool.run(lambda: sorted(os.listdir(self.directory)) if os.path.isdir(self.directory) else [])

    async def interface_stats(self, pid: int) -> dict[str, dict[str, int]]:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError), open(f"/proc/{pid}/net/dev") as file:
            return parse_net_dev(file.read())
        return {}


# Columns of /proc/net/dev (Linux Documentation/filesystems/proc.rst), with the names of Docker's stats.
COLUMNS = {
    0: "rx_bytes",
    1: "rx_packets",
    2: "rx_errors",
    3: "rx_dropped",
    8: "tx_bytes",
    9: "tx_packets",
    10: "tx_errors",
    11: "tx_dropped",
}


def parse_net_dev(text: str) -> dict[str, dict[str, int]]:
    found = {}
    for line in text.splitlines()[2:]:
        name, _, rest = line.partition(":")
        numbers = rest.split()
        if name.strip() != "lo":
            found[name.strip()] = {key: int(numbers[column]) for column, key in COLUMNS.items()}
    return found
