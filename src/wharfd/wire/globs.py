"""Go's `path.Match`, in time proportional to pattern times text: `*` and `?` stop at slashes, `[a-z]`, `[^a]`, `\\` quotes."""

from collections.abc import Callable
from functools import lru_cache

from wharfd.model.errors import InvalidParameter

Test = Callable[[str], bool]
STAR = None


@lru_cache(maxsize=256)
def compile_glob(pattern: str) -> tuple[Test | None, ...]:
    """One test for a character each, or STAR.

    Raises:
        InvalidParameter: `syntax error in pattern`.
    """
    tests: list[Test | None] = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        if char == "*":
            tests.append(STAR)
        elif char == "?":
            tests.append(lambda c: c != "/")
        elif char == "[":
            test, at = character_class(pattern, at + 1)
            tests.append(test)
        else:
            if char == "\\":
                at += 1
                char = character(pattern, at)
            tests.append(char.__eq__)
        at += 1
    return tuple(tests)


def character_class(pattern: str, at: int) -> tuple[Test, int]:
    """The test, and where the closing bracket is."""
    negated = pattern[at : at + 1] == "^"
    at += negated
    ranges: list[tuple[str, str]] = []
    while pattern[at : at + 1] != "]" or not ranges:
        low, at = class_character(pattern, at)
        high = low
        if pattern[at : at + 1] == "-":
            high, at = class_character(pattern, at + 1)
        ranges.append((low, high))
    return lambda c: any(low <= c <= high for low, high in ranges) != negated, at


def class_character(pattern: str, at: int) -> tuple[str, int]:
    char = character(pattern, at)
    if char in "-]":
        raise InvalidParameter("syntax error in pattern")
    if char == "\\":
        at += 1
        char = character(pattern, at)
    return char, at + 1


def character(pattern: str, at: int) -> str:
    if at >= len(pattern):
        raise InvalidParameter("syntax error in pattern")
    return pattern[at]


def matches(pattern: str, text: str) -> bool:
    """Does the pattern fit the whole text?  Raises InvalidParameter for a broken pattern."""
    tests = compile_glob(pattern)
    states = closure({0}, tests)
    for char in text:
        following = set()
        for state in states:
            if state == len(tests):
                continue
            test = tests[state]
            if test is STAR:
                if char != "/":
                    following.add(state)
            elif test(char):
                following.add(state + 1)
        states = closure(following, tests)
        if not states:
            return False
    return len(tests) in states


def closure(states: set[int], tests: tuple[Test | None, ...]) -> set[int]:
    """Also the states behind stars, which may stand for nothing."""
    found = set(states)
    for state in states:
        while state < len(tests) and tests[state] is STAR:
            state += 1
            found.add(state)
    return found
