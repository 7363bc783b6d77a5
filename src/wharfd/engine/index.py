"""Finds objects by id, name and id prefix, without I/O and without locks.

Docker's order (wire_details "Names"): full id, exact name (a leading slash is optional), then a prefix of the id that only one has.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

from wharfd.model.errors import InvalidParameter


class Named(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...


T = TypeVar("T", bound=Named)


class Index(Generic[T]):
    """The current records of one kind.  Iteration is in the order of arrival."""

    def __init__(self) -> None:
        self.by_id: dict[str, T] = {}
        self.by_name: dict[str, str] = {}  # name -> id; holds reservations of ids that have no record yet, too
        self.sorted_ids: list[str] = []
        self.changes = 0  # how often a record came, changed or went

    def __iter__(self) -> Iterator[T]:
        return iter(list(self.by_id.values()))

    def __len__(self) -> int:
        return len(self.by_id)

    def __contains__(self, identifier: str) -> bool:
        return identifier in self.by_id

    def get(self, identifier: str) -> T | None:
        return self.by_id.get(identifier)

    def reserve(self, name: str, identifier: str) -> str | None:
        """Take a name before its record exists.  Returns the id of the holder if it is taken by another, else None."""
        holder = self.by_name.setdefault(name, identifier)
        return None if holder == identifier else holder

    def release(self, name: str, identifier: str) -> None:
        """Give a reservation back, if it is still this id's."""
        if self.by_name.get(name) == identifier:
            del self.by_name[name]

    def put(self, record: T) -> None:
        """Add, or replace the record of the same id.  A changed name is moved."""
        self.changes += 1
        old = self.by_id.get(record.id)
        if old is None:
            insort(self.sorted_ids, record.id)
        elif old.name != record.name:
            self.release(old.name, record.id)
        self.by_id[record.id] = record
        self.by_name[record.name] = record.id

    def remove(self, identifier: str) -> None:
        record = self.by_id.pop(identifier, None)
        if record is None:
            return
        self.changes += 1
        self.release(record.name, identifier)
        at = bisect_left(self.sorted_ids, identifier)
        if at < len(self.sorted_ids) and self.sorted_ids[at] == identifier:
            del self.sorted_ids[at]

    def with_prefix(self, prefix: str) -> list[str]:
        """Ids that begin with `prefix`, ascending."""
        found = []
        for at in range(bisect_left(self.sorted_ids, prefix), len(self.sorted_ids)):
            if not self.sorted_ids[at].startswith(prefix):
                break
            found.append(self.sorted_ids[at])
        return found

    def find(self, ref: str) -> T | None:
        """The record that `ref` names; None if there is none.

        Raises InvalidParameter if several ids begin with it.
        """
        if not ref:
            return None
        record = self.by_id.get(ref)
        if record is not None:
            return record
        named = self.by_name.get(ref.removeprefix("/"))
        if named is not None and named in self.by_id:
            return self.by_id[named]
        ids = self.with_prefix(ref)
        if len(ids) > 1:
            raise InvalidParameter(f"multiple IDs found with provided prefix: {ref}")
        return self.by_id[ids[0]] if ids else None
