"""What an image's builders and others state about it: in-toto statements, kept in manifests beside the one they speak of."""

from collections.abc import Collection
from dataclasses import dataclass

import msgspec

from wharfd.engine.images.garbage import descriptor_of
from wharfd.engine.images.resolve import Images
from wharfd.engine.images.survey import survey
from wharfd.engine.images.views import describes
from wharfd.model.errors import InvalidParameter
from wharfd.model.json import Json
from wharfd.ports.content import ContentStore
from wharfd.wire.oci import Descriptor, Platform

PREDICATE_TYPE = "in-toto.io/predicate-type"


@dataclass(frozen=True, slots=True)
class Attestation:
    """`statement` None: it was not asked for."""

    descriptor: Descriptor
    predicate_type: str
    statement: Json = None


class ListAttestations:
    def __init__(self, *, images: Images, content: ContentStore) -> None:
        self.images = images
        self.content = content

    async def __call__(
        self,
        ref: str,
        platform: Platform | None = None,
        types: Collection[str] = (),
        *,
        with_statements: bool = False,
    ) -> list[Attestation]:
        """Those that are here, of the image for a platform (None: the best one for this host).

        Raises ImageNotFound, NotFound (not for that platform), InvalidParameter.
        """
        record = self.images.find(ref)
        chosen = self.images.choose(record, ref, platform)
        found = await survey(self.content, descriptor_of(record))
        stated = [
            Attestation(layer, (layer.annotations or {}).get(PREDICATE_TYPE, ""))
            for each in found.manifests
            if each.descriptor.is_attestation and describes(each.descriptor) == chosen.manifest
            for layer in each.manifest.layers
            if self.content.has(layer.digest)
        ]
        wanted = [each for each in stated if not types or each.predicate_type in types]
        if not with_statements:
            return wanted
        return [
            Attestation(each.descriptor, each.predicate_type, await self.statement(each.descriptor)) for each in wanted
        ]

    async def statement(self, descriptor: Descriptor) -> Json:
        try:
            statement: Json = msgspec.json.decode(await self.content.read(descriptor.digest))
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as e:
            raise InvalidParameter(f"invalid attestation {descriptor.digest}: {e}") from e
        return statement
