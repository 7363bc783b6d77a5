"""Caches of builds that travel: BuildKit's `cacheconfig.v0` and its inline form, which is kept in an image's config.

A config is a table of layers, each over a parent, and records.  A record says under which key a step's result is found; its inputs name
other records.  Keys are the builder's own matter, so a cache of another builder is read without complaint and never fits.  In ours the
first input of a record lists the *quick keys*, other ways to the same key; a record with a key alone tells just that.

    {"layers": [{"blob": "sha256:…", "parent": -1}, …],
     "records": [{"digest": QUICK}, {"digest": KEY, "inputs": [[{"link": 0}]], "layers": [{"layer": 0, "createdAt": "…"}]}]}

Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from wharfd.model.errors import InvalidParameter
from wharfd.model.ids import Digest
from wharfd.wire.oci import Descriptor
from wharfd.wire.reference import parse_digest
from wharfd.wire.timestamps import ZERO_TIME, format_rfc3339_nano, parse_rfc3339

CACHE_CONFIG = "application/vnd.buildkit.cacheconfig.v0"
INLINE_CACHE = "moby.buildkit.cache.v0"  # in an image's config: Base64 of the records
DIFF_ID = "containerd.io/uncompressed"
CREATED_AT = "buildkit/createdat"
NO_PARENT = -1
MAX_CHAIN = 512

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedLayer:
    """`created_ns` 0: not known."""

    digest: Digest
    size: int
    media_type: str
    diff_id: Digest
    created_ns: int = 0

    def descriptor(self) -> Descriptor:
        annotations = {DIFF_ID: str(self.diff_id)}
        if self.created_ns:
            annotations[CREATED_AT] = format_rfc3339_nano(self.created_ns)
        return Descriptor(media_type=self.media_type, digest=self.digest, size=self.size, annotations=annotations)


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedStep:
    """`layers`: of the root that it gave, the lowest first, by their numbers in the table; None: only its keys are known."""

    key: Digest
    quick_keys: tuple[Digest, ...] = ()
    layers: tuple[int, ...] | None = None
    created_ns: int = 0


class LayerNotes(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What stands in for descriptors where a cache has none."""

    media_type: str = ""
    diff_id: str = msgspec.field(default="", name="diffID")
    size: int = 0
    created_at: str = ZERO_TIME


class LayerEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Docker: a parent that is not given is layer 0, not none."""

    blob: str
    parent: int = 0
    annotations: LayerNotes | None = None


class ResultEntry(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    layer: int
    created_at: str = ZERO_TIME


class ChainEntry(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A root whose layers do not stand on their parents in the table."""

    layers: list[int] = []
    created_at: str = ZERO_TIME


class InputEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    link: int = 0
    selector: str = ""


class RecordEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    digest: str = ""
    inputs: list[list[InputEntry] | None] | None = None
    layers: list[ResultEntry] | None = None
    chains: list[ChainEntry] | None = None


