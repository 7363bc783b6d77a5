"""Here-documents: `<<EOF`, `<<-EOF` (tabs before its lines go), `<<"EOF"` (variables stay), `3<<EOF` (which descriptor it is for)."""

import re
from dataclasses import dataclass, replace

from wharfd.wire.dockerfile.errors import DockerfileError
from wharfd.wire.dockerfile.words import Rules, expand

_HEREDOC = re.compile(r"([0-9]*)<<(-?)([^<]*)")
_LEADING_TABS = re.compile(r"^\t+", re.MULTILINE)
_NAME = Rules(keep_unset=True)
_QUOTED_NAME = Rules(keep_unset=True, keep_quotes=True)
_LINE = Rules(keep_unset=True, keep_quotes=True, keep_escapes=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heredoc:
    """`content` as it stands in the file, with the newline of its last line.

    `expand`: variables in it are replaced, since no part of the name was quoted.  `chomp`: see `text`.
    """

    name: str
    descriptor: int = 0
    expand: bool = True
    chomp: bool = False
    content: str = ""

    @property
    def text(self) -> str:
        """The content, without the tabs before its lines if `<<-` asked for that."""
        return _LEADING_TABS.sub("", self.content) if self.chomp else self.content

    def ends_at(self, line: str) -> bool:
        line = line.rstrip("\r\n")
        return (line.lstrip("\t") if self.chomp else line) == self.name

    def with_content(self, content: str) -> "Heredoc":
        return replace(self, content=content)


def parse_heredoc(word: str) -> Heredoc | None:
    """None if the word announces no here-document."""
    match = _HEREDOC.fullmatch(word) if "<<" in word else None
    if match is None or not match[3]:
        return None
    descriptor, chomp, name = match.groups()
    words = expand(name, {}, _NAME).words()
    if len(words) != 1:
        return None
    quoted = expand(name, {}, _QUOTED_NAME).words()
    number = int(descriptor) if descriptor and len(descriptor) < 10 else 0
    return Heredoc(
        name=words[0], descriptor=number, expand=count_quotes(words) == count_quotes(quoted), chomp=bool(chomp)
    )


def announced(line: str) -> list[Heredoc]:
    """The here-documents whose contents follow the line, in their order."""
    if "<<" not in line:
        return []
    try:
        words = expand(line, {}, _LINE).words()
    except DockerfileError:  # quotes that are not closed are for the shell to complain about
        return []
    return [found for found in map(parse_heredoc, words) if found is not None]


def count_quotes(words: list[str]) -> int:
    return sum(word.count("'") + word.count('"') for word in words)
