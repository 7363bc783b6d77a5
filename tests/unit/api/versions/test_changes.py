"""The machinery of shape changes, with a resource of the test's own."""

from collections.abc import Iterator

import pytest

from wharfd.api.versions import changes
from wharfd.api.versions.version import MAX, MIN, Version
from wharfd.model.json import Json


@pytest.fixture
def gadget() -> Iterator[str]:
    yield "test.gadget"
    changes.requests.pop("test.gadget", None)
    changes.responses.pop("test.gadget", None)
    changes.climbing.cache_clear()
    changes.descending.cache_clear()


def trace(word: str) -> changes.Change:
    def append(doc: Json) -> None:
        doc.append(word)

    return append


def register(gadget: str) -> None:
    for below in ("1.44", "1.25", "1.52"):
        changes.request(gadget, below=below)(trace(below))
        changes.response(gadget, below=below)(trace(below))


def test_requests_climb_from_the_asked_version(gadget: str) -> None:
    register(gadget)
    assert changes.upgrade(gadget, Version(1, 24), []) == ["1.25", "1.44", "1.52"]
    assert changes.upgrade(gadget, Version(1, 43), []) == ["1.44", "1.52"]
    assert changes.upgrade(gadget, Version(1, 44), []) == ["1.52"]


def test_responses_descend_to_the_asked_version(gadget: str) -> None:
    register(gadget)
    assert changes.downgrade(gadget, Version(1, 24), []) == ["1.52", "1.44", "1.25"]
    assert changes.downgrade(gadget, Version(1, 51), []) == ["1.52"]
    assert changes.downgrade(gadget, Version(1, 52), []) == []


def test_a_change_may_replace_the_document(gadget: str) -> None:
    changes.response(gadget, below="1.30")(lambda doc: {"wrapped": doc})
    assert changes.downgrade(gadget, Version(1, 29), [1]) == {"wrapped": [1]}
    assert changes.downgrade(gadget, Version(1, 30), [1]) == [1]


def test_functions_of_one_version_keep_their_order(gadget: str) -> None:
    changes.response(gadget, below="1.30")(trace("first"))
    changes.response(gadget, below="1.30")(trace("second"))
    assert changes.downgrade(gadget, Version(1, 24), []) == ["first", "second"]


def test_the_newest_version_needs_nothing() -> None:
    changes.load()
    for resource in (*changes.requests, *changes.responses):
        assert not changes.climbing(resource, MAX)
        assert not changes.descending(resource, MAX)


@pytest.mark.parametrize("below", ["1.24", "1.56"])
def test_a_change_that_never_or_always_applies_is_refused(below: str) -> None:
    with pytest.raises(ValueError, match="never or always"):
        changes.request("test.gadget", below=below)


@pytest.mark.parametrize(
    ("text", "version"),
    [("1.24", Version(1, 24)), ("1.9", Version(1, 9)), ("1.40.1", Version(1, 40)), ("2", Version(2, 0))],
)
def test_versions_are_parsed(text: str, version: Version) -> None:
    assert Version.parse(text) == version


@pytest.mark.parametrize("text", ["", "1.", ".1", "v1.40", "1.x", "1.40 ", "١.٢"])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Version.parse(text)


def test_versions_are_compared_as_numbers() -> None:
    assert Version.parse("1.9") < Version.parse("1.10") < MIN < MAX
