"""Patterns inside `${name#pattern}`, `%`, `/`: `*` is any text, `?` any character, neither a newline; a backslash quotes `*`, `?`, itself.

Matching takes time in proportion to the text times the longest literal piece, whatever the pattern: between stars the nearest fit is
taken and never reconsidered, which finds a match whenever there is one, since both signs stay within a line.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from wharfd.wire.dockerfile.errors import DockerfileError


@dataclass(frozen=True, slots=True)
class Pattern:
    """The pieces between the stars: one more than there are stars; an empty one where a star is at an end or beside another."""

    pieces: tuple[str, ...]  # as regular expressions without stars


def compose(pieces: tuple[tuple[str, ...], ...]) -> Pattern:
    return Pattern(tuple("".join(piece) for piece in pieces))


def parse(text: str) -> tuple[tuple[str, ...], ...]:
    """Each piece as the regular expressions of its characters.

    Raises:
        DockerfileError: `invalid pattern (…) in substitution: invalid escape '\\x'`.
    """
    pieces: list[tuple[str, ...]] = []
    piece: list[str] = []
    at = 0
    while at < len(text):
        char = text[at]
        at += 1
        if char == "*":
            pieces.append(tuple(piece))
            piece = []
        elif char == "?":
            piece.append("[^\n]")
        elif char == "\\":
            following = text[at : at + 1]
            if following and following in "}/":
                continue  # quoted for the sake of the braces only
            if following not in ("*", "?", "\\"):
                shown = following or "\ufffd"
                raise DockerfileError(f"invalid pattern ({text}) in substitution: invalid escape '\\{shown}'")
            piece.append(re.escape(following))
            at += 1
        else:
            piece.append(re.escape(char))
    pieces.append(tuple(piece))
    return tuple(pieces)


def trim_prefix(text: str, value: str, *, longest: bool) -> str:
    end = match_at(compose(parse(text)), value, 0, longest=longest)
    return value if end is None else value[end:]


def trim_suffix(text: str, value: str, *, longest: bool) -> str:
    backwards = compose(tuple(piece[::-1] for piece in reversed(parse(text))))
    end = match_at(backwards, value[::-1], 0, longest=longest)
    return value if end is None else value[: len(value) - end]


def replace(text: str, value: str, new: str, *, every: bool, max_length: int) -> str:
    """Put `new` where the pattern fits, first come first served, each time as much as it fits."""
    out: list[str] = []
    at = length = 0
    for start, end in matches(compose(parse(text)), value):
        out += [value[at:start], new]
        at = end
        length += len(new)
        if length > max_length:
            raise DockerfileError(f"the result is longer than {max_length} characters")
        if not every:
            break
    return "".join([*out, value[at:]])


def matches(pattern: Pattern, value: str) -> Iterator[tuple[int, int]]:
    """All that fits, left to right, not overlapping; an empty match right behind another is none."""
    first = re.compile(pattern.pieces[0])
    at, last = 0, -1
    while at <= len(value):
        found = first.search(value, at)
        if found is None:
            return
        start = found.start()
        end = match_at(pattern, value, start, longest=True)
        if end is None:  # what did not fit from here on will not fit from a later place of the same line
            at = max(line_end(value, found.end()), start + 1)
        elif start == end == last:
            at = end + 1
        else:
            yield start, end
            last = end
            at = end + (start == end)


def match_at(pattern: Pattern, value: str, start: int, *, longest: bool) -> int | None:
    """Where the pattern, beginning at `start`, ends; None if it does not fit."""
    pieces = pattern.pieces
    head = re.compile(pieces[0]).match(value, start)
    if head is None:
        return None
    at = head.end()
    for number, piece in enumerate(pieces[1:], 1):
        is_last = number == len(pieces) - 1
        stop = line_end(value, at)
        if not piece:
            if is_last and longest:
                at = stop
            continue
        if is_last and longest:
            found = re.compile(f"[^\n]*(?:{piece})").match(value, at)
        else:
            found = re.compile(piece).search(value, at)
            if found is not None and found.start() > stop:
                return None
        if found is None:
            return None
        at = found.end()
    return at


def line_end(value: str, at: int) -> int:
    """How far a star that begins at `at` may reach."""
    end = value.find("\n", at)
    return len(value) if end < 0 else end
