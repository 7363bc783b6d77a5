"""`docker tag`: one more name for an image."""

from wharfd.engine.happenings import image_event
from wharfd.engine.images.names import add_name, remove_names
from wharfd.engine.images.publish import STORE_LOCK
from wharfd.engine.images.resolve import find_image
from wharfd.engine.ledger import Ledger
from wharfd.engine.locks import KeyedLocks
from wharfd.model.errors import InvalidParameter
from wharfd.ports.clock import Clock
from wharfd.wire.reference import Reference, is_tag, parse_normalised


class TagImage:
    def __init__(self, *, ledger: Ledger, locks: KeyedLocks, clock: Clock) -> None:
        self.ledger = ledger
        self.locks = locks
        self.clock = clock

    async def __call__(self, ref: str, repository: str, tag: str) -> None:
        """Raises ImageNotFound, InvalidParameter.  A name that another image has moves."""
        name = new_name(repository, tag)
        async with self.locks.hold(*STORE_LOCK):
            record = find_image(self.ledger.images, ref)
            now_ns = self.clock.now_ns()
            changed = [
                remove_names(other, [str(name)])
                for other in self.ledger.images.values()
                if other.id != record.id and str(name) in other.tags
            ]
            event = image_event(record.id, "tag", now_ns, name=name.familiar(), labels=record.labels)
            await self.ledger.commit(add_name(record, name, now_ns), *changed, events=[event], durable=True)


def new_name(repository: str, tag: str) -> Reference:
    """The name that `repo` and `tag` of a query mean.  Raises InvalidParameter."""
    if not repository:
        raise InvalidParameter("invalid reference format")
    parsed = parse_normalised(repository)
    if parsed.digest is not None:
        raise InvalidParameter("cannot import digest reference")
    if tag and not is_tag(tag):
        raise InvalidParameter("invalid tag format")
    name = parsed.with_tag(tag) if tag else parsed.with_default_tag()
    if name.familiar_name == "sha256":
        raise InvalidParameter("refusing to create an ambiguous tag using digest algorithm as name")
    return name
