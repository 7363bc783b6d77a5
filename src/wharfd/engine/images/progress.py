"""What long operations on images tell while they run.  The API turns it into lines; tests pass a list's `append`."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from wharfd.model.ids import ChainId, Digest, ImageId
from wharfd.wire.oci import Descriptor


@dataclass(frozen=True, slots=True)
class LayerLoaded:
    chain_id: ChainId
    size_bytes: int


@dataclass(frozen=True, slots=True)
class ImageLoaded:
    """`name` is familiar; empty for an image that the archive does not name."""

    image_id: ImageId
    name: str


Progress = Callable[[LayerLoaded | ImageLoaded], None]


class Step(Enum):
    """Where a blob is on its way: in from a registry, or out to one."""

    ANNOUNCED = auto()  # it belongs to the image
    WAITING = auto()  # for its turn
    DOWNLOADING = auto()  # `current` of `total` bytes
    RETRYING = auto()  # the transfer broke off; it goes on in `current` seconds
    VERIFYING = auto()
    DOWNLOADED = auto()
    PRESENT = auto()  # it was here, and is unpacked
    EXTRACTING = auto()  # for `current` seconds
    PULLED = auto()
    PUSHING = auto()  # `current` of `total` bytes
    PUSHED = auto()
    THERE = auto()  # the registry had it
    MOUNTED = auto()  # the registry took it from the repository `source`


@dataclass(frozen=True, slots=True)
class BlobStep:
    """`source`: a repository's path.  `total` 0: not known, or it has no amount."""

    digest: Digest
    step: Step
    current: int = 0
    total: int = 0
    source: str = ""


@dataclass(frozen=True, slots=True)
class PullBegun:
    """`what` is the tag, or for a digest the familiar name with it."""

    repository: str  # its path
    what: str


@dataclass(frozen=True, slots=True)
class PullEnded:
    """`is_newer`: the name stood for something else before, or for nothing."""

    digest: Digest
    name: str  # familiar
    is_newer: bool


Pulling = Callable[[PullBegun | PullEnded | BlobStep], None]


@dataclass(frozen=True, slots=True)
class PushBegun:
    repository: str  # canonical


@dataclass(frozen=True, slots=True)
class PushedInstead:
    """Not all of an index is here: one of its manifests was pushed in its place."""

    index: Descriptor
    manifest: Descriptor


@dataclass(frozen=True, slots=True)
class PushEnded:
    tag: str
    digest: Digest
    size: int  # of the document


Pushing = Callable[[PushBegun | PushedInstead | PushEnded | BlobStep], None]
