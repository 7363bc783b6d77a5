"""The files behind all kinds of log: closing what a run has left open, reading, rotating."""

from collections.abc import Callable

from wharfd.drivers.logs.growth import Growth
from wharfd.drivers.logs.options import Limits
from wharfd.drivers.logs.reader import LogReader, end_open_lines
from wharfd.drivers.logs.rotation import Rotator
from wharfd.drivers.logs.stirring import Stirring
from wharfd.model.errors import Internal
from wharfd.ports.logs import ReopenLog
from wharfd.sys.blocking import Pool


class FileStore:
    """One for all logs of an engine."""

    def __init__(self, pool: Pool, now_ns: Callable[[], int]) -> None:
        self.pool = pool
        self.reader = LogReader(pool, Growth(), now_ns)
        self.stirring = Stirring()

    def begin(self, path: str) -> None:
        try:
            end_open_lines(path)
        except OSError as e:
            raise Internal(f"log {path} cannot be written: {e.strerror}") from e

    def rotator(self, path: str, limits: Limits, reopen: ReopenLog) -> Rotator:
        return Rotator(
            path,
            limits,
            reopen=reopen,
            on_new_file=self.reader.rotated,
            stirring=self.stirring,
            pool=self.pool,
        )
