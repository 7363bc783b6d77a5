"""`syslog`: to a server by UDP, TCP, TLS or a UNIX socket, or to this host's own."""

import os
import socket
import ssl
import time
from collections.abc import Mapping, Sequence

from wharfd.drivers.logs.options import OF_LINES, check_names, unknown_for
from wharfd.drivers.logs.remote.addresses import Address, parse_url
from wharfd.drivers.logs.remote.shipper import Patience
from wharfd.drivers.logs.remote.transport import (
    DatagramTransport,
    StreamTransport,
    Transport,
    to_host,
    to_local_syslog,
    to_path,
)
from wharfd.model.errors import InvalidParameter
from wharfd.model.ids import short_id
from wharfd.ports.logs import LogSubject
from wharfd.sys.blocking import Pool
from wharfd.wire.loglines import Message
from wharfd.wire.syslog import Header, encode, parse_facility, parse_format

NAMES = (
    "syslog-address",
    "syslog-facility",
    "syslog-format",
    "syslog-tls-ca-cert",
    "syslog-tls-cert",
    "syslog-tls-key",
    "syslog-tls-skip-verify",
)
PORT = "514"
TLS = "tcp+tls"


class SyslogSender:
    def __init__(self, subject: LogSubject, pool: Pool) -> None:
        options = subject.options
        self.patience = Patience()
        address = parse_address(options.get("syslog-address", ""))
        kind = parse_format(options.get("syslog-format", ""))
        self.header = Header(
            format=kind,
            facility=parse_facility(options.get("syslog-facility", "")),
            hostname=subject.hostname,
            tag=subject.tag or short_id(subject.container_id),
            pid=os.getpid(),
            has_length=address.scheme == TLS and kind.startswith("rfc5424"),
        )
        self.transport = transport_to(address, options, pool)

    async def send(self, messages: Sequence[Message]) -> None:
        # Docker: a line with nothing in it is not sent.
        pieces = [encode(self.header, each, zone_offset_s(each.at_ns)) for each in messages if each.text]
        if pieces:
            await self.transport.send(pieces)

    async def close(self) -> None:
        await self.transport.close()


def validate(options: Mapping[str, str]) -> None:
    check_names(options, (*NAMES, *OF_LINES), unknown_for("syslog"))
    address = parse_address(options.get("syslog-address", ""))
    if address.scheme in {"unix", "unixgram"} and not os.path.exists(address.path):
        raise InvalidParameter(f"stat {address.path}: no such file or directory")
    parse_facility(options.get("syslog-facility", ""))
    parse_format(options.get("syslog-format", ""))


def check(options: Mapping[str, str]) -> None:
    """What can only be known when the container is started.  Raises InvalidParameter."""
    if parse_address(options.get("syslog-address", "")).scheme == TLS:
        tls_context(options)


def parse_address(text: str) -> Address:
    """Without a scheme: the host's own.  Raises InvalidParameter."""
    if not text:
        return Address()
    address = parse_url(text)
    if address.scheme in {"udp", "tcp", TLS}:
        return Address(scheme=address.scheme, host=address.host, port=address.port or PORT)
    if address.scheme in {"unix", "unixgram"}:
        return address
    raise InvalidParameter(f"unsupported scheme: '{address.scheme}'")


def transport_to(address: Address, options: Mapping[str, str], pool: Pool) -> Transport:
    match address.scheme:
        case "":
            return DatagramTransport(to_local_syslog())
        case "udp":
            return DatagramTransport(to_host(pool, address.host, int(address.port), socket.SOCK_DGRAM))
        case "unixgram":
            return DatagramTransport(to_path(address.path, socket.SOCK_DGRAM))
        case "unix":
            return StreamTransport(to_path(address.path, socket.SOCK_STREAM))
        case _:
            open_ = to_host(pool, address.host, int(address.port), socket.SOCK_STREAM)
            is_secure = address.scheme == TLS
            return StreamTransport(open_, tls=(lambda: tls_context(options)) if is_secure else None)


def tls_context(options: Mapping[str, str]) -> ssl.SSLContext:
    """Raises InvalidParameter with dockerd's words for files that cannot be read."""
    context = ssl.create_default_context()
    authority = options.get("syslog-tls-ca-cert", "")
    certificate, key = options.get("syslog-tls-cert", ""), options.get("syslog-tls-key", "")
    if "syslog-tls-skip-verify" in options:  # Docker: whatever it says
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif authority:
        try:
            context.load_verify_locations(authority)
        except OSError as e:
            reason = (e.strerror or str(e)).lower()
            raise InvalidParameter(f'could not read CA certificate "{authority}": open {authority}: {reason}') from e
    if certificate or key:
        try:
            context.load_cert_chain(certificate, key or None)
        except OSError as e:
            reason = (e.strerror or str(e)).lower()
            raise InvalidParameter(f"Could not load X509 key pair: open {certificate}: {reason}") from e
    return context


def zone_offset_s(at_ns: int) -> int:
    """Of this host's local time then."""
    return time.localtime(at_ns // 10**9).tm_gmtoff
