"""Go's rules on the documents of request bodies, apart from those that the table of create bodies shows."""

from typing import Annotated, Any

import msgspec
import pytest

from wharfd.api.codec.shape import ARRAY_OF_TWO, WORDS, Shape
from wharfd.model.errors import InvalidParameter


class Inner(msgspec.Struct, rename="pascal"):
    count: Annotated[int, msgspec.Meta(ge=0, le=2**16 - 1)] = 0
    names: list[str] | None = None


class Outer(msgspec.Struct, rename="pascal"):
    text: str = "default"
    on: bool = False
    number: int = 7
    inner: Inner | None = None
    inners: list[Inner] | None = None
    by_name: dict[str, Inner | None] | None = None
    labels: dict[str, str] | None = None
    nested: list[list[str]] | None = None
    keys: dict[str, dict[str, str]] | None = None
    words: list[str] | None = None
    pair: list[int] = msgspec.field(default_factory=lambda: [0, 0])


SHAPE = Shape.of(
    Outer, "pkg.Outer", {"Inner": "pkg.Inner", "Outer.Words": WORDS, "Outer.Pair": ARRAY_OF_TWO}, prefix="Outer"
)


def decode(doc: Any) -> Outer:
    return SHAPE.convert(SHAPE.clean(doc))


def complaint(doc: Any) -> str:
    with pytest.raises(InvalidParameter) as caught:
        decode(doc)
    return str(caught.value).removeprefix("invalid JSON: json: cannot unmarshal ")


def test_null_leaves_the_default() -> None:
    assert decode({"Text": None, "Number": None, "Inner": None, "Pair": None}) == Outer()
    assert decode(None) == Outer()


def test_a_later_null_does_not_take_an_earlier_value_away() -> None:
    assert decode({"Text": "a", "TEXT": None}).text == "a"


def test_null_inside_lists_and_maps_is_the_zero_value() -> None:
    doc = decode(
        {"Inners": [None], "Labels": {"a": None}, "ByName": {"x": None}, "Nested": [None], "Keys": {"k": None}}
    )
    assert doc.inners == [Inner()]
    assert doc.labels == {"a": ""}
    assert doc.by_name == {"x": None}
    assert doc.nested == [[]]
    assert doc.keys == {"k": {}}


def test_unknown_keys_are_ignored_at_every_depth() -> None:
    assert decode({"Strange": [], "Inner": {"Strange": {}}, "Keys": {"k": {"x": 1}}}) == Outer(
        inner=Inner(), keys={"k": {}}
    )


def test_keys_of_maps_keep_their_case() -> None:
    assert decode({"LABELS": {"A": "1", "a": "2"}}).labels == {"A": "1", "a": "2"}


@pytest.mark.parametrize(
    ("doc", "text"),
    [
        ([], "array into Go value of type pkg.Outer"),
        ("x", "string into Go value of type pkg.Outer"),
        ({"Text": 5}, "number into Go struct field Outer.Text of type string"),
        ({"Text": True}, "bool into Go struct field Outer.Text of type string"),
        ({"On": "true"}, "string into Go struct field Outer.On of type bool"),
        ({"On": 1}, "number into Go struct field Outer.On of type bool"),
        ({"Number": True}, "bool into Go struct field Outer.Number of type int64"),
        ({"Number": 1.0}, "number 1.0 into Go struct field Outer.Number of type int64"),
        ({"Number": 2**63}, f"number {2**63} into Go struct field Outer.Number of type int64"),
        ({"Inner": {"Count": -1}}, "number -1 into Go struct field Outer.Inner.Count of type uint16"),
        ({"inner": {"COUNT": "x"}}, "string into Go struct field Outer.inner.COUNT of type uint16"),
        ({"Inner": []}, "array into Go struct field Outer.Inner of type pkg.Inner"),
        ({"Inners": {}}, "object into Go struct field Outer.Inners of type []pkg.Inner"),
        ({"Inners": [5]}, "number into Outer.Inners.0 of type pkg.Inner"),
        ({"Inners": [{}, {"Names": [5]}]}, "number into Outer.Inners.1.Names.0 of type string"),
        ({"ByName": {"a/b~c": 5}}, "number into Go struct field Outer.ByName.a~1b~0c of type pkg.Inner"),
        ({"Labels": []}, "array into Go struct field Outer.Labels of type map[string]string"),
        ({"Nested": ["x"]}, "string into Outer.Nested.0 of type []string"),
        ({"Keys": {"k": 5}}, "number into Go struct field Outer.Keys.k of type struct {}"),
        ({"Words": {}}, "object into Go value of type string"),
        ({"Words": [5]}, "array into Go value of type string"),
        ({"Pair": "x"}, "string into Go struct field Outer.Pair of type [2]uint"),
        ({"Pair": [-1]}, "number -1 into Outer.Pair.0 of type uint"),
    ],
)
def test_texts_are_those_of_go(doc: Any, text: str) -> None:
    assert complaint(doc) == text


@pytest.mark.parametrize(("sent", "kept"), [([1], [1, 0]), ([1, 2, 3], [1, 2]), ([], [0, 0]), ([None, 4], [0, 4])])
def test_an_array_has_its_length(sent: Any, kept: list[int]) -> None:
    assert decode({"Pair": sent}).pair == kept
