"""Differences of shape: small pure functions on JSON documents, in the module of the version that introduced each.

    @response("image.inspect", below="1.44")     # VirtualSize was removed in 1.44
    def keep_virtual_size(doc): doc["VirtualSize"] = doc["Size"]

    @request("container.create", below="1.44")   # Healthcheck.StartInterval was added in 1.44
    def drop_start_interval(doc): ...

A function works on the document in place; it may return another one to take its place.  Requests climb: the changes of 1.25 before those
of 1.44.  Responses descend: those of 1.55 first.  Within a version, functions run in the order in which they stand in the module.
`below` is a version, or several names may be given as the resource (`@response("container.inspect", "container.list", below=…)`).
Pipelines are put together once per (version, resource); an empty one costs a dictionary look-up.
"""

import importlib
import pkgutil
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from wharfd.api.versions.version import MAX, MIN, Version
from wharfd.model.json import Json

Change = Callable[[Json], Json]
"""Changes `doc` in place and returns None, or returns the document that takes its place."""


class Registered(NamedTuple):
    below: Version
    apply: Change


requests: dict[str, list[Registered]] = {}
responses: dict[str, list[Registered]] = {}


def request(*resources: str, below: str) -> Callable[[Change], Change]:
    """The function lifts a request of a version lower than `below` to the shape of `below`."""
    return registrar(requests, resources, below)


def response(*resources: str, below: str) -> Callable[[Change], Change]:
    """The function lowers an answer in the shape of `below` for a client that asked for less."""
    return registrar(responses, resources, below)


def registrar(table: dict[str, list[Registered]], resources: tuple[str, ...], below: str) -> Callable[[Change], Change]:
    version = Version.parse(below)
    if not MIN < version <= MAX:
        raise ValueError(f"a change below {below} would never or always apply")

    def register(function: Change) -> Change:
        for resource in resources:
            table.setdefault(resource, []).append(Registered(version, function))
        return function

    return register


@cache
def load() -> None:
    """Import every `v1_NN` module of this package."""
    for module in sorted(found.name for found in pkgutil.iter_modules(__path__)):
        importlib.import_module(f"{__name__}.{module}")


@cache
def climbing(resource: str, version: Version) -> tuple[Change, ...]:
    load()
    steps = [step for step in requests.get(resource, ()) if version < step.below]
    return tuple(step.apply for step in sorted(steps, key=lambda step: step.below))


@cache
def descending(resource: str, version: Version) -> tuple[Change, ...]:
    load()
    steps = [step for step in responses.get(resource, ()) if version < step.below]
    return tuple(step.apply for step in sorted(steps, key=lambda step: step.below, reverse=True))


def upgrade(resource: str, version: Version, doc: Json) -> Json:
    """The document as a client of the newest version would have sent it.  May raise `InvalidParameter`."""
    for change in climbing(resource, version):
        replaced = change(doc)
        if replaced is not None:
            doc = replaced
    return doc


def downgrade(resource: str, version: Version, doc: Json) -> Json:
    """The document as a client of `version` expects it."""
    for change in descending(resource, version):
        replaced = change(doc)
        if replaced is not None:
            doc = replaced
    return doc
