"""Makes records of images whose content is here: the last step of load, import, pull, commit and build."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from wharfd.engine.happenings import image_event
from wharfd.engine.images.garbage import Garbage
from wharfd.engine.images.names import add_name, remove_names
from wharfd.engine.images.platforms import preferred
from wharfd.engine.images.survey import Survey, created_ns, platforms
from wharfd.engine.ledger import Ledger
from wharfd.engine.locks import KeyedLocks
from wharfd.engine.tasks import carried_through
from wharfd.model.event import Event
from wharfd.model.ids import ImageId
from wharfd.model.image import ImageRecord
from wharfd.ports.clock import Clock
from wharfd.ports.host import Host
from wharfd.ports.storage import LayerStore
from wharfd.wire.oci import Descriptor
from wharfd.wire.reference import Reference

STORE_LOCK = ("image", "store")  # names of images change under it


@dataclass(slots=True, kw_only=True)
class NewImage:
    """An image that is complete.

    `action` is its event (load, import, pull), `about` the name that it is told of (None: its id); `parent` the image that it was made
    from.
    """

    target: Descriptor
    found: Survey
    names: list[Reference] = field(default_factory=list)
    action: str = ""
    about: Reference | None = None
    parent: str = ""


class Publisher:
    def __init__(
        self, *, ledger: Ledger, locks: KeyedLocks, clock: Clock, layers: LayerStore, host: Host, garbage: Garbage
    ) -> None:
        self.ledger = ledger
        self.locks = locks
        self.clock = clock
        self.layers = layers
        self.host = host
        self.garbage = garbage

    async def __call__(self, images: Sequence[NewImage]) -> None:
        """All in one transaction, durable.  A name that another image has moves; that one stays, nameless if it was the last.

        The caller holds a lease on the content.  Once begun this is carried through, also when the caller is cancelled: a record that
        is stored and not known would be one whose content is collected.
        """
        await carried_through(self.publish(images), "publish-images")

    async def publish(self, images: Sequence[NewImage]) -> None:
        async with self.locks.hold(*STORE_LOCK):
            changed: dict[ImageId, ImageRecord] = {}
            events: list[Event] = []
            for image in images:
                now_ns = self.clock.now_ns()
                record = self.record(image, changed, now_ns)
                for name in image.names:
                    self.take_name(name, record.id, changed)
                    record = add_name(record, name, now_ns)
                changed[record.id] = record
                if image.action:
                    events.append(happening(image, record, now_ns))
            await self.ledger.commit(*changed.values(), events=events, durable=True)
            for image in images:
                self.garbage.note(ImageId(image.target.digest), image.found.blobs)

    def record(self, image: NewImage, changed: dict[ImageId, ImageRecord], now_ns: int) -> ImageRecord:
        image_id = ImageId(image.target.digest)
        known = changed.get(image_id) or self.ledger.images.get(image_id)
        runs = platforms(image.found, self.layers)
        best = preferred(runs, self.host)
        config = next(
            (m.config for m in image.found.manifests if best is not None and m.descriptor.digest == best.manifest), None
        )
        fresh = ImageRecord(
            id=image_id,
            media_type=image.target.media_type,
            size=image.target.size,
            platforms=runs,
            created_ns=created_ns(config) if config else 0,
            stored_ns=now_ns,
            used_ns=now_ns,
            comment=config.history[-1].comment if config and config.history else "",
            labels=config.config.labels if config else None,
            parent=image.parent,
        )
        if known is None:
            return fresh
        return msgspec.structs.replace(
            fresh,
            stored_ns=known.stored_ns,
            tagged_ns=known.tagged_ns,
            tags=known.tags,
            digests=known.digests,
            parent=known.parent or fresh.parent,
        )

    def take_name(self, name: Reference, image_id: ImageId, changed: dict[ImageId, ImageRecord]) -> None:
        """From the image that has it now."""
        wanted = str(name)
        for other in (*changed.values(), *self.ledger.images.values()):
            current = changed.get(other.id, other)
            if other.id != image_id and wanted in current.tags:
                changed[other.id] = remove_names(current, [wanted])


def happening(image: NewImage, record: ImageRecord, now_ns: int) -> Event:
    """Docker: what is told of a name has it as its actor, with the repository as `name`."""
    actor = image.about.familiar() if image.about is not None else record.id
    name = image.about.familiar_name if image.about is not None else record.id
    return image_event(actor, image.action, now_ns, name=name, labels=record.labels)
