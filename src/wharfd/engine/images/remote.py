"""Manifests and indexes of a registry, and which of an index's entries is meant."""

from collections.abc import Sequence

from wharfd.engine.images.leases import Lease
from wharfd.engine.images.platforms import host_platform
from wharfd.engine.images.survey import MAX_DEPTH, is_document
from wharfd.model.errors import InvalidParameter, NotFound
from wharfd.model.ids import Digest
from wharfd.ports.content import ContentStore
from wharfd.ports.host import Host
from wharfd.ports.registry import Registry
from wharfd.wire.authconfig import AuthConfig
from wharfd.wire.oci import (
    Descriptor,
    Index,
    Manifest,
    Platform,
    best_match,
    decode_target,
    format_platform,
    runnable,
)
from wharfd.wire.reference import Reference


class RemoteImages:
    def __init__(self, *, content: ContentStore, registry: Registry, host: Host) -> None:
        self.content = content
        self.registry = registry
        self.host = host

    async def fetch(
        self, ref: Reference, login: AuthConfig | None, platform: Platform | None, lease: Lease
    ) -> tuple[Descriptor, Manifest]:
        """The target that a name stands for, and the manifest for a platform (None: this host's).  Both are stored.

        Raises NotFound for an index without that platform, and what the registry port says of `resolve` and `document`.
        # Docker: an image that is a mere manifest is taken for whatever platform it is.
        """
        target = await self.registry.resolve(ref, login)
        document = await self.document(ref, target, login, lease)
        target = Descriptor(media_type=document.media_type, digest=target.digest, size=target.size)
        for _ in range(MAX_DEPTH):
            if isinstance(document, Manifest):
                return target, document
            document = await self.document(ref, self.choose(document, platform), login, lease)
        raise InvalidParameter(f"index {target.digest} is nested too deeply")

    async def document(
        self, ref: Reference, descriptor: Descriptor, login: AuthConfig | None, lease: Lease
    ) -> Manifest | Index:
        """From the store if it is there, else from the registry."""
        digest = descriptor.digest
        await lease.hold(digest)
        if self.content.has(digest):
            return decode_target(await self.content.read(digest), descriptor.media_type)
        found = await self.registry.document(ref.with_digest(digest), login)
        document = decode_target(found.data, found.descriptor.media_type)
        if descriptor.size != len(found.data):
            raise InvalidParameter(f"manifest {digest} has {len(found.data)} bytes instead of {descriptor.size}")
        await self.store(found.data, digest)
        return document

    async def store(self, data: bytes, digest: Digest) -> None:
        writer = await self.content.writer()
        try:
            await writer.write(data)
        except BaseException:
            await writer.abort()
            raise
        await writer.commit(digest)

    def choose(self, index: Index, platform: Platform | None) -> Descriptor:
        wanted = [platform] if platform is not None else runnable(host_platform(self.host))
        chosen = entry_for(index, wanted)
        if chosen is None:
            raise NotFound(
                f"no matching manifest for {format_platform(wanted[0])} in the manifest list entries: "
                "no match for platform in manifest: not found"
            )
        return chosen


def entry_for(index: Index, wanted: Sequence[Platform]) -> Descriptor | None:
    """The first that says it is for one of the platforms; else the first that says nothing."""
    entries = [each for each in index.manifests if is_document(each) and not each.is_attestation]
    named = [(each, each.platform) for each in entries if each.platform is not None]
    number = best_match([platform for _, platform in named], wanted)
    if number is not None:
        return named[number][0]
    return next((each for each in entries if each.platform is None), None)
