"""Look-up by id, name and prefix."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfd.engine.index import Index
from wharfd.model.container import ContainerRecord
from wharfd.model.errors import InvalidParameter
from wharfd.testing.builders import a_container

ONE, TWO, THREE = "ab" + "1" * 62, "ab" + "2" * 62, "cd" + "3" * 62


@pytest.fixture
def index() -> Index[ContainerRecord]:
    index: Index[ContainerRecord] = Index()
    for identifier, name in ((TWO, "two"), (ONE, "one"), (THREE, "ab")):
        index.put(a_container(id=identifier, name=name))
    return index


@pytest.mark.parametrize(
    ("ref", "found"),
    [
        (ONE, ONE),
        ("one", ONE),
        ("/one", ONE),
        ("ab1", ONE),
        ("c", THREE),
        ("ab", THREE),  # a name before a prefix, though two ids begin so
        ("on", None),
        ("", None),
        ("/", None),
        ("b1", None),
        (ONE + "0", None),
    ],
)
def test_find(index: Index[ContainerRecord], ref: str, found: str | None) -> None:
    record = index.find(ref)
    assert (record.id if record else None) == found


def test_a_prefix_of_several_is_refused(index: Index[ContainerRecord]) -> None:
    with pytest.raises(InvalidParameter, match=r"^multiple IDs found with provided prefix: a$"):
        index.find("a")


def test_order_is_that_of_arrival_and_kept_by_replacement(index: Index[ContainerRecord]) -> None:
    index.put(a_container(id=TWO, name="two"))
    assert [record.id for record in index] == [TWO, ONE, THREE]


def test_a_new_name_takes_the_place_of_the_old(index: Index[ContainerRecord]) -> None:
    index.put(a_container(id=ONE, name="uno"))
    assert index.find("one") is None
    record = index.find("uno")
    assert record is not None
    assert record.id == ONE
    assert index.reserve("one", TWO) is None


def test_a_reserved_name_is_taken_but_finds_nothing(index: Index[ContainerRecord]) -> None:
    coming = "ef" + "4" * 62
    assert index.reserve("four", coming) is None
    assert index.reserve("four", ONE) == coming
    assert index.reserve("one", coming) == ONE
    assert index.find("four") is None
    index.release("four", ONE)  # not its own
    assert index.reserve("four", ONE) == coming
    index.release("four", coming)
    assert index.reserve("four", ONE) is None


def test_removal_frees_the_name_unless_another_has_it(index: Index[ContainerRecord]) -> None:
    index.remove(ONE)
    index.remove(ONE)
    assert ONE not in index
    assert index.reserve("one", TWO) is None
    index.put(a_container(id=TWO, name="three"))
    index.put(a_container(id=THREE, name="three"))
    index.remove(TWO)
    record = index.find("three")
    assert record is not None
    assert record.id == THREE


def test_iteration_bears_changes_meanwhile(index: Index[ContainerRecord]) -> None:
    for record in index:
        index.remove(record.id)
    assert len(index) == 0


@given(st.sets(st.text("ab", min_size=3, max_size=6), max_size=12), st.text("ab", min_size=1, max_size=6))
def test_with_prefix_finds_what_a_scan_finds(identifiers: set[str], prefix: str) -> None:
    index: Index[ContainerRecord] = Index()
    for identifier in identifiers:
        index.put(a_container(id=identifier))
    assert index.with_prefix(prefix) == sorted(each for each in identifiers if each.startswith(prefix))
