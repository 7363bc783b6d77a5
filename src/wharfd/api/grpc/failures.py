"""Errors as gRPC statuses, and back."""

import logging

from wharfd.api.errors import message_of, unwrapped
from wharfd.model import errors
from wharfd.wire.grpc import RpcError, StatusCode

log = logging.getLogger(__name__)

CODES: dict[type[errors.EngineError], StatusCode] = {
    errors.InvalidParameter: StatusCode.INVALID_ARGUMENT,
    errors.Unauthorized: StatusCode.UNAUTHENTICATED,
    errors.Forbidden: StatusCode.PERMISSION_DENIED,
    errors.NotFound: StatusCode.NOT_FOUND,
    errors.Conflict: StatusCode.ALREADY_EXISTS,
    errors.NotModified: StatusCode.ALREADY_EXISTS,
    errors.NotImplementedHere: StatusCode.UNIMPLEMENTED,
    errors.Unavailable: StatusCode.UNAVAILABLE,
    errors.Cancelled: StatusCode.CANCELLED,
}


def rpc_error(error: BaseException) -> RpcError:
    """What an exception is on the wire.  What is nobody's kind is logged."""
    error = unwrapped(error)
    if isinstance(error, RpcError):
        return error
    for kind in type(error).__mro__:
        if issubclass(kind, errors.EngineError) and kind in CODES:
            return RpcError(CODES[kind], message_of(error))
    if not isinstance(error, errors.EngineError):
        log.error("a call failed error=%s", error, exc_info=error)
    return RpcError(StatusCode.UNKNOWN, message_of(error))


def engine_error(error: RpcError, what: str) -> errors.EngineError:
    """What a client's refusal is to the engine.  `what` was asked of it."""
    text = f"{what}: {error.message}"
    match error.code:
        case StatusCode.NOT_FOUND:
            return errors.NotFound(text)
        case StatusCode.UNIMPLEMENTED:
            return errors.NotImplementedHere(text)
        case StatusCode.UNAUTHENTICATED:
            return errors.Unauthorized(text)
        case StatusCode.PERMISSION_DENIED:
            return errors.Forbidden(text)
        case StatusCode.INVALID_ARGUMENT:
            return errors.InvalidParameter(text)
        case StatusCode.CANCELLED:
            return errors.Cancelled(text)
        case _:
            return errors.Unavailable(text)
