"""What receivers get, on sockets of the test's own: datagrams, streams, TLS; receivers that go away and come back."""

import asyncio
import gzip
import os
import socket
import ssl
import subprocess
import zlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest
import uvloop

from wharfd.drivers.logs.remote.fluentd import FluentdSender
from wharfd.drivers.logs.remote.gelf import GelfSender
from wharfd.drivers.logs.remote.journald import JournaldSender
from wharfd.drivers.logs.remote.syslog import SyslogSender
from wharfd.drivers.logs.remote.transport import DatagramTransport, to_local_syslog
from wharfd.ports.logs import LogSubject
from wharfd.sys.blocking import Pool
from wharfd.testing.builders import an_id
from wharfd.testing.clock import START_NS
from wharfd.wire.loglines import Message, Part

OUT, ERR, NOTHING = Message(1, START_NS, b"out"), Message(2, START_NS, b"err"), Message(1, START_NS, b"")


@pytest.fixture(scope="module", params=[asyncio.DefaultEventLoopPolicy, uvloop.EventLoopPolicy])
def event_loop_policy(request: pytest.FixtureRequest) -> asyncio.AbstractEventLoopPolicy:
    made: asyncio.AbstractEventLoopPolicy = request.param()
    return made


@pytest.fixture
async def pool() -> AsyncIterator[Pool]:
    pool = Pool("logs", 1)
    yield pool
    pool.close()


def subject(**options: str) -> LogSubject:
    return LogSubject(
        container_id=an_id(),  # type: ignore[arg-type]
        name="box",
        image_id="sha256:" + "a" * 64,
        image_name="busybox",
        command="sh -c x",
        created_ns=START_NS,
        hostname="host",
        path="/nowhere",
        options={name.replace("_", "-"): value for name, value in options.items()},
        attributes={"tier": "front", "a.b": "c"},
        tag="TAG",
    )


@dataclass
class Server:
    """A stream receiver.  `answers` makes something of what has come; `is_deaf`: it does not read."""

    received: bytearray = field(default_factory=bytearray)
    connections: list[asyncio.StreamWriter] = field(default_factory=list)
    answers: Callable[[bytes], bytes] | None = None
    address: str = ""
    server: asyncio.Server | None = None
    tls: ssl.SSLContext | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.append(writer)
        while data := await reader.read(65_536):
            self.received += data
            if self.answers is not None:
                writer.write(self.answers(data))
        writer.close()

    async def open(self, port: int = 0, path: str = "") -> None:
        if path:
            self.server = await asyncio.start_unix_server(self.serve, path)
        else:
            self.server = await asyncio.start_server(self.serve, "127.0.0.1", port, ssl=self.tls)
            self.address = f"127.0.0.1:{self.server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        assert self.server is not None
        self.server.close()
        for writer in self.connections:
            writer.transport.abort()
        self.connections.clear()

    async def has(self, wanted: bytes) -> None:
        async with asyncio.timeout(20):
            while wanted not in self.received:  # noqa: ASYNC110
                await asyncio.sleep(0.002)


