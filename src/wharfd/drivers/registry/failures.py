"""What goes wrong between here and a registry, in the words of dockerd, which users paste into search engines.

RegistryFailure
├── Broken          no answer, or one that ended too early
└── Refused         an answer that is no success
    └── Throttled   it says that there were too many requests
"""

import errno
import os
import socket
import ssl
from typing import NoReturn
from urllib.parse import urlsplit, urlunsplit

from wharfd.model.errors import (
    EngineError,
    Forbidden,
    InvalidParameter,
    ManifestNotFound,
    NotFound,
    PullDenied,
    RegistryFailure,
    RepositoryNotFound,
    TooManyRequests,
    Unauthorized,
)
from wharfd.wire.distribution import (
    DENIED,
    INVALID,
    MANIFEST_UNKNOWN,
    NAME_UNKNOWN,
    TOO_MANY,
    UNAUTHORIZED,
    Refusal,
)
from wharfd.wire.reference import Reference

PASSING = frozenset({408, 429, 500, 502, 503, 504})  # an answer that another try may change
TLS_TO_PLAIN = (
    "WRONG_VERSION_NUMBER",
    "HTTP_REQUEST",
    "UNKNOWN_PROTOCOL",
    "PACKET_LENGTH_TOO_LONG",
    "RECORD_LAYER_FAILURE",
)
UNKNOWN_AUTHORITY = (18, 19, 20, 21, 2)  # X509_V_ERR_…: self-signed, in the chain too; no issuer


class Broken(RegistryFailure):
    """`reason` without what was tried.  `reached`: a connection was there, the request on its way: another try makes sense at once."""

    def __init__(self, method: str, url: str, reason: str, *, reached: bool) -> None:
        super().__init__(during(method, url, reason), may_pass=reached)
        self.reason = reason
        self.reached = reached


class Refused(RegistryFailure):
    """`retry_after_s` is what the registry asks for."""

    def __init__(self, refusal: Refusal, retry_after_s: float | None = None) -> None:
        super().__init__(refusal.text, code=refusal.code, status=refusal.status, may_pass=refusal.status in PASSING)
        self.retry_after_s = retry_after_s


class Throttled(Refused, TooManyRequests):
    """Refused for now, since there were too many requests."""


def shown(url: str, *, whole: bool = True) -> str:
    """A URL for a message: never a password; with `whole` false no query either, in which strangers' hosts hold signatures."""
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, place, parts.path, parts.query if whole else "", ""))


def during(method: str, url: str, reason: str) -> str:
    """Go: `Get "https://registry.example/v2/": reason`."""
    return f'{method.capitalize()} "{url}": {reason}'


def dialling(host: str, error: OSError) -> str:
    """Why `host:port` cannot be connected to."""
    name = host.rpartition(":")[0].strip("[]")
    if isinstance(error, socket.gaierror):
        if error.errno == socket.EAI_AGAIN:
            return f"dial tcp: lookup {name}: temporary failure in name resolution"
        return f"dial tcp: lookup {name}: no such host"
    number = error.errno or next((e.errno for e in causes(error) if isinstance(e, OSError) and e.errno), None)
    if number is None:
        return f"dial tcp {host}: {error}"
    return f"dial tcp {host}: connect: {os.strerror(number).lower()}"


def in_tls(error: BaseException, host: str) -> str | None:
    """The words for a failed handshake; None for an error that is none of TLS."""
    for cause in causes(error):
        if not hasattr(cause, "reason"):
            continue  # the HTTP library's own, which only inherits from TLS errors
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"tls: failed to verify certificate: x509: {certificate_words(cause, host)}"
        if isinstance(cause, ssl.SSLError):
            reason = cause.reason or ""
            if reason in TLS_TO_PLAIN:
                return "http: server gave HTTP response to HTTPS client"
            if "ALERT" in reason:  # Linux (OpenSSL): TLSV13_ALERT_CERTIFICATE_REQUIRED
                return f"remote error: tls: {reason.partition('ALERT_')[2].replace('_', ' ').lower()}"
            return f"tls: {(reason or str(cause)).replace('_', ' ').lower()}"
    return None


def certificate_words(error: ssl.SSLCertVerificationError, host: str) -> str:
    name = host.rpartition(":")[0].strip("[]") or host
    if error.verify_code in UNKNOWN_AUTHORITY:
        return "certificate signed by unknown authority"
    if error.verify_code in (9, 10):  # X509_V_ERR_CERT_NOT_YET_VALID, …_HAS_EXPIRED
        return "certificate has expired or is not yet valid"
    if error.verify_code in (62, 64):  # X509_V_ERR_HOSTNAME_MISMATCH, …_IP_ADDRESS_MISMATCH
        return f"certificate is not valid for {name}"
    return error.verify_message or str(error)


def causes(error: BaseException) -> list[BaseException]:
    """The error and what lies behind it, the outermost first."""
    found: list[BaseException] = []
    todo: list[BaseException | None] = [error]
    while todo and len(found) < 32:
        one = todo.pop(0)
        if one is None or one in found:
            continue
        found.append(one)
        todo += [getattr(one, "os_error", None), one.__cause__, one.__context__]
        todo += one.exceptions if isinstance(one, BaseExceptionGroup) else ()
    return found


def is_reset(error: BaseException) -> bool:
    return any(isinstance(e, OSError) and e.errno in (errno.ECONNRESET, errno.EPIPE) for e in causes(error))


def as_pull_error(error: Refused, ref: Reference, *, blob: bool = False) -> EngineError:
    """A refusal to read, by kind.

    # Docker: `translatePullError` in moby's distribution package.
    """
    text = str(error)
    match error.code:
        case code if code == DENIED:
            return PullDenied(ref.familiar_name, text)
        case code if code == NAME_UNKNOWN:
            return RepositoryNotFound(ref.familiar_name, text)
        case code if code == UNAUTHORIZED:
            return Unauthorized(text)
        case code if code == TOO_MANY:
            return error
    if error.code in INVALID and error.status == 400:
        return InvalidParameter(text)
    if blob:
        return NotFound(text) if error.status == 404 else error
    if error.code == MANIFEST_UNKNOWN or error.status == 404:
        return ManifestNotFound(ref.familiar(), text)
    return error


def refuse_pull(error: Refused, ref: Reference, *, blob: bool = False) -> NoReturn:
    found = as_pull_error(error, ref, blob=blob)
    if found is error:
        raise error
    raise found from error


def refuse_push(error: Refused) -> NoReturn:
    found = as_push_error(error)
    if found is error:
        raise error
    raise found from error


def as_push_error(error: Refused) -> EngineError:
    """A refusal to write, by kind."""
    text = str(error)
    if error.code == DENIED or error.status == 403:
        return Forbidden(text)
    if error.code == UNAUTHORIZED:
        return Unauthorized(text)
    if error.code in INVALID and 400 <= error.status < 500:
        return InvalidParameter(text)
    return error
