import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfd.model.errors import InvalidParameter
from wharfd.wire.detachkeys import DEFAULT_KEYS, KeyWatch, parse_detach_keys


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("", b""),
        ("ctrl-p,ctrl-q", b"\x10\x11"),
        ("a", b"a"),
        ("a,b", b"ab"),
        ("ctrl-@", b"\x00"),
        ("ctrl-a,ctrl-z", b"\x01\x1a"),
        ("ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_", b"\x1b\x1c\x1d\x1e\x1f"),
        ("DEL", b"\x7f"),
    ],
)
def test_keys(text: str, keys: bytes) -> None:
    assert parse_detach_keys(text) == keys


@pytest.mark.parametrize("text", ["ctrl-xx", "ctrl-", "ctrl-A", "ab", "a,", ",", "é", "del", "ctrl-1"])
def test_unknown_keys(text: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        parse_detach_keys(text)
    assert str(caught.value) == f"Invalid detach keys ({text}) provided"


def watched(keys: bytes, *pieces: bytes) -> tuple[bytes, bool]:
    """All that passes until the sequence is complete."""
    watch, passed = KeyWatch(keys), b""
    for piece in pieces:
        data, found = watch.feed(piece)
        passed += data
        if found:
            return passed, True
    return passed + watch.rest(), False


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ((b"ls\n", b"\x10\x11"), (b"ls\n", True)),
        ((b"ls\x10\x11rest",), (b"ls", True)),
        ((b"ls\x10", b"\x11"), (b"ls", True)),
        ((b"ls\x10", b"x\x11"), (b"ls\x10x\x11", False)),
        ((b"\x10\x10\x11",), (b"\x10", True)),
        ((b"\x11\x10",), (b"\x11\x10", False)),
        ((b"", b"\x10", b"", b"\x11"), (b"", True)),
    ],
)
def test_default_keys_are_found(pieces: tuple[bytes, ...], expected: tuple[bytes, bool]) -> None:
    assert watched(DEFAULT_KEYS, *pieces) == expected


def test_a_begun_sequence_is_held_back_until_it_is_clear() -> None:
    watch = KeyWatch(b"aab")
    assert watch.feed(b"xaa") == (b"x", False)
    assert watch.feed(b"a") == (b"a", False)
    assert watch.feed(b"b") == (b"", True)


def test_without_keys_everything_passes() -> None:
    assert watched(b"", b"\x10\x11") == (b"\x10\x11", False)


@given(
    st.lists(st.binary(max_size=6).map(lambda b: bytes(97 + c % 3 for c in b))),
    st.sampled_from([b"a", b"ab", b"aab", b"abab"]),
)
def test_any_split_gives_the_same(pieces: list[bytes], keys: bytes) -> None:
    whole = b"".join(pieces)
    before, found, _ = whole.partition(keys)
    assert watched(keys, *pieces) == (before if found else whole, bool(found))
