"""The `filters` parameter of list, prune and events calls: two JSON shapes, one meaning.

    {"label": {"a=b": true}, "status": {"exited": true}}        the shape of today
    {"label": ["a=b"], "status": ["exited"]}                    the shape of old clients

Several values under one key are alternatives (labels: all must hold), several keys must all hold; that is for the caller, which
asks one `match` method per key.  Every method answers True where its key is not filtered at all.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from wharfd.model.errors import InvalidParameter
from wharfd.wire.pattern import Pattern

_Fields = Mapping[str, Mapping[str, bool]]


class InvalidFilter(InvalidParameter):
    """`invalid filter`, `invalid filter 'key'` or `invalid filter 'key=[values]'`."""

    def __init__(self, key: str = "", values: Iterable[str] | None = None) -> None:
        shown = "" if values is None else f"=[{' '.join(values)}]"
        super().__init__(f"invalid filter '{key}{shown}'" if key else "invalid filter")


@dataclass(frozen=True, slots=True)
class Filters:
    """Parsed filters.  `fields` maps a key to its values; a value's flag is false only when a client wrote it so."""

    fields: _Fields = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.fields)

    def __contains__(self, key: str) -> bool:
        return key in self.fields

    @classmethod
    def of(cls, **values: str | Collection[str]) -> "Filters":
        """Build from Python values: `Filters.of(label=["a=b"], dangling="true")`."""
        return cls({k: dict.fromkeys([v] if isinstance(v, str) else v, True) for k, v in values.items()})

    def keys(self) -> tuple[str, ...]:
        return tuple(self.fields)

    def get(self, key: str) -> tuple[str, ...]:
        """The values of a key, none if it is absent."""
        return tuple(self.fields.get(key, ()))

    def with_value(self, key: str, value: str) -> "Filters":
        """A copy with one more value."""
        return Filters({**self.fields, key: {**self.fields.get(key, {}), value: True}})

    def validate(self, accepted: Collection[str]) -> None:
        """Raise `InvalidFilter` for the first key that the call does not know."""
        for key in self.fields:
            if key not in accepted:
                raise InvalidFilter(key)

    def exact(self, key: str, candidate: str) -> bool:
        """Is the candidate one of the values?"""
        values = self.fields.get(key)
        return not values or values.get(candidate, False)

    def match(self, key: str, candidate: str) -> bool:
        """Is the candidate one of the values, or does a value, read as a regular expression, occur in it?

        A value that is no valid expression matches only literally.
        """
        return self.exact(key, candidate) or any(Pattern.cached(value).search(candidate) for value in self.fields[key])

    def fuzzy(self, key: str, candidate: str) -> bool:
        """Is the candidate one of the values, or does it begin with one?"""
        return self.exact(key, candidate) or candidate.startswith(self.get(key))

    def labels(self, key: str, labels: Mapping[str, str]) -> bool:
        """Do the labels satisfy every value, each either `name` (present) or `name=value`?"""
        return all(_has_label(labels, value) for value in self.get(key))

    def boolean(self, key: str, default: bool) -> bool:
        """The value of a yes-no key (`1`, `true`, `0`, `false`).

        Raises:
            InvalidFilter: no value, another word, or both yes and no.
        """
        values = self.fields.get(key)
        if values is None:
            return default
        if not values:
            raise InvalidFilter(key)
        says_yes = values.get("1", False) or values.get("true", False)
        says_no = values.get("0", False) or values.get("false", False)
        if says_yes == says_no:
            raise InvalidFilter(key, values)
        return says_yes

    def single(self, key: str) -> str | None:
        """The one value of a key that takes one; None if absent.

        Raises:
            InvalidFilter: several values, or none.
        """
        values = self.fields.get(key)
        if values is None:
            return None
        if len(values) != 1:
            raise InvalidFilter(key, values)
        return next(iter(values))

    def to_json(self) -> str:
        return msgspec.json.encode(self.fields).decode() if self.fields else ""


NO_FILTERS = Filters()

_modern = msgspec.json.Decoder(dict[str, dict[str, bool | None] | None] | None)
_legacy = msgspec.json.Decoder(dict[str, list[str | None] | None] | None)


def parse_filters(text: str) -> Filters:
    """Parse the query value; empty means no filters.

    Raises:
        InvalidFilter: it is neither of the two shapes.
    """
    if not text:
        return NO_FILTERS
    try:
        modern = _modern.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return _parse_legacy(text)
    # Docker: null leaves the zero value, as everywhere in Go's JSON.
    return Filters({key: {v: bool(on) for v, on in (values or {}).items()} for key, values in (modern or {}).items()})


def _parse_legacy(text: str) -> Filters:
    try:
        legacy = _legacy.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as e:
        raise InvalidFilter from e
    return Filters({key: {v or "": True for v in (values or ())} for key, values in (legacy or {}).items()})


def _has_label(labels: Mapping[str, str], wanted: str) -> bool:
    name, equals, value = wanted.partition("=")
    have = labels.get(name)
    return have is not None and (not equals or have == value)
