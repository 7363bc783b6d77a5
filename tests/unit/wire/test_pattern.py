"""Client regular expressions: the same verdict as `re` where both know the grammar, and never more than linear time."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfd.wire.pattern import Pattern


@pytest.mark.parametrize(
    ("source", "text", "expected"),
    [
        ("web", "my-web-1", True),
        ("^web$", "my-web", False),
        ("^web", "web-1", True),
        ("web$", "my-web", True),
        ("^$", "", True),
        ("^$", "x", False),
        ("$", "x", True),
        ("^", "", True),
        ("", "anything", True),
        ("^/?web(-[0-9]+)?$", "/web-12", True),
        ("^/?web(-[0-9]+)?$", "/web-", False),
        ("a{2,3}b", "caaab", True),
        ("^a{2,3}$", "aaaa", False),
        ("^a{0}$", "", True),
        ("^(ab){2}$", "abab", True),
        ("(?i)WEB", "my-web", True),
        ("(?i:w)eb", "WEB", False),
        ("x(?i)y|z", "Z", True),
        (r"^\w+\.\d$", "ab_1.5", True),
        (r"[[:digit:]]$", "a1", True),
        (r"[^[:digit:]]$", "a1", False),
        (r"\bcat\b", "a cat sat", True),
        (r"\Acat\z", "cat", True),
        (r"[a\-z]$", "-", True),
        (r"[]a]", "]", True),
        (r"\x41", "A", True),
        ("(?P<n>x)y", "xy", True),
        ("a.c", "a\nc", False),
        ("{", "{", True),
    ],
)
def test_table(source: str, text: str, expected: bool) -> None:
    assert Pattern.cached(source).search(text) is expected


@pytest.mark.parametrize(
    "source", ["*a", "(", ")", "a**", "[", "[z-a]", r"\8", "a{1001}", "(?=a)", r"\p{L}", "\\", "(" * 5000]
)
def test_no_expression_matches_nothing(source: str) -> None:
    assert not Pattern.cached(source).is_valid
    assert not Pattern.cached(source).search(source)


def test_what_makes_backtracking_explode_is_harmless() -> None:
    assert not Pattern.cached("(a+)+$").search("a" * 200 + "b")
    assert not Pattern.cached("(a|a)*(a|a)*c").search("a" * 200)


_atoms = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", r"\w", r"\b", "^", "$", "(?:)", "-"])
_expressions = st.recursive(
    _atoms,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda t: f"(?:{t[0]}|{t[1]})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "{2,}", "*?", "{0}"])).map(
            lambda t: f"(?:{t[0]}){t[1]}"
        ),
    ),
    max_leaves=6,
)


@given(_expressions, st.text(alphabet="ab-", max_size=6))
def test_agrees_with_re(source: str, text: str) -> None:
    expected = re.search(source.replace("$", r"\Z"), text) is not None
    assert Pattern.cached(source).search(text) is expected
