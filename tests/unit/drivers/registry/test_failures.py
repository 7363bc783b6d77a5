"""Errors by kind, in dockerd's words."""

import errno
import os
import socket

import pytest

from wharfd.api.errors import status_of
from wharfd.drivers.registry.failures import Refused, Throttled, as_pull_error, as_push_error, dialling, shown
from wharfd.model.errors import (
    Forbidden,
    InvalidParameter,
    ManifestNotFound,
    NotFound,
    PullDenied,
    RegistryFailure,
    RepositoryNotFound,
    Unauthorized,
)
from wharfd.wire.distribution import Refusal
from wharfd.wire.reference import parse_normalised

REF = parse_normalised("someone/app:1")


def refused(status: int, code: str, text: str = "words") -> Refused:
    return Refused(Refusal(status=status, code=code, text=text))


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("https://me:secret@a.example:1/x?y=z#f", "https://a.example:1/x?y=z"),
        ("https://a.example/x", "https://a.example/x"),
    ],
)
def test_a_url_is_shown_without_secrets(url: str, text: str) -> None:
    assert shown(url) == text
    assert "?" not in shown(url, whole=False)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "x"), "dial tcp a.example:5000: connect: connection refused"),
        (OSError(errno.EHOSTUNREACH, "x"), "dial tcp a.example:5000: connect: no route to host"),
        (OSError(errno.ENETUNREACH, "x"), "dial tcp a.example:5000: connect: network is unreachable"),
        (socket.gaierror(socket.EAI_NONAME, "x"), "dial tcp: lookup a.example: no such host"),
        (socket.gaierror(socket.EAI_AGAIN, "x"), "dial tcp: lookup a.example: temporary failure in name resolution"),
        (OSError("odd"), "dial tcp a.example:5000: odd"),
    ],
)
def test_why_a_host_cannot_be_reached(error: OSError, words: str) -> None:
    assert dialling("a.example:5000", error) == words
    assert os.strerror(errno.ECONNREFUSED) == "Connection refused"


@pytest.mark.parametrize(
    ("error", "kind", "status", "text"),
    [
        (
            refused(401, "DENIED", "denied: no"),
            PullDenied,
            404,
            "pull access denied for someone/app, repository does not exist or may require 'docker login': denied: no",
        ),
        (
            refused(404, "MANIFEST_UNKNOWN", "manifest unknown: manifest unknown"),
            ManifestNotFound,
            404,
            "manifest for someone/app:1 not found: manifest unknown: manifest unknown",
        ),
        (
            refused(404, "NAME_UNKNOWN", "name unknown: x"),
            RepositoryNotFound,
            404,
            "repository someone/app not found: name unknown: x",
        ),
        (refused(404, "", "?"), ManifestNotFound, 404, "manifest for someone/app:1 not found: ?"),
        (refused(401, "UNAUTHORIZED", "unauthorized: x"), Unauthorized, 401, "unauthorized: x"),
        (
            Throttled(Refusal(status=429, code="TOOMANYREQUESTS", text="toomanyrequests: x")),
            RegistryFailure,
            429,
            "toomanyrequests: x",
        ),
        (refused(400, "NAME_INVALID", "name invalid: x"), InvalidParameter, 400, "name invalid: x"),
        (refused(500, "", "oops"), RegistryFailure, 500, "oops"),
    ],
)
def test_reading(error: Refused, kind: type[Exception], status: int, text: str) -> None:
    found = as_pull_error(error, REF)
    assert (isinstance(found, kind), status_of(found), str(found)) == (True, status, text)


def test_a_blob_that_is_not_there_is_no_manifest() -> None:
    found = as_pull_error(refused(404, "BLOB_UNKNOWN", "blob unknown: x"), REF, blob=True)
    assert type(found) is NotFound


@pytest.mark.parametrize(
    ("error", "kind", "status"),
    [
        (refused(401, "DENIED"), Forbidden, 403),
        (refused(403, ""), Forbidden, 403),
        (refused(401, "UNAUTHORIZED"), Unauthorized, 401),
        (refused(400, "DIGEST_INVALID"), InvalidParameter, 400),
        (refused(404, "MANIFEST_BLOB_UNKNOWN"), InvalidParameter, 400),
        (refused(405, "UNSUPPORTED"), RegistryFailure, 500),
        (refused(502, ""), RegistryFailure, 500),
    ],
)
def test_writing(error: Refused, kind: type[Exception], status: int) -> None:
    found = as_push_error(error)
    assert (isinstance(found, kind), status_of(found), str(found)) == (True, status, "words")
