"""Values from the query, with Docker's rules and texts.

`query` is `request.query`, or `await form(request)` where a form in the body counts too.
"""

import re

from wharfd.api.transport import Request
from wharfd.model.errors import InvalidParameter
from wharfd.wire.target import Query, parse_query

FORM_LIMIT = 10 << 20  # bytes, Go's limit for forms
_FALSE = frozenset(("", "0", "no", "false", "none"))
_DECIMAL = re.compile(r"[+-]?[0-9]+")
INT64_MIN, INT64_MAX = -(1 << 63), (1 << 63) - 1


async def form(request: Request) -> Query:
    """The query together with a form-encoded body, whose values go first.

    Raises:
        InvalidParameter: bad escapes.   HttpError 413: beyond 10 MiB.
    """
    kind = request.header("content-type").partition(";")[0].strip().lower()
    if request.method not in {"POST", "PUT", "PATCH"} or kind != "application/x-www-form-urlencoded":
        return request.query
    body = await request.read(FORM_LIMIT)
    return request.query.merged_under(parse_query(body.decode("latin-1")))


def flag(query: Query, name: str, default: bool = False) -> bool:
    """False for "", 0, no, false and none in any case, else true.  `default` only where the key is absent."""
    value = query.get(name)
    return default if value is None else value.strip().lower() not in _FALSE


def integer(query: Query, name: str, default: int | None = None) -> int | None:
    """A signed 64-bit number; `default` if absent or empty.  Raises InvalidParameter with Go's text."""
    value = query.get(name, "")
    return default if not value else atoi(value)


def integer_or_zero(query: Query, name: str) -> int:
    """As Docker reads the numbers of /build: what is no number is 0."""
    try:
        return integer(query, name, 0) or 0
    except InvalidParameter:
        return 0


def atoi(text: str) -> int:
    """Go's `strconv.Atoi`.  Raises InvalidParameter with its text."""
    if _DECIMAL.fullmatch(text) is None:
        raise InvalidParameter(f"strconv.Atoi: parsing {quoted(text)}: invalid syntax")
    value = int(text) if len(text.lstrip("+-0")) <= 20 else INT64_MAX + 1
    if not INT64_MIN <= value <= INT64_MAX:
        raise InvalidParameter(f"strconv.Atoi: parsing {quoted(text)}: value out of range")
    return value


def quoted(text: str) -> str:
    """Go's `strconv.Quote` for what can stand in a query."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    escaped = escaped.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    return (
        '"'
        + "".join(
            c if c.isprintable() else f"\\x{ord(c):02x}" if ord(c) < 0x80 else f"\\u{ord(c):04x}" for c in escaped
        )
        + '"'
    )
