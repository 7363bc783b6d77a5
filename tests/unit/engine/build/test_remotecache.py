"""Two machines that know each other by caches alone."""

import base64
import json
from collections.abc import AsyncIterator, Mapping, Sequence

import pytest

from tests.tars import entry, tar_of
from tests.unit.engine.build.rig import Build, SolverRig, copy, merge, run
from wharfd.engine.build.client import NothingOffered
from wharfd.engine.build.exporters.layers import Packing
from wharfd.engine.build.graph import Output, content_digest
from wharfd.engine.build.keys import spine
from wharfd.engine.build.progress import Update, VertexUpdate
from wharfd.engine.build.remotecache.all import RemoteCaches
from wharfd.engine.build.remotecache.exporting import CacheExports, inline_cache
from wharfd.engine.build.remotecache.importing import Bringing, CacheImports
from wharfd.engine.build.remotecache.opening import CachePlaces
from wharfd.engine.build.reports import Activity, VertexReport
from wharfd.engine.build.requests import CacheRef
from wharfd.engine.images.downloads import Downloads
from wharfd.engine.images.leases import Lease
from wharfd.engine.images.resolve import Images
from wharfd.engine.images.unpacking import Unpacking
from wharfd.model.build import LayerBlob
from wharfd.model.errors import InvalidParameter, NotFound
from wharfd.model.ids import ChainId, Digest
from wharfd.testing.registry import FakeRegistry
from wharfd.wire.buildcache import CACHE_CONFIG
from wharfd.wire.oci import Descriptor, digest_of
from wharfd.wire.oci.media_types import DOCKER_INDEX, OCI_CONFIG, OCI_LAYER, OCI_MANIFEST
from wharfd.wire.timestamps import format_rfc3339_nano

REGISTRY = CacheRef(type="registry", attributes={"ref": "localhost:5000/cache:x"})
WHOLE = CacheRef(type="registry", attributes={**REGISTRY.attributes, "mode": "max"})


class Archives:
    """Packs a layer: one file that has the layer's name."""

    def __init__(self, rig: SolverRig) -> None:
        self.rig = rig

    async def blobs(self, layers: Sequence[ChainId], packing: Packing, lease: Lease) -> Sequence[LayerBlob]:
        return [self.blob(layer) for layer in layers]

    def blob(self, layer: ChainId) -> LayerBlob:
        known = self.rig.cache.blob(layer, "original")
        if known is not None:
            return known
        data = tar_of(entry(layer, b""))
        digest = self.rig.world.content.put(data)
        return LayerBlob(id=f"{layer} plain", diff_id=digest, digest=digest, size=len(data), media_type=OCI_LAYER)


class Stores(NothingOffered):
    """A client with directories: `blobs[store id]`."""

    def __init__(self) -> None:
        self.blobs: dict[str, dict[str, bytes]] = {"local:dir": {}}

    async def read_blob(self, store_id: str, digest: str) -> AsyncIterator[bytes]:
        found = self.blobs[store_id].get(digest)
        if found is None:
            raise NotFound(f"content {digest}: not found")
        yield found

    async def write_blob(self, store_id: str, digest: str, size: int, chunks: AsyncIterator[bytes]) -> None:
        data = b"".join([chunk async for chunk in chunks])
        assert (digest_of(data), len(data)) == (digest, size)
        self.blobs[store_id][digest] = data


class Machine:
    def __init__(self, registry: FakeRegistry, client: NothingOffered) -> None:
        self.rig = rig = SolverRig()
        self.client = client
        world = rig.world
        images = Images(
            ledger=rig.ledger,
            content=world.content,
            unpacking=Unpacking(ledger=rig.ledger, content=world.content, layers=world.layers),
            leases=rig.leases,
            host=world.host,
        )
        places = CachePlaces(
            content=world.content,
            registry=registry,
            downloads=Downloads(content=world.content, registry=registry, limit=3),
            images=images,
        )
        self.archives = Archives(rig)
        self.caches = RemoteCaches(
            tasks=rig.tasks,
            leases=rig.leases,
            places=places,
            bringing=Bringing(content=world.content, layers=world.layers, unpacking=images.unpacking, cache=rig.cache),
            exports=CacheExports(
                places=places,
                archives=self.archives,  # type: ignore[arg-type]
                cache=rig.cache,
                content=world.content,
            ),
        )
        self.told: list[Update] = []

    def activity(self, name: str) -> VertexReport:
        async def room() -> None:
            return

        report = VertexReport(
            Activity(content_digest([name]), name), self.told.append, self.rig.world.clock.now_ns, room
        )
        report.start()
        return report

    async def build(self, target: Output, *refs: CacheRef) -> Build:
        """Leaves the build open."""
        build = self.rig.build()
        imports: CacheImports = self.caches.imports(refs, self.client, self.activity)
        build.solver.offers = imports
        await build.solver.roots([target])
        await imports.close()
        return build

    async def export(self, build: Build, target: Output, ref: CacheRef) -> Mapping[str, str]:
        solved = await build.solver.solved([target])
        with self.rig.leases.open() as lease:
            return await self.caches.exports(ref, solved, spine([target]), self.activity("export"), self.client, lease)

    def errors(self) -> list[str]:
        return [each.error for each in self.told if isinstance(each, VertexUpdate) and each.error]