class Config(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    layers: list[LayerEntry] | None = None
    records: list[RecordEntry] | None = None


# --- writing -------------------------------------------------------------------------------------------------------------------


class CacheWriter:
    """Puts a config together.  Layers that the same roots share are in it once."""

    def __init__(self) -> None:
        self.layers: list[CachedLayer] = []
        self.parents: list[int] = []
        self.numbers: dict[tuple[Digest, int], int] = {}
        self.steps: list[CachedStep] = []

    def add(
        self, key: Digest, quick_keys: Sequence[Digest], layers: Sequence[CachedLayer] | None, created_ns: int = 0
    ) -> None:
        numbers = None if layers is None else self.chain(layers)
        step = CachedStep(key=key, quick_keys=tuple(quick_keys), layers=numbers, created_ns=created_ns)
        self.steps.append(step)

    def chain(self, layers: Sequence[CachedLayer]) -> tuple[int, ...]:
        found: list[int] = []
        for layer in layers:
            parent = found[-1] if found else NO_PARENT
            number = self.numbers.get((layer.digest, parent))
            if number is None:
                number = self.numbers[layer.digest, parent] = len(self.layers)
                self.layers.append(layer)
                self.parents.append(parent)
            found.append(number)
        return tuple(found)

    def encode(self) -> bytes:
        layers = [
            LayerEntry(
                blob=layer.digest,
                parent=parent,
                annotations=LayerNotes(
                    media_type=layer.media_type,
                    diff_id=layer.diff_id,
                    size=layer.size,
                    created_at=format_rfc3339_nano(layer.created_ns),
                ),
            )
            for layer, parent in zip(self.layers, self.parents, strict=True)
        ]
        return msgspec.json.encode(Config(layers=layers, records=records_of(self.steps, self.parents)))


def encode_inline(steps: Sequence[CachedStep], layer_count: int) -> bytes:
    """The records alone; the table is that of the image's layers, each over the one before."""
    return msgspec.json.encode(records_of(steps, range(NO_PARENT, layer_count - 1)))


def records_of(steps: Sequence[CachedStep], parents: Sequence[int]) -> list[RecordEntry]:
    records: list[RecordEntry] = []
    numbers: dict[Digest, int] = {}
    for step in steps:
        quick = [key for key in step.quick_keys if key != step.key]
        for key in quick:
            if key not in numbers:
                numbers[key] = len(records)
                records.append(RecordEntry(digest=key))
        links: list[list[InputEntry] | None] = [[InputEntry(link=numbers[key]) for key in quick]]
        records.append(result_entry(step, links if quick else None, parents))
    return records


def result_entry(step: CachedStep, inputs: list[list[InputEntry] | None] | None, parents: Sequence[int]) -> RecordEntry:
    record = RecordEntry(digest=step.key, inputs=inputs)
    if step.layers is None:
        return record
    created_at = format_rfc3339_nano(step.created_ns)
    below = (NO_PARENT, *step.layers)
    if step.layers and all(parents[number] == parent for number, parent in zip(step.layers, below, strict=False)):
        return msgspec.structs.replace(record, layers=[ResultEntry(layer=step.layers[-1], created_at=created_at)])
    return msgspec.structs.replace(record, chains=[ChainEntry(layers=list(step.layers), created_at=created_at)])


# --- reading -------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FoundStep:
    """`result` None: only the keys are known."""

    key: Digest
    quick_keys: tuple[Digest, ...]
    result: ResultEntry | ChainEntry | None


@dataclass(frozen=True, slots=True)
class CacheTable:
    layers: Sequence[CachedLayer]
    parents: Sequence[int]
    steps: Sequence[FoundStep]

    def chain(self, step: FoundStep) -> tuple[CachedLayer, ...] | None:
        """The layers of a step's root, the lowest first.  Raises InvalidParameter for layers that are not there, or are too many."""
        match step.result:
            case None:
                return None
            case ChainEntry(layers=numbers):
                return tuple(self.layer(number) for number in numbers)
            case ResultEntry(layer=number):
                found: list[CachedLayer] = []
                while number != NO_PARENT:
                    found.append(self.layer(number))
                    number = self.parents[number]
                    if len(found) > MAX_CHAIN:
                        raise InvalidParameter("invalid build cache: too many layers upon each other")
                return tuple(reversed(found))

    def layer(self, number: int) -> CachedLayer:
        if not 0 <= number < len(self.layers):
            raise InvalidParameter("invalid build cache: a record refers to a layer that is not there")
        return self.layers[number]


def decode_cache(data: bytes, descriptors: Mapping[str, Descriptor]) -> CacheTable:
    """`descriptors` of the layers, by digest, where there are some.  Raises InvalidParameter."""
    config = decode(data, Config)
    entries = config.layers or []
    layers = [described(entry, descriptors.get(entry.blob)) for entry in entries]
    return CacheTable(layers, [entry.parent for entry in entries], steps_of(config.records or []))


def decode_inline(data: bytes, layers: Sequence[CachedLayer]) -> CacheTable:
    """`data`: what stands in an image's config; `layers`: the image's.  Raises InvalidParameter."""
    records = decode(data, list[RecordEntry])
    return CacheTable(layers, range(NO_PARENT, len(layers) - 1), steps_of(records))


def decode(data: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as e:
        raise InvalidParameter(f"invalid build cache: {e}") from e


def described(entry: LayerEntry, descriptor: Descriptor | None) -> CachedLayer:
    notes = entry.annotations or LayerNotes()
    annotations = (descriptor.annotations if descriptor is not None else None) or {}
    diff_id = annotations.get(DIFF_ID) or notes.diff_id
    created_at = annotations.get(CREATED_AT) or notes.created_at
    media_type = descriptor.media_type if descriptor is not None else notes.media_type
    if not diff_id or not media_type:
        raise InvalidParameter(f"invalid build cache: nothing says what layer {entry.blob} is")
    return CachedLayer(
        digest=Digest(parse_digest(entry.blob)),
        size=descriptor.size if descriptor is not None else notes.size,
        media_type=media_type,
        diff_id=Digest(parse_digest(diff_id)),
        created_ns=0 if created_at == ZERO_TIME else parse_rfc3339(created_at),
    )


def steps_of(records: Sequence[RecordEntry]) -> list[FoundStep]:
    steps: list[FoundStep] = []
    for record in records:
        links = next(iter(record.inputs or []), None) or []
        if any(not 0 <= each.link < len(records) for each in links):
            raise InvalidParameter("invalid build cache: a record refers to one that is not there")
        quick = tuple(Digest(records[each.link].digest) for each in links)
        results: list[ResultEntry | ChainEntry] = [*(record.layers or []), *(record.chains or [])]
        result = results[0] if results else None
        if record.digest and (quick or result is not None):
            steps.append(FoundStep(Digest(record.digest), quick, result))
    return steps
