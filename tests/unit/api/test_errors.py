import json
from typing import cast

import pytest

from wharfd.api.errors import STATUS, error_response, status_of
from wharfd.api.transport import ClientGone, Request
from wharfd.api.transport.channel import Channel
from wharfd.api.versions.version import Version
from wharfd.model import errors
from wharfd.wire.http1 import HttpError, parse_head


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.InvalidParameter("x"), 400),
        (errors.Unauthorized("x"), 401),
        (errors.Forbidden("x"), 403),
        (errors.NotFound("x"), 404),
        (errors.ContainerNotFound("x"), 404),
        (errors.ImageNotFound("x:latest"), 404),
        (errors.Conflict("x"), 409),
        (errors.NameInUse("a", "b"), 409),
        (errors.NotModified(), 304),
        (errors.NotImplementedHere("x"), 501),
        (errors.Unavailable("x"), 503),
        (errors.Internal("x"), 500),
        (errors.StartFailed("x", 126), 400),
        (errors.StartFailed("x", 127), 400),
        (errors.StartFailed("x", 128), 500),
        (errors.EngineError("x"), 500),
        (ClientGone("x"), 503),
        (HttpError(431, "x"), 431),
        (ValueError("x"), 500),
        (KeyError("x"), 500),
        (RecursionError(), 500),
        (ExceptionGroup("of a TaskGroup", [errors.Conflict("x"), ValueError()]), 409),
        (ExceptionGroup("outer", [ExceptionGroup("inner", [errors.NotFound("x")])]), 404),
    ],
)
def test_statuses(error: Exception, status: int) -> None:
    assert status_of(error) == status
    assert error_response(None, error).status == status


def test_every_kind_has_a_status() -> None:
    for kind in errors.EngineError.__subclasses__():
        assert kind in STATUS or kind is errors.StartFailed, kind


def test_the_body_is_a_message_and_a_newline() -> None:
    response = error_response(None, errors.ContainerNotFound('we"b'))
    assert list(response.headers) == [("Content-Type", "application/json")]
    assert response.body == b'{"message":"No such container: we\\"b"}\n'


def test_not_modified_has_no_body() -> None:
    response = error_response(None, errors.NotModified("already running"))
    assert (response.body, list(response.headers)) == (b"", [])


def test_unknown_errors_are_logged_with_their_traceback_and_show_only_their_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    try:
        raise RuntimeError("disk on fire") from OSError("secret detail")
    except RuntimeError as error:
        response = error_response(None, error)
    assert json.loads(response.body) == {"message": "disk on fire"}
    assert "secret detail" in caplog.text


def test_expected_errors_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    error_response(None, errors.Conflict("x"))
    assert caplog.text == ""


@pytest.mark.parametrize(("error", "message"), [(ValueError(), "ValueError"), (ValueError("\ud800"), "?")])
def test_there_is_always_a_message(error: Exception, message: str) -> None:
    assert json.loads(error_response(None, error).body) == {"message": message}


def test_below_the_oldest_version_the_body_is_plain_text() -> None:
    request = Request(cast("Channel", None), parse_head(b"GET /x HTTP/1.1\r\n\r\n"))
    request.version = Version(1, 23)
    response = error_response(request, errors.InvalidParameter("too old"))
    assert dict(response.headers)["Content-Type"] == "text/plain; charset=utf-8"
    assert response.body == b"too old\n"
