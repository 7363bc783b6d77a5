r"""Regular expressions that a client may hand in (filters by name, id, status), matched in time linear in the text.

Python's own `re` backtracks: `(a+)+$` against a 64-digit ID never ends.  Here an expression becomes a set of states that walks
the text once.  The grammar is the part of Go's that people use:

    a|b   ab   a* a+ a? a{2} a{2,} a{2,5} (and their lazy forms)   (a) (?:a) (?P<n>a) (?i)a (?i:a)
    .   [a-z] [^a-z] [[:alpha:]]   \d \w \s \D \W \S   ^ $ \A \z \b \B   \. and other escaped signs, \n \t \x41

Anything else is no valid expression and matches nothing, as with dockerd, where such a value only matches literally.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

MAX_REPEAT = 1000  # as in Go
MAX_STATES = 20_000

_META = frozenset(r"\.+*?()|[]{}^$")
_Test = Callable[[str], bool]


class BadPattern(ValueError):
    """The text is not an expression of this grammar.  Never leaves this module."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled expression; `search` asks whether it occurs anywhere in a text."""

    source: str
    _literal: tuple[bool, str, bool] | None
    _program: "tuple[State, ...] | None"

    @staticmethod
    @lru_cache(maxsize=256)
    def cached(source: str) -> "Pattern":
        """The compiled form; never fails."""
        starts, ends = source.startswith("^"), source.endswith("$")
        core = source[1 if starts else 0 : len(source) - 1 if ends and len(source) > starts else None]
        if not _META.intersection(core):
            return Pattern(source, (starts, core, ends), None)
        try:
            return Pattern(source, None, _Compiler(source).program())
        except (BadPattern, RecursionError):
            return Pattern(source, None, None)

    @property
    def is_valid(self) -> bool:
        return self._literal is not None or self._program is not None

    def search(self, text: str) -> bool:
        if self._literal is not None:
            starts, core, ends = self._literal
            if starts and ends:
                return text == core
            if starts:
                return text.startswith(core)
            return text.endswith(core) if ends else core in text
        return self._program is not None and _run(self._program, text)


@dataclass(slots=True)
class State:
    """One step: take a character (`test`), or hold at a place (`anchor`), or fork to every one of `to`."""

    to: list[int]
    test: _Test | None = None
    anchor: str = ""


def _run(program: tuple[State, ...], text: str) -> bool:
    """Walk the text with the set of live states; state 0 is the start, the last one accepts."""
    accept = len(program) - 1
    live: list[int] = []
    for at in range(len(text) + 1):
        seen: set[int] = set()
        stack = [*live, 0]
        takers: list[int] = []
        while stack:
            number = stack.pop()
            if number in seen:
                continue
            seen.add(number)
            state = program[number]
            if number == accept:
                return True
            if state.test is not None:
                takers.append(number)
            elif not state.anchor or _holds(state.anchor, text, at):
                stack += state.to
        if at == len(text):
            return False
        char = text[at]
        live = []
        for number in takers:
            state = program[number]
            if state.test is not None and state.test(char):
                live += state.to
    return False


def _holds(anchor: str, text: str, at: int) -> bool:
    if anchor == "^":
        return at == 0
    if anchor == "$":
        return at == len(text)
    before = at > 0 and _is_word(text[at - 1])
    after = at < len(text) and _is_word(text[at])
    return (before != after) == (anchor == "b")


def _is_word(c: str) -> bool:
    return c == "_" or (c.isascii() and c.isalnum())


def _is_digit(c: str) -> bool:
    return "0" <= c <= "9"


def _is_space(c: str) -> bool:
    return c in "\t\n\f\r "


def _is_not_newline(c: str) -> bool:
    return c != "\n"


_CLASSES: dict[str, _Test] = {"d": _is_digit, "w": _is_word, "s": _is_space}
_NAMED: dict[str, _Test] = {
    "alnum": lambda c: c.isascii() and c.isalnum(),
    "alpha": lambda c: c.isascii() and c.isalpha(),
    "ascii": str.isascii,
    "blank": lambda c: c in "\t ",
    "digit": _is_digit,
    "lower": lambda c: "a" <= c <= "z",
    "punct": lambda c: "!" <= c <= "~" and not c.isalnum(),
    "space": lambda c: c in "\t\n\v\f\r ",
    "upper": lambda c: "A" <= c <= "Z",
    "word": _is_word,
    "xdigit": lambda c: c in "0123456789abcdefABCDEF",
}
_CONTROLS = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "a": "\a"}


