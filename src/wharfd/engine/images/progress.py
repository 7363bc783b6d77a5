"""What long operations on images tell while they run.  The API turns it into lines; tests pass a list's `append`."""

from collections.abc import Callable
from dataclasses import dataclass

from wharfd.model.ids import ChainId, ImageId


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
