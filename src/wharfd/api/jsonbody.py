"""JSON bodies as Go's decoder takes them: rules about Content-Type and emptiness, keys in any case, `null` as "leave the default".

    doc = await read_json(request)                     # None: there is no body
    config = await read_body(request, CreateBody)      # keys normalised, decoded into the struct

`normalise` renames keys that differ only in case from a field of the struct and drops nulls, so that version changes and decoders see
exact names.  Unknown keys stay; decoders ignore them.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from wharfd.api.params import INT64_MAX, INT64_MIN
from wharfd.api.transport import Request
from wharfd.model.errors import InvalidParameter
from wharfd.model.json import Json
from wharfd.wire import gojson

T = TypeVar("T")

BODY_LIMIT = (
    4 << 20
)  # bytes.  dockerd has no limit; the largest honest body (an exec's or container's environment) stays below 3 MiB
_MEDIA_TYPE = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+/[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_WHERE = re.compile(r" - at `(key in )?\$?([^`]*)`$")
_EXPECTED = re.compile(r"Expected `([^`]+)`, got `([^`]+)`")
_GO_KINDS = {"str": "string", "int": "number", "float": "number", "bool": "bool", "array": "array", "object": "object"}
_GO_TYPES = {"str": "string", "int": "int64", "float": "float64", "bool": "bool", "array": "[]string"}


# --- reading -------------------------------------------------------------------------------------------------------------------


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
    except (msgspec.DecodeError, ValueError, RecursionError):
        pass
    try:
        end = gojson.scan(data)
    except gojson.GoJsonError as error:
        text = "got EOF while reading request body" if str(error) == "EOF" else str(error)
        raise InvalidParameter(f"invalid JSON: {text}") from None
    if data[end:].strip(b" \t\r\n"):
        raise InvalidParameter("unexpected content after JSON")
    try:  # what Go mends and msgspec does not: bad UTF-8, lone surrogates
        return mended(json.loads(data.decode("utf-8", "replace"), parse_int=integer))
    except RecursionError:
        raise InvalidParameter("invalid JSON: exceeded max depth") from None


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


async def read_body(
    request: Request,
    kind: type[T],
    *,
    go_name: str = "",
    reshape: Callable[[Json], Json] | None = None,
    limit: int = BODY_LIMIT,
) -> T | None:
    """The body decoded into a struct; None if there is none (or `null`).

    `reshape` works on the document between normalising and decoding (the version's pipeline).  `go_name` is the struct's name in
    Docker's error texts; empty: the struct's own name.

    Raises:
        InvalidParameter, HttpError: as `read_json` and `decode`.
    """
    doc = await read_json(request, limit)
    if doc is None:
        return None
    doc = normalise(doc, shape_of(kind))
    if reshape is not None:
        doc = reshape(doc)
    return decode(doc, kind, go_name)


def decode(doc: Json, kind: type[T], go_name: str = "") -> T:
    """A document into a struct.  Raises InvalidParameter with Go's text for a value of the wrong type."""
    try:
        return msgspec.convert(doc, kind)
    except msgspec.ValidationError as error:
        raise InvalidParameter(f"invalid JSON: {go_text(str(error), go_name or kind.__name__)}") from error


def go_text(text: str, go_name: str) -> str:
    """msgspec's complaint in Go's words: `json: cannot unmarshal string into Go struct field X.HostConfig.Memory of type int64`."""
    where = _WHERE.search(text)
    path = re.sub(r"\[[^\]]*\]", "", where[2]).lstrip(".") if where is not None else ""
    expected = _EXPECTED.match(text)
    if expected is None:
        return f"json: {text}"
    wanted = expected[1].removesuffix(" | null").split(" | ")[0]
    got = _GO_KINDS.get(expected[2], expected[2])
    go_type = _GO_TYPES.get(wanted, wanted)
    if not path:
        return f"json: cannot unmarshal {got} into Go value of type {go_name if wanted == 'object' else go_type}"
    if wanted == "object":
        go_type = path.rpartition(".")[2]
    return f"json: cannot unmarshal {got} into Go struct field {go_name}.{path} of type {go_type}"


# --- keys in any case, nulls ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Shape:
    """What `normalise` must know of a type.  `fields` by lower-case name; `items` for the values of maps and lists."""

    kind: str  # struct, map, list, or scalar
    fields: dict[str, tuple[str, "Shape"]] = field(default_factory=dict)
    items: "Shape | None" = None
    zero: Callable[[], Json] = lambda: None


_SCALAR = Shape("scalar")


_shapes: dict[type, Shape] = {}


def shape_of(kind: type) -> Shape:
    shape = _shapes.get(kind)
    if shape is None:
        shape = _shapes[kind] = shape_of_info(msgspec.inspect.type_info(kind), {})
    return shape


def shape_of_info(info: msgspec.inspect.Type, seen: dict[type, Shape]) -> Shape:
    if isinstance(info, msgspec.inspect.StructType):
        if info.cls not in seen:
            shape = seen[info.cls] = Shape("struct", zero=dict)
            for member in info.fields:
                shape.fields[member.encode_name.lower()] = (member.encode_name, shape_of_info(member.type, seen))
        return seen[info.cls]
    if isinstance(info, msgspec.inspect.DictType):
        return Shape("map", items=shape_of_info(info.value_type, seen), zero=dict)
    if isinstance(info, (msgspec.inspect.ListType, msgspec.inspect.VarTupleType)):
        return Shape("list", items=shape_of_info(info.item_type, seen), zero=list)
    if isinstance(info, msgspec.inspect.UnionType):
        inner = [
            shape_of_info(option, seen) for option in info.types if not isinstance(option, msgspec.inspect.NoneType)
        ]
        structured = [shape for shape in inner if shape.kind != "scalar"]
        return structured[0] if structured else inner[0] if len(inner) == 1 and not info.includes_none else _SCALAR
    if isinstance(info, msgspec.inspect.StrType):
        return Shape("scalar", zero=str)
    if isinstance(info, msgspec.inspect.IntType):
        return Shape("scalar", zero=int)
    if isinstance(info, msgspec.inspect.BoolType):
        return Shape("scalar", zero=bool)
    return _SCALAR


def normalise(doc: Json, shape: Shape) -> Json:
    """`doc` with exact keys and without nulls, changed in place.

    A null field is dropped (Go leaves the default); a null inside a map or list becomes the zero value of its type.  Of two spellings
    of a key the later one wins, as in Go.

    Raises:
        InvalidParameter: a number that does not fit 64 bits.
    """
    if isinstance(doc, dict):
        if shape.kind == "struct":
            return normalise_struct(doc, shape)
        if shape.kind == "map" and shape.items is not None:
            for key, value in doc.items():
                doc[key] = shape.items.zero() if value is None else normalise(value, shape.items)
    elif isinstance(doc, list):
        if shape.kind == "list" and shape.items is not None:
            for index, value in enumerate(doc):
                doc[index] = shape.items.zero() if value is None else normalise(value, shape.items)
    elif isinstance(doc, int) and not INT64_MIN <= doc <= INT64_MAX:
        raise InvalidParameter(f"invalid JSON: json: cannot unmarshal number {doc} into Go value of type int64")
    return doc


def normalise_struct(doc: dict[str, Json], shape: Shape) -> Json:
    out: dict[str, Json] = {}
    for key, value in doc.items():
        known = shape.fields.get(key.lower())
        if known is None:
            out[key] = value
        elif value is not None:
            out[known[0]] = normalise(value, known[1])
    return out