@asynccontextmanager
async def server(path: str = "", *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    made = Server(tls=tls)
    await made.open(path=path)
    try:
        yield made
    finally:
        await made.close()


@asynccontextmanager
async def datagrams(path: str = "") -> AsyncIterator[tuple[socket.socket, str]]:
    made = socket.socket(socket.AF_UNIX if path else socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(path or ("127.0.0.1", 0))
    made.settimeout(20)
    yield made, path or f"127.0.0.1:{made.getsockname()[1]}"
    made.close()


# Syslog


async def test_syslog_by_udp(pool: Pool) -> None:
    async with datagrams() as (receiver, address):
        sender = SyslogSender(subject(syslog_address=f"udp://{address}", syslog_format="rfc3164"), pool)
        await sender.send([OUT, NOTHING, ERR])
        assert receiver.recv(1000).endswith(b" host TAG[%d]: out\n" % os.getpid())
        assert receiver.recv(1000).startswith(b"<27>Nov 1")
        await sender.close()


async def test_syslog_by_tcp(pool: Pool) -> None:
    async with server() as receiver:
        sender = SyslogSender(subject(syslog_address=f"tcp://{receiver.address}", syslog_format="rfc5424"), pool)
        await sender.send([OUT])
        await sender.send([ERR])
        await receiver.has(b" - err\n")
        assert len(receiver.connections) == 1
        assert receiver.received.count(b"\n") == 2
        await sender.close()


@pytest.mark.parametrize("kind", ["unix", "unixgram"])
async def test_syslog_by_unix_sockets(pool: Pool, tmp_path: Path, kind: str) -> None:
    path = str(tmp_path / "s")
    sender = SyslogSender(subject(syslog_address=f"{kind}://{path}"), pool)
    if kind == "unix":
        async with server(path) as receiver:
            await sender.send([OUT])
            await receiver.has(b"TAG[%d]: out\n" % os.getpid())
            await sender.close()
    else:
        async with datagrams(path) as (dgrams, _):
            await sender.send([OUT])
            assert dgrams.recv(1000).endswith(b": out\n")
            await sender.close()


async def test_the_host_s_own_syslog(tmp_path: Path) -> None:
    transport = DatagramTransport(to_local_syslog([str(tmp_path / "no"), str(tmp_path / "s")]))
    with pytest.raises(FileNotFoundError, match="Unix syslog delivery error"):
        await transport.send([b"x"])
    async with datagrams(str(tmp_path / "s")) as (receiver, _):
        await transport.send([b"x"])
        assert receiver.recv(10) == b"x"
    await transport.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("tls")
    crt, key = str(folder / "crt"), str(folder / "key")
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]
    command += ["-keyout", key, "-out", crt, "-subj", "/CN=logs", "-addext", "subjectAltName=IP:127.0.0.1"]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("not installed: openssl")
    return crt, key


@pytest.mark.parametrize("kind", ["", "rfc5424"])
async def test_syslog_by_tls(pool: Pool, certificate: tuple[str, str], kind: str) -> None:
    crt, key = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(crt, key)
    async with server(tls=context) as receiver:
        address = f"tcp+tls://{receiver.address}"
        sender = SyslogSender(
            subject(
                syslog_address=address,
                syslog_format=kind,
                syslog_tls_ca_cert=crt,
                syslog_tls_cert=crt,
                syslog_tls_key=key,
            ),
            pool,
        )
        await sender.send([OUT])
        await receiver.has(b"out\n")
        text = bytes(receiver.received)
        length, _, rest = text.partition(b" ")
        assert (int(length) == len(rest)) if kind else text.startswith(b"<30>")
        await sender.close()
        with pytest.raises(ssl.SSLError):  # whose certificate nobody vouches for
            await SyslogSender(subject(syslog_address=address), pool).send([OUT])
        careless = SyslogSender(subject(syslog_address=address, syslog_tls_skip_verify="true"), pool)
        await careless.send([OUT])
        await careless.close()


# GELF


UNPACK: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.decompress, "zlib": zlib.decompress, "none": bytes}


@pytest.mark.parametrize("kind", UNPACK)
async def test_gelf_by_udp(pool: Pool, kind: str) -> None:
    unpack = UNPACK[kind]
    async with datagrams() as (receiver, address):
        sender = GelfSender(subject(gelf_address=f"udp://{address}", gelf_compression_type=kind), pool)
        await sender.send([NOTHING, ERR, Message(1, START_NS, os.urandom(6000).hex().encode())])
        first = msgspec.json.decode(unpack(receiver.recv(2000)))
        assert (first["short_message"], first["level"], first["host"]) == ("err", 3, "host")
        assert (first["_tag"], first["_container_name"], first["_tier"]) == ("TAG", "box", "front")
        assert first["_created"] == "2023-11-14T22:13:20Z"
        chunks = [receiver.recv(2000)]
        while len(chunks) < chunks[0][11]:
            chunks.append(receiver.recv(2000))
        assert len({chunk[2:10] for chunk in chunks}) == 1
        second = msgspec.json.decode(unpack(b"".join(chunk[12:] for chunk in chunks)))
        assert len(second["short_message"]) == 12_000
        await sender.close()


async def test_gelf_by_tcp(pool: Pool) -> None:
    async with server() as receiver:
        sender = GelfSender(subject(gelf_address=f"tcp://{receiver.address}"), pool)
        await sender.send([OUT, ERR])
        await receiver.has(b'"err"')
        first, second, end = bytes(receiver.received).split(b"\0")
        assert msgspec.json.decode(first)["short_message"] == "out"
        assert msgspec.json.decode(second)["short_message"] == "err"
        assert end == b""
        await sender.close()


# Fluentd


