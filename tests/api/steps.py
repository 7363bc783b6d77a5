"""Calls and what must come back, one after the other, for any engine behind any socket.

`{name}` in a path, body or expectation is replaced by what an earlier step kept (`keep={"id": "Id"}`); `{v}` is the version's prefix.
An expected object may have fewer keys than the answer; a type stands for any value of it; `Contains` for a part of a text.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Call = Callable[[str, str, Any], Awaitable[tuple[int, bytes]]]
"""(method, path, body or None) -> (status, body)."""


@dataclass(frozen=True)
class Contains:
    part: str


@dataclass(frozen=True)
class Step:
    method: str
    path: str
    status: int
    expect: Any = None  # None: not looked at; "": an empty body
    body: Any = None
    keep: Mapping[str, str] = field(default_factory=dict)
    since: int = 24  # minor version
    until: int = 55

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


async def run(steps: list[Step], call: Call, minor: int, **known: str) -> None:
    kept: dict[str, str] = {"v": f"/v1.{minor}", **known}
    for step in steps:
        if not step.since <= minor <= step.until:
            continue
        status, raw = await call(step.method, filled(step.path, kept), filled(step.body, kept))
        assert status == step.status, f"{step}: {status} {raw[:500]!r}"
        if step.expect == "":
            assert raw == b"", f"{step}: {raw[:500]!r}"
            continue
        if step.expect is None and not step.keep:
            continue
        answer = json.loads(raw)
        if step.expect is not None:
            compare(answer, filled(step.expect, kept), str(step))
        kept |= {name: answer[key] for name, key in step.keep.items()}


def filled(value: Any, kept: Mapping[str, str]) -> Any:
    match value:
        case str():
            for name, text in kept.items():
                value = value.replace(f"{{{name}}}", text)
            return value
        case Contains(part):
            return Contains(filled(part, kept))
        case dict():
            return {filled(key, kept): filled(each, kept) for key, each in value.items()}
        case list():
            return [filled(each, kept) for each in value]
    return value


def compare(answer: Any, expected: Any, where: str) -> None:
    match expected:
        case type():
            assert isinstance(answer, expected), f"{where}: {answer!r} is no {expected.__name__}"
        case Contains(part):
            assert part in answer, f"{where}: {part!r} is not in {answer!r}"
        case dict():
            assert isinstance(answer, dict), f"{where}: {answer!r}"
            for key, value in expected.items():
                assert key in answer, f"{where}.{key} is missing"
                compare(answer[key], value, f"{where}.{key}")
        case list():
            assert isinstance(answer, list), f"{where}: {answer!r}"
            assert len(answer) == len(expected), f"{where}: {answer!r}"
            for number, value in enumerate(expected):
                compare(answer[number], value, f"{where}.{number}")
        case _:
            assert answer == expected, f"{where}: {answer!r} != {expected!r}"
