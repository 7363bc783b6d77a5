"""Addresses that imports name, with dockerd's answers."""

import pytest

from wharfd.model.errors import EngineError, Internal, InvalidParameter
from wharfd.wire.weburl import parse_source


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://host/a", "http://host/a"),
        ("HTTPS://host:1/a?b=c", "https://host:1/a?b=c"),
        ("host/a", "http://host/a"),
        ("host:80/a", "http://host:80/a"),
    ],
)
def test_an_address(text: str, url: str) -> None:
    assert parse_source(text) == url


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("ftp://host/x", Internal, 'Get "ftp://host/x": unsupported protocol scheme "ftp"'),
        ("file:///etc/passwd", Internal, 'Get "file:///etc/passwd": unsupported protocol scheme "file"'),
        ("http://", Internal, "no Host in request URL"),
        ("x y://z", InvalidParameter, 'parse "x y://z": first path segment in URL cannot contain colon'),
        ("http://[::1/x", InvalidParameter, 'parse "http://[::1/x"'),
        ("http://host:port/x", InvalidParameter, 'parse "http://host:port/x"'),
        ("http://host/\r\nHeader: x", InvalidParameter, "invalid control character in URL"),
    ],
)
def test_what_is_none(text: str, kind: type[EngineError], message: str) -> None:
    with pytest.raises(kind) as caught:
        parse_source(text)
    assert message in str(caught.value)
