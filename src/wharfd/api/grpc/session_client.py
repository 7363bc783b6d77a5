"""What a build asks of its client, over the sessions that the client has opened."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from urllib.parse import urlsplit

from wharfd.api.grpc.failures import engine_error
from wharfd.api.grpc.filesync import header_values, receive_tree, send_tree
from wharfd.api.grpc.methods import ask, decode
from wharfd.api.grpc.rpc import ClientCall
from wharfd.api.grpc.sessions import Session, Sessions
from wharfd.engine.build.client import Duplex, ExportedTree, LocalTree, SshAgent
from wharfd.engine.build.ops import LayoutSource, LocalSource
from wharfd.model.errors import InvalidParameter, NotFound, Unavailable
from wharfd.wire.authconfig import AuthConfig
from wharfd.wire.grpc import RpcError, StatusCode
from wharfd.wire.proto import content_pb2, session_pb2

FILE_SYNC = "/moby.filesync.v1.FileSync/DiffCopy"
FILE_SEND = "/moby.filesync.v1.FileSend/DiffCopy"
CREDENTIALS = "/moby.filesync.v1.Auth/Credentials"
GET_SECRET = "/moby.buildkit.secrets.v1.Secrets/GetSecret"  # noqa: S105
CHECK_AGENT = "/moby.sshforward.v1.SSH/CheckAgent"
FORWARD_AGENT = "/moby.sshforward.v1.SSH/ForwardAgent"
PULL = "/moby.upload.v1.Upload/Pull"
READ_CONTENT = "/containerd.services.content.v1.Content/Read"
WRITE_CONTENT = "/containerd.services.content.v1.Content/Write"
EXPORTER_ID = "buildkit-attachable-exporter-id"
EXPORTER_METADATA = "exporter-md-"
STORE_ID = "buildkit-attachable-store-id"
AGENT_ID = "buildkit.ssh.id"
PIECE_BYTES = 256 << 10  # of an archive, sent in one message


class SessionClient:
    """Of one build; `session_id` is the session that it has named.  A source may name another."""

    def __init__(self, sessions: Sessions, session_id: str) -> None:
        self._sessions = sessions
        self._session_id = session_id

    async def session(self, session_id: str = "") -> Session:
        """Raises Unavailable, NotFound if the build has none."""
        session_id = session_id or self._session_id
        if not session_id:
            raise NotFound("the build was started without a session")
        return await self._sessions.get(session_id)

    async def directory_key(self, source: LocalSource) -> str:
        return (await self.session(source.session_id)).shared_key

    async def sync(self, source: LocalSource, tree: LocalTree, transferred: Callable[[int], None]) -> None:
        session = await self.session(source.session_id)
        if not session.offers(FILE_SYNC):
            raise NotFound("no local sources enabled")
        metadata = {"dir-name": [source.name]}
        for key, values in (
            ("include-patterns", source.include),
            ("exclude-patterns", source.exclude),
            ("followpaths", source.follow_paths),
        ):
            if values:
                metadata.update(header_values(key, values))
        try:
            async with session.connection.call(FILE_SYNC, metadata) as call:
                await receive_tree(call, tree, transferred)
        except RpcError as e:
            raise engine_error(e, f"transferring {source.name}") from e

    async def secret(self, secret_id: str) -> bytes:
        session = await self.session()
        if not session.offers(GET_SECRET):
            raise NotFound(f"secret {secret_id}: not found")
        try:
            request = session_pb2.GetSecretRequest(id=secret_id)
            reply = await ask(session.connection, GET_SECRET, request, session_pb2.GetSecretResponse)
        except RpcError as e:
            if e.code is StatusCode.NOT_FOUND:
                raise NotFound(f"secret {secret_id}: not found") from e
            raise engine_error(e, f"secret {secret_id}") from e
        return reply.data

    @asynccontextmanager
    async def _ssh_agent(self, agent_id: str) -> AsyncIterator[SshAgent]:
        session = await self.session()
        if not session.offers(CHECK_AGENT):
            raise NotFound("no SSH key forwarded from the client")
        try:
            request = session_pb2.CheckAgentRequest(id=agent_id)
            await ask(session.connection, CHECK_AGENT, request, session_pb2.CheckAgentResponse)
        except RpcError as e:
            raise NotFound(f"no SSH key {agent_id!r} forwarded from the client: {e.message}") from e
        yield ForwardedAgent(session, agent_id)

    def ssh_agent(self, agent_id: str) -> AbstractAsyncContextManager[SshAgent]:
        return self._ssh_agent(agent_id)

    async def credentials(self, host: str) -> AuthConfig | None:
        try:
            session = await self.session()  # a cache is asked for at once, often before the client's session is there
        except (NotFound, Unavailable):
            return None
        if not session.offers(CREDENTIALS):
            return None
        try:
            request = session_pb2.CredentialsRequest(host=host)
            reply = await ask(session.connection, CREDENTIALS, request, session_pb2.CredentialsResponse)
        except RpcError as e:
            raise engine_error(e, f"login for {host}") from e
        if not reply.secret:
            return None
        if not reply.username:  # Docker: a secret without a user is a refresh token
            return AuthConfig(identitytoken=reply.secret)
        return AuthConfig(username=reply.username, password=reply.secret)

    async def layout_blob(self, source: LayoutSource, digest: str) -> AsyncIterator[bytes]:
        return self._read_blob(
            await self.session(source.session_id), f"oci:{source.store_id}", digest
        )  # BuildKit: so named

    async def read_blob(self, store_id: str, digest: str) -> AsyncIterator[bytes]:
        async for chunk in self._read_blob(await self.session(), store_id, digest):
            yield chunk

    async def _read_blob(self, session: Session, store_id: str, digest: str) -> AsyncIterator[bytes]:
        if not session.offers(READ_CONTENT):
            raise NotFound(f"the client offers no content store {store_id}")
        try:
            async with session.connection.call(READ_CONTENT, {STORE_ID: [store_id]}) as call:
                await call.send(content_pb2.ReadRequest(digest=digest).SerializeToString(), end=True)
                while (data := await call.receive()) is not None:
                    yield decode(content_pb2.ReadResponse, data).data
        except RpcError as e:
            raise engine_error(e, f"reading {digest} of the client's store {store_id}") from e

    async def write_blob(self, store_id: str, digest: str, size: int, chunks: AsyncIterator[bytes]) -> None:
        session = await self.session()
        if not session.offers(WRITE_CONTENT):
            raise NotFound(f"the client offers no content store {store_id}")
        try:
            async with session.connection.call(WRITE_CONTENT, {STORE_ID: [store_id]}) as call:
                await write_content(call, digest, size, chunks)
        except RpcError as e:
            if e.code is not StatusCode.ALREADY_EXISTS:
                raise engine_error(e, f"writing {digest} into the client's store {store_id}") from e

    async def upload(self, url: str) -> AsyncIterator[bytes]:
        session = await self.session()
        if not session.offers(PULL):
            raise NotFound("no upload is offered by the client")
        parts = urlsplit(url)
        try:
            async with session.connection.call(PULL, {"urlhost": [parts.netloc], "urlpath": [parts.path]}) as call:
                while (data := await call.receive()) is not None:
                    yield decode(session_pb2.BytesMessage, data).data
        except RpcError as e:
            raise engine_error(e, "reading what the client uploads") from e

    # --- where results go ------------------------------------------------------------------------------------------------------

    def target(self, exporter_id: str) -> "SessionTarget":
        return SessionTarget(self, exporter_id)


class SessionTarget:
    """An exporter's output, sent to the client."""

    def __init__(self, client: SessionClient, exporter_id: str) -> None:
        self._client = client
        self._exporter_id = exporter_id

    @asynccontextmanager
    async def _call(self, metadata: Mapping[str, list[str]]) -> AsyncIterator[ClientCall]:
        session = await self._client.session()
        if not session.offers(FILE_SEND):
            raise InvalidParameter(f"method {FILE_SEND} not supported by the client")
        try:
            async with session.connection.call(FILE_SEND, {EXPORTER_ID: [self._exporter_id], **metadata}) as call:
                yield call
        except RpcError as e:
            if e.code is not StatusCode.ALREADY_EXISTS:  # Docker: the client has it and wants nothing
                raise engine_error(e, "sending the result") from e

    async def archive(self, chunks: AsyncIterator[bytes], attributes: Mapping[str, str]) -> None:
        metadata = {
            EXPORTER_METADATA + key: [value]
            for key, value in attributes.items()
            if value and value.isascii() and value.isprintable()
        }
        async with self._call(metadata) as call:
            async for chunk in chunks:
                for at in range(0, len(chunk), PIECE_BYTES):
                    piece = session_pb2.BytesMessage(data=chunk[at : at + PIECE_BYTES])
                    await call.send(piece.SerializeToString())
            await call.end()
            while await call.receive() is not None:
                pass

    async def tree(self, tree: ExportedTree) -> None:
        async with self._call({}) as call:
            await send_tree(call, tree)


