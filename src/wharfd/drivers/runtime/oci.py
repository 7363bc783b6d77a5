"""An OCI runtime (crun, runc or one that behaves like them): its command lines, and what its state directory allows to be done without
running it.

crun's protocol between `create` and `start`: the container's first process waits for a byte in the FIFO `exec.fifo` of its state
directory; `crun start` unlinks the FIFO and writes it.  Doing that here saves a process per start.  A state directory without that
FIFO, and every other runtime, is started by the runtime's own command.
"""

import errno
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from wharfd.drivers.runtime.failures import start_failed
from wharfd.model.errors import Conflict, EngineError, Internal, InvalidParameter, Unavailable
from wharfd.model.json import JsonObject
from wharfd.ports.runtime import RuntimeInfo
from wharfd.sys.spawn import Completed, run

COMMAND_TIMEOUT_S = 60.0
_VERSION = re.compile(r"^(?P<program>\S+) version (?P<version>\S+)", re.MULTILINE)
_COMMIT = re.compile(r"^commit: *(?P<commit>\S+)", re.MULTILINE)


@dataclass(slots=True, kw_only=True)
class OciRuntime:
    """One configured runtime.  `root`: where it keeps its state, a directory of ours alone."""

    name: str
    path: str
    root: str
    systemd: bool
    environment: Mapping[str, str]
    info: RuntimeInfo | None = None
    is_crun: bool = False

    def command(self) -> list[str]:
        """Program and global arguments, to be followed by a subcommand."""
        return [self.path, "--root", self.root, *(["--systemd-cgroup"] if self.systemd else [])]

    async def probe(self) -> RuntimeInfo:
        """Ask for the version, once.  Raises Unavailable if the program is not there or does not answer as a runtime does."""
        if self.info is None:
            try:
                done = await run([self.path, "--version"], timeout_s=COMMAND_TIMEOUT_S, env=self.environment)
            except OSError as e:
                raise Unavailable(f"OCI runtime {self.name} cannot be run: {e}") from e
            text = done.stdout.decode(errors="replace")
            match = _VERSION.search(text)
            if done.returncode != 0 or match is None:
                raise Unavailable(f"{self.path} does not answer as an OCI runtime: {text[:200]!r}")
            commit = _COMMIT.search(text)
            self.is_crun = match["program"] == "crun"
            self.info = RuntimeInfo(
                name=self.name,
                path=self.path,
                version=match["version"],
                commit=commit["commit"] if commit else "",
                features=await self._features(),
            )
        return self.info

    async def _features(self) -> JsonObject:
        # crun has the subcommand since 1.9, runc since 1.1.
        done = await run([self.path, "features"], timeout_s=COMMAND_TIMEOUT_S, env=self.environment)
        if done.returncode != 0:
            return {}
        try:
            return msgspec.json.decode(done.stdout, type=JsonObject)
        except (msgspec.DecodeError, msgspec.ValidationError):
            return {}

    def state_directory(self, container_id: str) -> str:
        return f"{self.root}/{container_id}"

    def release(self, container_id: str) -> bool:
        """Let a created container go without running the runtime; false if that is not possible.

        Raises Conflict if its first process is gone.
        """
        if not self.is_crun:
            return False
        fifo = f"{self.state_directory(container_id)}/exec.fifo"
        try:
            fd = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        except OSError as e:
            if e.errno == errno.ENXIO:
                raise Conflict(f"container {container_id} is not running") from e
            raise Internal(f"cannot start container {container_id}: {e}") from e
        try:
            os.unlink(fifo)
            os.write(fd, b"\0")
        finally:
            os.close(fd)
        return True

    async def start(self, container_id: str, program: str) -> None:
        """`start`.  Raises StartFailed."""
        done = await self._run("start", container_id)
        if done.returncode != 0:
            raise start_failed(_said(done), self.name, program)

    async def delete(self, container_id: str) -> None:
        """`delete --force`; unknown there: nothing to do."""
        done = await self._run("delete", "--force", container_id)
        if done.returncode != 0 and os.path.exists(self.state_directory(container_id)):
            raise Internal(f"{self.name} could not delete container {container_id}: {_said(done)}")

    async def update(self, container_id: str, resources: JsonObject) -> None:
        """`update` with an OCI `linux.resources` document."""
        document = msgspec.json.encode(resources)
        done = await self._run("update", "--resources", "-", container_id, stdin=document)
        if done.returncode != 0:
            raise _update_failed(_said(done))

    async def _run(self, *arguments: str, stdin: bytes = b"") -> Completed:
        try:
            return await run(
                [*self.command(), *arguments], timeout_s=COMMAND_TIMEOUT_S, env=self.environment, stdin=stdin
            )
        except TimeoutError as e:
            raise Internal(f"{self.name} {arguments[0]} did not end within {COMMAND_TIMEOUT_S:.0f} s") from e
        except OSError as e:
            raise Unavailable(f"OCI runtime {self.name} cannot be run: {e}") from e


def _said(done: Completed) -> str:
    return (done.stderr or done.stdout).decode(errors="replace").strip()


def _update_failed(said: str) -> EngineError:
    lowered = said.lower()
    if any(
        words in lowered
        for words in ("invalid argument", "numerical result out of range", "resource busy", "no such device")
    ):
        return InvalidParameter(said)
    return Internal(said)
