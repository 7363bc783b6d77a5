"""What the engine and a worker process say to each other over a socket pair.

    frame := length (4 bytes, little endian) message (MessagePack)

The engine sends one job at a time, descriptors that belong to it ride on the length's first byte (SCM_RIGHTS); the worker answers each
job with `Done` or `Failed`.  The end of the socket is the end of the worker.  A new kind of job is a struct here and a line in
`jobs.py`.
"""

import struct

import msgspec

from wharfd.model.container import Rootfs
from wharfd.model.fileactions import AnyAction
from wharfd.model.files import Extraction, FileView
from wharfd.model.tree import RootView, Selection

LENGTH = struct.Struct("<I")
MAX_MESSAGE_BYTES = 64 << 20
MAX_DESCRIPTORS = 4


class UnpackLayer(msgspec.Struct, frozen=True, tag=True):
    """`is_growing`: descriptor 0 tells how far the file may be read (see `growing.py`).  Answer: `UnpackedLayer`."""

    blob_path: str
    compression: str
    into: str
    is_growing: bool = False


class SplitArchive(msgspec.Struct, frozen=True, tag=True):
    """Descriptor 0 gives the archive.  Answer: list of `ArchiveMember`."""

    spool: str


class IngestLayer(msgspec.Struct, frozen=True, tag=True):
    """Descriptor 0 gives the archive.  Answer: `IngestedLayer`."""

    spool: str


class RemoveTree(msgspec.Struct, frozen=True, tag=True):
    """Answer: nothing (None)."""

    path: str


class StatPath(msgspec.Struct, frozen=True, tag=True):
    """Answer: `PathStat`."""

    view: FileView
    path: bytes


class ReadPath(msgspec.Struct, frozen=True, tag=True):
    """Descriptor 0 takes a frame with the `PathStat`, then the archive.  `encoding`: "", gzip, deflate.  Answer: nothing."""

    view: FileView
    path: bytes
    encoding: str


class WritePath(msgspec.Struct, frozen=True, tag=True):
    """Descriptor 0 gives the archive.  Answer: nothing."""

    view: FileView
    path: bytes
    how: Extraction


class ExportRoot(msgspec.Struct, frozen=True, tag=True):
    """Descriptor 0 takes a frame with nothing, then the archive.  Answer: nothing."""

    view: FileView


class ListChanges(msgspec.Struct, frozen=True, tag=True):
    """Answer: list of `Change`."""

    rootfs: Rootfs


class ApplyActions(msgspec.Struct, frozen=True, tag=True):
    """Root numbers of the actions count `roots`; -1 is the target.  Answer: bytes of the files in the target's upper layer (int)."""

    target: RootView
    roots: list[RootView]
    actions: list[AnyAction]


class DigestSelections(msgspec.Struct, frozen=True, tag=True):
    """Answer: list of `Digest`."""

    view: RootView
    selections: list[Selection]


class ReadRange(msgspec.Struct, frozen=True, tag=True):
    """Answer: bytes."""

    view: RootView
    path: str
    offset: int
    length: int


class StatEntry(msgspec.Struct, frozen=True, tag=True):
    """Answer: `TreeEntry`."""

    view: RootView
    path: str


class ResolvePath(msgspec.Struct, frozen=True, tag=True):
    """Answer: `TreeEntry`, whose path is without links."""

    view: RootView
    path: str


class ListDirectory(msgspec.Struct, frozen=True, tag=True):
    """Answer: list of `TreeEntry`."""

    view: RootView
    path: str


class ListTree(msgspec.Struct, frozen=True, tag=True):
    """Answer: list of `TreeEntry`."""

    view: RootView


class ExportTree(msgspec.Struct, frozen=True, tag=True):
    """Descriptor 0 takes a frame with nothing, then an archive of everything.  `clamp_ns`: no time is later.  Answer: nothing."""

    view: RootView
    clamp_ns: int | None = None


class ServeRoot(msgspec.Struct, frozen=True, tag=True):
    """Descriptor 0 is a socket over which files are asked for (see `build/serving.py`).  Answer: nothing."""

    view: RootView


class ReceiveContext(msgspec.Struct, frozen=True, tag=True):
    """Descriptor 0 gives the archive.  Answer: list of `DigestedEntry`."""

    into: str


class FetchUrl(msgspec.Struct, frozen=True, tag=True):
    """Answer: a mapping with the fields of `Fetched`, or nothing if it is what the ETag says."""

    url: str
    path: str
    authorization: str
    etag: str
    proxies: dict[str, str]


class StreamUrl(msgspec.Struct, frozen=True, tag=True):
    """Descriptor 0 takes a frame with a `WebAnswer`, then the bytes if it is a good one.  Answer: nothing."""

    url: str
    proxies: dict[str, str]


class WebAnswer(msgspec.Struct, frozen=True):
    """`length` -1: not said.  `body`: the beginning of what a bad one says."""

    status: int
    reason: str
    length: int = -1
    body: bytes = b""


class FinishRun(msgspec.Struct, frozen=True, tag=True):
    """Answer: bytes of the files in the upper layer (int)."""

    view: RootView
    stubs: list[str]


class PackLayer(msgspec.Struct, frozen=True, tag=True):
    """Answer: `IngestedLayer`."""

    upper: str
    lower: list[str]
    spool: str
    compression: str
    level: int = -1
    clamp_ns: int | None = None


class PackChanges(msgspec.Struct, frozen=True, tag=True):
    """Answer: `IngestedLayer`, or nothing if there are no changes."""

    rootfs: Rootfs
    spool: str


BuildJob = (
    ApplyActions
    | DigestSelections
    | ReadRange
    | StatEntry
    | ResolvePath
    | ListDirectory
    | ListTree
    | ExportTree
    | ReceiveContext
    | ServeRoot
    | FinishRun
    | FetchUrl
    | StreamUrl
    | PackLayer
)

Job = (
    RemoveTree
    | UnpackLayer
    | SplitArchive
    | IngestLayer
    | StatPath
    | ReadPath
    | WritePath
    | ExportRoot
    | ListChanges
    | PackChanges
    | BuildJob
)


class Done(msgspec.Struct, frozen=True, tag=True):
    result: msgspec.Raw


class Failed(msgspec.Struct, frozen=True, tag=True):
    """`invalid`: the archive or the request is at fault, not the worker; `missing`: what was asked for is not there."""

    message: str
    invalid: bool = False
    missing: bool = False


Reply = Done | Failed

encode = msgspec.msgpack.Encoder().encode
decode_job = msgspec.msgpack.Decoder(Job).decode
decode_reply = msgspec.msgpack.Decoder(Reply).decode


def frame(message: Job | Reply) -> bytes:
    return framed(message)


def framed(value: object) -> bytes:
    """Also what goes before a stream."""
    body = encode(value)
    return LENGTH.pack(len(body)) + body
