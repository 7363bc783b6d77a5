"""`.dockerignore`, and the path patterns that it, `COPY --exclude` and build sessions use.

    *.log           of any name at the top that ends so; `*` and `?` stop at slashes, [a-z] is a class
    **/tmp          at any depth
    docs            the directory with everything in it
    !docs/README    but not this one: later patterns win

Paths are relative, with slashes, without a slash at either end.  Source of the behaviour: dockerd's and BuildKit's matcher.
"""

import posixpath
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from wharfd.model.errors import InvalidParameter
from wharfd.wire.globs import compile_glob

MAX_STARS = 3  # a regular expression with more of them may take long

Test = Callable[[str], bool]


def parse_ignore_file(text: str) -> list[str]:
    """The patterns of a file: cleaned, without comments."""
    patterns = []
    for line in text.removeprefix("\ufeff").splitlines():
        if line.startswith("#"):
            continue
        pattern = line.strip()
        inverted = pattern.startswith("!")
        if inverted:
            pattern = pattern[1:].strip()
        if not pattern and not inverted:
            continue
        if pattern:
            pattern = clean(pattern)
            if len(pattern) > 1 and pattern.startswith("/"):
                pattern = pattern[1:]
        patterns.append("!" + pattern if inverted else pattern)
    return patterns


def clean(path: str) -> str:
    """Go's `filepath.Clean`."""
    cleaned = posixpath.normpath(path)
    return cleaned[1:] if cleaned.startswith("//") else cleaned


@dataclass(frozen=True, slots=True)
class PathPattern:
    text: str
    negated: bool
    test: Test


class PathPatterns:
    """Raises InvalidParameter for a pattern that is none."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self.patterns = [made for text in patterns if (made := pattern(text)) is not None]
        self.has_exceptions = any(each.negated for each in self.patterns)
        self.parents: dict[str, tuple[bool, ...]] = {}

    def __bool__(self) -> bool:
        return bool(self.patterns)

    def match(self, path: str) -> bool:
        """Does the last of the patterns that fit the path, or a directory above it, say so?"""
        matched = False
        for each, fits in zip(self.patterns, self.fits(path), strict=True):
            if fits:
                matched = not each.negated
        return matched

    def fits(self, path: str) -> tuple[bool, ...]:
        """For each pattern: does it fit the path or a directory above?"""
        parent = posixpath.dirname(path)
        above: tuple[bool, ...] = ()
        if parent:
            known = self.parents.get(parent)
            if known is None:
                if len(self.parents) > 4096:
                    self.parents.clear()
                known = self.parents[parent] = self.fits(parent)
            above = known
        if not above:
            return tuple(each.test(path) for each in self.patterns)
        return tuple(before or each.test(path) for before, each in zip(above, self.patterns, strict=True))

    def may_spare(self, directory: str) -> bool:
        """May something below an excluded directory be excepted?"""
        prefix = directory + "/"
        return any(each.negated and (each.text + "/").startswith(prefix) for each in self.patterns) or any(
            each.negated and set(each.text) & set("*?[") for each in self.patterns
        )


@lru_cache(maxsize=1024)
def pattern(text: str) -> PathPattern | None:
    """None for one that is empty."""
    text = text.strip()
    if not text:
        return None
    text = clean(text)
    negated = text.startswith("!")
    if negated:
        text = text[1:]
        if not text:
            raise InvalidParameter('illegal exclusion pattern: "!"')
    compile_glob(text)  # Docker: only to learn whether it is a pattern at all
    return PathPattern(text, negated, compiled(text))


def compiled(text: str) -> Test:
    if not set(text) & set("*?[\\"):
        return text.__eq__
    if text == "**":
        return lambda _: True
    if text.endswith("/**") and not set(text[:-3]) & set("*?[\\"):
        return lambda path: path.startswith(text[:-2])
    if text.startswith("**/") and not set(text[3:]) & set("*?[\\"):
        name = text[3:]
        return lambda path: path == name or path.endswith("/" + name)
    if text.startswith("**") and not set(text[2:]) & set("*?[\\"):
        return lambda path: path.endswith(text[2:])  # Docker: here `**` may end within a name
    tokens = tokenise(text)
    if sum(token in ("*", "**/", "**") for token in tokens) <= MAX_STARS:
        expression = re.compile("".join(EXPRESSIONS.get(token, token) for token in tokens), re.DOTALL)
        return lambda path: expression.fullmatch(path) is not None
    steps = [step(token) for token in tokens]
    return lambda path: walk(steps, path)


# `**/` is any number of whole directories, also none; `**` at the end is anything.
EXPRESSIONS = {"*": "[^/]*", "?": "[^/]", "**/": "(?:.*/)?", "**": ".*"}


def tokenise(text: str) -> list[str]:
    """`*`, `?`, `**/`, `**`, or a regular expression for one character."""
    tokens: list[str] = []
    at = 0
    while at < len(text):
        char = text[at]
        if text.startswith("**", at):
            at += 3 if text.startswith("/", at + 2) else 2
            tokens.append("**/" if at < len(text) else "**")
            continue
        if char == "[":
            end = class_end(text, at)
            body = text[at + 1 : end]
            negated = body.startswith("^")
            body = re.sub(r"([\[&~|])", r"\\\1", body[1:] if negated else body)
            tokens.append(f"[{'^' if negated else ''}{body}]")
            at = end + 1
            continue
        if char == "\\":
            at += 1
            tokens.append(re.escape(text[at : at + 1]))
        elif char in "*?":
            tokens.append(char)
        else:
            tokens.append(re.escape(char))
        at += 1
    return tokens


def class_end(text: str, at: int) -> int:
    """Where the bracket that opens at `at` closes; the pattern is known to be a good one."""
    at += 2 if text.startswith("^", at + 1) else 1
    first = at
    while text[at] != "]" or at == first:
        at += 2 if text[at] == "\\" else 1
    return at


def step(sign: str) -> tuple[str, Test]:
    if sign in EXPRESSIONS and sign != "?":
        return sign, lambda char: sign != "*" or char != "/"
    expression = re.compile(EXPRESSIONS.get(sign, sign), re.DOTALL)
    return "", lambda char: expression.fullmatch(char) is not None


def walk(steps: Sequence[tuple[str, Test]], path: str) -> bool:
    """Set of live states; in time proportional to pattern times path."""

    def closure(states: set[int]) -> set[int]:
        found = set(states)
        for state in states:
            while state < len(steps) and steps[state][0]:
                state += 1
                found.add(state)
        return found

    live = closure({0})
    inside: set[int] = set()  # states in the middle of a `**/`, which it may leave behind a slash only
    for char in path:
        following: set[int] = set()
        entered: set[int] = set()
        for state in live | inside:
            if state == len(steps):
                continue
            kind, test = steps[state]
            if kind == "**/":
                entered.add(state)
                if char == "/":
                    following.add(state + 1)
            elif state in live and test(char):
                following.add(state if kind else state + 1)
        live, inside = closure(following), entered
        if not live and not inside:
            return False
    return len(steps) in live
