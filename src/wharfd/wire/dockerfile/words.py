"""Words of an instruction: quotes taken off, variables replaced.

    $NAME ${NAME} ${NAME:-word} ${NAME-word} ${NAME:+word} ${NAME+word} ${NAME:?word} ${NAME?word}
    ${NAME#pattern} ${NAME##pattern} ${NAME%pattern} ${NAME%%pattern} ${NAME/pattern/text} ${NAME//pattern/text}

Single quotes keep everything, double quotes everything but variables; the escape character (`\\`, or what the directive says) keeps the
next one.  A variable that is not set is empty.  `words` are split at blanks after the replacement, unless they are quoted.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from wharfd.wire.dockerfile import patterns
from wharfd.wire.dockerfile.errors import DockerfileError
from wharfd.wire.dockerfile.quoting import quote

MAX_DEPTH = 50  # of substitutions inside substitutions
MAX_LENGTH = 1 << 20  # characters of a word after the replacement: variables made of variables grow without end
SPACES = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"

_SPECIAL_PARAMETERS = "@*#?-$!0"
_SPECIAL = {escape: re.compile("[$'\"" + re.escape(escape) + "]") for escape in "\\`"}
_END = "unexpected end of statement while looking for matching "


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How words are read.  `keep_quotes`, `keep_escapes`: they stay in the result; `keep_unset`: so does `$NAME` of an unset variable.
    `quotes` False: quotes are ordinary characters."""

    escape: str = "\\"
    keep_quotes: bool = False
    keep_escapes: bool = False
    keep_unset: bool = False
    quotes: bool = True


@dataclass(frozen=True, slots=True)
class Expansion:
    """`text` as one word; `used` and `unset`: the variables that were looked for, found or not."""

    text: str
    pieces: tuple[tuple[str, bool], ...] = ()  # of the text; True: blanks in it do not split
    used: frozenset[str] = frozenset()
    unset: frozenset[str] = frozenset()

    def words(self) -> list[str]:
        """The text split at blanks."""
        return split(self.pieces or ((self.text, False),))


BACKSLASH = Rules()
BACKTICK = Rules(escape="`")


def expand(text: str, env: Mapping[str, str], rules: Rules = BACKSLASH) -> Expansion:
    """Raises DockerfileError: `failed to process "…": …`."""
    if not _SPECIAL[rules.escape].search(text):
        return Expansion(text)
    reader = Reader(text, env, rules)
    try:
        result = reader.read("", keep_escapes=rules.keep_escapes)
    except DockerfileError as e:
        raise DockerfileError(f"failed to process {quote(text)}: {e}") from e
    return Expansion(result, tuple(reader.pieces), frozenset(reader.used), frozenset(reader.unset))


def split(pieces: tuple[tuple[str, bool], ...]) -> list[str]:
    found: list[str] = []
    word: list[str] = []
    for text, is_whole in pieces:
        if is_whole:
            word.append(text)
            continue
        parts = split_blanks(text)
        word.append(parts[0])
        for part in parts[1:]:
            found.append("".join(word))
            word = [part]
    found.append("".join(word))
    return [each for each in found if each]


_BLANKS = re.compile(f"[{SPACES}]+")


def split_blanks(text: str) -> list[str]:
    return _BLANKS.split(text)


