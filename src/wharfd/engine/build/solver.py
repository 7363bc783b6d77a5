"""Carries out a graph for one build: what is known is taken from the cache, what is not is done, side by side where it can be.

For each vertex there are two questions, each asked once: *what is it* (its key, and the record of its result if there is one) and *what
does it give* (its roots).  The first does not need the second: a step whose result is known needs none of its inputs' results, unless it
reads parts of them whose content nobody remembers.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import msgspec

from wharfd.engine.build.answers import Answer
from wharfd.engine.build.cache import BuildCache
from wharfd.engine.build.failures import StepFailed
from wharfd.engine.build.flights import Flights
from wharfd.engine.build.graph import Output, Vertex, check, output_count, walk
from wharfd.engine.build.keys import content_key, is_read, output_key, quick_key, selection_fact, uses
from wharfd.engine.build.offers import Offer, Offers
from wharfd.engine.build.ops import Source
from wharfd.engine.build.progress import Progress
from wharfd.engine.build.reports import Audience, Report, VertexReport
from wharfd.engine.build.roots import EMPTY, Root, root_of
from wharfd.engine.build.scene import Scene
from wharfd.engine.tasks import Tasks
from wharfd.model.build import CacheKind, CacheRecord
from wharfd.model.errors import EngineError, NotFound
from wharfd.model.ids import ChainId, Digest
from wharfd.model.tree import Selection
from wharfd.ports.buildfiles import BuildFiles
from wharfd.ports.clock import Clock
from wharfd.ports.snapshots import SnapshotStore

log = logging.getLogger(__name__)

T = TypeVar("T")
SOURCES = Source.__args__


@dataclass(frozen=True, slots=True)
class Found:
    """A source.  `record`: where it is cached; None: an image of the store, or a client's directory."""

    key: Digest
    root: Root
    record: CacheRecord | None = None
    cached: bool = False


@dataclass(frozen=True, slots=True)
class Made:
    """What a step has made: its outputs, and which layers of them are new."""

    outputs: Sequence[Root]
    layers: Sequence[ChainId]
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Known:
    """What a vertex is.  `found`: of a source.

    `is_anew`: it is done in any case, or built on something that is: what the cache has under its key was built on an older result.
    `offers`: for each output, where its layers are to be had without doing it.  `quick_key`: another way to find what it gives.
    """

    key: Digest
    record: CacheRecord | None = None
    found: Found | None = None
    is_anew: bool = False
    offers: Sequence[Offer] = ()
    quick_key: Digest | None = None

    @property
    def has_to_be_done(self) -> bool:
        return self.record is None and self.found is None and not self.offers


@dataclass(frozen=True, slots=True)
class Solved:
    """A step after a build, for who wants to pass on what is known.  `outputs` None: nothing is; `offers`: it was not even brought here."""

    vertex: Vertex
    key: Digest
    quick_key: Digest | None
    outputs: Sequence[Sequence[str]] | None
    offers: Sequence[Offer] = ()


class Sources(Protocol):
    async def __call__(self, vertex: Vertex, scene: Scene, report: Report) -> Found: ...


class Steps(Protocol):
    async def __call__(self, vertex: Vertex, inputs: Sequence[Root], scene: Scene, report: Report) -> Made:
        """Raises StepFailed, EngineError; nothing is left then."""


@dataclass(slots=True, kw_only=True)
class Workshop:
    """What all builds share."""

    tasks: Tasks
    clock: Clock
    cache: BuildCache
    snapshots: SnapshotStore
    files: BuildFiles
    sources: Sources
    steps: Steps
    new_id: Callable[[], str]
    flights: Flights[CacheRecord] = field(init=False)

    def __post_init__(self) -> None:
        self.flights = Flights(self.tasks)


