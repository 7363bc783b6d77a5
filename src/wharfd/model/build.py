"""The records of the builder: what it has made and may use again, and the builds there have been.

Times are nanoseconds since the epoch, 0 for what never happened.
"""

from enum import StrEnum

import msgspec


class CacheKind(StrEnum):
    """In the words of Docker's `BuildCache.Type`."""

    REGULAR = "regular"
    INTERNAL = "internal"
    FRONTEND = "frontend"
    LOCAL = "source.local"
    GIT = "source.git.checkout"
    MOUNT = "exec.cachemount"


class CacheRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a step, or a directory that steps share (a cache mount).

    `key` says what was done with which content; `quick_keys` are other ways to the same record that need no content looked at.
    `outputs`: for each output the layers of its root, the lowest first.  `made`: those of them that this step has made; they go with
    the record.  `facts`: small things worth remembering of it (content digests of parts, an ETag).
    """

    id: str
    key: str
    quick_keys: list[str] = []
    kind: CacheKind = CacheKind.REGULAR
    description: str = ""
    outputs: list[list[str]] = []
    made: list[str] = []
    parents: list[str] = []
    size_bytes: int = 0
    created_ns: int
    used_ns: int = 0
    uses: int = 0
    facts: dict[str, str] = {}
    directory: str = ""  # of a cache mount


class LayerBlob(msgspec.Struct, frozen=True, kw_only=True):
    """The archive of a layer.  `id` is the layer's and tells how it was packed (`LAYER gzip`); several layers may have one blob."""

    id: str
    diff_id: str
    digest: str
    size: int
    media_type: str
    created_ns: int = 0  # when the layer was made, if it was made here


class BuildRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A build that was, for the history.  `log`: digest of a blob with all that it told."""

    id: str
    number: int = 0  # builds in the order in which they began
    frontend: str = ""
    attributes: dict[str, str] = {}
    exporters: list[tuple[str, dict[str, str]]] = []
    started_ns: int
    completed_ns: int = 0
    error: str = ""
    error_code: int = 0  # gRPC's
    response: dict[str, str] = {}
    steps: int = 0
    cached_steps: int = 0
    completed_steps: int = 0
    warnings: int = 0
    log: str = ""
    pinned: bool = False
    blobs: list[str] = []  # further ones that it keeps (provenance)
