"""`gelf`: to Graylog and others that take its format, by UDP or TCP."""

import os
import socket
from collections.abc import Mapping, Sequence

from wharfd.drivers.logs.options import CACHE_DISABLED, OF_CACHE, OF_LINES, check_names, parse_integer
from wharfd.drivers.logs.remote.addresses import Address, parse_url
from wharfd.drivers.logs.remote.shipper import Patience
from wharfd.drivers.logs.remote.transport import DatagramTransport, StreamTransport, Transport, to_host
from wharfd.model.errors import InvalidParameter
from wharfd.model.ids import short_id
from wharfd.ports.logs import LogSubject
from wharfd.sys.blocking import Pool
from wharfd.wire import gelf
from wharfd.wire.loglines import Message
from wharfd.wire.timestamps import format_rfc3339_nano

COMPRESSION_TYPE, COMPRESSION_LEVEL = "gelf-compression-type", "gelf-compression-level"
MAX_RECONNECT, RECONNECT_DELAY = "gelf-tcp-max-reconnect", "gelf-tcp-reconnect-delay"
NAMES = ("gelf-address", COMPRESSION_TYPE, COMPRESSION_LEVEL, MAX_RECONNECT, RECONNECT_DELAY)


class GelfSender:
    def __init__(self, subject: LogSubject, pool: Pool) -> None:
        options = subject.options
        self.hostname = subject.hostname
        fields = {
            "_command": subject.command,
            "_container_id": subject.container_id,
            "_container_name": subject.name,
            "_created": format_rfc3339_nano(subject.created_ns),
            "_image_id": subject.image_id,
            "_image_name": subject.image_name,
            "_tag": subject.tag or short_id(subject.container_id),
        }
        fields |= {gelf.field_name(name): value for name, value in subject.attributes.items()}
        self.fields = dict(sorted(fields.items()))
        self.compression = options.get(COMPRESSION_TYPE, "gzip")
        self.level = int(options.get(COMPRESSION_LEVEL, gelf.FASTEST))
        self.patience = patience_of(options)
        address = parse_address(options.get("gelf-address", ""))
        self.is_datagram = address.scheme == "udp"
        kind = socket.SOCK_DGRAM if self.is_datagram else socket.SOCK_STREAM
        open_ = to_host(pool, address.host, int(address.port), kind)
        self.transport: Transport = DatagramTransport(open_) if self.is_datagram else StreamTransport(open_)

    async def send(self, messages: Sequence[Message]) -> None:
        pieces: list[bytes] = []
        for message in messages:
            if not message.text:  # Docker: the format has no empty message
                continue
            data = gelf.encode(message, self.hostname, self.fields)
            if self.is_datagram:
                pieces += gelf.datagrams(gelf.compress(data, self.compression, self.level), os.urandom(8))
            else:
                pieces.append(data + b"\0")
        if pieces:
            await self.transport.send(pieces)

    async def close(self) -> None:
        await self.transport.close()


def validate(options: Mapping[str, str]) -> None:
    is_datagram = parse_address(options.get("gelf-address", "")).scheme == "udp"
    for name in sorted(options):
        value = options[name]
        if name in {COMPRESSION_TYPE, COMPRESSION_LEVEL}:
            if not is_datagram:
                raise InvalidParameter("compression is only supported on UDP")
            if not is_compression(name, value):
                raise InvalidParameter(f'unknown value "{value}" for log opt "{name}" for gelf log driver')
        elif name in {MAX_RECONNECT, RECONNECT_DELAY}:
            if is_datagram:
                raise InvalidParameter(f'"{name}" is only valid for TCP')
            if number_of(value) < 0:
                raise InvalidParameter(f'"{name}" must be a positive integer')
        elif name not in (*NAMES, *OF_LINES) and name not in OF_CACHE:
            raise InvalidParameter(f'unknown log opt "{name}" for gelf log driver')
    check_names({name: value for name, value in options.items() if name == CACHE_DISABLED}, (), str)


def is_compression(name: str, value: str) -> bool:
    if name == COMPRESSION_TYPE:
        return value in gelf.COMPRESSIONS
    try:
        return -1 <= parse_integer(value) <= 9
    except InvalidParameter:
        return False


def number_of(text: str) -> int:
    """-1: it is none."""
    try:
        return parse_integer(text)
    except InvalidParameter:
        return -1


def parse_address(text: str) -> Address:
    """Raises InvalidParameter."""
    if not text:
        raise InvalidParameter("gelf-address is a required parameter")
    address = parse_url(text)
    if address.scheme not in {"tcp", "udp"}:
        raise InvalidParameter("gelf: endpoint needs to be TCP or UDP")
    if not address.port:
        raise InvalidParameter("gelf: please provide gelf-address as proto://host:port")
    return address


def patience_of(options: Mapping[str, str]) -> Patience:
    """Docker: by default three tries a second apart, then the line is lost; here nothing is, unless a number of tries is asked for."""
    tries = int(options[MAX_RECONNECT]) if MAX_RECONNECT in options else None
    if RECONNECT_DELAY in options:
        delay_s = float(options[RECONNECT_DELAY])
        return Patience(first_s=delay_s, factor=1, longest_s=delay_s, tries=tries)
    return Patience(tries=tries)


def check(options: Mapping[str, str]) -> None:
    """Nothing more is to be known when the container is started."""
