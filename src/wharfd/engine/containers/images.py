"""What a container's image is called now, and which of its manifests the container runs.  Reads records only."""

from functools import lru_cache

from wharfd.engine.ledger import Ledger
from wharfd.model.container import ContainerRecord
from wharfd.model.errors import InvalidParameter
from wharfd.model.image import ImagePlatform
from wharfd.wire.reference import parse_any

MIN_PREFIX = 4


class ImageNames:
    """A look at all names of images at one moment; made anew for each list."""

    def __init__(self, ledger: Ledger) -> None:
        self.images = ledger.images
        self.ids = {name: image.id for image in ledger.images.values() for name in (*image.tags, *image.digests)}

    def shown(self, record: ContainerRecord) -> str:
        """As the client typed it, or the image's id if that name means another image by now, or none."""
        ref = record.image_ref
        if not ref or ref == record.image_id or is_id_prefix(ref, record.image_id):
            return ref
        return ref if self.ids.get(canonical(ref)) == record.image_id else record.image_id

    def manifest(self, record: ContainerRecord) -> ImagePlatform | None:
        """The manifest that it runs, as long as its image is there."""
        image = self.images.get(record.image_id)
        if image is None or record.manifest is None:
            return None
        return next((each for each in image.platforms if each.manifest == record.manifest), None)


def is_id_prefix(ref: str, image_id: str) -> bool:
    digits = ref.removeprefix("sha256:")
    return len(digits) >= MIN_PREFIX and image_id.removeprefix("sha256:").startswith(digits)


@lru_cache(maxsize=4096)
def canonical(ref: str) -> str:
    """The full form of a reference, with its tag; empty if it is none."""
    try:
        parsed = parse_any(ref)
    except InvalidParameter:
        return ""
    if isinstance(parsed, str):
        return parsed
    # Docker: of a name with tag and digest, the digest decides.
    return str(parsed.with_digest(parsed.digest) if parsed.digest else parsed.with_default_tag())
