"""What a request body's struct expects, with the texts of Go's decoder for what does not fit.

Keys match whatever their case, the last of several wins; unknown keys are ignored; `null` leaves the default.  A value of the wrong type
is refused as dockerd refuses it:

    invalid JSON: json: cannot unmarshal string into Go struct field .HostConfig.Memory of type int64

    shape = Shape.of(CreateRequest, "container.CreateRequest")
    doc = shape.clean(await read_json(request))  # canonical keys, no nulls where a default stands; ready for api/versions
    request = shape.convert(doc)                 # the struct
"""

from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

import msgspec

from wharfd.model.errors import InvalidParameter
from wharfd.model.json import Json, JsonObject

T = TypeVar("T")

Cleaner = Callable[[Json, str, bool], Json]
"""(value, where, inside an array) -> the cleaned value; never called with None."""

GoTypes = Mapping[str, str]
"""Go's name of a struct ("HostConfig") or of a field's type ("HostConfig.IpcMode"), where it is not the obvious one."""


def kind_of(value: Json) -> str:
    match value:
        case bool():
            return "bool"
        case str():
            return "string"
        case int():
            return "number"
        case float():
            return "number"
        case list():
            return "array"
    return "object"


def mismatch(value: Json, where: str, in_array: bool, go_type: str) -> InvalidParameter:
    found = kind_of(value)
    if go_type not in {"string", "bool"} and found == "number":
        found = f"number {value}" if is_numeric(go_type) else found
    place = "Go value" if not where else where if in_array else f"Go struct field {where}"
    return InvalidParameter(f"invalid JSON: json: cannot unmarshal {found} into {place} of type {go_type}")


def is_numeric(go_type: str) -> bool:
    return go_type.startswith(("int", "uint", "float")) or go_type in {"time.Duration", "fs.FileMode"}


def escaped(key: str) -> str:
    """A key as part of a path (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1") if "~" in key or "/" in key else key


def string_cleaner(go_type: str) -> Cleaner:
    def clean(value: Json, where: str, in_array: bool) -> Json:
        if type(value) is not str:
            raise mismatch(value, where, in_array, go_type)
        return value

    return clean


def bool_cleaner() -> Cleaner:
    def clean(value: Json, where: str, in_array: bool) -> Json:
        if type(value) is not bool:
            raise mismatch(value, where, in_array, "bool")
        return value

    return clean


INTEGERS: dict[tuple[int, int], str] = {
    (-(2**63), 2**63 - 1): "int64",
    (0, 2**16 - 1): "uint16",
    (0, 2**32 - 1): "uint32",
    (0, 2**64 - 1): "uint64",
}


def integer_cleaner(low: int, high: int, go_type: str) -> Cleaner:
    def clean(value: Json, where: str, in_array: bool) -> Json:
        # Go: 1.0 and 1e9 are no integers.
        if type(value) is not int or not low <= value <= high:
            raise mismatch(value, where, in_array, go_type)
        return value

    return clean


def list_cleaner(item: Cleaner, empty: Callable[[], Json], go_type: str) -> Cleaner:
    def clean(value: Json, where: str, in_array: bool) -> Json:
        if type(value) is not list:
            raise mismatch(value, where, in_array, go_type)
        return [empty() if each is None else item(each, f"{where}.{number}", True) for number, each in enumerate(value)]

    return clean


def dict_cleaner(item: Cleaner, empty: Callable[[], Json], go_type: str) -> Cleaner:
    def clean(value: Json, where: str, in_array: bool) -> Json:
        if type(value) is not dict:
            raise mismatch(value, where, in_array, go_type)
        return {
            key: empty() if each is None else item(each, f"{where}.{escaped(key)}", False)
            for key, each in value.items()
        }

    return clean


def words_cleaner(go_type: str) -> Cleaner:
    """Docker: Cmd, Entrypoint, CapAdd and the like may be a string instead of an array of strings."""

    def clean(value: Json, where: str, in_array: bool) -> Json:
        if type(value) is str:
            return [value]
        if type(value) is list and all(each is None or type(each) is str for each in value):
            return [each or "" for each in value]
        raise mismatch(value, "", False, go_type)

    return clean


def array_cleaner(size: int, item: Cleaner, go_type: str) -> Cleaner:
    """A Go array: what is too much is dropped, what is missing is zero."""

    def clean(value: Json, where: str, in_array: bool) -> Json:
        if type(value) is not list:
            raise mismatch(value, where, in_array, go_type)
        kept = [0 if each is None else item(each, f"{where}.{n}", True) for n, each in enumerate(value[:size])]
        return kept + [0] * (size - len(kept))

    return clean


def object_cleaner() -> Cleaner:
    """Go's `struct{}`: any object, nothing of it kept."""

    def clean(value: Json, where: str, in_array: bool) -> Json:
        if type(value) is not dict:
            raise mismatch(value, where, in_array, "struct {}")
        return {}

    return clean


