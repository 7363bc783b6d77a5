"""Request targets: the path and the query of a request line, decoded as Go's `net/url` does.

    /v1.40//containers/a%20b/json?all=1        path /v1.40/containers/a b/json      query all=1
    http://localhost/_ping                     path /_ping (absolute form; scheme and host are ignored)
    *                                          path *     (OPTIONS)
    refused: `containers/json`, `/%zz`, a target with spaces or control characters

Doubled slashes are collapsed after decoding.  Docker: answers them with a redirect that turns a POST into a GET; routing them at once
is harmless.  `.` and `..` stay as they are: no route has them, so they find none.
"""

import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote_to_bytes

from wharfd.model.errors import InvalidParameter

_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?]*")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2}).{0,2}", re.DOTALL)
_SLASHES = re.compile(r"//+")


def unescape(text: str) -> str:
    """Percent-decoding.  `text` holds one character per byte (latin-1); bytes that are no UTF-8 become U+FFFD.

    Raises:
        InvalidParameter: a `%` without two hexadecimal digits, with Go's text.
    """
    if "%" in text:
        bad = _BAD_ESCAPE.search(text)
        if bad is not None:
            raise InvalidParameter(f'invalid URL escape "{bad.group()}"')
        return unquote_to_bytes(text.encode("latin-1")).decode("utf-8", "replace")
    return text if text.isascii() else text.encode("latin-1").decode("utf-8", "replace")


def split_target(target: str) -> tuple[str, str]:
    """Path and query as they were sent, without scheme, host and `?`.

    Raises:
        InvalidParameter: the target is none of origin form, absolute form and `*`.
    """
    if not target.startswith("/"):
        if target == "*":
            return "*", ""
        absolute = _ABSOLUTE.match(target)
        if absolute is None:
            raise InvalidParameter(f'parse "{target}": invalid URI for request')
        target = target[absolute.end() :]
        if not target.startswith("/"):
            target = "/" + target
    path, _, query = target.partition("?")
    return path, query


def decode_path(raw: str) -> str:
    """The path that is routed.  Raises InvalidParameter as `unescape` does."""
    path = unescape(raw)
    return _SLASHES.sub("/", path) if "//" in path else path


class Query(Mapping[str, str]):
    """Decoded query values: the first of each name by `[]` and `get`, all of them by `all`."""

    __slots__ = ("values_by_name",)

    def __init__(self, values_by_name: dict[str, list[str]] | None = None) -> None:
        self.values_by_name = {} if values_by_name is None else values_by_name

    def __getitem__(self, name: str) -> str:
        return self.values_by_name[name][0]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_by_name)

    def __len__(self) -> int:
        return len(self.values_by_name)

    def __repr__(self) -> str:
        return f"Query({self.values_by_name!r})"

    def all(self, name: str) -> list[str]:
        """Every value of `name` in order of appearance; empty if there is none."""
        return self.values_by_name.get(name, [])

    def merged_under(self, first: "Query") -> "Query":
        """Both, the values of `first` before our own (Go: a form body goes before the query)."""
        merged = {name: list(values) for name, values in first.values_by_name.items()}
        for name, values in self.values_by_name.items():
            merged.setdefault(name, []).extend(values)
        return Query(merged)


def parse_query(text: str) -> Query:
    """`a=1&b=x+y` as Go's `url.ParseQuery` reads it.

    Raises:
        InvalidParameter: a bad escape, or a semicolon (Go refuses it as a separator).
    """
    found: dict[str, list[str]] = {}
    if not text:
        return Query(found)
    if ";" in text:
        raise InvalidParameter("invalid semicolon separator in query")
    for pair in text.split("&"):
        if not pair:
            continue
        name, _, value = pair.replace("+", " ").partition("=")
        found.setdefault(unescape(name), []).append(unescape(value))
    return Query(found)
