"""JSON bodies as Go's decoder takes them: rules about Content-Type and emptiness, Docker's texts for what is broken.

    doc = await read_json(request)     # None: there is no body, or `null`

What is inside a document (keys in any case, types, nulls) is the business of `codec.shape`.
"""

import json
import re

import msgspec

from wharfd.api.transport import Request
from wharfd.model.errors import InvalidParameter
from wharfd.model.json import Json
from wharfd.wire import gojson

# Bytes.  dockerd has no limit; the largest honest body, a container's environment that exec still takes, stays below 3 MiB.
BODY_LIMIT = 4 << 20
EXPLAINED_BYTES = 16 * 1024  # a broken text up to this size is explained in Go's words
_MEDIA_TYPE = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+/[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


def check_content_type(request: Request) -> None:
    """Raises InvalidParameter if there is a body that does not say it is JSON."""
    value = request.header("content-type")
    if not value and not request.has_body:
        return
    kind = value.partition(";")[0].strip().lower()
    if not kind:
        raise InvalidParameter(f"malformed Content-Type header ({value}): mime: no media type")
    if _MEDIA_TYPE.fullmatch(kind) is None and "/" in kind:
        raise InvalidParameter(f"malformed Content-Type header ({value}): mime: unexpected content after media subtype")
    if kind != "application/json":
        raise InvalidParameter(f"unsupported Content-Type header ({value}): must be 'application/json'")


async def read_json(request: Request, limit: int = BODY_LIMIT) -> Json | None:
    """The decoded body; None without a body (Docker: which is no error here) and for `null`.

    Raises:
        InvalidParameter: wrong Content-Type, broken JSON, content after it.   HttpError 413: larger than `limit`.
    """
    check_content_type(request)
    if not request.has_body:
        return None
    return parse_json(await request.read(limit))


def parse_json(data: bytes) -> Json:
    """One JSON value.  Raises InvalidParameter with Docker's and Go's words."""
    try:
        return _decode(data)
    except RecursionError:
        raise InvalidParameter("invalid JSON: exceeded max depth") from None
    except (msgspec.DecodeError, ValueError) as error:
        explain(data, str(error))
    try:  # what Go mends and msgspec does not: bad UTF-8, lone surrogates, numbers without end
        return lenient(data)
    except RecursionError:
        raise InvalidParameter("invalid JSON: exceeded max depth") from None
    except ValueError as error:
        raise InvalidParameter(f"invalid JSON: {error}") from None


def explain(data: bytes, reason: str) -> None:
    """Raises InvalidParameter if `data` is no JSON; `reason` is the decoder's complaint.  A long text is not scanned: it takes long."""
    if len(data) > EXPLAINED_BYTES:
        if "truncated" in reason:
            raise InvalidParameter("invalid JSON: unexpected EOF")
        if "trailing" in reason:
            raise InvalidParameter("unexpected content after JSON")
        return
    try:
        end = gojson.scan(data)
    except gojson.GoJsonError as error:
        text = "got EOF while reading request body" if str(error) == "EOF" else str(error)
        raise InvalidParameter(f"invalid JSON: {text}") from None
    if data[end:].strip(b" \t\r\n"):
        raise InvalidParameter("unexpected content after JSON")


def lenient(data: bytes) -> Json:
    value = json.loads(data.decode("utf-8", "replace"), parse_int=integer, parse_constant=no_constant)
    return mended(value) if b"\\ud" in data or b"\\uD" in data else value


def no_constant(name: str) -> Json:
    raise ValueError(f"invalid character '{name[0]}' looking for beginning of value")


_decode = msgspec.json.Decoder().decode


def integer(digits: str) -> int | float:
    return int(digits) if len(digits) < 4000 else float(digits)  # Python refuses to convert longer ones


def mended(value: Json) -> Json:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [mended(item) for item in value]
    if isinstance(value, dict):
        return {mended(key): mended(item) for key, item in value.items()}
    return value
