"""The kinds of log: `json-file` and `local`, which are one file that the monitor writes, and `none`.

Docker: dockerd writes JSON lines for the one and protocol buffers for the other; here the monitor writes its own form for both, and
`LogPath` names that file.
"""

from collections.abc import AsyncIterator, Callable

from wharfd.drivers.logs.growth import Growth
from wharfd.drivers.logs.options import UnknownText, check_options, json_file_unknown, local_unknown
from wharfd.drivers.logs.reader import LogReader, end_open_lines
from wharfd.model.errors import Internal, NotImplementedHere
from wharfd.ports.logs import ContainerEnd, LogDriver, LogQuery
from wharfd.sys import clock
from wharfd.sys.blocking import Pool


class FileLog:
    """`file_name` is made from the container's id; `unknown` words the refusal of an option."""

    def __init__(self, reader: LogReader, file_name: Callable[[str], str], unknown: UnknownText) -> None:
        self.reader = reader
        self.file_name = file_name
        self.unknown = unknown

    def validate(self, options: dict[str, str]) -> None:
        check_options(options, self.unknown)

    def path(self, container_dir: str, container_id: str) -> str:
        return f"{container_dir}/{self.file_name(container_id)}"

    def begin(self, path: str) -> None:
        try:
            end_open_lines(path)
        except OSError as e:
            raise Internal(f"log {path} cannot be written: {e.strerror}") from e

    def read(self, path: str, query: LogQuery, end: ContainerEnd) -> AsyncIterator[bytes]:
        return self.reader.read(path, query, end)


class NoLog:
    """Throws output away.  Docker: takes any option."""

    def validate(self, options: dict[str, str]) -> None:
        pass

    def path(self, container_dir: str, container_id: str) -> str:
        return ""

    def begin(self, path: str) -> None:
        pass

    def read(self, path: str, query: LogQuery, end: ContainerEnd) -> AsyncIterator[bytes]:
        raise NotImplementedHere("configured logging driver does not support reading")


def log_drivers(pool: Pool, now_ns: Callable[[], int] = clock.now_ns) -> dict[str, LogDriver]:
    """All kinds, by the name that clients know.  `pool` reads what is not in memory."""
    reader = LogReader(pool, Growth(), now_ns)
    return {
        # Docker: the names that its users look for below a container's directory.
        "json-file": FileLog(reader, lambda container_id: f"{container_id}-json.log", json_file_unknown),
        "local": FileLog(reader, lambda container_id: f"{container_id}-local.log", local_unknown),
        "none": NoLog(),
    }