async def test_fluentd(pool: Pool, tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    async with server(path) as receiver:
        sender = FluentdSender(subject(fluentd_address=f"unix://{path}"), pool)
        await sender.send([OUT, Message(2, START_NS, b"x", Part("id", 1, False))])
        tag, entries, _ = msgspec.msgpack.decode(receiver.received)
        assert tag == "TAG"
        assert entries[0][1]["container_name"] == "/box"
        assert entries[0][1]["tier"] == "front"
        assert entries[1][1]["partial_id"] == "id"
        await sender.close()


async def test_fluentd_that_acknowledges(pool: Pool) -> None:
    async with server() as receiver:
        sender = FluentdSender(subject(fluentd_address=receiver.address, fluentd_request_ack="true"), pool)

        def answer(data: bytes) -> bytes:
            return msgspec.msgpack.encode({"ack": msgspec.msgpack.decode(data)[2]["chunk"]})

        receiver.answers = answer
        await sender.send([OUT])
        await sender.send([ERR])
        receiver.answers = lambda _: msgspec.msgpack.encode({"ack": "another"})
        with pytest.raises(ConnectionError):
            await sender.send([ERR])
        receiver.answers = None
        sender.transport.timeout_s = 0.05
        with pytest.raises(TimeoutError):
            await sender.send([ERR])
        await sender.close()


# The journal


async def test_journald(pool: Pool, tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    async with datagrams(path) as (receiver, _):
        sender = JournaldSender(subject(), pool, path)
        await sender.send([OUT, Message(2, START_NS, b"a\nb", Part("id", 2, False))])
        fields = dict(line.split(b"=", 1) for line in receiver.recv(5000).splitlines())
        assert fields[b"MESSAGE"] == b"out"
        assert fields[b"PRIORITY"] == b"6"
        assert fields[b"CONTAINER_NAME"] == b"box"
        assert fields[b"SYSLOG_IDENTIFIER"] == fields[b"CONTAINER_TAG"] == b"TAG"
        assert fields[b"CONTAINER_ID"] == fields[b"CONTAINER_ID_FULL"][:12]
        assert (fields[b"TIER"], fields[b"A_B"]) == (b"front", b"c")
        assert fields[b"SYSLOG_TIMESTAMP"] == b"2023-11-14T22:13:20Z"
        assert fields[b"CONTAINER_LOG_ORDINAL"] == b"1"
        second = receiver.recv(5000)
        assert second.startswith(b"MESSAGE\n\x03\0\0\0\0\0\0\0a\nb\nPRIORITY=3\n")
        assert b"CONTAINER_PARTIAL_MESSAGE=true\n" in second
        await sender.close()


# Receivers that go


async def test_a_receiver_that_is_not_there(pool: Pool, tmp_path: Path) -> None:
    for sender in (
        SyslogSender(subject(syslog_address="tcp://127.0.0.1:1"), pool),
        SyslogSender(subject(syslog_address="tcp://127.0.0.1:99999"), pool),
        GelfSender(subject(gelf_address="tcp://127.0.0.1:1"), pool),
        FluentdSender(subject(fluentd_address=f"unix://{tmp_path}/no"), pool),
        JournaldSender(subject(), pool, f"{tmp_path}/no"),
    ):
        with pytest.raises(OSError, match=r".") as failure:
            await sender.send([OUT])
        assert isinstance(failure.value, OSError)
        await sender.close()


async def test_udp_that_nobody_takes_is_noticed_by_and_by(pool: Pool) -> None:
    async with datagrams() as (_, address):
        pass
    sender = SyslogSender(subject(syslog_address=f"udp://{address}"), pool)
    with pytest.raises(ConnectionRefusedError):
        for _ in range(100):
            await sender.send([OUT])
            await asyncio.sleep(0.01)


async def test_what_a_receiver_has_not_read_when_it_goes_is_told_to_be_sent_again(pool: Pool) -> None:
    """Every message is delivered to one server or the other, though the first goes in the middle."""
    messages = [Message(1, START_NS, b"%d" % number) for number in range(400)]
    first = Server()
    await first.open()
    port = int(first.address.rpartition(":")[2])
    sender = SyslogSender(subject(syslog_address=f"tcp://{first.address}"), pool)
    done = 0
    while done < 200:
        await sender.send(messages[done : done + 10])
        done += 10
    await first.close()
    await asyncio.sleep(0.01)
    with pytest.raises(OSError, match=r"."):
        await sender.send(messages[done : done + 10])
    second = Server()
    await second.open(port)
    while done < 400:
        await sender.send(messages[done : done + 10])
        done += 10
    await second.has(b": 399\n")
    assert numbers(first.received) == list(range(200))
    assert numbers(second.received) == list(range(200, 400))
    await sender.close()
    await second.close()


def numbers(received: bytes | bytearray) -> Sequence[int]:
    return [int(line.rpartition(b" ")[2]) for line in received.splitlines()]


async def test_a_receiver_that_does_not_read_is_given_up(pool: Pool) -> None:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    sender = GelfSender(subject(gelf_address=f"tcp://127.0.0.1:{listener.getsockname()[1]}"), pool)
    transport = sender.transport
    transport.timeout_s = 0.1  # type: ignore[attr-defined]
    with pytest.raises(TimeoutError):
        for _ in range(1000):
            await sender.send([Message(1, START_NS, b"x" * 16_384)] * 100)
    await sender.close()
    listener.close()
