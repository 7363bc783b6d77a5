"""Two answers to one call, compared: status, headers, keys, types, null/[]/{}/absent, and values that ought to be the same."""

import re
from collections.abc import Iterator
from typing import Any

from conformance.differ.session import Answer

# What each engine has of its own: compared by its form.
FORMS = (
    (re.compile(r"\b[0-9a-f]{64}\b"), "<id>"),
    (re.compile(r"\b[0-9a-f]{12}\b"), "<short id>"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"), "<time>"),
    (re.compile(r"\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b"), "<mac>"),
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}(?:/\d+)?\b"), "<address>"),
    (re.compile(r"(?<![\w.])/(?:var|run|proc)/[\w./<> -]*"), "<path>"),
)
FRAMING = {"content-length", "transfer-encoding", "date", "connection"}
OWN = {"server", "api-version", "x-docker-container-path-stat"}  # each engine's own: only whether it is there


def differences(one: Answer, other: Answer, values: bool) -> Iterator[str]:
    if one.status != other.status:
        yield f"status: {one.status} {message(one)} / {other.status} {message(other)}"
        return
    for name in sorted((one.headers.keys() ^ other.headers.keys()) - FRAMING):
        yield f"header {name}: {shown(one.headers.get(name))} / {shown(other.headers.get(name))}"
    for name in sorted((one.headers.keys() & other.headers.keys()) - FRAMING - OWN):
        if one.headers[name] != other.headers[name]:
            yield f"header {name}: {one.headers[name]!r} / {other.headers[name]!r}"
    yield from trees(one.body, other.body, "", values)


def message(answer: Answer) -> str:
    return repr(answer.body["message"]) if isinstance(answer.body, dict) and "message" in answer.body else ""


def trees(one: Any, other: Any, at: str, values: bool) -> Iterator[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        yield from objects(one, other, at, values)
    elif isinstance(one, list) and isinstance(other, list):
        yield from lists(one, other, at, values)
    elif kind(one) != kind(other):
        yield f"{at or 'body'}: {kind(one)} {brief(one)} / {kind(other)} {brief(other)}"
    elif values and form(one) != form(other):
        yield f"{at or 'body'}: value {brief(one)} / {brief(other)}"


def objects(one: dict[str, Any], other: dict[str, Any], at: str, values: bool) -> Iterator[str]:
    ours = {form(key): value for key, value in one.items()}
    theirs = {form(key): value for key, value in other.items()}
    if (not ours) != (not theirs):
        yield f"{at or 'body'}: {kind(one)} / {kind(other)}: {brief(one or other)}"
        return
    for key in sorted(ours.keys() | theirs.keys()):
        place = f"{at}.{key}" if at else str(key)
        if key not in theirs:
            yield f"{place}: {kind(ours[key])} {brief(ours[key])} / absent"
        elif key not in ours:
            yield f"{place}: absent / {kind(theirs[key])} {brief(theirs[key])}"
        else:
            yield from trees(ours[key], theirs[key], place, values)


def lists(one: list[Any], other: list[Any], at: str, values: bool) -> Iterator[str]:
    if (not one) != (not other):
        yield f"{at or 'body'}: {kind(one)} / {kind(other)}: {brief(one or other)}"
        return
    if all(isinstance(each, str) for each in (*one, *other)):
        ours, theirs = [form(each) for each in one], [form(each) for each in other]
        if values and sorted(ours) != sorted(theirs):
            yield f"{at or 'body'}: {sorted(set(ours) - set(theirs))} / {sorted(set(theirs) - set(ours))}"
        return
    if len(one) != len(other):
        yield f"{at or 'body'}: {len(one)} elements / {len(other)}"
    for number, (ours, theirs) in enumerate(zip(one, other, strict=False)):
        yield from trees(ours, theirs, f"{at}[{number}]", values)


def kind(value: Any) -> str:
    if value is None:
        return "null"
    if value == [] and isinstance(value, list):
        return "[]"
    if value == {} and isinstance(value, dict):
        return "{}"
    return {bool: "boolean", int: "number", float: "number", str: "string", list: "array", dict: "object"}[type(value)]


def form(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    for pattern, name in FORMS:
        value = pattern.sub(name, value)
    return value


def brief(value: Any, most: int = 120) -> str:
    if value is None or value in ({}, []):
        return ""
    text = repr(value)
    return text if len(text) <= most else f"{text[:most]}…"


def shown(value: str | None) -> str:
    return "absent" if value is None else repr(value)
