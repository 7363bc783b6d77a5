"""The image use cases on fakes."""

from tests.images import archive, stream
from wharfd.engine.events import EventBus
from wharfd.engine.images.assembly import assemble
from wharfd.engine.images.exchange import assemble_exchange
from wharfd.engine.images.progress import ImageLoaded, LayerLoaded
from wharfd.engine.ledger import Ledger
from wharfd.engine.locks import KeyedLocks
from wharfd.model.container import ContainerRecord, State
from wharfd.model.ids import ImageId
from wharfd.model.image import ImageRecord
from wharfd.testing.builders import a_container, a_rootfs
from wharfd.testing.workers import FakeIngester, FakeSpools
from wharfd.testing.world import World
from wharfd.wire.oci import Platform
from wharfd.wire.oci.archives import PackedImage

Told = list[LayerLoaded | ImageLoaded]


class ImageRig:
    def __init__(self, world: World | None = None) -> None:
        self.world = world or World()
        self.bus = EventBus()
        self.ledger = Ledger(self.world.records, self.bus)
        self.locks = KeyedLocks()
        self.spools = FakeSpools(self.world.content)
        self.ingester = FakeIngester(self.spools)
        self.cases = assemble(
            ledger=self.ledger,
            locks=self.locks,
            clock=self.world.clock,
            host=self.world.host,
            content=self.world.content,
            spools=self.spools,
            layers=self.world.layers,
            ingester=self.ingester,
        )
        self.registry = self.world.registry
        self.exchange = assemble_exchange(
            self.cases,
            ledger=self.ledger,
            host=self.world.host,
            content=self.world.content,
            layers=self.world.layers,
            registry=self.registry,
            clock=self.world.clock,
            max_downloads=3,
            max_uploads=5,
        )
        self.pull_image, self.push_image = self.exchange.pull, self.exchange.push
        self.images, self.views, self.garbage = self.cases.images, self.cases.views, self.cases.garbage
        self.load_images, self.import_image, self.save = self.cases.load, self.cases.import_image, self.cases.save
        self.tag, self.delete, self.prune = self.cases.tag, self.cases.delete, self.cases.prune
        self.leases, self.unpacking = self.cases.leases, self.cases.unpacking
        self.heard = self.bus.subscribe()

    async def up(self) -> "ImageRig":
        await self.world.content.open()
        await self.ledger.open()
        await self.garbage.open()
        return self

    async def reborn(self) -> "ImageRig":
        """The engine is killed and another one comes up on the same machine."""
        self.world.kill_engine()
        return await ImageRig(self.world).up()

    async def load(self, *images: PackedImage, oci: bool = False, platforms: list[Platform] | None = None) -> Told:
        return await self.load_bytes(archive(*images, oci=oci), platforms)

    async def load_bytes(self, data: bytes, platforms: list[Platform] | None = None) -> Told:
        told: Told = []
        await self.load_images(stream(data), told.append, platforms or ())
        return told

    async def loaded(self, *names: str, **fields: object) -> ImageRecord:
        """One image with these names."""
        from tests.images import image

        told = await self.load(image(*names, **fields))  # type: ignore[arg-type]
        return self.ledger.images[next(each.image_id for each in told if isinstance(each, ImageLoaded))]

    async def container(self, record: ImageRecord, state: State = State.EXITED, ref: str = "") -> ContainerRecord:
        container = a_container(
            image_id=ImageId(record.id),
            image_ref=ref or record.id,
            state=state,
            rootfs=a_rootfs("c" * 64, list(record.platforms[0].chain_ids)),
        )
        await self.ledger.commit(container)
        return container

    def events(self) -> list[tuple[str, str]]:
        """Action and `name` of what was heard since the last call."""
        found = [(event.action, event.attributes.get("name", "")) for event in self.heard.queue]
        self.heard.queue.clear()
        return found

    def is_empty(self) -> bool:
        """No content, no layers, no spools, no leases."""
        world = self.world
        return not (
            world.content.blobs
            or world.layers.layers
            or self.spools.spools
            or self.leases.held
            or world.content.writers
            or world.content.partials
        )