def _not(test: _Test) -> _Test:
    return lambda c: not test(c)


def _between(low: str, high: str, fold: bool) -> _Test:
    if fold:
        return lambda c: low <= c <= high or low <= c.lower() <= high or low <= c.upper() <= high
    if low == high:
        return low.__eq__
    return lambda c: low <= c <= high


def _any_of(tests: list[_Test]) -> _Test:
    return tests[0] if len(tests) == 1 else lambda c: any(test(c) for test in tests)


class _Compiler:
    """Recursive descent; each method adds states and gives (entry, exit), the exit being a state with an open `to`."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.at = 0
        self.fold = False
        self.states: list[State] = [State([])]

    def program(self) -> tuple[State, ...]:
        entry, end = self.alternatives()
        if self.at != len(self.source):
            raise BadPattern("unmatched parenthesis")
        self.states[0].to.append(entry)
        accept = self.add(State([]))
        self.states[end].to.append(accept)
        return tuple(self.states)

    def add(self, state: State) -> int:
        if len(self.states) >= MAX_STATES:
            raise BadPattern("too large")
        self.states.append(state)
        return len(self.states) - 1

    def peek(self) -> str:
        return self.source[self.at] if self.at < len(self.source) else ""

    def take(self, text: str) -> bool:
        if not self.source.startswith(text, self.at):
            return False
        self.at += len(text)
        return True

    def next(self) -> str:
        if self.at >= len(self.source):
            raise BadPattern("ends too early")
        self.at += 1
        return self.source[self.at - 1]

    def alternatives(self) -> tuple[int, int]:
        fork, join = self.add(State([])), self.add(State([]))
        outer_fold = self.fold
        while True:
            entry, end = self.sequence()
            self.states[fork].to.append(entry)
            self.states[end].to.append(join)
            if not self.take("|"):
                self.fold = outer_fold
                return fork, join

    def sequence(self) -> tuple[int, int]:
        entry = end = self.add(State([]))
        while self.peek() not in {"", "|", ")"}:
            first, last = self.repeated()
            self.states[end].to.append(first)
            end = last
        return entry, end

    def repeated(self) -> tuple[int, int]:
        begin = self.at
        fold = self.fold
        first, last = self.atom()
        stop = self.at
        low, high = self.quantifier()
        if (low, high) == (1, 1):
            return first, last
        after = self.at
        if self.quantifier() != (1, 1) or self.at != after:
            raise BadPattern("nested repetition")
        entry = end = self.add(State([]))
        exits = []
        for copy in range(max(low, 1 if high is None else high)):
            if copy:  # compile the same source again
                self.at, self.fold = begin, fold
                first, last = self.atom()
                assert self.at == stop
            if copy >= low:
                exits.append(end)
            self.states[end].to.append(first)
            end = last
        leave = self.add(State([]))
        if high is None:
            # One more round of the last copy, through a state that may also leave.
            again = self.add(State([first, leave]))
            self.states[end].to.append(again)
        elif high == 0:
            self.states[entry].to.append(leave)
        else:
            self.states[end].to.append(leave)
        for number in exits:
            self.states[number].to.append(leave)
        self.at = after
        return entry, leave

    def quantifier(self) -> tuple[int, int | None]:
        low, high = 1, 1  # type: int, int | None
        if self.take("*"):
            low, high = 0, None
        elif self.take("+"):
            low, high = 1, None
        elif self.take("?"):
            low, high = 0, 1
        elif self.peek() == "{":
            counted = self.counts()
            if counted is None:
                return 1, 1  # Go: a brace that is no count stands for itself
            low, high = counted
        else:
            return 1, 1
        self.take("?")
        return low, high

    def counts(self) -> tuple[int, int | None] | None:
        close = self.source.find("}", self.at)
        low, comma, high = self.source[self.at + 1 : close].partition(",") if close > 0 else ("", "", "")
        if not (low.isascii() and low.isdigit()) or (high and not (high.isascii() and high.isdigit())):
            return None
        if len(low) > 4 or len(high) > 4 or int(low) > MAX_REPEAT or int(high or 0) > MAX_REPEAT:
            raise BadPattern("invalid repeat count")
        self.at = close + 1
        if not comma:
            return int(low), int(low)
        if high and int(high) < int(low):
            raise BadPattern("invalid repeat count")
        return int(low), int(high) if high else None

    def atom(self) -> tuple[int, int]:
        char = self.next()
        if char == "(":
            return self.group()
        if char in "*+?":
            raise BadPattern("missing argument to repetition operator")
        if char in "^$":
            return self.one(State([], anchor=char))
        if char == ".":
            return self.one(State([], _is_not_newline))
        if char == "[":
            return self.one(State([], self.bracket()))
        if char == "\\":
            return self.one(self.escape())
        return self.one(State([], _between(char, char, self.fold)))

    def one(self, state: State) -> tuple[int, int]:
        first, last = self.add(state), self.add(State([]))
        state.to.append(last)
        return first, last

    def group(self) -> tuple[int, int]:
        outer_fold = self.fold
        if self.take("?"):
            if self.take("P<") or (not self.source.startswith(("<=", "<!"), self.at) and self.take("<")):
                name, close, _ = self.source[self.at :].partition(">")
                if not (close and name and all(map(_is_word, name))):
                    raise BadPattern("invalid named capture")
                self.at += len(name) + 1
            elif self.flags():
                return self.one(State([]))
        first, last = self.alternatives()
        if not self.take(")"):
            raise BadPattern("missing closing )")
        self.fold = outer_fold
        return first, last

    def flags(self) -> bool:
        """Read `i:` or `i)`; True if the group held nothing but flags, which then last until the enclosing group ends."""
        on = True
        while (char := self.next()) not in ":)":
            if char == "-" and on:
                on = False
            elif char == "i":
                self.fold = on
            elif char not in "sU" or on:  # switching those off changes nothing here
                raise BadPattern("invalid or unsupported group")
        return char == ")"

    def escape(self) -> State:
        char = self.next()
        if char in "bB":
            return State([], anchor=char)
        if char in "Az":
            return State([], anchor="^" if char == "A" else "$")
        if char.lower() in _CLASSES:
            test = _CLASSES[char.lower()]
            return State([], test if char.islower() else _not(test))
        self.at -= 1
        char = self.escaped_char()
        return State([], _between(char, char, self.fold))

    def escaped_char(self) -> str:
        char = self.next()
        if char == "x":
            if self.take("{"):
                digits, close, _ = self.source[self.at :].partition("}")
                self.at += len(digits) + 1
            else:
                digits, close = self.source[self.at : self.at + 2], "}"
                self.at += 2
            if not close or not 1 <= len(digits) <= 6 or any(c not in "0123456789abcdefABCDEF" for c in digits):
                raise BadPattern("invalid escape sequence")
            number = int(digits, 16)
            if number > 0x10FFFF:
                raise BadPattern("invalid escape sequence")
            return chr(number)
        if char in _CONTROLS:
            return _CONTROLS[char]
        if char.isascii() and not char.isalnum():
            return char
        raise BadPattern("invalid escape sequence")

    def bracket(self) -> _Test:
        negated = self.take("^")
        tests: list[_Test] = []
        while not (tests and self.peek() == "]"):
            if self.take("[:"):
                name, close, _ = self.source[self.at :].partition(":]")
                test = _NAMED.get(name.removeprefix("^"))
                if not close or test is None:
                    raise BadPattern("invalid character class range")
                tests.append(_not(test) if name.startswith("^") else test)
                self.at += len(name) + 2
                continue
            low = self.next()
            if low == "\\":
                kind = self.peek()
                if kind and kind.lower() in _CLASSES:
                    self.at += 1
                    test = _CLASSES[kind.lower()]
                    tests.append(test if kind.islower() else _not(test))
                    continue
                low = self.escaped_char()
            high = low
            if self.peek() == "-" and self.source[self.at + 1 : self.at + 2] not in {"]", ""}:
                self.at += 1
                high = self.next()
                if high == "\\":
                    high = self.escaped_char()
                if high < low:
                    raise BadPattern("invalid character class range")
            tests.append(_between(low, high, self.fold))
        self.at += 1
        any_of = _any_of(tests)
        return _not(any_of) if negated else any_of
