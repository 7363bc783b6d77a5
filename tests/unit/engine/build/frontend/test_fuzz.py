"""Random bytes and spoilt Dockerfiles end in a graph or in an error of the family (long runs: `./wharf fuzz dockerfile`)."""

import itertools
import random

from hypothesis import example, given, settings
from hypothesis import strategies as st

from fuzz.__main__ import mutate
from fuzz.dockerfile import REQUESTS, SEEDS, ask
from wharfd.wire.dockerfile import DockerfileError, parse_dockerfile
from wharfd.wire.dockerfile.statements import StatementReader


@given(st.binary(max_size=400))
@example(b"FROM a\nENV a=${" + b"a:-${" * 3000)
@example(b"FROM a\nRUN <<" + b"<<" * 3000)
@example(b"FROM a\nCMD " + b"[" * 30_000)
@example(b"FROM a\nENV x=aaaaaaaaaaaaaaaa\n" + b"ENV x=$x$x\n" * 100)
@example(b"FROM a\n" + b"LABEL x=${a//" * 50)
async def test_any_bytes(data: bytes) -> None:
    await ask(data, {})


@settings(max_examples=400)
@given(st.integers(min_value=0), st.sampled_from(REQUESTS))
async def test_spoilt_files(seed: int, request: dict[str, str]) -> None:
    await ask(mutate(random.Random(seed), SEEDS), request)


words = st.text(alphabet="abAB $\\'\"{}:-<=[]#/,\t`", max_size=12)
instructions = st.sampled_from(
    ["FROM", "RUN", "COPY", "ADD", "ENV", "ARG", "LABEL", "CMD", "EXPOSE", "HEALTHCHECK", "ONBUILD", "VOLUME", "USER"]
)
lines = st.builds(lambda name, rest: f"{name} {' '.join(rest)}", instructions, st.lists(words, max_size=4))


@settings(max_examples=300)
@given(st.lists(lines, max_size=6))
async def test_instructions_with_any_arguments(found: list[str]) -> None:
    await ask("\n".join(["FROM alpine AS a", *found]).encode(), {})


@given(st.lists(lines, min_size=1, max_size=6))
def test_no_line_is_lost_or_counted_twice(found: list[str]) -> None:
    """Statements cover the file in order, without overlapping."""
    text = "\n".join(found)
    try:
        statements = list(StatementReader(text))
    except DockerfileError:
        return
    ranges = [statement.lines for statement in statements]
    assert all(one.end < other.start for one, other in itertools.pairwise(ranges))
    assert all(1 <= each.start <= each.end <= text.count("\n") + 1 for each in ranges)


@given(st.lists(st.sampled_from(SEEDS), min_size=1, max_size=2))
def test_what_is_read_does_not_depend_on_the_line_ends(seeds: list[bytes]) -> None:
    """Here-documents apart: their content keeps its line ends."""
    text = b"\n".join(seeds).decode()
    if "<<" not in text:
        assert outcome(text.replace("\n", "\r\n")) == outcome(text)


def outcome(text: str) -> object:
    try:
        return parse_dockerfile(text)
    except DockerfileError as e:
        return str(e), e.ranges
