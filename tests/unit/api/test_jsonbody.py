import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.api.fed import fed
from wharfd.api.jsonbody import decode, normalise, parse_json, read_body, read_json, shape_of
from wharfd.model.errors import InvalidParameter
from wharfd.model.json import Json
from wharfd.wire.http1 import HttpError

JSON = "Content-Type: application/json"


class Device(msgspec.Struct, rename="pascal", kw_only=True):
    path_on_host: str = ""
    weight: int = 0


class Host(msgspec.Struct, rename="pascal", kw_only=True):
    memory: int = 0
    binds: list[str] | None = None
    devices: list[Device] = []
    privileged: bool = False
    cpus: float = 0.0


class Create(msgspec.Struct, rename="pascal", kw_only=True):
    image: str = ""
    cmd: list[str] | str | None = None
    labels: dict[str, str] = {}
    exposed_ports: dict[str, Host] = {}
    host_config: Host = msgspec.field(default_factory=Host)
    tty: bool | None = None


# --- Content-Type, emptiness -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line", [JSON, "content-type: Application/JSON; charset=utf-8", "Content-Type: application/json;"]
)
async def test_json(line: str) -> None:
    assert await read_json(fed("POST /x", line, body=b' {"a": 1} \n')) == {"a": 1}


@pytest.mark.parametrize("lines", [[], [JSON], ["Content-Length: 0"]])
async def test_no_body(lines: list[str]) -> None:
    assert await read_json(fed("POST /x", *lines)) is None
    assert await read_body(fed("POST /x", *lines), Create) is None


async def test_null_is_no_body() -> None:
    assert await read_body(fed("POST /x", JSON, body=b"null"), Create) is None


@pytest.mark.parametrize(
    ("line", "body", "message"),
    [
        ("X: y", b"{}", "malformed Content-Type header (): mime: no media type"),
        ("Content-Type: text/plain", b"{}", "unsupported Content-Type header (text/plain): must be 'application/json'"),
        ("Content-Type: text/plain", b"", "unsupported Content-Type header (text/plain): must be 'application/json'"),
        (
            "Content-Type: application/json/x",
            b"{}",
            "malformed Content-Type header (application/json/x): mime: unexpected content after media subtype",
        ),
        (JSON, b" \n", "invalid JSON: got EOF while reading request body"),
        (JSON, b"{} x", "unexpected content after JSON"),
        (JSON, b"{}{}", "unexpected content after JSON"),
        (JSON, b"{", "invalid JSON: unexpected EOF"),
        (JSON, b"<html>", "invalid JSON: invalid character '<' looking for beginning of value"),
        (JSON, b"[" * 100_000, "invalid JSON: exceeded max depth"),
    ],
)
async def test_refused(line: str, body: bytes, message: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        await read_json(fed("POST /x", line, body=body))
    assert str(caught.value) == message


async def test_an_empty_chunked_body_is_missing_json() -> None:
    with pytest.raises(InvalidParameter, match="got EOF while reading request body"):
        await read_json(fed("POST /x", JSON, "Transfer-Encoding: chunked", body=b"0\r\n\r\n"))


async def test_limit() -> None:
    with pytest.raises(HttpError) as caught:
        await read_json(fed("POST /x", JSON, body=b"[" + b" " * 5_000_000 + b"]"))
    assert caught.value.status == 413


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b'"\xff"', "�"),
        (b'["\\ud800", "\\ud83d\\ude00"]', ["�", "😀"]),
        (b'{"a\xfe": 1}', {"a�": 1}),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b"1e2", 100.0),
    ],
)
def test_what_go_mends(data: bytes, value: Json) -> None:
    assert parse_json(data) == value


@given(st.binary(max_size=60) | st.text('{}[]:,"\\u09aeE+-.tfnrul \n', max_size=40).map(str.encode))
def test_only_the_declared_error(data: bytes) -> None:
    try:
        parse_json(data)
    except InvalidParameter:
        pass


def test_numbers_without_end() -> None:
    assert parse_json(b"9" * 5000) == float("inf")


# --- keys, nulls, types ----------------------------------------------------------------------------------------------------------


