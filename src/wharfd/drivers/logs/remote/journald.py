"""`journald`: to the journal of this host."""

import itertools
import os
import socket
from collections.abc import Mapping, Sequence

from wharfd.drivers.logs.options import OF_LINES, check_names, unknown_for
from wharfd.drivers.logs.remote.shipper import Patience
from wharfd.drivers.logs.remote.transport import DatagramTransport, to_path
from wharfd.model.errors import Internal
from wharfd.model.ids import short_id
from wharfd.ports.logs import LogSubject
from wharfd.sys.blocking import Pool
from wharfd.wire import journal
from wharfd.wire.crilog import STDERR
from wharfd.wire.loglines import Message
from wharfd.wire.timestamps import format_rfc3339_nano

SOCKET = "/run/systemd/journal/socket"
ERROR, INFO = b"3", b"6"


class JournaldSender:
    def __init__(self, subject: LogSubject, pool: Pool, path: str = SOCKET) -> None:
        tag = subject.tag or short_id(subject.container_id)
        fields = {
            "CONTAINER_ID": short_id(subject.container_id),
            "CONTAINER_ID_FULL": subject.container_id,
            "CONTAINER_NAME": subject.name,
            "CONTAINER_TAG": tag,
            "IMAGE_NAME": subject.image_name,
            "SYSLOG_IDENTIFIER": tag,
            "CONTAINER_LOG_EPOCH": os.urandom(32).hex(),  # Docker: of this sender; with the ordinal it tells the order
        }
        fields |= {made: value for name, value in subject.attributes.items() if (made := journal.field_name(name))}
        self.fields = [(name, value.encode()) for name, value in fields.items()]
        self.ordinals = itertools.count(1)
        self.patience = Patience()
        self.transport = DatagramTransport(to_path(path, socket.SOCK_DGRAM))

    async def send(self, messages: Sequence[Message]) -> None:
        await self.transport.send([self.encode(each) for each in messages])

    def encode(self, message: Message) -> bytes:
        fields = [
            ("MESSAGE", message.text),
            ("PRIORITY", ERROR if message.stream == STDERR else INFO),
            *self.fields,
            ("CONTAINER_LOG_ORDINAL", b"%d" % next(self.ordinals)),
            ("SYSLOG_TIMESTAMP", format_rfc3339_nano(message.at_ns).encode()),
        ]
        if message.part is not None:
            fields += [
                ("CONTAINER_PARTIAL_ID", message.part.line_id.encode()),
                ("CONTAINER_PARTIAL_ORDINAL", b"%d" % message.part.ordinal),
                ("CONTAINER_PARTIAL_LAST", b"true" if message.part.is_last else b"false"),
            ]
            if not message.part.is_last:
                fields.append(("CONTAINER_PARTIAL_MESSAGE", b"true"))
        return journal.encode(fields)

    async def close(self) -> None:
        await self.transport.close()


def validate(options: Mapping[str, str]) -> None:
    check_names(options, OF_LINES, unknown_for("journald"))


def check(options: Mapping[str, str]) -> None:
    """Raises Internal: this host has no journal."""
    if not os.path.exists(SOCKET):
        raise Internal("journald is not enabled on this host")