@pytest.fixture
def registry() -> FakeRegistry:
    return FakeRegistry()


@pytest.fixture
def client() -> Stores:
    return Stores()


@pytest.fixture
async def here(registry: FakeRegistry, client: Stores) -> AsyncIterator[Machine]:
    made = Machine(registry, client)
    await made.rig.open()
    yield made
    await made.rig.close()


@pytest.fixture
async def there(registry: FakeRegistry, client: Stores) -> AsyncIterator[Machine]:
    made = Machine(registry, client)
    await made.rig.open()
    yield made
    await made.rig.close()


TARGET = run("top", copy("copied", run("base"), run("stage", run("deep"))))


@pytest.mark.parametrize(
    "attributes",
    [
        {"mode": "max"},
        {"mode": "min"},
        {"image-manifest": "false"},
        {"oci-mediatypes": "false"},
    ],
)
async def test_what_one_machine_has_done_the_other_takes_over(
    here: Machine, there: Machine, attributes: Mapping[str, str]
) -> None:
    ref = CacheRef(type="registry", attributes={**REGISTRY.attributes, **attributes})
    await here.export(await here.build(TARGET), TARGET, ref)
    build = await there.build(TARGET, REGISTRY)
    assert there.rig.steps.done == []
    assert {"base", "copied", "top"} <= build.cached()
    kept = {record.description: len(record.outputs[0]) for record in there.rig.cache.records()}
    assert kept == {"base": 1, "copied": 2, "top": 3}
    assert there.rig.world.content.unclaimed() == frozenset()


async def test_the_whole_cache_has_the_steps_of_other_stages(here: Machine, there: Machine) -> None:
    await here.export(await here.build(TARGET), TARGET, WHOLE)
    await there.build(run("new", run("stage", run("deep"))), REGISTRY)
    assert there.rig.steps.done == ["new"]


async def test_the_small_cache_has_them_not(here: Machine, there: Machine) -> None:
    await here.export(await here.build(TARGET), TARGET, REGISTRY)
    await there.build(run("stage", run("deep")), REGISTRY)
    assert there.rig.steps.done == ["deep", "stage"]


async def test_a_cache_is_passed_on_without_being_brought(
    here: Machine, there: Machine, registry: FakeRegistry
) -> None:
    await here.export(await here.build(TARGET), TARGET, WHOLE)
    build = await there.build(TARGET, REGISTRY)
    further = CacheRef(type="registry", attributes={"ref": "localhost:5000/cache:y", "mode": "max"})
    before = set(there.rig.world.content.blobs)
    await there.export(build, TARGET, further)
    assert set(there.rig.world.content.blobs) == before
    repository = registry.repositories["localhost:5000/cache"]
    assert repository.tags["x"] == repository.tags["y"]


async def test_layers_that_do_not_stand_on_each_other(here: Machine, there: Machine) -> None:
    target = merge("merged", run("a"), run("b"))
    await here.export(await here.build(target), target, WHOLE)
    await there.build(target, REGISTRY)
    assert there.rig.steps.done == []


async def test_a_cache_in_a_directory_of_the_clients(here: Machine, there: Machine, client: Stores) -> None:
    build = await here.build(TARGET)
    answer = await here.export(build, TARGET, CacheRef(type="local", attributes={"dest": "dir", "mode": "max"}))
    digest = json.loads(answer["cache.manifest"])["digest"]
    assert digest in client.blobs["local:dir"]
    await there.build(TARGET, CacheRef(type="local", attributes={"src": "dir", "digest": digest}))
    assert there.rig.steps.done == []
    assert [each.error for each in there.told if isinstance(each, VertexUpdate) and each.error] == []


async def test_a_cache_that_is_not_there_is_told_of_and_done_without(there: Machine) -> None:
    local = CacheRef(type="local", attributes={"src": "dir", "digest": digest_of(b"")})
    await there.build(run("a"), REGISTRY, local, CacheRef(type="tape"))
    assert there.rig.steps.done == ["a"]
    errors = there.errors()
    assert len(errors) == 3
    assert any("unknown cache importer" in error for error in errors)


async def test_layers_that_are_not_what_the_cache_says_are_not_believed(
    here: Machine, there: Machine, registry: FakeRegistry
) -> None:
    await here.export(await here.build(run("a")), run("a"), REGISTRY)
    blobs = registry.repositories["localhost:5000/cache"].blobs
    (layer,) = [digest for digest, data in blobs.items() if not data.startswith(b"{")]
    blobs[layer] = bytes(reversed(blobs[layer]))
    await there.build(run("a"), REGISTRY)
    assert there.rig.steps.done == ["a"]
    assert layer not in there.rig.world.content.blobs


