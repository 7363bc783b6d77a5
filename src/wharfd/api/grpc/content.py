"""containerd's content service, as far as clients read what builds have left: logs, provenance, results."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Protocol

from wharfd.api.grpc.methods import streaming, unary
from wharfd.api.grpc.rpc import Handler
from wharfd.model.errors import InvalidParameter, NotFound
from wharfd.model.ids import Digest
from wharfd.wire.grpc import Metadata, RpcError, StatusCode
from wharfd.wire.proto import content_pb2 as pb
from wharfd.wire.reference import parse_digest

SERVICE = "/containerd.services.content.v1.Content/"
PIECE_BYTES = 1 << 20  # of one message


class Blobs(Protocol):
    """What a content store shows of its blobs (`ports.content.ContentStore`)."""

    def size(self, digest: Digest) -> int:
        """Raises NotFound."""

    def stream(self, digest: Digest) -> AsyncIterator[bytes]: ...


class Content:
    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    def handlers(self) -> Mapping[str, Handler]:
        return {
            SERVICE + "Info": unary(pb.InfoRequest, pb.InfoResponse, self.info),
            SERVICE + "Read": streaming(pb.ReadRequest, pb.ReadResponse, self.read),
        }

    async def info(self, request: pb.InfoRequest, metadata: Metadata) -> pb.InfoResponse:
        digest = digest_of(request.digest)
        return pb.InfoResponse(info=pb.Info(digest=digest, size=self.size(digest)))

    async def read(self, request: pb.ReadRequest, metadata: Metadata) -> AsyncGenerator[pb.ReadResponse, None]:
        digest = digest_of(request.digest)
        size = self.size(digest)
        if not 0 <= request.offset <= size or request.size < 0:
            raise RpcError(StatusCode.OUT_OF_RANGE, f"read past object length {size} bytes")
        at, end = 0, min(size, request.offset + request.size) if request.size else size
        async for chunk in self._blobs.stream(digest):
            piece = chunk[max(0, request.offset - at) : end - at]
            offset = max(at, request.offset)
            at += len(chunk)
            for start in range(0, len(piece), PIECE_BYTES):
                yield pb.ReadResponse(offset=offset + start, data=piece[start : start + PIECE_BYTES])
            if at >= end:
                return

    def size(self, digest: Digest) -> int:
        try:
            return self._blobs.size(digest)
        except NotFound as e:
            raise NotFound(f"content {digest}: not found") from e


def digest_of(text: str) -> Digest:
    """Raises InvalidParameter."""
    try:
        return Digest(parse_digest(text))
    except InvalidParameter as e:
        raise InvalidParameter(f"{text!r}: {e}") from e
