"""Request targets and queries of any bytes: values, or InvalidParameter."""

from wharfd.model.errors import InvalidParameter
from wharfd.wire.target import decode_path, parse_query, split_target

SEEDS = [
    b"/v1.40//images/a%2Fb/json?filters=%7B%7D&all=1",
    b"http://localhost:80/_ping?a=b+c",
    b"*",
    b"a=1&a=2&b=%C3%A9;c",
]


def fuzz_one(data: bytes) -> None:
    text = data.decode("latin-1")
    try:
        path, query = split_target(text)
        decoded = decode_path(path)
        assert "//" not in decoded
        decoded.encode()
        for values in parse_query(query).values_by_name.values():
            assert values
            "".join(values).encode()
    except InvalidParameter:
        pass
