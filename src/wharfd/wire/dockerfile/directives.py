"""Parser directives: comments of the form `# name=value` before everything else.

    # syntax=docker/dockerfile:1
    # escape=`
    # check=skip=JSONArgsRecommended;error=true

The first line that is none ends them.  Each may come once.
"""

import re
from dataclasses import dataclass, field

import msgspec

from wharfd.wire.dockerfile.errors import DockerfileError, LineRange, Malformed
from wharfd.wire.dockerfile.words import SPACES

NAMES = ("syntax", "escape", "check")

_BLANK = f"[{SPACES}]*"
_DIRECTIVE = re.compile(rf"([a-zA-Z][a-zA-Z0-9]*){_BLANK}={_BLANK}(.+?){_BLANK}")


@dataclass(frozen=True, slots=True)
class Directive:
    name: str
    value: str
    line: int

    @property
    def first_word(self) -> str:
        """What stands before the first blank: an image may be followed by arguments for it."""
        return self.value.partition(" ")[0]


@dataclass(slots=True)
class DirectiveReader:
    """Fed line by line until `is_done`."""

    sign: str = "#"
    is_done: bool = False
    found: dict[str, Directive] = field(default_factory=dict)

    def read(self, line: str, number: int) -> Directive | None:
        """`line` without blanks before it and without its newline."""
        if self.is_done:
            return None
        match = _DIRECTIVE.fullmatch(line[len(self.sign) :].lstrip(SPACES)) if line.startswith(self.sign) else None
        name = match[1].lower() if match else ""
        if match is None or name not in NAMES:
            self.is_done = True
            return None
        if name in self.found:
            raise Malformed(f"only one {name} parser directive can be used", LineRange(number, number))
        directive = Directive(name, match[2], number)
        self.found[name] = directive
        return directive


def escape_character(directive: Directive) -> str:
    if directive.value not in ("\\", "`"):
        where = LineRange(directive.line, directive.line)
        raise Malformed(f"invalid escape token '{directive.value}' does not match ` or \\", where)
    return directive.value


def detect_syntax(text: str) -> Directive | None:
    """The frontend that a file asks for, in any of the ways in which it may: `# syntax=…`, `// syntax=…`, `{"syntax": "…"}`.

    A first line that begins with `#!` does not count.  Never raises: broken directives are for the parser to complain about.
    """
    text = text.removeprefix("\ufeff")
    first, _, rest = text.partition("\n")
    skipped = 0
    if first.startswith("#!"):
        text, skipped = rest, 1
    return directive_of(text, "syntax", "#", skipped) or directive_of(text, "syntax", "//", skipped) or in_json(text)


def directive_of(text: str, name: str, sign: str = "#", skipped: int = 0) -> Directive | None:
    reader = DirectiveReader(sign)
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), skipped + 1):
        try:
            reader.read(line.rstrip("\r"), number)
        except DockerfileError:
            break
        if reader.is_done:
            break
    return reader.found.get(name)


class SyntaxDocument(msgspec.Struct, frozen=True):
    syntax: str = ""


def in_json(text: str) -> Directive | None:
    if not text.lstrip().startswith("{"):
        return None
    try:
        found = msgspec.json.decode(text, type=SyntaxDocument)
    except (msgspec.MsgspecError, RecursionError):
        return None
    return Directive("syntax", found.syntax, 1) if found.syntax else None