async def test_a_whole_body() -> None:
    body = b'{"image": "a", "HOSTCONFIG": {"memory": 5, "DEVICES": [{"pathonhost": "/x"}]}, "Cmd": ["a"], "Other": {"x": null}}'
    found = await read_body(fed("POST /x", JSON, body=body), Create)
    assert found == Create(image="a", cmd=["a"], host_config=Host(memory=5, devices=[Device(path_on_host="/x")]))


async def test_the_document_is_reshaped_after_its_keys_are_exact() -> None:
    def reshape(doc: Json) -> Json:
        doc["Image"] += "!"
        return doc

    found = await read_body(fed("POST /x", JSON, body=b'{"iMaGe": "a"}'), Create, reshape=reshape)
    assert found == Create(image="a!")


@pytest.mark.parametrize(
    ("doc", "want"),
    [
        ({"image": "a", "Image": "b"}, {"Image": "b"}),
        ({"Image": "b", "image": "a"}, {"Image": "a"}),
        ({"Image": None, "HostConfig": None, "Cmd": None, "Labels": None}, {}),
        ({"Unknown": None, "x": {"image": 1}}, {"Unknown": None, "x": {"image": 1}}),
        ({"Labels": {"image": "kept", "n": None}}, {"Labels": {"image": "kept", "n": ""}}),
        (
            {"ExposedPorts": {"80/tcp": None, "81/tcp": {"MEMORY": 1}}},
            {"ExposedPorts": {"80/tcp": {}, "81/tcp": {"Memory": 1}}},
        ),
        (
            {"HostConfig": {"Binds": ["a", None], "devices": [None]}},
            {"HostConfig": {"Binds": ["a", ""], "Devices": [{}]}},
        ),
        ({"Cmd": "text"}, {"Cmd": "text"}),
        ({"HostConfig": [1]}, {"HostConfig": [1]}),
        ([1], [1]),
    ],
)
def test_normalise(doc: Json, want: Json) -> None:
    assert normalise(doc, shape_of(Create)) == want


@pytest.mark.parametrize(
    ("doc", "message"),
    [
        ({"Image": 1}, "json: cannot unmarshal number into Go struct field CreateRequest.Image of type string"),
        ({"Image": ["a"]}, "json: cannot unmarshal array into Go struct field CreateRequest.Image of type string"),
        (
            {"HostConfig": {"Memory": "5"}},
            "json: cannot unmarshal string into Go struct field CreateRequest.HostConfig.Memory of type int64",
        ),
        (
            {"HostConfig": {"Privileged": "x"}},
            "json: cannot unmarshal string into Go struct field CreateRequest.HostConfig.Privileged of type bool",
        ),
        (
            {"HostConfig": {"Binds": "x"}},
            "json: cannot unmarshal string into Go struct field CreateRequest.HostConfig.Binds of type []string",
        ),
        (
            {"HostConfig": {"Binds": [1]}},
            "json: cannot unmarshal number into Go struct field CreateRequest.HostConfig.Binds of type string",
        ),
        (
            {"HostConfig": {"Devices": [{"Weight": {}}]}},
            "json: cannot unmarshal object into Go struct field CreateRequest.HostConfig.Devices.Weight of type int64",
        ),
        (
            {"HostConfig": "x"},
            "json: cannot unmarshal string into Go struct field CreateRequest.HostConfig of type HostConfig",
        ),
        (
            {"Labels": {"a.b": 1}},
            "json: cannot unmarshal number into Go struct field CreateRequest.Labels of type string",
        ),
        ([], "json: cannot unmarshal array into Go value of type CreateRequest"),
        ("x", "json: cannot unmarshal string into Go value of type CreateRequest"),
    ],
)
def test_wrong_types_in_gos_words(doc: Json, message: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        decode(normalise(doc, shape_of(Create)), Create, "CreateRequest")
    assert str(caught.value) == f"invalid JSON: {message}"


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**30])
def test_integers_have_64_bits(number: int) -> None:
    with pytest.raises(InvalidParameter, match=f"cannot unmarshal number {number}"):
        normalise({"HostConfig": {"Memory": number}}, shape_of(Create))


DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["Image", "CMD", "hostconfig", "Memory", "Labels", "x"]), inner, max_size=4)
    ),
    max_leaves=10,
)


@given(DOCUMENTS)
def test_any_document_gives_a_struct_or_the_declared_error(doc: Json) -> None:
    try:
        decode(normalise(json.loads(json.dumps(doc)), shape_of(Create)), Create)
    except InvalidParameter:
        pass
