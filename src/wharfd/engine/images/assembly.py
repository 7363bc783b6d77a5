"""All use cases of images, put together over the ports that they share."""

from dataclasses import dataclass

from wharfd.engine.images.delete import DeleteImage
from wharfd.engine.images.garbage import Garbage
from wharfd.engine.images.importing import ImportImage
from wharfd.engine.images.leases import Leases
from wharfd.engine.images.load import LoadImages
from wharfd.engine.images.prune import PruneImages
from wharfd.engine.images.publish import Publisher
from wharfd.engine.images.resolve import Images
from wharfd.engine.images.save import SaveImages
from wharfd.engine.images.tag import TagImage
from wharfd.engine.images.unpacking import Unpacking
from wharfd.engine.images.views import ImageViews
from wharfd.engine.ledger import Ledger
from wharfd.engine.locks import KeyedLocks
from wharfd.ports.clock import Clock
from wharfd.ports.content import ResumableContent, SpoolStore
from wharfd.ports.host import Host
from wharfd.ports.storage import LayerStore
from wharfd.ports.workers import ArchiveIngester


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageUseCases:
    """`garbage.open` belongs to the start, `garbage.follow` to the background."""

    images: Images
    views: ImageViews
    load: LoadImages
    import_image: ImportImage
    save: SaveImages
    tag: TagImage
    delete: DeleteImage
    prune: PruneImages
    garbage: Garbage
    leases: Leases
    unpacking: Unpacking
    publisher: Publisher


def assemble(
    *,
    ledger: Ledger,
    locks: KeyedLocks,
    clock: Clock,
    host: Host,
    content: ResumableContent,
    spools: SpoolStore,
    layers: LayerStore,
    ingester: ArchiveIngester,
) -> ImageUseCases:
    leases = Leases()
    garbage = Garbage(ledger=ledger, clock=clock, content=content, layers=layers, leases=leases)
    unpacking = Unpacking(ledger=ledger, content=content, layers=layers)
    publisher = Publisher(ledger=ledger, locks=locks, clock=clock, layers=layers, host=host, garbage=garbage)
    images = Images(ledger=ledger, content=content, unpacking=unpacking, leases=leases, host=host)
    delete = DeleteImage(ledger=ledger, locks=locks, clock=clock, garbage=garbage)
    return ImageUseCases(
        images=images,
        views=ImageViews(ledger=ledger, images=images, content=content, clock=clock),
        load=LoadImages(
            content=content,
            spools=spools,
            ingester=ingester,
            layers=layers,
            unpacking=unpacking,
            publisher=publisher,
            garbage=garbage,
            leases=leases,
            host=host,
        ),
        import_image=ImportImage(
            content=content,
            spools=spools,
            ingester=ingester,
            unpacking=unpacking,
            publisher=publisher,
            garbage=garbage,
            leases=leases,
            clock=clock,
            host=host,
        ),
        save=SaveImages(ledger=ledger, content=content, leases=leases, clock=clock, host=host),
        tag=TagImage(ledger=ledger, locks=locks, clock=clock),
        delete=delete,
        prune=PruneImages(ledger=ledger, locks=locks, clock=clock, garbage=garbage, delete=delete),
        garbage=garbage,
        leases=leases,
        unpacking=unpacking,
        publisher=publisher,
    )
