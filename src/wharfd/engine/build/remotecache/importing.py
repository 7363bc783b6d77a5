"""Caches that a build imports.  What is in them is known at once; layers come when they are wanted."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from wharfd.engine.build.cache import BuildCache
from wharfd.engine.build.client import BuildClient
from wharfd.engine.build.graph import content_digest
from wharfd.engine.build.remotecache.opening import CachePlaces
from wharfd.engine.build.remotecache.places import Origin
from wharfd.engine.build.remotecache.tables import tables_of
from wharfd.engine.build.reports import Report, VertexReport
from wharfd.engine.build.requests import CacheRef
from wharfd.engine.build.sources.images import AS_IT_CAME
from wharfd.engine.images.leases import Lease
from wharfd.engine.images.unpacking import Unpacking, told
from wharfd.engine.tasks import Tasks
from wharfd.model.build import LayerBlob
from wharfd.model.errors import EngineError
from wharfd.model.ids import ChainId, Digest
from wharfd.ports.content import ResumableContent
from wharfd.ports.storage import LayerStore
from wharfd.wire.buildcache import CachedLayer, CacheTable, FoundStep
from wharfd.wire.oci import Descriptor, Manifest, chain_ids
from wharfd.wire.oci.media_types import OCI_CONFIG

NO_CONFIG = Descriptor(media_type=OCI_CONFIG, digest=Digest("sha256:" + "0" * 64), size=0)


@dataclass(frozen=True, slots=True)
class Imported:
    """A step as a cache knows it.  Satisfies `Offer`."""

    step: FoundStep
    table: CacheTable
    origin: Origin
    bringing: "Bringing"

    @property
    def key(self) -> Digest:
        return self.step.key

    @property
    def has_result(self) -> bool:
        return self.step.result is not None

    @property
    def created_ns(self) -> int:
        return max((layer.created_ns for layer in self.chain()[-1:]), default=0)

    def chain(self) -> Sequence[CachedLayer]:
        """Raises InvalidParameter."""
        return self.table.chain(self.step) or ()

    async def bring(self, lease: Lease, report: Report) -> Sequence[ChainId]:
        return await self.bringing(self, lease, report)


class Bringing:
    """Makes layers of what caches have."""

    def __init__(
        self, *, content: ResumableContent, layers: LayerStore, unpacking: Unpacking, cache: BuildCache
    ) -> None:
        self.content = content
        self.layers = layers
        self.unpacking = unpacking
        self.cache = cache

    async def __call__(self, imported: Imported, lease: Lease, report: Report) -> Sequence[ChainId]:
        """The layers of the step's root, held by the lease.

        Raises InvalidParameter for layers that are not what the cache says, and what its origin raises.
        """
        layers = imported.chain()
        chain = chain_ids([layer.diff_id for layer in layers])
        await lease.hold(*chain, *(layer.digest for layer in layers))
        absent = [number for number, chain_id in enumerate(chain) if self.layers.get(chain_id) is None]
        try:
            async with asyncio.TaskGroup() as group:
                for digest in dict.fromkeys(layers[number].digest for number in absent):
                    layer = next(each for each in layers if each.digest == digest)
                    group.create_task(self.bring(imported.origin, layer, report), name=f"cached-layer:{digest}")
        except BaseExceptionGroup as failures:
            raise told(failures) from failures
        manifest = Manifest(config=NO_CONFIG, layers=[layer.descriptor() for layer in layers])
        await self.unpacking.unpack(manifest, [layer.diff_id for layer in layers])
        await self.note(chain, layers)
        return chain

    async def note(self, chain: Sequence[ChainId], layers: Sequence[CachedLayer]) -> None:
        """An image that is built on them has the same archives."""
        here = [
            (chain_id, layer) for chain_id, layer in zip(chain, layers, strict=True) if self.content.has(layer.digest)
        ]
        await self.cache.note_blobs([blob_of(*each) for each in here if self.cache.blob(each[0], AS_IT_CAME) is None])
        await self.content.claim({layer.digest for _, layer in here})

    async def bring(self, origin: Origin, layer: CachedLayer, report: Report) -> None:
        if self.content.has(layer.digest):
            return
        report.status(layer.digest, total=layer.size)
        await origin.bring(
            layer.descriptor(), lambda count: report.status(layer.digest, current=count, total=layer.size)
        )
        report.status(layer.digest, current=layer.size, total=layer.size, is_done=True)


def blob_of(chain_id: ChainId, layer: CachedLayer) -> LayerBlob:
    return LayerBlob(
        id=f"{chain_id} {AS_IT_CAME}",
        diff_id=layer.diff_id,
        digest=layer.digest,
        size=layer.size,
        media_type=layer.media_type,
        created_ns=layer.created_ns,
    )


class CacheImports:
    """Of one build.  A cache that cannot be read is told of, and does without."""

    def __init__(
        self,
        *,
        tasks: Tasks,
        places: CachePlaces,
        bringing: Bringing,
        client: BuildClient,
        activity: Callable[[str], VertexReport],
    ) -> None:
        self.tasks = tasks
        self.places = places
        self.bringing = bringing
        self.client = client
        self.activity = activity
        self.loading: dict[str, asyncio.Task[None]] = {}
        self.found: dict[str, Mapping[Digest, Imported]] = {}

    def add(self, refs: Sequence[CacheRef]) -> None:
        for ref in refs:
            name = name_of(ref)
            if name not in self.loading:
                self.loading[name] = self.tasks.spawn(self.load(name, ref), f"cache-import:{name}")

    async def load(self, name: str, ref: CacheRef) -> None:
        report = self.activity(f"importing cache manifest from {name}")
        try:
            self.found[name] = await self.read(await self.places.origins(ref, self.client))
        except EngineError as error:
            report.complete(error=str(error))
        else:
            report.complete()
        finally:
            report.abandon()

    async def read(self, origins: Sequence[Origin]) -> Mapping[Digest, Imported]:
        """Raises what the last of them raises, if none has a cache."""
        for number, origin in enumerate(origins, 1):
            try:
                tables = await tables_of(origin)
            except EngineError:
                if number == len(origins):
                    raise
            else:
                if tables:
                    return indexed(tables, origin, self.bringing)
        return {}

    async def find(self, key: Digest) -> Imported | None:
        """The first of the caches, in the order in which they were named, that has the key."""
        if waiting := [task for task in self.loading.values() if not task.done()]:
            await asyncio.wait(waiting)
        found = (self.found[name].get(key) for name in self.loading if name in self.found)
        return next((each for each in found if each is not None), None)

    async def close(self) -> None:
        pending = [task for task in self.loading.values() if not task.done()]
        for task in pending:
            task.cancel()
        if pending:
            await asyncio.wait(pending)


def indexed(tables: Sequence[CacheTable], origin: Origin, bringing: Bringing) -> Mapping[Digest, Imported]:
    found: dict[Digest, Imported] = {}
    for table in tables:
        for step in table.steps:
            imported = Imported(step, table, origin, bringing)
            for key in (step.key, *step.quick_keys):
                if key not in found or imported.has_result:
                    found[key] = imported
    return found


def name_of(ref: CacheRef) -> str:
    """As BuildKit calls a cache.

    # Docker: what is no registry's is called by a number that says nothing.
    """
    if ref.type == "registry" and ref.attributes.get("ref"):
        return ref.attributes["ref"]
    number = int(content_digest(sorted(ref.attributes.items()))[7:23], 16)
    return f"{ref.type}:{number}"
