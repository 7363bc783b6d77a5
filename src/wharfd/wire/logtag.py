"""The template of a log's tag: the part of Go's text/template that people write in one.

    {{.Name}}/{{.ID}}    {{index .ContainerLabels "com.docker.compose.service"}}    {{(.ExtraAttributes nil).MODE}}
    {{truncate .FullID 8 | upper}}    {{join .ContainerArgs " "}}    {{- .Name -}}

Fields and functions are Docker's (`logger.Info`, its templates' helpers).  Conditions, loops and variables are not taken; what is no such
template is refused with Go's words where they are simple.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from wharfd.model.errors import InvalidParameter

Value = str | int | None | Mapping[str, str] | Sequence[str]
Fields = Mapping[str, Value]

FIELDS = (
    "Command",
    "Config",
    "ContainerArgs",
    "ContainerCreated",
    "ContainerEntrypoint",
    "ContainerEnv",
    "ContainerID",
    "ContainerImageID",
    "ContainerImageName",
    "ContainerLabels",
    "ContainerName",
    "DaemonName",
    "ExtraAttributes",
    "FullID",
    "Hostname",
    "ID",
    "ImageFullID",
    "ImageID",
    "ImageName",
    "LogPath",
    "Name",
)

DEEPEST = 50  # brackets
WIDEST = 1000  # characters of padding

_ACTION = re.compile(r"\{\{(-\s)?(.*?)(\s-)?\}\}", re.DOTALL)
_TOKEN = re.compile(
    r'\s*(?:(?P<text>"(?:[^"\\]|\\.)*"|`[^`]*`)|(?P<number>-?[0-9]{1,9})|(?P<word>\.?[A-Za-z_][A-Za-z0-9_]*)|(?P<sign>[.()|]))'
)


@dataclass(frozen=True, slots=True)
class Literal:
    value: Value


@dataclass(frozen=True, slots=True)
class Get:
    """A field of what `of` is; None: of the container."""

    of: "Node | None"
    name: str


@dataclass(frozen=True, slots=True)
class Call:
    name: str
    arguments: "tuple[Node, ...]"


Node = Literal | Get | Call


@dataclass(frozen=True, slots=True)
class Template:
    parts: tuple[str | Node, ...]

    def render(self, fields: Fields) -> str:
        """Raises InvalidParameter: a function is given what it cannot take."""
        return "".join(part if isinstance(part, str) else shown(evaluate(part, fields)) for part in self.parts)


def parse(text: str) -> Template:
    """Raises InvalidParameter."""
    parts: list[str | Node] = []
    at = 0
    trims = False
    for match in _ACTION.finditer(text):
        before = text[at : match.start()]
        if trims:
            before = before.lstrip()
        if match[1]:
            before = before.rstrip()
        parts.append(plain(before))
        if not match[2].strip().startswith("/*"):
            parts.append(Parser(match[2]).whole())
        at, trims = match.end(), bool(match[3])
    rest = text[at:]
    parts.append(plain(rest.lstrip() if trims else rest))
    return Template(tuple(parts))


def unquoted(word: str) -> str:
    if word.startswith("`"):
        return word[1:-1]
    try:
        return msgspec.json.decode(word, type=str)
    except msgspec.DecodeError as e:
        raise bad(f"invalid syntax: {word}") from e


def plain(text: str) -> str:
    if "{{" in text:
        raise bad("unclosed action")
    return text


def bad(what: str) -> InvalidParameter:
    return InvalidParameter(f"template: log-tag:1: {what}")


class Parser:
    """Of one action, without its braces."""

    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str]] = []
        at = 0
        while text[at:].strip():
            match = _TOKEN.match(text, at)
            if match is None or match.lastgroup is None:
                raise bad(f"unexpected {text[at:].strip()[0]!r} in command")
            word, start = match[match.lastgroup], match.start(match.lastgroup)
            # A field right behind something is a field of that.
            is_glued = word[0] == "." and 0 < at == start and text[at - 1] not in "(|"
            self.tokens.append(("glued" if is_glued else match.lastgroup, word))
            at = match.end()
        self.at = 0
        self.depth = 0

    def whole(self) -> Node:
        if not self.tokens:
            raise bad("missing value for command")
        node = self.pipeline()
        if self.at < len(self.tokens):
            raise bad(f'unexpected "{self.tokens[self.at][1]}" in operand')
        return node

    def pipeline(self) -> Node:
        node = self.command(())
        while self.takes("|"):
            node = self.command((node,))
        return node

    def command(self, piped: tuple[Node, ...]) -> Node:
        kind, word = self.next()
        if kind == "word" and not word.startswith(".") and word != "nil":
            if word not in FUNCTIONS:
                raise bad(f'function "{word}" not defined')
            arguments: list[Node] = []
            while self.at < len(self.tokens) and self.tokens[self.at][1] not in {"|", ")"}:
                arguments.append(self.operand())
            return Call(word, (*arguments, *piped))
        self.at -= 1
        node = self.operand()
        if isinstance(node, Get) and node.of is None and node.name == "ExtraAttributes":
            while self.at < len(self.tokens) and self.tokens[self.at][1] == "nil":
                self.at += 1
        if piped:
            raise bad("non executable command in pipeline stage 2")
        return node

    def operand(self) -> Node:
        kind, word = self.next()
        node: Node
        if word == "(":
            self.depth += 1
            if self.depth > DEEPEST:
                raise bad("too many brackets")
            node = self.pipeline()
            if not self.takes(")"):
                raise bad("unclosed left paren")
        elif kind == "text":
            node = Literal(unquoted(word))
        elif kind == "number":
            node = Literal(int(word))
        elif word == "nil":
            node = Literal(None)
        elif word.startswith(".") and len(word) > 1:
            if word[1:] not in FIELDS:
                raise InvalidParameter(
                    f'template: log-tag:1:2: executing "log-tag" at <{word}>: '
                    f"can't evaluate field {word[1:]} in type *logger.Info"
                )
            node = Get(None, word[1:])
        else:
            raise bad(f'unexpected "{word}" in operand')
        while self.at < len(self.tokens):
            kind, word = self.tokens[self.at]
            if kind != "glued" or not word.startswith(".") or len(word) < 2:
                break
            self.at += 1
            node = Get(node, word[1:])
        return node

    def next(self) -> tuple[str, str]:
        if self.at >= len(self.tokens):
            raise bad("missing value for command")
        self.at += 1
        return self.tokens[self.at - 1]

    def takes(self, sign: str) -> bool:
        if self.at < len(self.tokens) and self.tokens[self.at][1] == sign:
            self.at += 1
            return True
        return False


def evaluate(node: Node, fields: Fields) -> Value:
    match node:
        case Literal(value):
            return value
        case Get(None, name):
            return fields.get(name)
        case Get(of, name):
            found = evaluate(of, fields) if of is not None else None
            return found.get(name) if isinstance(found, Mapping) else None
        case Call(name, arguments):
            try:
                return FUNCTIONS[name](*[evaluate(each, fields) for each in arguments])
            except (TypeError, ValueError, IndexError) as e:
                raise bad(f'executing "log-tag" at <{name}>: error calling {name}: {e}') from e


def shown(value: Value) -> str:
    """As Go prints it."""
    if value is None:
        return "<no value>"
    if isinstance(value, Mapping):
        return "map[" + " ".join(f"{key}:{value[key]}" for key in sorted(value)) + "]"
    if isinstance(value, str | int):
        return str(value)
    return "[" + " ".join(value) + "]"


def index(value: Value, *keys: Value) -> Value:
    """Docker: what a map does not have is empty."""
    for key in keys:
        if isinstance(value, Mapping) and isinstance(key, str):
            value = value.get(key, "")
        elif isinstance(value, Sequence) and isinstance(key, int):
            value = value[key]
        else:
            raise TypeError("cannot be indexed so")
    return value


def text_of(value: Value) -> str:
    if not isinstance(value, str):
        raise TypeError("wrong type of argument")
    return value


def number_of(value: Value) -> int:
    if not isinstance(value, int):
        raise TypeError("wrong type of argument")
    return value


def list_of(value: Value) -> Sequence[str]:
    if isinstance(value, str | int | Mapping) or value is None:
        raise TypeError("wrong type of argument")
    return value


def pad(text: Value, before: Value, after: Value) -> Value:
    """Docker: an empty text stays so."""
    filled, left, right = text_of(text), number_of(before), number_of(after)
    if max(left, right) > WIDEST:
        raise ValueError("too wide")
    return " " * left + filled + " " * right if filled else filled


FUNCTIONS: Mapping[str, Callable[..., Value]] = {
    "index": index,
    "join": lambda items, separator: text_of(separator).join(list_of(items)),
    "json": lambda value: msgspec.json.encode(value).decode(),
    "lower": lambda text: text_of(text).lower(),
    "pad": pad,
    "print": lambda *values: "".join(map(shown, values)),
    "split": lambda text, separator: text_of(text).split(text_of(separator)),
    "title": lambda text: text_of(text).title(),
    "truncate": lambda text, length: text_of(text)[: number_of(length)],
    "upper": lambda text: text_of(text).upper(),
}
