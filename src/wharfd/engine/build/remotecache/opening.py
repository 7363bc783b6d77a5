"""Finds the place that a client means by a cache's type and attributes."""

from collections.abc import Mapping, Sequence

from wharfd.engine.build.client import BuildClient
from wharfd.engine.build.remotecache.places import ClientCache, Destination, Origin, RegistryCache, StoredImage
from wharfd.engine.build.requests import CacheRef
from wharfd.engine.images.downloads import Downloads
from wharfd.engine.images.resolve import Images
from wharfd.model.errors import ImageNotFound, InvalidParameter, NotFound
from wharfd.model.ids import Digest
from wharfd.ports.content import ContentStore
from wharfd.ports.registry import Registry
from wharfd.wire.reference import parse_normalised


class CachePlaces:
    def __init__(self, *, content: ContentStore, registry: Registry, downloads: Downloads, images: Images) -> None:
        self.content = content
        self.registry = registry
        self.downloads = downloads
        self.images = images

    async def origins(self, ref: CacheRef, client: BuildClient) -> Sequence[Origin]:
        """To be asked in turn, until one has a cache.  Raises InvalidParameter."""
        match ref.type:
            case "registry":
                return [*self.stored(ref.attributes), await self.at_registry(ref.attributes, client)]
            case "local":
                store, digest = ref.attributes.get("src", ""), ref.attributes.get("digest", "")
                if not store or not digest:
                    raise InvalidParameter("local cache importer requires src and digest")
                return [
                    ClientCache(client=client, content=self.content, store_id=f"local:{store}", target_digest=digest)
                ]
        raise InvalidParameter(f"unknown cache importer: {ref.type!r}")

    def stored(self, attributes: Mapping[str, str]) -> Sequence[Origin]:
        """Docker: an image of that name is asked before its registry is."""
        try:
            record = self.images.find(attributes.get("ref", ""))
        except (ImageNotFound, NotFound, InvalidParameter):
            return []
        return [StoredImage(content=self.content, digest=Digest(record.id))]

    async def at_registry(self, attributes: Mapping[str, str], client: BuildClient) -> RegistryCache:
        if not attributes.get("ref"):
            raise InvalidParameter("registry cache requires ref")
        ref = parse_normalised(attributes["ref"]).with_default_tag()
        return RegistryCache(
            registry=self.registry,
            downloads=self.downloads,
            content=self.content,
            ref=ref,
            login=await client.credentials(ref.domain),
        )

    async def destination(self, ref: CacheRef, client: BuildClient) -> Destination:
        """Raises InvalidParameter."""
        match ref.type:
            case "registry":
                return await self.at_registry(ref.attributes, client)
            case "local":
                if not (store := ref.attributes.get("dest", "")):
                    raise InvalidParameter("local cache exporter requires dest")
                return ClientCache(client=client, content=self.content, store_id=f"local:{store}")
        raise InvalidParameter(f"unknown cache exporter: {ref.type!r}")
