"""Which image a reference means.

alpine, alpine:3.20, localhost:5000/x      a tag (`latest` if none is given)
alpine@sha256:…, alpine:3.20@sha256:…      the digest decides; the repository must be one of the image's
sha256:…, 64 hex digits                    the image's id
4d7a, sha256:4d7a                          the beginning of an id, four digits at least, if no tag has that name
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from wharfd.engine.images.leases import Lease, Leases
from wharfd.engine.images.names import repository
from wharfd.engine.images.platforms import matching, preferred
from wharfd.engine.images.unpacking import Unpacking
from wharfd.engine.ledger import Ledger
from wharfd.model.errors import ImageNotFound, NotFound
from wharfd.model.image import ImageConfig, ImagePlatform, ImageRecord
from wharfd.ports.content import ContentStore
from wharfd.ports.host import Host
from wharfd.wire.oci import Platform, decode_config, format_platform
from wharfd.wire.reference import Reference, parse_any

SHORT_ID = re.compile(r"(?:sha256:)?([0-9a-f]{4,64})")
MAX_CONFIGS = 256  # decoded configs that are kept


@dataclass(frozen=True, slots=True)
class ResolvedImage:
    """An image as one platform runs it.  As long as this object is kept, its layers and its config are."""

    record: ImageRecord
    platform: ImagePlatform
    config: ImageConfig
    lease: Lease


def find_image(images: Mapping[str, ImageRecord], text: str) -> ImageRecord:
    """Raises ImageNotFound, NotFound (an ambiguous id), InvalidParameter (no reference at all)."""
    parsed = parse_any(text)
    if isinstance(parsed, str):
        record = images.get(parsed)
        if record is None:
            raise ImageNotFound(parsed)
        return record
    if parsed.digest is not None:
        record = images.get(parsed.digest)
        if record is None or all(repository(name) != parsed.name for name in (*record.tags, *record.digests)):
            raise ImageNotFound(parsed.familiar())
        return record
    return by_tag(images, parsed.with_default_tag()) or by_short_id(images, text, parsed)


def by_tag(images: Mapping[str, ImageRecord], reference: Reference) -> ImageRecord | None:
    name = str(reference)
    return next((record for record in images.values() if name in record.tags), None)


def by_short_id(images: Mapping[str, ImageRecord], text: str, parsed: Reference) -> ImageRecord:
    match = SHORT_ID.fullmatch(text)
    found = [each for each in images.values() if is_prefix(match[1], each)] if match else []
    if len(found) > 1:
        raise NotFound("ambiguous reference")
    if not found:
        raise ImageNotFound(parsed.with_default_tag().familiar())
    return found[0]


def is_prefix(digits: str, record: ImageRecord) -> bool:
    return record.id.removeprefix("sha256:").startswith(digits)


def is_id_of(text: str, record: ImageRecord) -> bool:
    """Is the reference the id or the beginning of the id of this image?  Docker: even one that was found by a tag of that name."""
    return record.id.startswith(text) or is_prefix(text, record)


class Images:
    """What a container is made from."""

    def __init__(
        self, *, ledger: Ledger, content: ContentStore, unpacking: Unpacking, leases: Leases, host: Host
    ) -> None:
        self.ledger = ledger
        self.content = content
        self.unpacking = unpacking
        self.leases = leases
        self.host = host
        self.configs: dict[str, ImageConfig] = {}

    def find(self, ref: str) -> ImageRecord:
        return find_image(self.ledger.images, ref)

    async def get(self, ref: str, platform: Platform | None = None) -> ResolvedImage:
        """The image for `platform`, by default the best one for this host; its layers are unpacked when this returns.

        Raises ImageNotFound, NotFound (not for that platform), InvalidParameter (no reference).
        """
        while True:
            record = self.find(ref)
            chosen = self.choose(record, ref, platform)
            lease = self.leases.open()
            await lease.hold(record.id, chosen.manifest, chosen.config_digest, *chosen.chain_ids)
            if self.ledger.images.get(record.id) is record:
                break
        await self.unpacking.make_sure(record, chosen)
        return ResolvedImage(record, chosen, await self.config_of(chosen), lease)

    def choose(self, record: ImageRecord, ref: str, platform: Platform | None = None) -> ImagePlatform:
        """Raises NotFound."""
        if platform is not None:
            chosen = matching(record.platforms, [platform])
            if chosen is None:
                raise NotFound(
                    f"image with reference {ref} was found but does not provide the specified platform "
                    f"({format_platform(platform)})"
                )
            return chosen
        chosen = preferred(record.platforms, self.host)
        if chosen is None:
            raise NotFound(f"image with reference {ref} was found but none of its platforms is available")
        return chosen

    async def config_of(self, platform: ImagePlatform) -> ImageConfig:
        known = self.configs.get(platform.config_digest)
        if known is None:
            known = decode_config(await self.content.read(platform.config_digest))
            if len(self.configs) >= MAX_CONFIGS:
                self.configs.clear()
            self.configs[platform.config_digest] = known
        return known