class StructCleaner:
    def __init__(self, go_type: str) -> None:
        self.go_type = go_type
        self.exact: dict[str, Cleaner] = {}
        self.folded: dict[str, str] = {}  # key in lower case -> key

    def add(self, key: str, cleaner: Cleaner) -> None:
        self.exact[key] = cleaner
        self.folded[key.lower()] = key

    def __call__(self, value: Json, where: str, in_array: bool) -> Json:
        if type(value) is not dict:
            raise mismatch(value, where, in_array, self.go_type)
        out: JsonObject = {}
        for key, each in value.items():
            name, cleaner = key, self.exact.get(key)
            if cleaner is None:
                name = self.folded.get(key.lower(), "")
                if not name:
                    continue
                cleaner = self.exact[name]
            # Go: null leaves what is there, also what an earlier key of the same name gave.
            if each is not None:
                out[name] = cleaner(each, f"{where}.{key}", False)
        return out


WORDS = "strslice.StrSlice"  # marks a field for `words_cleaner`
ARRAY_OF_TWO = "[2]uint"  # marks a field for `array_cleaner`


class Shape(Generic[T]):
    """A struct type as the target of a request body."""

    def __init__(self, target: type[T], cleaner: StructCleaner, prefix: str) -> None:
        self.target = target
        self.cleaner = cleaner
        self.prefix = prefix

    @classmethod
    def of(cls, target: type[T], go_name: str, go_types: GoTypes | None = None, *, prefix: str = "") -> "Shape[T]":
        """`prefix` is what Go puts before the first dot of a path."""
        names = {target.__name__: go_name, **(go_types or {})}
        return cls(target, Compiler(names).struct(target), prefix)

    def clean(self, doc: Json) -> JsonObject:
        """The document with canonical keys; null, as in Go, is an empty object.

        Raises:
            InvalidParameter: a value of the wrong type.
        """
        if doc is None:
            return {}
        if type(doc) is not dict:
            raise mismatch(doc, "", False, self.cleaner.go_type)
        cleaned: JsonObject = self.cleaner(doc, self.prefix, False)
        return cleaned

    def convert(self, cleaned: JsonObject) -> T:
        return msgspec.convert(cleaned, self.target)


class Compiler:
    """Turns msgspec's description of a type into cleaners."""

    def __init__(self, go_types: GoTypes) -> None:
        self.go_types = go_types
        self.structs: dict[type, StructCleaner] = {}

    def struct(self, target: type) -> StructCleaner:
        known = self.structs.get(target)
        if known is not None:
            return known
        info = msgspec.inspect.type_info(target)
        assert isinstance(info, msgspec.inspect.StructType)
        cleaner = StructCleaner(self.go_types.get(target.__name__, target.__name__))
        self.structs[target] = cleaner
        owners = [each.__name__ for each in target.__mro__]
        for field in info.fields:
            key = field.encode_name
            named = next((self.go_types[f"{o}.{key}"] for o in owners if f"{o}.{key}" in self.go_types), "")
            cleaner.add(key, self.field(field.type, named))
        return cleaner

    def field(self, info: msgspec.inspect.Type, named: str) -> Cleaner:
        if named == WORDS:
            return words_cleaner("string")
        if named == ARRAY_OF_TWO:
            return array_cleaner(2, integer_cleaner(0, 2**64 - 1, "uint"), named)
        cleaner, _, _ = self.build(info, named)
        return cleaner

    def build(self, info: msgspec.inspect.Type, named: str = "") -> tuple[Cleaner, Callable[[], Json], str]:
        """The cleaner, what null becomes inside a list or map, and Go's name of the type."""
        inspect = msgspec.inspect
        match info:
            case inspect.UnionType(types=types):
                real = [each for each in types if not isinstance(each, inspect.NoneType)]
                assert len(real) == 1, "only X | None is read from bodies"
                cleaner, _, go_type = self.build(real[0], named)
                return cleaner, lambda: None, go_type
            case inspect.StrType():
                return string_cleaner(named or "string"), str, named or "string"
            case inspect.BoolType():
                return bool_cleaner(), bool, "bool"
            case inspect.IntType(ge=ge, le=le):
                low = -(2**63) if ge is None else int(ge)
                high = int(le) if le is not None else 2**63 - 1 if low < 0 else 2**64 - 1
                go_type = named or INTEGERS.get((low, high), "int64")
                return integer_cleaner(low, high, go_type), int, go_type
            case inspect.ListType(item_type=of):
                item, empty, item_type = self.build(of)
                go_type = named or f"[]{item_type}"
                return list_cleaner(item, empty, go_type), list, go_type
            case inspect.DictType(value_type=of):
                item, empty, item_type = self.build(of)
                if isinstance(of, inspect.DictType) and named in {"", "nat.PortSet"}:
                    item, empty, item_type = object_cleaner(), dict, "struct {}"
                go_type = named or f"map[string]{item_type}"
                return dict_cleaner(item, empty, go_type), dict, go_type
            case inspect.StructType(cls=target):
                cleaner = self.struct(target)
                return cleaner, dict, cleaner.go_type
        raise TypeError(f"no rule for {info}")
