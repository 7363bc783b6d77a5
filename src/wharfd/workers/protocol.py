"""What the engine and a worker process say to each other over a socket pair.

    frame := length (4 bytes, little endian) message (MessagePack)

The engine sends one job at a time, descriptors that belong to it ride on the length's first byte (SCM_RIGHTS); the worker answers each
job with `Done` or `Failed`.  The end of the socket is the end of the worker.  A new kind of job is a struct here and a line in
`jobs.py`.
"""

import struct

import msgspec

LENGTH = struct.Struct("<I")
MAX_MESSAGE_BYTES = 64 << 20
MAX_DESCRIPTORS = 4


class UnpackLayer(msgspec.Struct, frozen=True, tag=True):
    """Answer: `UnpackedLayer`."""

    blob_path: str
    compression: str
    into: str


class SplitArchive(msgspec.Struct, frozen=True, tag=True):
    """Descriptor 0 gives the archive.  Answer: list of `ArchiveMember`."""

    spool: str


class IngestLayer(msgspec.Struct, frozen=True, tag=True):
    """Descriptor 0 gives the archive.  Answer: `IngestedLayer`."""

    spool: str


class RemoveTree(msgspec.Struct, frozen=True, tag=True):
    """Answer: nothing (None)."""

    path: str


Job = RemoveTree | UnpackLayer | SplitArchive | IngestLayer


class Done(msgspec.Struct, frozen=True, tag=True):
    result: msgspec.Raw


class Failed(msgspec.Struct, frozen=True, tag=True):
    """`invalid`: the archive is at fault, not the worker."""

    message: str
    invalid: bool = False


Reply = Done | Failed

encode = msgspec.msgpack.Encoder().encode
decode_job = msgspec.msgpack.Decoder(Job).decode
decode_reply = msgspec.msgpack.Decoder(Reply).decode


def frame(message: Job | Reply) -> bytes:
    body = encode(message)
    return LENGTH.pack(len(body)) + body
