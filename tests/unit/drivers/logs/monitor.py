"""A monitor that writes a log, and makes a new file when told to: what conmon does, without a container."""

import os

from wharfd.model.errors import Conflict
from wharfd.testing.clock import START_NS
from wharfd.wire.crilog import Record, format_record, record_time


class Monitor:
    """`deaf`: it has been told, and does nothing yet."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self.number = 0
        self.told = 0  # messages on their way
        self.is_deaf = False
        self.is_gone = False

    def close(self) -> None:
        os.close(self.fd)

    def write(self, count: int = 1, size: int = 0) -> None:
        """Lines with rising numbers, padded to `size` bytes."""
        for _ in range(count):
            text = b"%d" % self.number
            os.write(self.fd, format_record(Record(1, record_time(START_NS + self.number), False, text.ljust(size))))
            self.number += 1

    def write_piece(self, text: bytes, *, stream: int = 1, partial: bool) -> None:
        os.write(self.fd, format_record(Record(stream, record_time(START_NS + self.number), partial, text)))

    def obey(self) -> None:
        while self.told:
            self.told -= 1
            os.close(self.fd)
            self.fd = os.open(f"{self.path}.tmp", os.O_WRONLY | os.O_TRUNC | os.O_CREAT)
            os.rename(f"{self.path}.tmp", self.path)

    async def reopen(self, path: str, renamed_to: str, *, is_told: bool | None) -> bool:
        """As `RuntimeDriver.reopen_log` promises: never told twice."""
        if self.is_gone:
            raise Conflict("it does not run")
        assert renamed_to == f"{path}.1"
        if os.path.exists(path):
            return True
        if is_told is False or (is_told is None and not self.told):
            self.told += 1
        if not self.is_deaf:
            self.obey()
        return os.path.exists(path)
