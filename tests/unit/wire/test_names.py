"""Names and ids."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfd.model.errors import InvalidParameter
from wharfd.wire.names import ADJECTIVES, SURNAMES, is_id, new_id, parse_container_name, parse_volume_name, random_name


@pytest.mark.parametrize(("text", "name"), [("web", "web"), ("/web", "web"), ("a1_.-", "a1_.-"), ("42", "42")])
def test_container_names(text: str, name: str) -> None:
    assert parse_container_name(text) == name


@pytest.mark.parametrize("text", ["", "/", "a", "-a", "_a", ".a", "a b", "a/b", "//ab", "é1", "ab\n", "a\0b"])
def test_container_names_refused(text: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        parse_container_name(text)
    shown = text.removeprefix("/")
    assert str(caught.value) == f"Invalid container name ({shown}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"


def test_volume_names() -> None:
    assert parse_volume_name("data_1") == "data_1"
    with pytest.raises(
        InvalidParameter, match="volume name is too short, names should be at least two alphanumeric characters"
    ):
        parse_volume_name("d")
    with pytest.raises(InvalidParameter) as caught:
        parse_volume_name("./data")
    assert str(caught.value) == (
        '"./data" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. '
        "If you intended to pass a host directory, use absolute path"
    )


def test_a_volume_name_of_one_letter_is_judged_by_its_bytes() -> None:
    with pytest.raises(InvalidParameter, match="includes invalid characters"):
        parse_volume_name("é")


def test_word_lists() -> None:
    assert len(set(ADJECTIVES)) == len(ADJECTIVES) >= 90
    assert len(set(SURNAMES)) == len(SURNAMES) >= 200
    assert all(word.isascii() and word.isalpha() and word.islower() for word in (*ADJECTIVES, *SURNAMES))


@given(st.integers(), st.integers(0, 6))
def test_random_names_are_valid(seed: int, retry: int) -> None:
    name = random_name(Random(seed), retry)
    assert parse_container_name(name) == name
    assert name[-1].isdigit() is (retry > 0)


def test_ids() -> None:
    digits_first = [b"\x12" * 32, b"\xab" * 32]
    assert new_id(lambda size: digits_first.pop(0)) == "ab" * 32
    assert new_id(lambda size: b"\x12" * 5 + b"\x1a" + b"\0" * (size - 6)).startswith("12121212121a")
    assert is_id("ab" * 32)
    assert not is_id("AB" * 32)
    assert not is_id("ab" * 31)
    assert not is_id("ab" * 32 + "\n")
