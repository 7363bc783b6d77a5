"""The one place where an error becomes a status: by its kind, never by where it was raised.

    InvalidParameter 400   Unauthorized 401   Forbidden 403   NotFound 404   Conflict 409   NotModified 304
    TooManyRequests 429   NotImplementedHere 501   Unavailable, Cancelled 503   StartFailed 400 or 500
    BuildFailed, Internal and anything else 500
    HttpError (not a request that we take): its own status

The body is `{"message": …}` and a newline.  Docker: below API 1.24 it is the bare text; 304 has none.
"""

import logging

import msgspec

from wharfd.api.transport import Request, Response
from wharfd.api.versions.behaviour import Behaviour
from wharfd.model import errors
from wharfd.wire.http1 import HttpError

log = logging.getLogger(__name__)

STATUS: dict[type[errors.EngineError], int] = {
    errors.InvalidParameter: 400,
    errors.Unauthorized: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.NotModified: 304,
    errors.NotImplementedHere: 501,
    errors.Unavailable: 503,
    errors.Cancelled: 503,
    errors.Internal: 500,
    errors.BuildFailed: 500,
    errors.TooManyRequests: 429,
}
EXIT_CODES_OF_THE_CALLER = (126, 127)  # the command cannot be executed, or is not there


def unwrapped(error: BaseException) -> BaseException:
    """The first error inside a TaskGroup's group."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def status_of(error: BaseException) -> int:
    error = unwrapped(error)
    if isinstance(error, HttpError):
        return error.status
    if isinstance(error, errors.StartFailed):
        return 400 if error.exit_code in EXIT_CODES_OF_THE_CALLER else 500
    for kind in type(error).__mro__:
        if issubclass(kind, errors.EngineError) and kind in STATUS:
            return STATUS[kind]
    return 500


def message_of(error: BaseException) -> str:
    """What the user reads.  Never empty, always encodable."""
    error = unwrapped(error)
    text = str(error) or type(error).__name__
    return text.encode("utf-8", "replace").decode()


def error_body(error: BaseException) -> bytes:
    return msgspec.json.encode({"message": message_of(error)}) + b"\n"


def error_response(request: Request | None, error: BaseException) -> Response:
    """The answer to a request that failed before its answer had begun; `request` None if it could not even be read."""
    status = status_of(error)
    if status == 304:
        return Response(304)
    if isinstance(error, errors.RegistryFailure | errors.BuildFailed):
        log.warning("request=%r failed error=%s", request, error)
    elif status == 500:
        log.error("request=%r failed error=%s", request, error, exc_info=error)
    if request is not None and Behaviour.for_version(request.version).error_is_plain_text:
        headers = [("Content-Type", "text/plain; charset=utf-8"), ("X-Content-Type-Options", "nosniff")]
        return Response(status, headers, message_of(error).encode() + b"\n")
    return Response(status, [("Content-Type", "application/json")], error_body(error))
