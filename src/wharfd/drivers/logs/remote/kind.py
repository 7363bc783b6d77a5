"""A kind of log whose lines are sent away: one `LogDriver` for all of them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass

from wharfd.drivers.logs.options import CACHE_DISABLED, TRUE, cache_limits, parse_size
from wharfd.drivers.logs.remote import fluentd, gelf, journald, syslog
from wharfd.drivers.logs.remote.shipper import Sender, Shipper
from wharfd.drivers.logs.store import FileStore
from wharfd.model.errors import NotImplementedHere
from wharfd.ports.logs import ContainerEnd, LogQuery, LogSubject, ReopenLog
from wharfd.sys.blocking import Pool

BUFFER = 1 << 20  # Docker: what is kept with mode=non-blocking where nothing is said


@dataclass(frozen=True, slots=True)
class RemoteKind:
    """`validate` is for creating a container, `check` for starting it."""

    validate: Callable[[Mapping[str, str]], None]
    check: Callable[[Mapping[str, str]], None]
    sender: Callable[[LogSubject, Pool], Sender]


KINDS: Mapping[str, RemoteKind] = {
    "fluentd": RemoteKind(fluentd.validate, fluentd.check, fluentd.FluentdSender),
    "gelf": RemoteKind(gelf.validate, gelf.check, gelf.GelfSender),
    "journald": RemoteKind(journald.validate, journald.check, journald.JournaldSender),
    "syslog": RemoteKind(syslog.validate, syslog.check, syslog.SyslogSender),
}


class RemoteLog:
    """The local copy is what `docker logs` reads."""

    def __init__(self, store: FileStore, kind: RemoteKind) -> None:
        self.store = store
        self.kind = kind

    def validate(self, options: dict[str, str]) -> None:
        self.kind.validate(options)
        cache_limits(options)

    def path(self, container_dir: str, container_id: str) -> str:
        return f"{container_dir}/{container_id}-cached.log"

    def begin(self, path: str, options: dict[str, str]) -> None:
        self.kind.check(options)
        self.store.begin(path)

    async def attend(self, subject: LogSubject, end: ContainerEnd, reopen: ReopenLog) -> None:
        rotator = self.store.rotator(subject.path, cache_limits(subject.options), reopen)
        shipper = Shipper(
            subject.path,
            self.kind.sender(subject, self.store.pool),
            pool=self.store.pool,
            stirring=self.store.stirring,
            most_behind=most_behind(subject.options),
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(rotator.run(end))
            group.create_task(shipper.run(end))

    def read(self, path: str, options: dict[str, str], query: LogQuery, end: ContainerEnd) -> AsyncIterator[bytes]:
        if options.get(CACHE_DISABLED) in TRUE:
            raise NotImplementedHere("configured logging driver does not support reading")
        return self.store.reader.read(path, query, end)


def most_behind(options: Mapping[str, str]) -> int | None:
    """Bytes that may wait; None: as many as the local copy holds."""
    if options.get("mode") != "non-blocking":
        return None
    return parse_size(options["max-buffer-size"], 1024) if "max-buffer-size" in options else BUFFER
