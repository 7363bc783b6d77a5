"""Which containers a client wants to see.  Reads records, without locks; only `size` touches the disk.

Newest first.  The filters' values are alternatives, except labels; different filters must all hold.  Source: dockerd's list and its
texts.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from wharfd.engine.containers.images import ImageNames
from wharfd.engine.containers.linked import names_by_links
from wharfd.engine.containers.sizes import Size, size_of
from wharfd.engine.containers.status import health_status, is_at_work, shown_ports
from wharfd.engine.images.resolve import find_image
from wharfd.engine.ledger import Ledger
from wharfd.engine.lifecycle import docker_status
from wharfd.model.container import ContainerRecord, State
from wharfd.model.errors import InvalidParameter, NotFound
from wharfd.model.image import ImagePlatform, ImageRecord
from wharfd.ports.clock import Clock
from wharfd.ports.storage import LayerStore, RootfsStore
from wharfd.wire.filters import NO_FILTERS, Filters, InvalidFilter
from wharfd.wire.ports import parse_exposed

ACCEPTED = (
    "ancestor",
    "before",
    "exited",
    "expose",
    "health",
    "id",
    "is-task",
    "isolation",
    "label",
    "name",
    "network",
    "publish",
    "since",
    "status",
    "volume",
)
STATES = ("created", "running", "paused", "restarting", "removing", "exited", "dead")
HEALTHS = ("none", "starting", "healthy", "unhealthy")

Test = Callable[[ContainerRecord], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery:
    """`limit` above 0: the newest ones in any state.  `all`: in any state."""

    all: bool = False
    limit: int = 0
    size: bool = False
    filters: Filters = field(default=NO_FILTERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """`image` as it is called now; `manifest` as long as the image is there."""

    record: ContainerRecord
    image: str
    manifest: ImagePlatform | None = None
    size: Size | None = None
    linked_names: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class ContainerList:
    """`now_ns`: when it was made, which ages count from."""

    entries: list[Listed]
    now_ns: int


class ListContainers:
    def __init__(self, *, ledger: Ledger, clock: Clock, rootfs: RootfsStore, layers: LayerStore) -> None:
        self.ledger = ledger
        self.clock = clock
        self.rootfs = rootfs
        self.layers = layers

    async def __call__(self, query: ListQuery) -> ContainerList:
        """Raises InvalidParameter (a filter or its value), ContainerNotFound (`before`, `since`)."""
        names = ImageNames(self.ledger)
        records = self.select(query)
        linked = names_by_links(self.ledger)
        entries = [
            Listed(
                record=record,
                image=names.shown(record),
                manifest=names.manifest(record),
                size=await size_of(record, self.rootfs, self.layers) if query.size else None,
                linked_names=linked.get(record.id, ()),
            )
            for record in records
        ]
        return ContainerList(entries, self.clock.now_ns())

    def select(self, query: ListQuery) -> Sequence[ContainerRecord]:
        tests = [*tests_of(query, self.ledger)]
        if "ancestor" in query.filters:
            wanted = descendants(query.filters.get("ancestor"), self.ledger.images)
            tests.append(lambda record: record.image_id in wanted)
        newest_first = sorted(self.ledger.containers, key=lambda record: -record.created_ns)
        found = [
            record for record in between(newest_first, query.filters, self.ledger) if all(t(record) for t in tests)
        ]
        return found[: query.limit] if query.limit > 0 else found


def descendants(refs: Sequence[str], images: Mapping[str, ImageRecord]) -> set[str]:
    """The images of these names, and those made from them.  Docker: a name that is no image is passed over."""
    wanted: set[str] = set()
    for ref in refs:
        try:
            wanted.add(find_image(images, ref).id)
        except (NotFound, InvalidParameter):
            continue
    grown = True
    while grown:
        more = {each.id for each in images.values() if each.parent in wanted} - wanted
        wanted |= more
        grown = bool(more)
    return wanted


def between(newest_first: list[ContainerRecord], filters: Filters, ledger: Ledger) -> Iterator[ContainerRecord]:
    """Those made before the container of `before` and after that of `since`."""
    before = [ledger.container(ref) for ref in filters.get("before")][-1:]
    since = [ledger.container(ref) for ref in filters.get("since")][-1:]
    is_open = not before
    for record in newest_first:
        if not is_open:
            is_open = record.id == before[0].id
            continue
        if since and record.id == since[0].id:
            return
        yield record


def tests_of(query: ListQuery, ledger: Ledger) -> Iterator[Test]:
    """What a record must satisfy.  A filter that was not given costs nothing."""
    filters = query.filters
    filters.validate(ACCEPTED)
    yield lambda record: record.state is not State.CREATING
    if not query.all and query.limit <= 0 and "status" not in filters:
        yield is_at_work
    for key, make in TESTS.items():
        if key in filters:
            yield make(filters, ledger)
    if "publish" in filters or "expose" in filters:
        yield port_test(filters)


def by_name(filters: Filters, ledger: Ledger) -> Test:
    return lambda record: filters.match("name", f"/{record.name}") or filters.match("name", record.name)


def by_id(filters: Filters, ledger: Ledger) -> Test:
    wanted = {found[0] for value in filters.get("id") if len(found := ledger.containers.with_prefix(value)) == 1}
    return lambda record: record.id in wanted


def by_label(filters: Filters, ledger: Ledger) -> Test:
    return lambda record: filters.labels("label", record.config.labels or {})


def by_task(filters: Filters, ledger: Ledger) -> Test:
    """No container of this engine belongs to a swarm."""
    if not filters.exact("is-task", "true") and not filters.exact("is-task", "false"):
        raise InvalidFilter("is-task", filters.get("is-task"))
    is_wanted = filters.exact("is-task", "false") and not filters.exact("is-task", "true")
    return lambda _: is_wanted


def by_exit_code(filters: Filters, ledger: Ledger) -> Test:
    codes = set()
    for value in filters.get("exited"):
        digits = value.removeprefix("-").removeprefix("+")
        if not (digits.isascii() and digits.isdecimal() and len(digits) < 19):
            raise InvalidParameter(
                f"invalid filter 'exited={value}': strconv.Atoi: parsing \"{value}\": invalid syntax"
            )
        codes.add(int(value))
    return lambda record: record.exit_code in codes and not is_at_work(record) and record.started_ns > 0


def by_status(filters: Filters, ledger: Ledger) -> Test:
    check_words(filters, "status", "state", STATES)
    return lambda record: filters.match("status", docker_status(record))


def by_health(filters: Filters, ledger: Ledger) -> Test:
    check_words(filters, "health", "health", HEALTHS)
    return lambda record: filters.exact("health", health_status(record))


def check_words(filters: Filters, key: str, what: str, words: Sequence[str]) -> None:
    for value in filters.get(key):
        if value not in words:
            raise InvalidParameter(
                f"invalid filter '{key}={value}': invalid value for {what} ({value}): must be one of {', '.join(words)}"
            )


def by_volume(filters: Filters, ledger: Ledger) -> Test:
    """By name, or by source of what has no name, or by destination."""
    wanted = set(filters.get("volume"))
    return lambda record: any(
        mount.destination in wanted or (mount.name or mount.source) in wanted for mount in record.mounts
    )


def by_network(filters: Filters, ledger: Ledger) -> Test:
    """By name, or by the beginning of the id."""
    values = filters.get("network")

    def test(record: ContainerRecord) -> bool:
        for name, endpoint in record.networks.items():
            if name in values or (endpoint.network_id and endpoint.network_id.startswith(values)):
                return True
        return False

    return test


TESTS: dict[str, Callable[[Filters, Ledger], Test]] = {
    "name": by_name,
    "id": by_id,
    "label": by_label,
    "is-task": by_task,
    "exited": by_exit_code,
    "status": by_status,
    "health": by_health,
    "volume": by_volume,
    "network": by_network,
}


def port_test(filters: Filters) -> Test:
    """Docker: one port that fits either filter is enough."""
    published = wanted_ports(filters, "publish")
    exposed = wanted_ports(filters, "expose")

    def test(record: ContainerRecord) -> bool:
        for key, bindings in shown_ports(record).items():
            protocol = key.partition("/")[2]
            if key in exposed or any(f"{binding.host_port}/{protocol}" in published for binding in bindings or ()):
                return True
        return False

    return test


def wanted_ports(filters: Filters, key: str) -> set[str]:
    wanted: set[str] = set()
    for value in filters.get(key):
        if ":" in value:
            raise InvalidParameter(f"filter for '{key}' should not contain ':': {value}")
        try:
            wanted |= {str(port) for port in parse_exposed(value)}
        except InvalidParameter as e:
            raise e.prefixed(f"error while looking up for {key} {value}: ") from e
    return wanted
