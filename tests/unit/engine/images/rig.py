"""The image use cases on fakes."""

from tests.images import archive, stream
from wharfd.engine.events import EventBus
from wharfd.engine.images.delete import DeleteImage
from wharfd.engine.images.garbage import Garbage
from wharfd.engine.images.importing import ImportImage
from wharfd.engine.images.leases import Leases
from wharfd.engine.images.load import LoadImages
from wharfd.engine.images.progress import ImageLoaded, LayerLoaded
from wharfd.engine.images.prune import PruneImages
from wharfd.engine.images.publish import Publisher
from wharfd.engine.images.resolve import Images
from wharfd.engine.images.tag import TagImage
from wharfd.engine.images.unpacking import Unpacking
from wharfd.engine.images.views import ImageViews
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
        self.leases = Leases()
        content, layers, clock, host = self.world.content, self.world.layers, self.world.clock, self.world.host
        self.spools = FakeSpools(content)
        self.ingester = FakeIngester(self.spools)
        self.garbage = Garbage(ledger=self.ledger, content=content, layers=layers, leases=self.leases)
        self.unpacking = Unpacking(ledger=self.ledger, content=content, layers=layers)
        self.publisher = Publisher(
            ledger=self.ledger, locks=self.locks, clock=clock, layers=layers, host=host, garbage=self.garbage
        )
        self.images = Images(
            ledger=self.ledger, content=content, unpacking=self.unpacking, leases=self.leases, host=host
        )
        self.load_images = LoadImages(
            content=content,
            spools=self.spools,
            ingester=self.ingester,
            layers=layers,
            unpacking=self.unpacking,
            publisher=self.publisher,
            garbage=self.garbage,
            leases=self.leases,
            host=host,
        )
        self.import_image = ImportImage(
            content=content,
            spools=self.spools,
            ingester=self.ingester,
            unpacking=self.unpacking,
            publisher=self.publisher,
            garbage=self.garbage,
            leases=self.leases,
            clock=clock,
            host=host,
        )
        self.tag = TagImage(ledger=self.ledger, locks=self.locks, clock=clock)
        self.delete = DeleteImage(ledger=self.ledger, locks=self.locks, clock=clock, garbage=self.garbage)
        self.prune = PruneImages(
            ledger=self.ledger, locks=self.locks, clock=clock, garbage=self.garbage, delete=self.delete
        )
        self.views = ImageViews(ledger=self.ledger, images=self.images, content=content, clock=clock)
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
        )
