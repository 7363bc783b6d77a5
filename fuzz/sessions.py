"""What clients of a builder send as messages: trees, graphs.  Any bytes are taken or refused, and no path leads outside."""

from google.protobuf.message import DecodeError

from wharfd.api.grpc.llb import decode_definition, encode_definition
from wharfd.engine.build import ops
from wharfd.engine.build.graph import Vertex
from wharfd.model.errors import InvalidParameter, NotImplementedHere
from wharfd.wire.fsutil import StatReader, encode_stat
from wharfd.wire.grpc import MessageReader, RpcError, frame_message
from wharfd.wire.proto.fsutil_pb2 import Packet, Stat
from wharfd.wire.proto.llb_pb2 import Definition

_BASE = Vertex(op=ops.ImageSource(ref="docker.io/library/alpine:latest"))
_RUN = Vertex(
    op=ops.ExecOp(args=["true"], mounts=[ops.BindMount(destination="/", input=0, output=0)]), inputs=(_BASE.output(),)
)
_COPY = Vertex(
    op=ops.FileOp(actions=[ops.Copy(input=0, source_input=1, source="/a", destination="/b", output=0)]),
    inputs=(_RUN.output(), Vertex(op=ops.LocalSource(name="context", exclude=["*.md"])).output()),
)
_STATS = [
    Stat(path="d", mode=1 << 31 | 0o755),
    Stat(path="d/f", mode=0o644, size=3),
    Stat(path="l", mode=1 << 27 | 0o777, linkname="d/f"),
    Stat(path="h", mode=0o644, size=3, linkname="d/f"),
]
SEEDS = [
    encode_definition(_COPY.output()).SerializeToString(),
    b"".join(frame_message(Packet(type=Packet.STAT, stat=each).SerializeToString()) for each in _STATS),
    frame_message(Packet(type=Packet.DATA, id=1, data=b"abc").SerializeToString()),
]


def fuzz_one(data: bytes) -> None:
    graph(data)
    tree(data)


def graph(data: bytes) -> None:
    try:
        decoded = decode_definition(Definition.FromString(data))
    except (DecodeError, InvalidParameter, NotImplementedHere):
        return
    if decoded.output is not None:
        again = decode_definition(encode_definition(decoded.output)).output
        assert again is not None
        assert again.vertex.digest == decoded.output.vertex.digest


def tree(data: bytes) -> None:
    files = StatReader()
    try:
        for message in MessageReader(1 << 16).feed(memoryview(data)):
            packet = Packet.FromString(bytes(message))
            if packet.HasField("stat"):
                entry = files.read(packet.stat)
                assert not entry.path.startswith("/")
                assert ".." not in entry.path.split("/")
                encode_stat(entry)
    except (DecodeError, InvalidParameter, RpcError):
        pass
