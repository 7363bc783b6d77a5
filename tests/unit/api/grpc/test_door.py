"""The doors from the outside: HTTP/1.1, an upgrade, and a client that speaks gRPC in both roles, before a builder that builds nothing."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.api.grpc.builds import DIGEST, RUN, Blobs, FakeBuilds, NoCache, NoHistory, NoTrees
from tests.unit.api.grpc.pairs import directory, file
from tests.unit.api.grpc.test_filesync import sender
from wharfd.api.errors import error_response
from wharfd.api.grpc.door import Door
from wharfd.api.grpc.methods import ask, decode
from wharfd.api.grpc.rpc import Call, Handler, RpcConnection
from wharfd.api.grpc.session_client import CREDENTIALS, GET_SECRET, READ_CONTENT, WRITE_CONTENT, SessionClient
from wharfd.api.grpc.workers import SNAPSHOTTER, Workers
from wharfd.api.handlers.buildkit import BuildkitHandlers
from wharfd.api.router import Router, RouteTable
from wharfd.api.transport import Server
from wharfd.api.versions.version import MIN
from wharfd.engine.build.classic.context import ContextFiles
from wharfd.model.errors import NotFound
from wharfd.wire import http2
from wharfd.wire.grpc import RpcError, StatusCode, frame_message
from wharfd.wire.oci import Platform
from wharfd.wire.proto import content_pb2, control_pb2, gateway_pb2, llb_pb2, session_pb2
from wharfd.wire.proto.status_pb2 import HealthRequest, HealthResponse

CONTROL = "/moby.buildkit.v1.Control/"
BRIDGE = "/moby.buildkit.v1.frontend.LLBBridge/"
FILES = [file("Dockerfile", b"FROM x\nRUN y\n"), directory("d")]
SYNC = "/moby.filesync.v1.FileSync/DiffCopy"


class Rig:
    def __init__(self, path: str) -> None:
        self.path = path
        self.builds = FakeBuilds()
        workers = Workers(
            worker_id=lambda: "w",
            version="1.2",
            platform=lambda: Platform(os="linux", architecture="amd64"),
            labels=lambda: {SNAPSHOTTER: "overlay2"},
        )
        self.door = Door(
            builds=self.builds,
            workers=workers,
            contexts=ContextFiles(trees=NoTrees(), files=NoTrees()),  # type: ignore[arg-type]  # not used here
            blobs=Blobs(),
            cache=NoCache(),
            history=NoHistory(),
            now_ns=lambda: 10**9,
        )
        handlers = BuildkitHandlers(lambda: self.door)
        router = Router(RouteTable(handlers.routes()), min_version=MIN)
        self.server = Server(router, error_response=error_response, default_headers=list)

    async def upgrade(self, target: str, headers: str = "") -> tuple[asyncio.StreamReader, asyncio.StreamWriter, bytes]:
        reader, writer = await asyncio.open_unix_connection(self.path)
        writer.write(
            f"POST {target} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n{headers}\r\n".encode()
        )
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101"), head
        rest = bytes(reader._buffer)  # type: ignore[attr-defined]
        return reader, writer, rest

    @asynccontextmanager
    async def connected(
        self, target: str = "/grpc", headers: str = "", handlers: Mapping[str, Handler] | None = None
    ) -> AsyncIterator[RpcConnection]:
        _, writer, rest = await self.upgrade(target, headers)
        connection = RpcConnection(is_client=handlers is None, handlers=handlers)
        async with asyncio.TaskGroup() as group:
            group.create_task(connection.run(writer.transport, rest))  # type: ignore[arg-type]
            await asyncio.sleep(0)
            yield connection
            connection.close()

    @asynccontextmanager
    async def session(self, handlers: Mapping[str, Handler], session_id: str = "s1") -> AsyncIterator[RpcConnection]:
        methods = "".join(f"X-Docker-Expose-Session-Grpc-Method: {path}\r\n" for path in handlers)
        headers = f"X-Docker-Expose-Session-Uuid: {session_id}\r\n{methods}"
        async with self.connected("/session", headers, handlers) as connection:
            yield connection


@pytest_asyncio.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    made = Rig(str(tmp_path / "s"))
    await made.server.serve_unix(made.path)
    yield made
    await made.server.shutdown(1.0)


async def solve(connection: RpcConnection, ref: str = "b1", **more: object) -> control_pb2.SolveResponse:
    request = control_pb2.SolveRequest(ref=ref, session="s1", **more)  # type: ignore[arg-type]
    return await ask(connection, CONTROL + "Solve", request, control_pb2.SolveResponse)


async def failed_solve(connection: RpcConnection) -> RpcError:
    with pytest.raises(RpcError) as caught:
        await solve(connection)
    return caught.value


def of(ref: str) -> Mapping[str, list[str]]:
    return {"buildkit-controlapi-buildid": [ref]}


@pytest.mark.parametrize(("target", "status"), [("/grpc", 500), ("/session", 400)])
@pytest.mark.parametrize(
    ("protocol", "text"), [("", "no upgrade proto in request"), ("foo", "protocol foo not supported")]
)
async def test_other_protocols(rig: Rig, target: str, status: int, protocol: str, text: str) -> None:
    reader, writer = await asyncio.open_unix_connection(rig.path)
    upgrade = f"Connection: Upgrade\r\nUpgrade: {protocol}\r\n" if protocol else ""
    writer.write(f"POST {target} HTTP/1.1\r\nHost: x\r\n{upgrade}\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d" % status)
    assert json.loads(await reader.readline()) == {"message": text}
    writer.close()


async def test_who_is_there(rig: Rig) -> None:
    async with rig.connected() as connection:
        info = await ask(connection, CONTROL + "Info", control_pb2.InfoRequest(), control_pb2.InfoResponse)
        assert info.buildkit_version.version == "v1.2"
        workers = await ask(
            connection, CONTROL + "ListWorkers", control_pb2.ListWorkersRequest(), control_pb2.ListWorkersResponse
        )
        assert [(each.id, dict(each.labels)) for each in workers.records] == [("w", {SNAPSHOTTER: "overlay2"})]
        assert [each.architecture for each in workers.records[0].platforms] == ["amd64", "386"]
        health = await ask(connection, "/grpc.health.v1.Health/Check", HealthRequest(), HealthResponse)
        assert health.status == HealthResponse.SERVING


async def test_a_build_as_buildx_makes_it(rig: Rig) -> None:
    """Solve stays open; the work comes over LLBBridge; Return ends it; Status tells of it all the while."""
    async with rig.session({SYNC: sender(FILES)}), rig.connected() as connection, asyncio.TaskGroup() as group:
        exporters = [control_pb2.Exporter(type="moby", attrs={"name": "x"}), control_pb2.Exporter(type="local")]
        solving = group.create_task(solve(connection, exporters=exporters))
        watching = group.create_task(statuses(connection, "b1"))
        await ask(connection, BRIDGE + "Ping", gateway_pb2.PingRequest(), gateway_pb2.PongResponse, of("b1"))
        request = gateway_pb2.SolveRequest(frontend="dockerfile.v0", frontend_opt={"filename": "Dockerfile"})
        reply = await ask(connection, BRIDGE + "Solve", request, gateway_pb2.SolveResponse, of("b1"))
        assert reply.result.metadata == {"k": b"v"}
        assert len(reply.result.ref.definition.blocks) == 3
        assert not solving.done()
        returned = gateway_pb2.ReturnRequest(result=reply.result)
        await ask(connection, BRIDGE + "Return", returned, gateway_pb2.ReturnResponse, of("b1"))
        assert (await solving).exporter_response == {"containerimage.digest": DIGEST}
        seen = await watching
    build = rig.builds.all["b1"]
    assert set(build.context.files) == {"Dockerfile", "d"}
    result, exports = build.exported[0]
    assert result.roots[""] == RUN.output()
    assert [(each.type, each.attributes, each.target is None) for each in exports] == [
        ("image", {"name": "x"}, True),
        ("local", {}, False),
    ]
    assert [each.name for status in seen for each in status.vertexes] == ["RUN"]
    assert seen[0].vertexes[0].started.seconds == 1
    assert [each.message for status in seen for each in status.logs] == [b"FROM x\nRUN y\n"]


async def statuses(connection: RpcConnection, ref: str) -> list[control_pb2.StatusResponse]:
    seen = []
    async with connection.call(CONTROL + "Status") as call:
        await call.send(control_pb2.StatusRequest(ref=ref).SerializeToString(), end=True)
        while (data := await call.receive()) is not None:
            seen.append(decode(control_pb2.StatusResponse, data))
        assert dict(call.headers)["buildkit-current-timestamp"] == "1970-01-01T00:00:01Z"
    return seen


async def test_a_build_that_comes_before_its_session(rig: Rig) -> None:
    async with rig.connected() as connection, asyncio.TaskGroup() as group:
        solving = group.create_task(solve(connection, frontend="dockerfile.v0"))
        await asyncio.sleep(0.05)
        async with rig.session({SYNC: sender(FILES)}):
            await solving
    assert set(rig.builds.all["b1"].context.files) == {"Dockerfile", "d"}


async def test_a_step_that_fails_says_where_it_was_written(rig: Rig) -> None:
    async with rig.session({SYNC: sender([file("Dockerfile", b"FAIL")])}), rig.connected() as connection:
        with pytest.raises(RpcError, match="did not complete successfully: exit code: 7") as caught:
            await solve(connection, frontend="dockerfile.v0")
    details = {url.rpartition("/")[2]: json.loads(value) for url, value in caught.value.details}
    assert details["gatewayapi.ExitMessage+json"] == {"Code": 7}
    assert details["errdefs.Vertex+json"] == {"digest": RUN.digest}
    source = details["errdefs.Source+json"]
    assert source["info"]["filename"] == "Dockerfile"
    assert base64.b64decode(source["info"]["data"]) == b"FAIL"
    assert source["ranges"] == [{"start": {"line": 2}, "end": {"line": 3}}]


async def test_an_error_that_the_client_returns_is_the_builds(rig: Rig) -> None:
    async with rig.connected() as connection, asyncio.TaskGroup() as group:
        solving = group.create_task(failed_solve(connection))
        request = gateway_pb2.ReturnRequest()
        request.error.code, request.error.message = 5, "no"
        request.error.details.add(type_url="t", value=b"v")
        await ask(connection, BRIDGE + "Return", request, gateway_pb2.ReturnResponse, of("b1"))
        error = await solving
    assert (error.message, error.code, error.details) == ("no", StatusCode.NOT_FOUND, [("t", b"v")])


async def test_what_a_client_asks_of_a_build(rig: Rig) -> None:
    async with rig.connected() as connection, asyncio.TaskGroup() as group:
        solving = group.create_task(solve(connection))
        of_b1 = of("b1")
        definition = llb_pb2.Definition()
        solved = await ask(
            connection,
            BRIDGE + "Solve",
            gateway_pb2.SolveRequest(definition=definition),
            gateway_pb2.SolveResponse,
            of_b1,
        )
        assert solved.result.ref.id == ""
        request = gateway_pb2.ReadFileRequest(ref="", path="/f", range=gateway_pb2.FileRange(offset=2, length=3))
        read = await ask(connection, BRIDGE + "ReadFile", request, gateway_pb2.ReadFileResponse, of_b1)
        assert read.data == b"234"
        listed = await ask(
            connection, BRIDGE + "ReadDir", gateway_pb2.ReadDirRequest(path="/"), gateway_pb2.ReadDirResponse, of_b1
        )
        assert [(each.path, each.mode, each.size) for each in listed.entries] == [("f", 0o644, 3)]
        with pytest.raises(RpcError, match="no such file") as caught:
            await ask(
                connection,
                BRIDGE + "StatFile",
                gateway_pb2.StatFileRequest(path="x"),
                gateway_pb2.StatFileResponse,
                of_b1,
            )
        assert caught.value.code is StatusCode.NOT_FOUND
        with pytest.raises(RpcError, match="no such ref"):
            await ask(
                connection,
                BRIDGE + "ReadFile",
                gateway_pb2.ReadFileRequest(ref="q"),
                gateway_pb2.ReadFileResponse,
                of_b1,
            )
        meta = gateway_pb2.ResolveSourceMetaRequest()
        meta.source.identifier = "docker-image://docker.io/library/alpine:latest"
        found = await ask(connection, BRIDGE + "ResolveSourceMeta", meta, gateway_pb2.ResolveSourceMetaResponse, of_b1)
        assert found.source.identifier == f"docker-image://docker.io/library/alpine:latest@{DIGEST}"
        assert found.image.config == b"{}"
        warning = gateway_pb2.WarnRequest(short=b"careful", level=2)
        await ask(connection, BRIDGE + "Warn", warning, gateway_pb2.WarnResponse, of_b1)
        assert [each.short for each in rig.builds.all["b1"].warnings] == [b"careful"]
        returned = gateway_pb2.ReturnRequest(result=solved.result)
        await ask(connection, BRIDGE + "Return", returned, gateway_pb2.ReturnResponse, of_b1)
        await solving
    assert rig.builds.all["b1"].exported[0][0].roots == {"": None}


async def test_a_client_that_goes_ends_its_build(rig: Rig) -> None:
    async with rig.connected() as connection, asyncio.TaskGroup() as group:
        solving = group.create_task(failed_solve(connection))
        await ask(connection, BRIDGE + "Ping", gateway_pb2.PingRequest(), gateway_pb2.PongResponse, of("b1"))
        assert rig.builds.open_refs == {"b1"}
        connection.close()
        assert (await solving).code is StatusCode.UNAVAILABLE
    await rig.builds.all["b1"].has_ended.wait()
    assert not rig.builds.open_refs


async def test_a_session_inside_a_call(rig: Rig) -> None:
    """For clients that have no `/session`."""
    inner = RpcConnection(is_client=False, handlers={SYNC: sender(FILES)})
    metadata = {"x-docker-expose-session-uuid": ["s1"], "x-docker-expose-session-grpc-method": [SYNC]}
    async with rig.connected() as connection, asyncio.TaskGroup() as group:
        async with connection.call(CONTROL + "Session", metadata) as call:
            wire = ListWire()
            inner.begin(group, wire)

            async def pump() -> None:
                while True:
                    for data in wire.take():
                        await call.send(control_pb2.BytesMessage(data=data).SerializeToString())
                    message = await call.receive()
                    assert message is not None
                    inner.data_received(decode(control_pb2.BytesMessage, message).data)
                    await asyncio.sleep(0.001)

            pumping = group.create_task(pump())
            sending = group.create_task(flush_out(wire, call))
            await solve(connection, frontend="dockerfile.v0")
            pumping.cancel()
            sending.cancel()
        inner.connection_lost(None)
    assert set(rig.builds.all["b1"].context.files) == {"Dockerfile", "d"}


class ListWire:
    def __init__(self) -> None:
        self.queue: list[bytes] = []

    def take(self) -> list[bytes]:
        queue, self.queue = self.queue, []
        return queue

    def write(self, data: bytes) -> None:
        self.queue.append(data)

    def writelines(self, list_of_data: list[bytes | memoryview]) -> None:
        self.queue.append(b"".join(list_of_data))

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def close(self) -> None: ...

    def abort(self) -> None: ...


async def flush_out(wire: ListWire, call: Call) -> None:
    while True:
        for data in wire.take():
            await call.send(control_pb2.BytesMessage(data=data).SerializeToString())
        await asyncio.sleep(0.001)


async def test_secrets_and_logins_of_a_session(rig: Rig) -> None:
    async def secret(call: Call) -> None:
        request = decode(session_pb2.GetSecretRequest, await call.receive() or b"")
        if request.id != "token":
            raise RpcError(StatusCode.NOT_FOUND, "nope")
        await call.send(session_pb2.GetSecretResponse(data=b"s3cret").SerializeToString())

    async def login(call: Call) -> None:
        await call.send(session_pb2.CredentialsResponse(username="me", secret="pw").SerializeToString())

    client = SessionClient(rig.door.sessions, "s1")
    assert await SessionClient(rig.door.sessions, "").credentials("docker.io") is None
    early = asyncio.ensure_future(client.credentials("docker.io"))
    await asyncio.sleep(0)
    async with rig.session({GET_SECRET: secret, CREDENTIALS: login}):
        assert (await early) is not None
        assert await client.secret("token") == b"s3cret"
        with pytest.raises(NotFound, match="secret other: not found"):
            await client.secret("other")
        found = await client.credentials("docker.io")
        assert found is not None
        assert (found.username, found.password) == ("me", "pw")
        with pytest.raises(NotFound):
            async with client.ssh_agent("default"):
                pass


async def test_blobs(rig: Rig) -> None:
    path = "/containerd.services.content.v1.Content/"
    data = Blobs.blobs[DIGEST]
    async with rig.connected() as connection:
        info = await ask(connection, path + "Info", content_pb2.InfoRequest(digest=DIGEST), content_pb2.InfoResponse)
        assert info.info.size == len(data)
        for offset, size in ((0, 0), (5, 0), (900, 1200), (len(data), 0)):
            async with connection.call(path + "Read") as call:
                request = content_pb2.ReadRequest(digest=DIGEST, offset=offset, size=size)
                await call.send(request.SerializeToString(), end=True)
                at, read = offset, b""
                while (message := await call.receive()) is not None:
                    reply = decode(content_pb2.ReadResponse, message)
                    assert reply.offset == at
                    at += len(reply.data)
                    read += reply.data
            assert read == data[offset : offset + size if size else None]
        for digest in ("sha256:" + "b" * 64, "nonsense"):
            with pytest.raises(RpcError):
                await ask(connection, path + "Info", content_pb2.InfoRequest(digest=digest), content_pb2.InfoResponse)


def conversation() -> bytes:
    """All that a client would say to begin a build, in one piece."""
    connection = http2.Connection(is_client=True)
    connection.start()
    for path, message, metadata in (
        (CONTROL + "Solve", control_pb2.SolveRequest(ref="b1", session="s1"), {}),
        (CONTROL + "Status", control_pb2.StatusRequest(ref="b1"), {}),
        (BRIDGE + "Ping", gateway_pb2.PingRequest(), of("b1")),
        (BRIDGE + "Solve", gateway_pb2.SolveRequest(frontend="dockerfile.v0"), of("b1")),
    ):
        headers = [(":method", "POST"), (":path", path), ("content-type", "application/grpc")]
        number = connection.open([*headers, *((key, value) for key, values in metadata.items() for value in values)])
        connection.send_data(number, memoryview(frame_message(message.SerializeToString())), end=True)
    return b"".join(connection.take_output())


CONVERSATION = conversation()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.integers(0, len(CONVERSATION)), st.binary(max_size=40))
def test_a_client_that_vanishes_or_raves_at_any_byte(tmp_path: Path, cut: int, rave: bytes) -> None:
    async def run() -> None:
        rig = Rig(str(tmp_path / "v"))
        await rig.server.serve_unix(rig.path)
        _, writer, _ = await rig.upgrade("/grpc")
        writer.write(CONVERSATION[:cut] + rave)
        await asyncio.sleep(0.002)
        writer.transport.abort()
        with suppress(TimeoutError):
            async with asyncio.timeout(5):
                while rig.server.tasks:  # noqa: ASYNC110
                    await asyncio.sleep(0.002)
        assert not rig.server.tasks
        assert not rig.builds.open_refs
        await rig.server.shutdown(0.1)
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(run())


class ClientStore:
    """A client's content store, as containerd's service writes it."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.partial = b""

    async def write(self, call: Call) -> None:
        data, expected = bytearray(self.partial), ""
        while (message := await call.receive()) is not None:
            request = decode(content_pb2.WriteRequest, message)
            match request.action:
                case content_pb2.STAT:
                    expected = request.expected
                    if expected in self.blobs:
                        raise RpcError(StatusCode.ALREADY_EXISTS, "there already")
                case content_pb2.WRITE:
                    assert request.offset == len(data)
                    data += request.data
                case _:
                    assert (request.expected, request.total, request.offset) == (expected, len(data), len(data))
                    self.blobs[expected] = bytes(data)
            reply = content_pb2.WriteResponse(action=request.action, offset=len(data))
            await call.send(reply.SerializeToString())

    async def read(self, call: Call) -> None:
        request = decode(content_pb2.ReadRequest, await call.receive() or b"")
        if request.digest not in self.blobs:
            raise RpcError(StatusCode.NOT_FOUND, "no such blob")
        await call.send(content_pb2.ReadResponse(data=self.blobs[request.digest]).SerializeToString())


@pytest.mark.parametrize("partial", [b"", b"012", b"0123456789"])
async def test_blobs_of_the_clients_store(rig: Rig, partial: bytes) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"01234"
        yield b"56789"

    store = ClientStore()
    store.partial = partial
    client = SessionClient(rig.door.sessions, "s1")
    async with rig.session({READ_CONTENT: store.read, WRITE_CONTENT: store.write}):
        for _ in range(2):
            await client.write_blob("local:/cache", DIGEST, 10, chunks())
        assert store.blobs == {DIGEST: b"0123456789"}
        assert b"".join([chunk async for chunk in client.read_blob("local:/cache", DIGEST)]) == b"0123456789"
        with pytest.raises(NotFound):
            async for _ in client.read_blob("local:/cache", "sha256:" + "b" * 64):
                pass
