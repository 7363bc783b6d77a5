"""Writes what a build knows of its steps to where other builders find it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence, Set

from wharfd.engine.build.cache import BuildCache
from wharfd.engine.build.client import BuildClient
from wharfd.engine.build.exporters.imaging import packing_of, truth
from wharfd.engine.build.exporters.layers import LayerArchives, Packing
from wharfd.engine.build.keys import output_key
from wharfd.engine.build.remotecache.importing import Imported
from wharfd.engine.build.remotecache.opening import CachePlaces
from wharfd.engine.build.remotecache.places import Destination, described, pieces
from wharfd.engine.build.reports import Report
from wharfd.engine.build.requests import CacheRef
from wharfd.engine.build.solver import Solved
from wharfd.engine.images.leases import Lease
from wharfd.engine.images.unpacking import told
from wharfd.model.errors import NotFound
from wharfd.model.ids import ChainId, Digest
from wharfd.ports.content import ContentStore
from wharfd.wire.buildcache import CACHE_CONFIG, CachedLayer, CachedStep, CacheWriter, encode_inline
from wharfd.wire.oci import Descriptor, Index, Manifest, encode
from wharfd.wire.oci.media_types import (
    DOCKER_INDEX,
    DOCKER_LAYER,
    OCI_EMPTY,
    OCI_INDEX,
    OCI_MANIFEST,
    layer_compression,
)

TITLES = {"registry": "exporting cache to registry", "local": "exporting cache to client directory"}
SENT_AT_ONCE = 4
EMPTY_JSON = b"{}"


class CacheExports:
    def __init__(
        self, *, places: CachePlaces, archives: LayerArchives, cache: BuildCache, content: ContentStore
    ) -> None:
        self.places = places
        self.archives = archives
        self.cache = cache
        self.content = content

    async def __call__(
        self,
        ref: CacheRef,
        solved: Sequence[Solved],
        spine: Set[Digest],
        report: Report,
        client: BuildClient,
        lease: Lease,
    ) -> Mapping[str, str]:
        """`spine`: the vertices that the results consist of; of others mode `min` keeps the keys alone.

        Returns what the client is told.  Raises InvalidParameter, and what the place raises.
        """
        destination = await self.places.destination(ref, client)
        report.status("preparing build cache for export")
        is_whole = ref.attributes.get("mode") == "max"
        packing = packing_of(ref.attributes, None)
        writer, offered = CacheWriter(), Offered()
        for step in solved:
            wanted = is_whole or step.vertex.digest in spine
            for number, layers in enumerate(await self.outputs(step, packing, lease, offered) if wanted else [None]):
                quick = [step.quick_key] if step.quick_key is not None and number == 0 else []
                if layers is not None or quick:
                    made_ns = layers[-1].created_ns if layers else 0
                    writer.add(output_key(step.key, number), quick, layers, made_ns)
        await self.send_layers(writer.layers, destination, offered, report, lease)
        response = await self.send_documents(writer, destination, ref.attributes, report)
        report.status("preparing build cache for export", is_done=True)
        return response

    async def outputs(
        self, step: Solved, packing: Packing, lease: Lease, offered: "Offered"
    ) -> Sequence[Sequence[CachedLayer] | None]:
        if step.outputs is not None:
            return [await self.packed(layers, packing, lease) for layers in step.outputs]
        found = [offer for offer in step.offers if isinstance(offer, Imported)]
        return [offered.note(each) for each in found] or [None]

    async def packed(self, layers: Sequence[str], packing: Packing, lease: Lease) -> Sequence[CachedLayer] | None:
        blobs = await self.archives.blobs([ChainId(layer) for layer in layers], packing, lease)
        return [
            CachedLayer(
                digest=Digest(blob.digest),
                size=blob.size,
                media_type=blob.media_type,
                diff_id=Digest(blob.diff_id),
                created_ns=blob.created_ns or self.cache.times.get(layer, 0),
            )
            for layer, blob in zip(layers, blobs, strict=True)
        ]

    async def send_layers(
        self, layers: Sequence[CachedLayer], destination: Destination, offered: "Offered", report: Report, lease: Lease
    ) -> None:
        places = asyncio.Semaphore(SENT_AT_ONCE)

        async def one(layer: CachedLayer) -> None:
            async with places:
                title = f"writing layer {layer.digest}"
                report.status(title)
                descriptor = layer.descriptor()
                if not await destination.has(descriptor):
                    await offered.bring(layer, self.content, lease)
                    await destination.send(descriptor, lambda offset: self.content.stream(layer.digest, offset))
                report.status(title, is_done=True)

        try:
            async with asyncio.TaskGroup() as group:
                for layer in {layer.digest: layer for layer in layers}.values():
                    group.create_task(one(layer), name=f"cache-export:{layer.digest}")
        except BaseExceptionGroup as failures:
            raise told(failures) from failures

    async def send_documents(
        self, writer: CacheWriter, destination: Destination, attributes: Mapping[str, str], report: Report
    ) -> Mapping[str, str]:
        is_oci = truth(attributes, "oci-mediatypes", True)
        is_image = truth(attributes, "image-manifest", is_oci)
        config = writer.encode()
        descriptor = described(config, CACHE_CONFIG)
        await self.send_data(config, descriptor, f"writing config {descriptor.digest}", destination, report)
        layers = [
            layer.descriptor() if is_oci else docker_layer(layer)
            for layer in {each.digest: each for each in writer.layers}.values()
        ]
        if is_image:
            if not layers:
                # An image manifest needs a layer.
                empty = described(EMPTY_JSON, OCI_EMPTY)
                await self.send_data(EMPTY_JSON, empty, f"writing layer {empty.digest}", destination, report)
                layers = [empty]
            media_type = OCI_MANIFEST
            document = encode(Manifest(media_type=media_type, config=descriptor, layers=layers))
        else:
            media_type = OCI_INDEX if is_oci else DOCKER_INDEX
            document = encode(Index(media_type=media_type, manifests=[*layers, descriptor]))
        title = f"writing cache {'image ' if is_image else ''}manifest {described(document, media_type).digest}"
        report.status(title)
        response = await destination.finish(document, media_type)
        report.status(title, is_done=True)
        return response

    async def send_data(
        self, data: bytes, descriptor: Descriptor, title: str, destination: Destination, report: Report
    ) -> None:
        report.status(title)
        if not await destination.has(descriptor):
            await destination.send(descriptor, lambda offset: pieces(data[offset:]))
        report.status(title, is_done=True)


class Offered:
    """Layers of imported caches that are passed on; most of them need not come here for it."""

    def __init__(self) -> None:
        self.origins: dict[Digest, Imported] = {}

    def note(self, imported: Imported) -> Sequence[CachedLayer]:
        chain = imported.chain()
        for layer in chain:
            self.origins.setdefault(layer.digest, imported)
        return chain

    async def bring(self, layer: CachedLayer, content: ContentStore, lease: Lease) -> None:
        await lease.hold(layer.digest)
        if content.has(layer.digest):
            return
        imported = self.origins.get(layer.digest)
        if imported is None:
            raise NotFound(f"blob {layer.digest} is not here any more")
        await imported.origin.bring(layer.descriptor(), lambda _count: None)


def inline_cache(solved: Sequence[Solved], layers: Sequence[str], cache: BuildCache) -> bytes | None:
    """What an image with these layers says of the steps that have made them; None: nothing.

    The same layers and steps give the same bytes, whether the steps were done or found in some cache.
    """

    def diff_id(layer: str) -> str:
        """The same layer may lie here twice, over others and alone.  Of those that were made here nobody knows, nor needs to."""
        info = cache.layers.get(ChainId(layer))
        return layer if info is None else info.diff_id or layer

    numbers = {diff_id(layer): number for number, layer in reversed(list(enumerate(layers)))}
    steps = []
    for step in solved:
        quick = () if step.quick_key is None else (step.quick_key,)
        for number, found in enumerate(inside(step, numbers, diff_id) or [None]):
            if found is not None or (quick and number == 0):
                steps.append(
                    CachedStep(
                        key=output_key(step.key, number),
                        quick_keys=quick if number == 0 else (),
                        layers=found,
                        created_ns=cache.times.get(layers[found[-1]], 0) if found else 0,
                    )
                )
    if not any(step.layers for step in steps):
        return None
    return encode_inline(steps, len(layers))


def inside(step: Solved, numbers: Mapping[str, int], diff_id: Callable[[str], str]) -> Sequence[tuple[int, ...] | None]:
    """For each output its layers by their numbers; None if not all of them are there."""
    if step.outputs is not None:
        return [tuple_of([numbers.get(diff_id(layer)) for layer in output]) for output in step.outputs]
    offers = [offer for offer in step.offers if isinstance(offer, Imported)]
    return [tuple_of([numbers.get(layer.diff_id) for layer in offer.chain()]) for offer in offers]


def tuple_of(numbers: Sequence[int | None]) -> tuple[int, ...] | None:
    found = tuple(number for number in numbers if number is not None)
    return found if len(found) == len(numbers) else None


def docker_layer(layer: CachedLayer) -> Descriptor:
    compression = layer_compression(layer.media_type)
    descriptor = layer.descriptor()
    return Descriptor(
        media_type=DOCKER_LAYER + (f".{compression}" if compression else ""),
        digest=descriptor.digest,
        size=descriptor.size,
        annotations=descriptor.annotations,
    )
