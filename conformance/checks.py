"""Expectations.  What is not as expected is a Mismatch that shows the exact difference."""

import difflib
import re
import time
from collections.abc import Callable
from typing import Any

Expected = str | bytes | re.Pattern[str] | None  # None: not looked at


class Mismatch(Exception):
    """The engine did something else than the scenario wants."""


def same(actual: Any, expected: Any, what: str = "") -> None:
    """Equal; a compiled pattern must match the whole text."""
    if isinstance(expected, re.Pattern):
        if not isinstance(actual, str) or not expected.fullmatch(actual):
            raise Mismatch(f"{lead(what)}wanted a match of {expected.pattern!r}, got {brief(actual)}")
    elif actual != expected or isinstance(actual, bool) != isinstance(expected, bool):
        raise Mismatch(lead(what) + difference(actual, expected))


def has(actual: Any, expected: Any, what: str = "") -> None:
    """As `same`, but an object may have more keys than expected, at any depth."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key, value in expected.items():
            if key not in actual:
                raise Mismatch(f"{lead(what)}there is no {key!r} in {brief(actual)}")
            has(actual[key], value, f"{what}.{key}" if what else str(key))
    elif isinstance(expected, list) and isinstance(actual, list) and len(actual) == len(expected):
        for number, value in enumerate(expected):
            has(actual[number], value, f"{what}[{number}]")
    else:
        same(actual, expected, what)


def holds(claim: bool, what: str) -> None:
    if not claim:
        raise Mismatch(what)


def eventually(check: Callable[[], Any], within_s: float = 10.0) -> Any:
    """What `check` returns as soon as it raises no Mismatch."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            return check()
        except Mismatch:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.1)


def lead(what: str) -> str:
    return f"{what}: " if what else ""


def brief(value: Any, most: int = 400) -> str:
    text = repr(value)
    return text if len(text) <= most else f"{text[: most - 20]}… ({len(text)} characters)"


def difference(actual: Any, expected: Any) -> str:
    if isinstance(actual, bytes) and isinstance(expected, bytes) and max(len(actual), len(expected)) > 200:
        at = next((n for n, (a, b) in enumerate(zip(actual, expected, strict=False)) if a != b), None)
        at = min(len(actual), len(expected)) if at is None else at
        return (
            f"{len(actual)} bytes where {len(expected)} are wanted, the first difference at {at}: "
            f"{actual[at : at + 20]!r} instead of {expected[at : at + 20]!r}"
        )
    if isinstance(actual, str) and isinstance(expected, str) and "\n" in expected.strip("\n"):
        lines = difflib.unified_diff(expected.splitlines(), actual.splitlines(), "wanted", "got", lineterm="", n=1)
        return "\n" + "\n".join(lines) if actual.splitlines() != expected.splitlines() else f"got {actual!r}"
    return f"wanted {brief(expected)}, got {brief(actual)}"
