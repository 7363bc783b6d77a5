import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfd.wire.authconfig import Challenge
from wharfd.wire.distribution import (
    Refusal,
    next_link,
    parse_content_range,
    parse_retry_after,
    parse_upload_range,
    read_refusal,
)

SCOPE = Challenge("bearer", {"realm": "https://a/t", "error": "insufficient_scope"})


@pytest.mark.parametrize(
    ("status", "challenges", "body", "code", "text"),
    [
        (
            404,
            [],
            b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown","detail":{"Tag":"x"}}]}',
            "MANIFEST_UNKNOWN",
            "manifest unknown: manifest unknown",
        ),
        (
            401,
            [SCOPE],
            b'{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}',
            "DENIED",
            "denied: requested access to the resource is denied",
        ),
        (
            401,
            [],
            b'{"errors":[{"code":"UNAUTHORIZED","message":"authentication required","detail":null}]}',
            "UNAUTHORIZED",
            "unauthorized: authentication required",
        ),
        (401, [], b'{"details":"incorrect username or password"}', "UNAUTHORIZED", "unauthorized: incorrect username or password"),
        (401, [], b"<html>", "UNAUTHORIZED", "unauthorized: authentication required"),
        (
            429,
            [],
            b'{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull rate limit."}]}',
            "TOOMANYREQUESTS",
            "toomanyrequests: You have reached your pull rate limit.",
        ),
        (429, [], b"slow down\n", "TOOMANYREQUESTS", "toomanyrequests: slow down"),
        (404, [], b'{"errors":[{"code":"SOMETHING_OF_OURS","message":"no"}]}', "UNKNOWN", "unknown: no"),
        (403, [], b"", "DENIED", "denied: requested access to the resource is denied"),
        (500, [], b"oops", "", "received unexpected HTTP status: 500 Sorry"),
        (400, [], b"<a\"b", "", 'error parsing HTTP 400 response body: invalid JSON: "<a\\"b"'),
        (404, [], b"not found\n", "UNKNOWN", "unknown: not found"),
        (403, [], b"<html>no</html>", "DENIED", "denied: requested access to the resource is denied"),
        (404, [], b"{}", "", 'error parsing HTTP 404 response body: no error details found in HTTP response body: "{}"'),
        (400, [], b'{"errors":[{"code":"NAME_INVALID","message":"a\\nb"}]}', "NAME_INVALID", "name invalid: a b"),
    ],
)  # fmt: skip
def test_refusals(status: int, challenges: list[Challenge], body: bytes, code: str, text: str) -> None:
    assert read_refusal(status, "Sorry", challenges, body) == Refusal(status=status, code=code, text=text)


def test_the_body_of_a_stranger_is_not_shown() -> None:
    assert "secret" not in read_refusal(400, "Bad Request", [], b"secret", quote=False).text
    assert "secret" not in read_refusal(403, "Forbidden", [], b"secret", quote=False).text
    assert "secret" not in read_refusal(429, "Slow", [], b"secret", quote=False).text


@given(st.integers(400, 599), st.binary(max_size=600), st.booleans())
def test_any_body_gives_one_line(status: int, body: bytes, quote: bool) -> None:
    text = read_refusal(status, "Reason", [], body, quote=quote).text
    assert text
    assert "\n" not in text
    assert len(text) < 4000


@pytest.mark.parametrize(
    ("headers", "target"),
    [
        ([], ""),
        (['</v2/a/tags/list?last=b&n=2>; rel="next"'], "/v2/a/tags/list?last=b&n=2"),
        (["<https://a/x>; rel=next"], "https://a/x"),
        (['</first>; rel="first", </second>; title="a, b"; rel="next"'], "/second"),
        (["</x>; rel=previous"], ""),
        (['</x>; title="next"'], ""),
        (["</x>", "</y>;rel=next"], "/y"),
        (['</x>; rel="last next"'], "/x"),
        (["</a b>; rel=next"], ""),
        (["rel=next"], ""),
    ],
)
def test_the_link_to_the_next_page(headers: list[str], target: str) -> None:
    assert next_link(headers) == target


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("bytes 0-99/1000", (0, 99, 1000)),
        ("bytes 5-5/*", (5, 5, None)),
        ("bytes 5-4/10", None),
        ("bytes 5-10/10", None),
        ("bytes */10", None),
        ("", None),
    ],
)
def test_content_range(header: str, found: tuple[int, int, int | None] | None) -> None:
    assert parse_content_range(header) == found


@pytest.mark.parametrize(
    ("header", "count"),
    [("0-1023", 1024), ("bytes=0-9", 10), ("0-0", 0), ("0--1", 0), ("5-9", 0), ("", 0), ("0-" + "9" * 40, 0)],
)
def test_how_much_of_an_upload_is_there(header: str, count: int) -> None:
    assert parse_upload_range(header) == count


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        ("Thu, 01 Jan 1970 00:02:00 GMT", 20.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("soon", None),
        ("-1", None),
        ("", None),
    ],
)
def test_retry_after(header: str, seconds: float | None) -> None:
    assert parse_retry_after(header, 100.0) == seconds
