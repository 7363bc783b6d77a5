"""`docker rmi`: names go, and with the last one the image.

    by a name, others remain           the name goes; nothing else is asked
    by its only name                   refused if a container stands on it; with force the name goes, and the image stays, nameless
    by its id                          refused if a running container stands on it, also with force; without force also if a stopped one
                                       does or it has several names

Docker: an image that others were made from loses its names only.  Nameless parents go along unless `noprune`.
"""

from dataclasses import dataclass, field

from wharfd.engine.happenings import image_event
from wharfd.engine.images.garbage import Garbage
from wharfd.engine.images.names import entries, familiar, is_dangling, remove_names, repository
from wharfd.engine.images.publish import STORE_LOCK
from wharfd.engine.images.resolve import find_image, is_id_of
from wharfd.engine.ledger import Ledger
from wharfd.engine.locks import KeyedLocks
from wharfd.model.container import ContainerRecord
from wharfd.model.errors import Conflict
from wharfd.model.event import Event
from wharfd.model.ids import ImageId, short_id
from wharfd.model.image import ImageRecord
from wharfd.ports.clock import Clock
from wharfd.ports.records import Deletion
from wharfd.wire.reference import Reference, parse_any


class ImageInUse(Conflict):
    """`name` is what was to be deleted: a familiar name or a short id."""

    def __init__(self, name: str, why: str, *, hard: bool = False) -> None:
        super().__init__(f"conflict: unable to delete {name} ({'cannot' if hard else 'must'} be forced) - {why}")


@dataclass(frozen=True, slots=True)
class Step:
    """A familiar name that went, or (`deleted`) the id of an image that did."""

    name: str
    deleted: bool = False


@dataclass(slots=True)
class Outcome:
    """What a deletion does: steps for the client, records and events for the ledger, what may have become garbage."""

    steps: list[Step] = field(default_factory=list)
    changes: list[ImageRecord | Deletion] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    garbage: list[str] = field(default_factory=list)

    @property
    def untagged(self) -> list[str]:
        return [step.name for step in self.steps if not step.deleted]

    @property
    def deleted(self) -> list[str]:
        return [step.name for step in self.steps if step.deleted]


class DeleteImage:
    def __init__(self, *, ledger: Ledger, locks: KeyedLocks, clock: Clock, garbage: Garbage) -> None:
        self.ledger = ledger
        self.locks = locks
        self.clock = clock
        self.garbage = garbage

    async def __call__(self, ref: str, *, force: bool = False, prune_parents: bool = True) -> Outcome:
        """Raises ImageNotFound, Conflict, InvalidParameter."""
        async with self.locks.hold(*STORE_LOCK):
            record = find_image(self.ledger.images, ref)
            outcome = Outcome()
            names = named_by(record, ref)
            if names and len(names) < len(entries(record)):
                self.untag(record, names, outcome)
            elif names and (user := self.first_user(record)) is not None:
                if not force:
                    raise ImageInUse(
                        familiar(names[0]),
                        f"container {short_id(user.id)} is using its referenced image {short_id(record.id)}",
                    )
                self.untag(record, names, outcome)
            else:
                if not names:
                    self.check(record, force=force)
                self.remove(record, outcome, prune_parents=prune_parents)
            await self.ledger.commit(*outcome.changes, events=outcome.events, durable=True)
        await self.garbage.collect(outcome.garbage)
        return outcome

    def check(self, record: ImageRecord, *, force: bool) -> None:
        """Whether an image may be deleted by its id."""
        name = short_id(record.id)
        users = self.users(record)
        running = next((user for user in users if user.is_running), None)
        if running is not None:
            why = f"image is being used by running container {short_id(running.id)}"
            raise ImageInUse(name, why, hard=True)
        if force:
            return
        if users:
            raise ImageInUse(name, f"image is being used by stopped container {short_id(users[0].id)}")
        if len(entries(record)) > 1:
            raise ImageInUse(name, "image is referenced in multiple repositories")

    def users(self, record: ImageRecord) -> list[ContainerRecord]:
        return [container for container in self.ledger.containers if container.image_id == record.id]

    def first_user(self, record: ImageRecord) -> ContainerRecord | None:
        return next(iter(self.users(record)), None)

    def untag(self, record: ImageRecord, names: list[str], outcome: Outcome) -> None:
        outcome.changes.append(remove_names(record, names))
        self.tell_untagged(record, names, outcome)

    def tell_untagged(self, record: ImageRecord, names: list[str], outcome: Outcome) -> None:
        for name in map(familiar, names):
            outcome.steps.append(Step(name))
            # Docker: without the image's labels.
            outcome.events.append(image_event(record.id, "untag", self.clock.now_ns(), name=name))

    def remove(self, record: ImageRecord, outcome: Outcome, *, prune_parents: bool) -> None:
        names = entries(record)
        if self.has_children(record, outcome):
            if names:
                self.untag(record, names, outcome)
            return
        self.tell_untagged(record, names, outcome)
        outcome.changes.append(Deletion(kind="image", id=record.id))
        outcome.steps.append(Step(record.id, deleted=True))
        outcome.events.append(image_event(record.id, "delete", self.clock.now_ns(), name=record.id))
        outcome.garbage += self.garbage.of(record)
        parent = self.ledger.images.get(ImageId(record.parent))
        if prune_parents and parent is not None and is_dangling(parent) and not self.users(parent):
            self.remove(parent, outcome, prune_parents=True)

    def has_children(self, record: ImageRecord, outcome: Outcome) -> bool:
        return any(each.parent == record.id and each.id not in outcome.deleted for each in self.ledger.images.values())


def named_by(record: ImageRecord, ref: str) -> list[str]:
    """The names of the image that the reference speaks of; none if it speaks of the id."""
    parsed = parse_any(ref)
    if not isinstance(parsed, Reference) or is_id_of(ref, record):
        return []
    if parsed.digest is not None:
        return [name for name in entries(record) if repository(name) == parsed.name]
    tagged = str(parsed.with_default_tag())
    return [name for name in record.tags if name == tagged]
