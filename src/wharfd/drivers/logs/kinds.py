"""The kinds of log: `json-file` and `local`, which are one file that the monitor writes, `none`, and those that are sent away (`remote`).

Docker: dockerd writes JSON lines for the one and protocol buffers for the other; here the monitor writes its own form for both, and
`LogPath` names that file.
"""

from collections.abc import AsyncIterator, Callable, Mapping

from wharfd.drivers.logs.options import (
    OF_FILES,
    OF_LINES,
    Limits,
    check_names,
    json_file_limits,
    local_limits,
    unknown_for,
)
from wharfd.drivers.logs.remote.kind import KINDS, RemoteLog
from wharfd.drivers.logs.store import FileStore
from wharfd.model.errors import NotImplementedHere
from wharfd.ports.logs import ContainerEnd, LogDriver, LogQuery, LogSubject, ReopenLog
from wharfd.sys import clock
from wharfd.sys.blocking import Pool


class FileLog:
    """`file_name` is made from the container's id; `limits_of` reads the options."""

    def __init__(
        self,
        store: FileStore,
        *,
        file_name: Callable[[str], str],
        limits_of: Callable[[Mapping[str, str]], Limits],
        unknown: Callable[[str], str],
    ) -> None:
        self.store = store
        self.file_name = file_name
        self.limits_of = limits_of
        self.unknown = unknown

    def validate(self, options: dict[str, str]) -> None:
        check_names(options, (*OF_FILES, *OF_LINES), self.unknown)
        self.limits_of(options)

    def path(self, container_dir: str, container_id: str) -> str:
        return f"{container_dir}/{self.file_name(container_id)}"

    def begin(self, path: str, options: dict[str, str]) -> None:
        self.store.begin(path)

    async def attend(self, subject: LogSubject, end: ContainerEnd, reopen: ReopenLog) -> None:
        await self.store.rotator(subject.path, self.limits_of(subject.options), reopen).run(end)

    def read(self, path: str, options: dict[str, str], query: LogQuery, end: ContainerEnd) -> AsyncIterator[bytes]:
        return self.store.reader.read(path, query, end)


class NoLog:
    """Throws output away.  Docker: takes any option."""

    def validate(self, options: dict[str, str]) -> None:
        pass

    def path(self, container_dir: str, container_id: str) -> str:
        return ""

    def begin(self, path: str, options: dict[str, str]) -> None:
        pass

    async def attend(self, subject: LogSubject, end: ContainerEnd, reopen: ReopenLog) -> None:
        pass

    def read(self, path: str, options: dict[str, str], query: LogQuery, end: ContainerEnd) -> AsyncIterator[bytes]:
        raise NotImplementedHere("configured logging driver does not support reading")


def log_drivers(pool: Pool, now_ns: Callable[[], int] = clock.now_ns) -> dict[str, LogDriver]:
    """All kinds, by the name that clients know.  `pool` reads what is not in memory."""
    store = FileStore(pool, now_ns)
    return {
        # Docker: the names that its users look for below a container's directory.
        "json-file": FileLog(
            store,
            file_name=lambda container_id: f"{container_id}-json.log",
            limits_of=json_file_limits,
            unknown=unknown_for("json-file"),
        ),
        "local": FileLog(
            store,
            file_name=lambda container_id: f"{container_id}-local.log",
            limits_of=local_limits,
            unknown=lambda name: f"unknown log opt '{name}' for log driver local",
        ),
        "none": NoLog(),
        **{name: RemoteLog(store, kind) for name, kind in KINDS.items()},
    }
