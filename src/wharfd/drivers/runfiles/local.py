"""Secrets, sockets and shared directories of build steps on this host: the `RunFiles` port.

RUN_ROOT/<run id>/{secrets,sockets}/<number>-<name>     for as long as the step runs
DATA_ROOT/<name>/                                       shared directories
DATA_ROOT/trash-<name>/                                 on their way out
"""

import asyncio
import logging
import os
import re
import secrets
import shutil
import socket
from collections.abc import Sequence
from contextlib import suppress

from wharfd.model.errors import Internal, InvalidParameter
from wharfd.ports.runfiles import Serve
from wharfd.ports.workers import TreeRemover
from wharfd.sys.blocking import Pool

log = logging.getLogger(__name__)

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
CHUNK_BYTES = 64 * 1024
TRASH = "trash-"


class SocketConnection:
    """Satisfies `Connection`."""

    def __init__(self, link: socket.socket) -> None:
        self.link = link

    async def read(self) -> bytes:
        try:
            return await asyncio.get_running_loop().sock_recv(self.link, CHUNK_BYTES)
        except OSError:
            return b""

    async def write(self, data: bytes) -> None:
        try:
            await asyncio.get_running_loop().sock_sendall(self.link, data)
        except OSError as e:
            raise Internal(f"the step's end of a socket is gone: {e}") from e

    async def close(self) -> None:
        self.link.close()


class Listener:
    """Accepts connections until it is closed; each is served by a task of its own."""

    def __init__(self, link: socket.socket, serve: Serve, name: str) -> None:
        self.link = link
        self.serve = serve
        self.tasks: set[asyncio.Task[None]] = set()
        self.task = asyncio.get_running_loop().create_task(self.accept(), name=f"listen:{name}")

    async def accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(self.link)
            connection.setblocking(False)
            task = loop.create_task(self.handle(SocketConnection(connection)), name="connection")
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def handle(self, connection: SocketConnection) -> None:
        try:
            await self.serve(connection)
        except Exception as error:  # noqa: BLE001 - one connection's end is nobody else's
            log.info("socket of a build step: error=%s", error)
        finally:
            await connection.close()

    async def close(self) -> None:
        tasks = [self.task, *self.tasks]
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        self.link.close()


class LocalRunFiles:
    def __init__(self, *, run_root: str, data_root: str, pool: Pool, remover: TreeRemover) -> None:
        self.run_root = run_root
        self.data_root = data_root
        self.pool = pool
        self.remover = remover
        self.listeners: dict[str, list[Listener]] = {}
        self.removals: set[asyncio.Task[None]] = set()

    async def open(self, kept: Sequence[str]) -> None:
        await self.pool.run(self.sort_out, frozenset(kept))
        await self.empty_trash()

    def sort_out(self, kept: frozenset[str]) -> None:
        try:
            shutil.rmtree(self.run_root, ignore_errors=True)
            os.makedirs(self.run_root, mode=0o711, exist_ok=True)
            os.makedirs(self.data_root, mode=0o711, exist_ok=True)
            for name in os.listdir(self.data_root):
                if name not in kept and not name.startswith(TRASH):
                    self.throw(name)
        except OSError as e:
            raise Internal(f"files of build steps: {e}") from e

    def place(self, run_id: str, kind: str, name: str) -> str:
        folder = f"{self.run_root}/{checked(run_id)}/{kind}"
        os.makedirs(folder, mode=0o711, exist_ok=True)
        return f"{folder}/{secrets.token_hex(4)}-{re.sub('[^A-Za-z0-9_.-]', '_', name)[:32]}"

    def secret(self, run_id: str, name: str, data: bytes, *, uid: int, gid: int, mode: int) -> str:
        try:
            path = self.place(run_id, "secrets", name)
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o400)
            try:
                view = memoryview(data)
                while view:
                    view = view[os.write(fd, view) :]
                os.fchown(fd, uid, gid)
                os.fchmod(fd, mode & 0o7777)
            finally:
                os.close(fd)
        except OSError as e:
            raise Internal(f"files of build steps: {e}") from e
        return path

    async def listen(self, run_id: str, name: str, serve: Serve, *, uid: int, gid: int, mode: int) -> str:
        link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            path = self.place(run_id, "sockets", name)
            bind(link, path)
            os.chown(path, uid, gid)
            os.chmod(path, mode & 0o7777)
            link.listen(16)
        except OSError as e:
            link.close()
            raise Internal(f"files of build steps: {e}") from e
        self.listeners.setdefault(run_id, []).append(Listener(link, serve, run_id[:12]))
        return path

    async def drop(self, run_id: str) -> None:
        for listener in self.listeners.pop(run_id, ()):
            await listener.close()
        await self.pool.run(shutil.rmtree, f"{self.run_root}/{checked(run_id)}", ignore_errors=True)

    # shared directories

    async def shared(self, name: str, *, uid: int, gid: int, mode: int) -> tuple[str, bool]:
        return await self.pool.run(self.make_shared, name, uid, gid, mode)

    def make_shared(self, name: str, uid: int, gid: int, mode: int) -> tuple[str, bool]:
        path = f"{self.data_root}/{checked(name)}"
        try:
            os.mkdir(path, 0o700)
            os.chown(path, uid, gid)
            os.chmod(path, mode & 0o7777)
        except FileExistsError:
            return path, False
        except OSError as e:
            raise Internal(f"files of build steps: {e}") from e
        return path, True

    async def size(self, name: str) -> int:
        return await self.pool.run(size_of_files, f"{self.data_root}/{checked(name)}")

    async def remove(self, name: str) -> None:
        if await self.pool.run(self.throw, checked(name)):
            await self.empty_trash()

    def throw(self, name: str) -> bool:
        try:
            os.rename(f"{self.data_root}/{name}", f"{self.data_root}/{TRASH}{secrets.token_hex(8)}")
        except FileNotFoundError:
            return False
        except OSError as e:
            raise Internal(f"files of build steps: {e}") from e
        return True

    async def empty_trash(self) -> None:
        busy = {task.get_name() for task in self.removals}
        for name in await self.pool.run(os.listdir, self.data_root):
            if name.startswith(TRASH) and name not in busy:
                task = asyncio.get_running_loop().create_task(self.finish(name), name=name)
                self.removals.add(task)
                task.add_done_callback(self.removals.discard)

    async def finish(self, name: str) -> None:
        try:
            await self.remover.remove_tree(f"{self.data_root}/{name}")
        except Internal as e:
            log.warning("path=%s/%s could not be removed now: %s", self.data_root, name, e)


def checked(name: str) -> str:
    if not NAME.fullmatch(name) or name.startswith(TRASH):
        raise InvalidParameter(f"{name!r} is no name of a directory")
    return name


def bind(link: socket.socket, path: str) -> None:
    """A socket's name has 107 bytes; its directory's may be longer."""
    folder, name = os.path.split(path)
    directory = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        link.bind(f"/proc/self/fd/{directory}/{name}")
    finally:
        os.close(directory)


def size_of_files(top: str) -> int:
    total = 0
    with suppress(FileNotFoundError):  # it goes meanwhile, or was never there
        for _, _, names, directory in os.fwalk(top):
            for name in names:
                with suppress(FileNotFoundError):
                    total += os.stat(name, dir_fd=directory, follow_symlinks=False).st_size
    return total
