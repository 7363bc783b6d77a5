"""`fluentd`: to Fluentd, Fluent Bit and others that speak the forward protocol, by TCP, TLS or a UNIX socket."""

import os
import re
import socket
import ssl
from collections.abc import Mapping, Sequence

from wharfd.drivers.logs.options import (
    OF_LINES,
    check_names,
    parse_bool,
    parse_size,
    parse_unsigned,
    unknown_for,
)
from wharfd.drivers.logs.remote.addresses import Address, parse_url
from wharfd.drivers.logs.remote.shipper import Patience
from wharfd.drivers.logs.remote.transport import SEND_TIMEOUT_S, StreamTransport, to_host, to_path
from wharfd.model.errors import InvalidParameter
from wharfd.model.ids import short_id
from wharfd.ports.logs import LogSubject
from wharfd.sys.blocking import Pool
from wharfd.wire import fluent
from wharfd.wire.loglines import Message
from wharfd.wire.timestamps import parse_duration

RECONNECT_INTERVAL, WRITE_TIMEOUT = "fluentd-async-reconnect-interval", "fluentd-write-timeout"
NAMES = (
    "fluentd-address",
    "fluentd-async",
    RECONNECT_INTERVAL,
    "fluentd-buffer-limit",
    "fluentd-max-retries",
    "fluentd-request-ack",
    "fluentd-retry-wait",
    "fluentd-sub-second-precision",
    WRITE_TIMEOUT,
)
DEFAULT = Address(scheme="tcp", host="127.0.0.1", port="24224")
SHORTEST_INTERVAL_NS, LONGEST_INTERVAL_NS = 100 * 10**6, 10 * 10**9
RETRY_WAIT_S, RETRY_FACTOR = 1.0, 1.5  # Docker's


class FluentdSender:
    """Docker: `fluentd-async` and `fluentd-buffer-limit` are for a buffer in memory; here the log is the buffer, and all is sent so."""

    def __init__(self, subject: LogSubject, pool: Pool) -> None:
        options = subject.options
        self.tag = subject.tag or short_id(subject.container_id)
        self.common = {
            "container_id": subject.container_id,
            "container_name": f"/{subject.name}",
            **subject.attributes,
        }
        self.sub_second = is_on(options, "fluentd-sub-second-precision")
        self.wants_answer = is_on(options, "fluentd-request-ack")
        self.patience = patience_of(options)
        address = parse_address(options.get("fluentd-address", ""))
        if address.scheme == "unix":
            open_ = to_path(address.path, socket.SOCK_STREAM)
        else:
            open_ = to_host(pool, address.host, int(address.port), socket.SOCK_STREAM)
        timeout_ns = parse_duration(options.get(WRITE_TIMEOUT) or "0")
        self.transport = StreamTransport(
            open_,
            tls=ssl.create_default_context if address.scheme == "tls" else None,
            timeout_s=timeout_ns / 1e9 if timeout_ns > 0 else SEND_TIMEOUT_S,
        )

    async def send(self, messages: Sequence[Message]) -> None:
        chunk = os.urandom(16).hex() if self.wants_answer else ""
        data = fluent.encode(self.tag, messages, self.common, sub_second=self.sub_second, chunk=chunk)
        await self.transport.send([data])
        if chunk:
            answer = await self.transport.answer(lambda said: bool(fluent.acknowledged(said)))
            if fluent.acknowledged(answer) != chunk:
                await self.transport.close()
                raise ConnectionError("fluentd has acknowledged something else")

    async def close(self) -> None:
        await self.transport.close()


def validate(options: Mapping[str, str]) -> None:
    check_names(options, (*NAMES, *OF_LINES), unknown_for("fluentd"))
    parse_address(options.get("fluentd-address", ""))
    if text := options.get("fluentd-buffer-limit"):
        parse_size(text, 1024)
    patience_of(options)
    for name in ("fluentd-async", "fluentd-sub-second-precision", "fluentd-request-ack"):
        is_on(options, name)
    if text := options.get(RECONNECT_INTERVAL):
        try:
            interval_ns = parse_duration(text)
        except InvalidParameter as e:
            raise e.prefixed(f"invalid value for {RECONNECT_INTERVAL}: ") from e
        if interval_ns and not SHORTEST_INTERVAL_NS <= interval_ns <= LONGEST_INTERVAL_NS:
            words = f'value ("{text}") must be between 100ms and 10s'
            raise InvalidParameter(f"invalid value for {RECONNECT_INTERVAL}: {words}")
    if text := options.get(WRITE_TIMEOUT):
        try:
            timeout_ns = parse_duration(text)
        except InvalidParameter as e:
            raise e.prefixed(f"invalid value for {WRITE_TIMEOUT}: value must be a duration: ") from e
        if timeout_ns < 0:
            raise InvalidParameter(f"invalid value for {WRITE_TIMEOUT}: value must be a positive duration")


def check(options: Mapping[str, str]) -> None:
    """Nothing more is to be known when the container is started."""


def is_on(options: Mapping[str, str], name: str) -> bool:
    return parse_bool(options[name]) if options.get(name) else False


def patience_of(options: Mapping[str, str]) -> Patience:
    """Raises InvalidParameter."""
    wait_s = RETRY_WAIT_S
    if text := options.get("fluentd-retry-wait"):
        wait_s = parse_duration(text) / 1e9
    tries = None
    if text := options.get("fluentd-max-retries"):
        tries = parse_unsigned(text)
    interval_ns = 0
    if text := options.get(RECONNECT_INTERVAL):
        try:
            interval_ns = parse_duration(text)
        except InvalidParameter:
            interval_ns = 0  # `validate` has words of its own for it
    if interval_ns:
        return Patience(first_s=interval_ns / 1e9, factor=1, longest_s=interval_ns / 1e9, tries=tries)
    return Patience(first_s=wait_s, factor=RETRY_FACTOR, tries=tries)


def parse_address(text: str) -> Address:
    """Raises InvalidParameter."""
    if not text:
        return DEFAULT
    try:
        return parse_known(text if "://" in text else f"tcp://{text}")
    except InvalidParameter as e:
        raise e.prefixed(f"invalid fluentd-address ({text}): ") from e


def parse_known(text: str) -> Address:
    address = parse_url(text)
    if address.scheme == "unix":
        if not address.path.strip("/"):
            raise InvalidParameter("path is empty")
        return address
    if address.scheme not in {"tcp", "tls"}:
        raise InvalidParameter(f"unsupported scheme: '{address.scheme}'")
    if address.path:
        raise InvalidParameter("should not contain a path element")
    port = address.port or DEFAULT.port
    if not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65_535:
        raise InvalidParameter(f'invalid port: strconv.ParseUint: parsing "{port}": value out of range')
    return Address(scheme=address.scheme, host=address.host or DEFAULT.host, port=port)