class Solver:
    """One build's.  `close` ends what is still under way."""

    def __init__(
        self,
        shop: Workshop,
        scene: Scene,
        emit: Progress,
        room: Callable[[], Coroutine[Any, Any, None]],
        offers: Offers | None = None,
    ) -> None:
        self.shop = shop
        self.scene = scene
        self.emit = emit
        self.room = room
        self.offers = offers
        self.left: dict[Digest, Vertex] = {}  # found in an imported cache, and not needed so far
        self.reports: dict[Digest, VertexReport] = {}
        self.slow: set[Digest] = set()  # vertices that `turn_slow` was told of
        self.watchers: dict[Digest, list[asyncio.Event]] = {}
        self.answers: dict[tuple[str, Digest], Answer[Any]] = {}
        self.used: list[str] = []
        self.solving = 0
        self.on_result: list[Callable[[Vertex, CacheRecord], None]] = []

    async def close(self) -> None:
        pending = [answer for answer in self.answers.values() if not answer.done.done()]
        for answer in pending:
            answer.task.cancel()
        if pending:
            await asyncio.wait([answer.task for answer in pending])
        for report in self.reports.values():
            report.abandon()
        self.shop.cache.users.subtract(self.used)
        self.shop.cache.users += type(self.shop.cache.users)()
        self.used.clear()

    async def roots(self, outputs: Sequence[Output | None]) -> Sequence[Root]:
        """What the outputs are.  Raises StepFailed, InvalidParameter (a graph that cannot be carried out)."""
        check(outputs)
        self.announce(outputs)
        self.solving += 1
        try:
            roots = await self.all([self.root(output) for output in outputs])
            self.tell_left()
            return roots
        except Exception:
            # The client is told of the first failure; nobody waits for what else is under way.
            if self.solving == 1:
                await self.give_up()
            raise
        finally:
            self.solving -= 1

    def announce(self, outputs: Iterable[Output | None]) -> None:
        for vertex in walk(outputs):
            if vertex.digest not in self.reports:
                self.report(vertex).announce()

    def tell_left(self) -> None:
        for digest, vertex in list(self.left.items()):
            if ("result", digest) not in self.answers:
                self.report(vertex).complete(cached=True)
                del self.left[digest]

    async def give_up(self) -> None:
        pending = {key: answer for key, answer in self.answers.items() if not answer.done.done()}
        for key, answer in pending.items():
            answer.task.cancel()
            del self.answers[key]
        if pending:
            await asyncio.wait([answer.task for answer in pending.values()])
        for digest, report in list(self.reports.items()):
            if not report.is_complete:
                report.abandon()
                del self.reports[digest]

    def report(self, vertex: Vertex) -> VertexReport:
        known = self.reports.get(vertex.digest)
        if known is None:
            known = VertexReport(vertex, self.emit, self.shop.clock.now_ns, self.room)
            self.reports[vertex.digest] = known
        return known

    # the two questions

    async def root(self, output: Output | None) -> Root:
        if output is None:
            return EMPTY
        roots = await self.result(output.vertex)
        return roots[output.index]

    async def known(self, vertex: Vertex) -> Known:
        return await self.once("known", vertex, lambda: self.find_out(vertex))

    async def result(self, vertex: Vertex) -> Sequence[Root]:
        return await self.once("result", vertex, lambda: self.obtain(vertex))

    async def find_out(self, vertex: Vertex) -> Known:
        if isinstance(vertex.op, SOURCES):
            return await self.fetch(vertex)
        inputs = await self.inputs_known(vertex)
        keys = [output_key(known.key, each.index) for known, each in zip(inputs, vertex.inputs, strict=True)]
        is_anew = vertex.meta.ignore_cache or any(
            known.is_anew for known, use in zip(inputs, uses(vertex), strict=True) if use.is_base
        )
        quick = None
        if is_read(vertex):
            quick = quick_key(vertex, keys)
            # What is read and made anew has to be looked at, though its key is the old one.
            may_skip = not is_anew and not any(known.is_anew for known in inputs)
            if may_skip and (record := self.use(quick)) is not None:
                return self.cached(vertex, record)
            if may_skip and (offered := await self.offered(vertex, quick, quick)) is not None:
                return offered
        if any(known.has_to_be_done for known, use in zip(inputs, uses(vertex), strict=True) if use.selections):
            self.turn_slow(vertex)
        try:
            contents = await self.contents(vertex, keys)
        except NotFound as error:
            reason = f"failed to compute cache key: failed to calculate checksum of ref {vertex.digest[7:32]}: {error}"
            self.report(vertex).complete(error=reason)
            raise StepFailed(vertex, reason) from error
        key = content_key(vertex, keys, contents)
        if not is_anew and (record := self.use(key, quick)) is not None:
            return self.cached(vertex, record)
        if not is_anew and (offered := await self.offered(vertex, key, quick)) is not None:
            return offered
        return Known(key, is_anew=is_anew, quick_key=quick)

    async def inputs_known(self, vertex: Vertex) -> list[Known]:
        knowing = asyncio.gather(*(self.known(each.vertex) for each in vertex.inputs))
        if len(vertex.inputs) < 2:
            return list(await knowing)
        ahead = asyncio.gather(self.work_ahead(vertex))
        try:
            both: list[asyncio.Future[Any]] = [knowing, ahead]
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if not knowing.done():
                await ahead
            return list(await knowing)
        finally:
            knowing.cancel()
            ahead.cancel()

    async def work_ahead(self, vertex: Vertex) -> None:
        """When an input's key has to wait for steps, what the vertex reads of the others is done beside them, not after them.

        Files copied from several stages are a chain of vertices: without this, each stage would wait for the one before.
        """
        slow = asyncio.Event()
        for each in vertex.inputs:
            self.watchers.setdefault(each.vertex.digest, []).append(slow)
            if each.vertex.digest in self.slow:
                slow.set()
        await slow.wait()
        self.turn_slow(vertex)
        pairs = zip(vertex.inputs, uses(vertex), strict=True)
        await self.all([self.do_ahead(each.vertex) for each, use in pairs if use.selections])

    async def do_ahead(self, vertex: Vertex) -> None:
        if (await self.known(vertex)).has_to_be_done:
            await self.result(vertex)

    def turn_slow(self, vertex: Vertex) -> None:
        """Steps have to be carried out before its key is known."""
        self.slow.add(vertex.digest)
        for watcher in self.watchers.get(vertex.digest, ()):
            watcher.set()

    async def offered(self, vertex: Vertex, key: Digest, quick: Digest | None) -> Known | None:
        """What an imported cache knows of the step; its layers do not come before they are needed."""
        offer = await self.offers.find(key) if self.offers is not None else None
        if self.offers is None or offer is None:
            return None
        if (record := self.use(offer.key, quick)) is not None:
            return self.cached(vertex, record)
        others = [await self.offers.find(output_key(offer.key, number)) for number in range(1, output_count(vertex))]
        offers = [each for each in (offer, *others) if each is not None and each.has_result]
        if len(offers) <= len(others):
            return Known(offer.key, quick_key=quick)
        self.left[vertex.digest] = vertex
        return Known(offer.key, offers=offers, quick_key=quick)

    async def fetch(self, vertex: Vertex) -> Known:
        report = self.report(vertex)
        report.start()
        try:
            found = await self.shop.sources(vertex, self.scene, report)
        except EngineError as error:
            report.complete(error=str(error))
            if isinstance(error, StepFailed):
                raise
            raise StepFailed(vertex, str(error)) from error
        if found.record is not None:
            self.hold(found.record)
        report.complete(cached=found.cached)
        return Known(found.key, found.record, found)

    async def contents(self, vertex: Vertex, keys: Sequence[Digest]) -> dict[int, Sequence[Digest]]:
        wanted = [(number, use.selections) for number, use in enumerate(uses(vertex)) if use.selections]
        found = await self.all([self.digests(vertex.inputs[number], selections) for number, selections in wanted])
        return {number: digests for (number, _), digests in zip(wanted, found, strict=True)}

    async def digests(self, output: Output, selections: Sequence[Selection]) -> Sequence[Digest]:
        """Of parts of an output.  Raises NotFound."""
        known = await self.known(output.vertex)
        name = f"{output.index}:{selection_fact(selections)}"
        if known.record is not None and (remembered := known.record.facts.get(name)) is not None:
            return msgspec.json.decode(remembered, type=list[Digest])
        root = await self.root(output)
        if root.local is not None:
            return [self.local_digest(root, selection) for selection in selections]
        digests = await self.shop.files.digests(self.shop.snapshots.view(root.layers), selections)
        record = self.shop.cache.find(known.key)
        if record is not None:
            self.shop.cache.remember(record, name, msgspec.json.encode(digests).decode())
        return digests

    def local_digest(self, root: Root, selection: Selection) -> Digest:
        assert root.local is not None
        found = root.local.index.select(selection)
        if found is None:
            path = "/" + selection.path.strip("/")
            raise NotFound(f'"{path}": not found')
        return found

    async def obtain(self, vertex: Vertex) -> Sequence[Root]:
        known = await self.known(vertex)
        if known.found is not None:
            return [known.found.root]
        record = known.record or await self.take_over(vertex, known) or await self.carry_out(vertex, known)
        for hook in self.on_result:
            hook(vertex, record)
        return [root_of(layers) for layers in record.outputs]

    async def take_over(self, vertex: Vertex, known: Known) -> CacheRecord | None:
        """The result that an imported cache has; None if it has none, or does not give it."""
        if not known.offers:
            return None
        report = self.report(vertex)
        try:
            outputs = [await offer.bring(self.scene.lease, report) for offer in known.offers]
            created_ns = max(offer.created_ns for offer in known.offers)
        except EngineError as error:
            log.warning("build: step %s could not be taken from an imported cache: %s", vertex.name, error)
            return None
        below = await self.layers_below(vertex)
        made = list(dict.fromkeys(layer for layers in outputs for layer in layers if layer not in below))
        sizes = (self.shop.cache.layers.get(layer) for layer in made)
        record = CacheRecord(
            id=self.shop.new_id(),
            key=known.key,
            quick_keys=[known.quick_key] if known.quick_key is not None else [],
            description=vertex.name,
            outputs=[list(layers) for layers in outputs],
            made=list(made),
            parents=await self.parents(vertex),
            size_bytes=sum(info.size_bytes for info in sizes if info is not None),
            created_ns=created_ns or self.shop.clock.now_ns(),
        )
        await self.shop.cache.add(record)
        self.hold(record)
        report.complete(cached=True)
        return record

    async def layers_below(self, vertex: Vertex) -> set[str]:
        """Of what the step is built on; that is taken over, too, if it is offered.  Nothing is carried out for it."""
        layers: set[str] = set()
        for each, use in zip(vertex.inputs, uses(vertex), strict=True):
            known = await self.known(each.vertex)
            if use.is_base and (known.found is not None or known.record is not None or known.offers):
                layers |= {*(await self.root(each)).layers}
        return layers

    async def parents(self, vertex: Vertex) -> list[str]:
        known = [await self.known(each.vertex) for each in vertex.inputs]
        records = [each.record or self.shop.cache.find(each.key) for each in known]
        return [record.id for record in records if record is not None]

    async def carry_out(self, vertex: Vertex, known: Known) -> CacheRecord:
        key = known.key
        inputs = await self.all([self.root(each) for each in vertex.inputs])
        parents = await self.parents(vertex)
        report = self.report(vertex)

        async def work(audience: Audience) -> CacheRecord:
            made = await self.shop.steps(vertex, inputs, self.scene, audience)
            record = CacheRecord(
                id=self.shop.new_id(),
                key=key,
                quick_keys=[known.quick_key] if known.quick_key is not None else [],
                kind=CacheKind.REGULAR,
                description=vertex.name,
                outputs=[list(root.layers) for root in made.outputs],
                made=list(made.layers),
                parents=parents,
                size_bytes=made.size_bytes,
                created_ns=self.shop.clock.now_ns(),
            )
            await self.shop.cache.add(record)
            return record

        flight = f"{key}:{self.scene.options.ref}" if known.is_anew else key
        try:
            record = await self.shop.flights.join(flight, report, work, self.hold)
        except StepFailed as error:
            report.complete(error=str(error))
            raise
        except EngineError as error:
            report.complete(error=str(error))
            raise StepFailed(vertex, str(error)) from error
        report.complete()
        return record

    async def solved(self, outputs: Sequence[Output | None]) -> Sequence[Solved]:
        """The steps of a graph that was carried out, inputs first; those of which nothing is known without doing them are left out."""
        found = []
        for vertex in walk(outputs):
            if isinstance(vertex.op, SOURCES) or vertex.meta.export_cache is False:
                continue
            known = await self.known(vertex)
            record = known.record or self.shop.cache.find(known.key)
            inputs = [output_key((await self.known(each.vertex)).key, each.index) for each in vertex.inputs]
            found.append(
                Solved(
                    vertex,
                    known.key,
                    quick_key(vertex, inputs) if is_read(vertex) else None,
                    record.outputs if record is not None else None,
                    known.offers if record is None else (),
                )
            )
        return found

    # cache

    def use(self, key: Digest, quick: Digest | None = None) -> CacheRecord | None:
        record = self.shop.cache.find(key)
        if record is None:
            return None
        record = self.shop.cache.touch(record, quick)
        self.hold(record)
        return record

    def hold(self, record: CacheRecord) -> None:
        """It is not pruned as long as this build is open."""
        self.shop.cache.users[record.id] += 1
        self.used.append(record.id)

    def cached(self, vertex: Vertex, record: CacheRecord) -> Known:
        self.report(vertex).complete(cached=True)
        return Known(Digest(record.key), record)

    # asking once

    async def once(self, what: str, vertex: Vertex, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        answer = self.answers.get((what, vertex.digest))
        if answer is None:
            answer = Answer(self.shop.tasks, work(), f"build-{what}:{vertex.digest[7:19]}")
            self.answers[what, vertex.digest] = answer
        found: T = await asyncio.shield(answer.done)
        return found

    async def all(self, questions: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
        """The answers, in order; the first error as soon as there is one."""
        return list(await asyncio.gather(*questions))