@dataclass(slots=True)
class Reader:
    """Walks over `text`; each method takes what it is named after and leaves `at` behind it."""

    text: str
    env: Mapping[str, str]
    rules: Rules
    at: int = 0
    depth: int = 0
    length: int = 0
    keeps_escapes: bool = False
    pieces: list[tuple[str, bool]] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    unset: set[str] = field(default_factory=set)

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def next(self) -> str:
        char = self.text[self.at : self.at + 1]
        self.at += 1
        return char

    def at_end(self) -> bool:
        return self.at >= len(self.text)

    def read(self, stop: str, *, keep_escapes: bool) -> str:
        """Up to `stop`, which is taken too; empty: to the end of the text."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise DockerfileError("substitutions are nested too deeply")
        outer, self.keeps_escapes = self.keeps_escapes, keep_escapes
        is_top = not stop
        out: list[str] = []
        plain = plain_run(self.rules.escape, stop, self.rules.quotes)
        while not self.at_end():
            run = plain.match(self.text, self.at)
            if run is not None:
                self.at = run.end()
                piece, is_whole = run[0], False
            else:
                char = self.peek()
                if char == stop:
                    self.at += 1
                    self.depth -= 1
                    self.keeps_escapes = outer
                    return "".join(out)
                if char == "$":
                    piece, is_whole = self.variable(), False
                elif char == "'" and self.rules.quotes:
                    piece, is_whole = self.single_quoted(), True
                elif char == '"' and self.rules.quotes:
                    piece, is_whole = self.double_quoted(), True
                else:
                    piece, is_whole = self.escaped(), True
            out.append(piece)
            if is_top:
                self.pieces.append((piece, is_whole))
        if stop:
            raise DockerfileError(_END + stop)
        return "".join(out)

    def escaped(self) -> str:
        escape = self.next()
        char = self.next()  # nothing at the end of the text
        return escape + char if self.keeps_escapes else char

    def single_quoted(self) -> str:
        end = self.text.find("'", self.at + 1)
        if end < 0:
            raise DockerfileError(_END + "single-quote")
        begin, self.at = self.at, end + 1
        return self.text[begin : end + 1] if self.rules.keep_quotes else self.text[begin + 1 : end]

    def double_quoted(self) -> str:
        mark = '"' if self.rules.keep_quotes else ""
        self.at += 1
        out = [mark]
        escape = self.rules.escape
        plain = plain_run(escape, '"', False)
        while not self.at_end():
            run = plain.match(self.text, self.at)
            if run is not None:
                self.at = run.end()
                out.append(run[0])
                continue
            char = self.peek()
            if char == '"':
                self.at += 1
                return "".join([*out, mark])
            if char == "$":
                out.append(self.variable())
                continue
            self.at += 1  # an escape character
            if self.keeps_escapes:
                out.append(char)
            following = self.peek()
            if following and following in f'"${escape}':
                out.append(self.next())
            elif following:
                out.append(char)
        raise DockerfileError(_END + "double-quote")

    def variable(self) -> str:
        self.at += 1
        if self.peek() != "{":
            name = self.name()
            if not name:
                return "$"
            value = self.look_up(name)
            return f"${name}" if value is None and self.rules.keep_unset else value or ""
        self.at += 1
        following = self.peek()
        if not following:
            raise DockerfileError("syntax error: missing '}'")
        if following in "{}:":
            raise DockerfileError("syntax error: bad substitution")
        return self.substitution(self.name())

    def substitution(self, name: str) -> str:
        """What stands behind the name, up to the closing brace."""
        sign = self.next()
        modifier = sign
        if sign == "}":
            value = self.look_up(name)
            return f"${{{name}}}" if value is None and self.rules.keep_unset else value or ""
        if sign == "/":
            return self.replacement(name)
        if sign == ":":
            sign = self.next()
            modifier += sign or "\ufffd"
        elif not sign or sign not in "+-?#%":
            raise DockerfileError(f"unsupported modifier ({modifier or chr(0xFFFD)}) in substitution")
        word = self.inner("}", "missing '}'", keep_escapes=bool(sign) and sign in "#%")
        value = self.look_up(name)
        if value is None and self.rules.keep_unset:
            return f"${{{name}{modifier}{word}}}"
        return substitute(name, value, modifier, word)

    def replacement(self, name: str) -> str:
        every = self.peek() == "/"
        self.at += every
        pattern = self.inner("/", "missing '/' in ${}", keep_escapes=True)
        new = self.inner("}", "missing '}'", keep_escapes=True)
        value = self.look_up(name)
        if value is None and self.rules.keep_unset:
            return f"${{{name}/{pattern}/{new}}}"
        return patterns.replace(pattern, value or "", new, every=every, max_length=MAX_LENGTH)

    def inner(self, stop: str, missing: str, *, keep_escapes: bool) -> str:
        try:
            return self.read(stop, keep_escapes=keep_escapes)
        except DockerfileError as e:
            if self.at_end():
                raise DockerfileError(f"syntax error: {missing}") from e
            raise

    def name(self) -> str:
        """A name, a number (`$1`) or one of the shell's signs (`$@`); the last two are never set."""
        begin = self.at
        char = self.peek()
        if char.isdecimal():
            while self.peek().isdecimal():
                self.at += 1
        elif char and char in _SPECIAL_PARAMETERS:
            self.at += 1
        else:
            while (char := self.peek()) == "_" or char.isalpha() or char.isdecimal():
                self.at += 1
        return self.text[begin : self.at]

    def look_up(self, name: str) -> str | None:
        value = self.env.get(name)
        if value is None:
            self.unset.add(name)
            return None
        self.used.add(name)
        self.length += len(value)
        if self.length > MAX_LENGTH:
            raise DockerfileError(f"the result is longer than {MAX_LENGTH} characters")
        return value


def substitute(name: str, value: str | None, modifier: str, word: str) -> str:
    sign = modifier[-1]
    is_missing = value is None or (len(modifier) > 1 and not value)
    match sign:
        case "-":
            return word if is_missing else value or ""
        case "+":
            return "" if is_missing else word
        case "?":
            if is_missing:
                state = "unset" if value is None else "empty"
                raise DockerfileError(f"{name}: {word or 'is not allowed to be ' + state}")
            return value or ""
        case "#" | "%":
            longest = word.startswith(sign)
            trim = patterns.trim_prefix if sign == "#" else patterns.trim_suffix
            return trim(word[longest:], value or "", longest=longest)
    raise DockerfileError(f"unsupported modifier ({modifier}) in substitution")


def plain_run(escape: str, stop: str, quotes: bool) -> re.Pattern[str]:
    """Characters that mean themselves until `stop`."""
    return _RUNS[escape, stop, quotes]


_RUNS = {
    (escape, stop, quotes): re.compile("[^$" + re.escape(escape + stop) + ("'\"" if quotes else "") + "]+")
    for escape in "\\`"
    for stop in ("", "}", "/", '"')
    for quotes in (True, False)
}