async def test_the_manifest_is_an_image_or_an_index_as_the_client_wants(here: Machine, registry: FakeRegistry) -> None:
    build = await here.build(TARGET)
    repository = registry.repositories["localhost:5000/cache"]

    async def kind(**attributes: str) -> tuple[str, dict[str, list[dict[str, str]]]]:
        named = {key.replace("_", "-"): value for key, value in attributes.items()}
        await here.export(build, TARGET, CacheRef(type="registry", attributes={**REGISTRY.attributes, **named}))
        media_type, document = repository.documents[repository.tags["x"]]
        return media_type, json.loads(document)

    media_type, document = await kind()
    assert media_type == OCI_MANIFEST
    assert document["config"]["mediaType"] == CACHE_CONFIG  # type: ignore[call-overload]
    assert [each["mediaType"] for each in document["layers"]] == [OCI_LAYER] * 3
    media_type, document = await kind(oci_mediatypes="false")
    assert media_type == DOCKER_INDEX
    assert document["manifests"][-1]["mediaType"] == CACHE_CONFIG
    assert all("docker" in each["mediaType"] for each in document["manifests"][:-1])


async def test_an_export_that_cannot_be_is_refused(here: Machine) -> None:
    build = await here.build(TARGET)
    for ref in (CacheRef(type="tape"), CacheRef(type="local"), CacheRef(type="registry")):
        with pytest.raises(InvalidParameter):
            await here.export(build, TARGET, ref)


async def inline_image(machine: Machine, build: Build, target: Output, registry: FakeRegistry) -> bytes:
    """Pushes an image with what it says of its steps; returns that."""
    (root,) = await build.solver.roots([target])
    cache = inline_cache(await build.solver.solved([target]), root.layers, machine.rig.cache)
    assert cache is not None
    blobs = [machine.archives.blob(layer) for layer in root.layers]
    config = {
        "rootfs": {"type": "layers", "diff_ids": [blob.diff_id for blob in blobs]},
        "history": [{"created": format_rfc3339_nano(machine.rig.cache.times[layer])} for layer in root.layers],
        "moby.buildkit.cache.v0": base64.b64encode(cache).decode(),
    }
    config_data = json.dumps(config).encode()
    layers = [{"mediaType": OCI_LAYER, "digest": blob.digest, "size": blob.size} for blob in blobs]
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": OCI_CONFIG, "digest": digest_of(config_data), "size": len(config_data)},
        "layers": layers,
    }
    data = [machine.rig.world.content.blobs[blob.digest] for blob in blobs]
    registry.put(REGISTRY.attributes["ref"], json.dumps(manifest).encode(), OCI_MANIFEST, config_data, *data)
    return cache


async def test_an_image_tells_of_its_own_steps(here: Machine, there: Machine, registry: FakeRegistry) -> None:
    cache = await inline_image(here, await here.build(TARGET), TARGET, registry)
    build = await there.build(TARGET, REGISTRY)
    assert there.rig.steps.done == []
    assert {"base", "copied", "top"} <= build.cached()
    # A build that has taken everything over makes the same image.
    assert await inline_image(there, build, TARGET, registry) == cache


async def test_an_image_with_layers_alone_and_above_others(
    here: Machine, there: Machine, registry: FakeRegistry
) -> None:
    target = run("top", merge("merged", run("a"), run("b")))
    cache = await inline_image(here, await here.build(target), target, registry)
    build = await there.build(target, REGISTRY)
    assert there.rig.steps.done == []
    assert await inline_image(there, build, target, registry) == cache


async def test_an_image_without_such_notes_is_no_cache(there: Machine, registry: FakeRegistry) -> None:
    config = b'{"rootfs":{"diff_ids":[]}}'
    manifest = {
        "schemaVersion": 2,
        "config": {"mediaType": OCI_CONFIG, "digest": digest_of(config), "size": len(config)},
        "layers": [],
    }
    registry.put(REGISTRY.attributes["ref"], json.dumps(manifest).encode(), OCI_MANIFEST, config)
    await there.build(run("a"), REGISTRY)
    assert there.rig.steps.done == ["a"]
    assert there.errors() == []


async def test_a_config_larger_than_it_says_is_refused(there: Machine, registry: FakeRegistry) -> None:
    config = b"[" * 100
    entries = [Descriptor(media_type=CACHE_CONFIG, digest=Digest(digest_of(config)), size=len(config))]
    manifest = {
        "schemaVersion": 2,
        "manifests": [{"mediaType": e.media_type, "digest": e.digest, "size": e.size} for e in entries],
    }
    registry.put(
        REGISTRY.attributes["ref"], json.dumps(manifest).encode(), "application/vnd.oci.image.index.v1+json", config
    )
    await there.build(run("a"), REGISTRY)
    assert there.rig.steps.done == ["a"]
    assert "invalid build cache" in there.errors()[0]
