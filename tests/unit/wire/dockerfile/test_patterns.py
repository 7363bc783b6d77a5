import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfd.wire.dockerfile import patterns
from wharfd.wire.dockerfile.errors import DockerfileError


@pytest.mark.parametrize(
    ("pattern", "value", "shortest", "longest"),
    [
        ("*/", "a/b/c", "b/c", "c"),
        ("", "abc", "abc", "abc"),
        ("*", "abc", "abc", ""),
        ("?", "abc", "bc", "bc"),
        ("a*c", "abcabc", "abc", ""),
        ("x", "abc", "abc", "abc"),
        ("*b", "a\nb", "a\nb", "a\nb"),
    ],
)
def test_prefix(pattern: str, value: str, shortest: str, longest: str) -> None:
    assert patterns.trim_prefix(pattern, value, longest=False) == shortest
    assert patterns.trim_prefix(pattern, value, longest=True) == longest


@pytest.mark.parametrize(
    ("pattern", "value", "shortest", "longest"),
    [
        ("/*", "a/b/c", "a/b", "a"),
        ("*", "abc", "abc", ""),
        ("b?", "abc", "a", "a"),
        ("a*", "abcab", "abc", ""),
    ],
)
def test_suffix(pattern: str, value: str, shortest: str, longest: str) -> None:
    assert patterns.trim_suffix(pattern, value, longest=False) == shortest
    assert patterns.trim_suffix(pattern, value, longest=True) == longest


def test_a_long_hostile_text_is_no_trouble() -> None:
    value = "a" * 200_000
    assert patterns.replace("a*a*a*a*b", value, "x", every=True, max_length=10) == value
    assert patterns.trim_suffix("*a*a*a*b*", value, longest=True) == value


def test_the_result_is_bounded() -> None:
    with pytest.raises(DockerfileError, match="longer than 100"):
        patterns.replace("a", "a" * 100, "xx", every=True, max_length=100)


def as_regex(pattern: str, star: str) -> str:
    signs = {"*": star, "?": "."}
    return "".join(signs.get(char, re.escape(char)) for char in pattern)


text = st.text(alphabet="ab\n", max_size=12)
glob = st.text(alphabet="ab*?", max_size=6)


@given(glob, text)
def test_it_finds_what_a_backtracking_search_finds(pattern: str, value: str) -> None:
    shortest = re.match(as_regex(pattern, ".*?"), value)
    longest = re.match(as_regex(pattern, ".*"), value)
    assert patterns.trim_prefix(pattern, value, longest=False) == (
        value if shortest is None else value[shortest.end() :]
    )
    assert patterns.trim_prefix(pattern, value, longest=True) == (value if longest is None else value[longest.end() :])


@given(glob, text)
def test_the_first_match_is_replaced_like_by_a_backtracking_search(pattern: str, value: str) -> None:
    expected = re.sub(as_regex(pattern, ".*"), "X", value, count=1)
    assert patterns.replace(pattern, value, "X", every=False, max_length=1000) == expected
