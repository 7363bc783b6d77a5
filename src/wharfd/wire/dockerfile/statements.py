"""A Dockerfile's text in statements: continued lines joined, comments left out, here-documents attached, flags split off.

What an instruction's arguments mean is for `arguments.py` and `parse.py`.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from wharfd.wire.dockerfile.arguments import json_list
from wharfd.wire.dockerfile.directives import Directive, DirectiveReader, escape_character
from wharfd.wire.dockerfile.errors import DockerfileError, LineRange, Malformed
from wharfd.wire.dockerfile.heredocs import Heredoc, announced
from wharfd.wire.dockerfile.words import SPACES

MAX_LINE = 65_535  # bytes, as BuildKit's scanner
BLANKS = "\t\v\f\r "

_BLANKS = re.compile(r"[\t\v\f\r ]+")
_TAKES_HEREDOCS = {"ADD", "COPY", "RUN"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One instruction before its arguments are looked at.

    `name` as it is written; `source`: the whole of it on one line; `arguments`: behind name and flags, blanks at the ends taken off.
    `comments`: those right above it.  `warned_line`: where a continuation ended after an empty line, 0 for nowhere.
    """

    name: str
    flags: tuple[str, ...] = ()
    arguments: str
    source: str
    lines: LineRange
    heredocs: tuple[Heredoc, ...] = ()
    comments: tuple[str, ...] = ()
    warned_line: int = 0


@dataclass(slots=True)
class StatementReader:
    """Iterated once; `directives` and `escape` are complete after that."""

    text: str
    directives: dict[str, Directive] = field(default_factory=dict)
    escape: str = "\\"

    def __iter__(self) -> Iterator[Statement]:
        reader = DirectiveReader(found=self.directives)
        lines = self.text.removeprefix("\ufeff").split("\n")
        if lines and not lines[-1]:
            del lines[-1]
        comments: list[str] = []
        at = 0
        while at < len(lines):
            line = lines[at].rstrip("\r").lstrip(SPACES)
            at += 1
            if line.startswith("#"):
                directive = reader.read(line, at)
                if directive is not None:
                    if directive.name == "escape":
                        self.escape = escape_character(directive)
                elif comment := line[1:].strip(SPACES):
                    comments.append(comment)
                else:
                    comments.clear()
                continue
            reader.is_done = True
            check_length(line, at)
            if not line:
                continue
            first = at
            is_warned = False
            part, goes_on = self.without_continuation(line)
            parts = [part]
            while goes_on and at < len(lines):
                line = lines[at].rstrip("\r")
                at += 1
                check_length(line, at)
                stripped = line.lstrip(SPACES)
                if stripped.startswith("#"):
                    continue
                if not stripped:
                    is_warned = True
                    continue
                part, goes_on = self.without_continuation(line)
                parts.append(part)
            warned_line = at if is_warned else 0
            source = "".join(parts)
            try:
                statement, at = self.statement(source, lines, first, at, tuple(comments), warned_line)
            except DockerfileError as e:
                e.at(LineRange(first, at))
                raise
            yield statement
            comments.clear()

    def without_continuation(self, line: str) -> tuple[str, bool]:
        """The line without an escape character at its end, and whether there was one.  Two of them stand for themselves."""
        stripped = line.rstrip(" \t")
        if not stripped.endswith(self.escape) or stripped[-2:-1] == self.escape:
            return line, False
        return stripped[:-1], True

    def statement(
        self, source: str, lines: Sequence[str], first: int, at: int, comments: tuple[str, ...], warned_line: int
    ) -> tuple[Statement, int]:
        name, flags, arguments = split_command(source, self.escape)
        heredocs: list[Heredoc] = []
        if "<<" in arguments and takes_heredocs(name, arguments):
            for heredoc in announced(source):
                begin = at
                while at < len(lines) and not heredoc.ends_at(lines[at]):
                    at += 1
                    check_length(lines[at - 1], at)
                if at == len(lines):
                    raise Malformed("unterminated heredoc", LineRange(first, at))
                heredocs.append(heredoc.with_content("".join(f"{line}\n" for line in lines[begin:at])))
                at += 1
        statement = Statement(
            name=name,
            flags=flags,
            arguments=arguments,
            source=source.strip(SPACES),
            lines=LineRange(first, at),
            heredocs=tuple(heredocs),
            comments=comments,
            warned_line=warned_line,
        )
        return statement, at


def takes_heredocs(name: str, arguments: str) -> bool:
    name = name.upper()
    if name == "ONBUILD":
        name, _, arguments = split_command(arguments)
        name = name.upper()
    return name in _TAKES_HEREDOCS and json_list(arguments) is None


def check_length(line: str, number: int) -> None:
    if len(line) > MAX_LINE // 4 and len(line.encode(errors="surrogatepass")) > MAX_LINE:
        message = f"dockerfile line greater than max allowed size of {MAX_LINE}"
        raise Malformed(message, LineRange(number, number))


def split_command(source: str, escape: str = "\\") -> tuple[str, tuple[str, ...], str]:
    """Name, flags (`--platform=x`, quotes taken off) and the rest."""
    name, *rest = _BLANKS.split(source.strip(SPACES), maxsplit=1)
    arguments = rest[0] if rest else ""
    if not arguments.startswith("--"):
        return name, (), arguments
    flags, arguments = split_flags(arguments, escape)
    return name, tuple(flags), arguments.strip(SPACES)


def split_flags(text: str, escape: str) -> tuple[list[str], str]:
    """The words at the beginning that start with two dashes, and what follows; a lone `--` ends them."""
    flags: list[str] = []
    at = 0
    while True:
        while at < len(text) and text[at] in SPACES:
            at += 1
        if not text.startswith("--", at):
            return flags, text[at:]
        word: list[str] = []
        quote = ""
        while at < len(text) and (quote or text[at] not in SPACES):
            char = text[at]
            at += 1
            if char == quote:
                quote = ""
            elif not quote and char in "'\"":
                quote = char
            elif char == escape:
                word.append(text[at : at + 1])
                at += 1
            else:
                word.append(char)
        flag = "".join(word)
        if flag == "--":
            return flags, text[at:]
        flags.append(flag)
