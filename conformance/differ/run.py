"""Play every area to both targets and tell the differences, call by call."""

from collections.abc import Iterator, Sequence

from conformance.differ.calls import AREAS
from conformance.differ.compare import differences
from conformance.differ.session import Answer, Call, play
from conformance.target import Target


def compared(
    one: Target, other: Target, version: str, areas: Sequence[str], values: bool
) -> Iterator[tuple[str, list[str]]]:
    """Each call and its differences, `one`'s side first; a call without any is given, too."""
    for target in (one, other):
        target.prepare()
    try:
        calls = [call for area, calls in AREAS.items() if not areas or area in areas for call in calls]
        answers = [play(target, calls, version) for target in (one, other)]
    finally:
        for target in (one, other):
            target.close()
    for call, ours, theirs in zip(calls, *answers, strict=True):
        yield title(call), list(pair(ours, theirs, values))


def pair(ours: Answer | None, theirs: Answer | None, values: bool) -> Iterator[str]:
    if ours is not None and theirs is not None:
        yield from differences(ours, theirs, values)
    elif (ours is None) != (theirs is None):
        yield "one of them has not what the call asks about"


def title(call: Call) -> str:
    return f"{call.method} {call.path}"