async def write_content(call: ClientCall, digest: str, size: int, chunks: AsyncIterator[bytes]) -> None:
    """As containerd's clients write: ask how much is there, send the rest, have it checked.  Raises RpcError."""

    async def ask_for(request: content_pb2.WriteRequest) -> int:
        await call.send(request.SerializeToString())
        data = await call.receive()
        if data is None:
            raise RpcError(StatusCode.INTERNAL, "the client ended the write early")
        return int(decode(content_pb2.WriteResponse, data).offset)

    there = await ask_for(
        content_pb2.WriteRequest(action=content_pb2.STAT, ref=f"wharfd-{digest}", total=size, expected=digest)
    )
    at = 0
    async for chunk in chunks:
        rest = chunk[max(0, there - at) :]
        at += len(chunk)
        for start in range(0, len(rest), PIECE_BYTES):
            piece = rest[start : start + PIECE_BYTES]
            there = await ask_for(content_pb2.WriteRequest(action=content_pb2.WRITE, offset=there, data=piece))
    await ask_for(content_pb2.WriteRequest(action=content_pb2.COMMIT, offset=there, total=size, expected=digest))
    await call.end()


class ForwardedAgent:
    def __init__(self, session: Session, agent_id: str) -> None:
        self._session = session
        self._agent_id = agent_id

    async def connect(self) -> Duplex:
        """Raises Unavailable."""
        context = self._session.connection.call(FORWARD_AGENT, {AGENT_ID: [self._agent_id]})
        try:
            return CallDuplex(await context.__aenter__(), context)
        except RpcError as e:
            raise engine_error(e, "ssh agent") from e


class CallDuplex:
    """A call of byte messages as a stream."""

    def __init__(self, call: ClientCall, context: AbstractAsyncContextManager[ClientCall]) -> None:
        self._call = call
        self._context = context

    async def read(self) -> bytes:
        try:
            data = await self._call.receive()
        except RpcError:
            return b""
        return decode(session_pb2.BytesMessage, data).data if data is not None else b""

    async def write(self, data: bytes) -> None:
        try:
            await self._call.send(session_pb2.BytesMessage(data=data).SerializeToString())
        except RpcError as e:
            raise engine_error(e, "ssh agent") from e

    async def close(self) -> None:
        await self._context.__aexit__(None, None, None)
