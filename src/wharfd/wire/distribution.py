"""What registries say besides JSON documents and blobs: refusals, and a few headers.

Sources: OCI distribution spec 1.1 ("Error Codes", "Listing Tags", "Pushing a blob in chunks"), Docker's token specification,
RFC 9110 (ranges, Retry-After), RFC 8288 (Link), RFC 6750 (errors of bearer challenges).
"""

import re
from collections.abc import Sequence
from email.utils import parsedate_to_datetime

import msgspec

from wharfd.wire.authconfig import Challenge

DENIED, UNAUTHORIZED, TOO_MANY = "DENIED", "UNAUTHORIZED", "TOOMANYREQUESTS"
MANIFEST_UNKNOWN, NAME_UNKNOWN, BLOB_UNKNOWN = "MANIFEST_UNKNOWN", "NAME_UNKNOWN", "BLOB_UNKNOWN"
UNKNOWN = "UNKNOWN"

# Code -> the text that stands for an absent message.
CODES = {
    UNKNOWN: "unknown error",
    "UNSUPPORTED": "The operation is unsupported.",
    UNAUTHORIZED: "authentication required",
    DENIED: "requested access to the resource is denied",
    "UNAVAILABLE": "service unavailable",
    TOO_MANY: "too many requests",
    "DIGEST_INVALID": "provided digest did not match uploaded content",
    "SIZE_INVALID": "provided length did not match content length",
    "RANGE_INVALID": "invalid content range",
    "NAME_INVALID": "invalid repository name",
    "TAG_INVALID": "manifest tag did not match URI",
    NAME_UNKNOWN: "repository name not known to registry",
    MANIFEST_UNKNOWN: "manifest unknown",
    "MANIFEST_INVALID": "manifest invalid",
    "MANIFEST_UNVERIFIED": "manifest failed signature verification",
    "MANIFEST_BLOB_UNKNOWN": "blob unknown to registry",
    BLOB_UNKNOWN: "blob unknown to registry",
    "BLOB_UPLOAD_UNKNOWN": "blob upload unknown to registry",
    "BLOB_UPLOAD_INVALID": "blob upload invalid",
}
INVALID = frozenset(code for code in CODES if code.endswith(("_INVALID", "_UNVERIFIED"))) | {
    "MANIFEST_BLOB_UNKNOWN",
    BLOB_UNKNOWN,
}
_BY_STATUS = {401: UNAUTHORIZED, 403: DENIED, 429: TOO_MANY}
_BY_BEARER_ERROR = {"invalid_token": UNAUTHORIZED, "insufficient_scope": DENIED}
_QUOTED_BYTES = 512


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """`code` is one of `CODES`, or empty where the answer was none of the protocol's.  `text` is for the user."""

    status: int
    code: str
    text: str


class _Error(msgspec.Struct, frozen=True):
    code: str | None = None
    message: str | None = None


class _Errors(msgspec.Struct, frozen=True):
    errors: list[_Error] | None = None
    details: str | None = None
    detail: str | None = None


_errors = msgspec.json.Decoder(_Errors)


def read_refusal(
    status: int, reason: str, challenges: Sequence[Challenge], body: bytes, *, quote: bool = True
) -> Refusal:
    """What an answer that is no success means.  `quote`: a body that cannot be read may be shown to the user.

    # Docker: the words are those of the distribution client, on which users and scripts have come to rely.
    """
    for challenge in challenges:
        code = _BY_BEARER_ERROR.get(challenge.parameters.get("error", "")) if challenge.scheme == "bearer" else None
        if code is not None and 400 <= status < 500:
            return _refusal(status, code, challenge.parameters.get("error_description", ""))
    decoded = _decode(body)
    if decoded is not None and decoded.errors:
        first = decoded.errors[0]
        code = (first.code or "").upper()
        return _refusal(status, code if code in CODES else UNKNOWN, first.message or "")
    told = (decoded.details or decoded.detail) if decoded is not None else None
    words = told or _plain(body, quote)
    if status in _BY_STATUS:
        return _refusal(status, _BY_STATUS[status], words)
    if status < 500 and words:
        return _refusal(status, UNKNOWN, words)
    if status >= 500 or not quote or not body.strip():
        return Refusal(
            status=status, code="", text=f"received unexpected HTTP status: {status} {_printable(reason)}".rstrip()
        )
    why = "no error details found in HTTP response body" if decoded is not None else "invalid JSON"
    shown = body[:_QUOTED_BYTES].decode("utf-8", "replace")
    return Refusal(
        status=status, code="", text=f"error parsing HTTP {status} response body: {why}: {_go_quoted(shown)}"
    )


def next_link(headers: Sequence[str]) -> str:
    """The target of the `Link` whose relation is `next`; empty if there is none."""
    for header in headers:
        for link in header.split("<")[1:]:
            target, closed, parameters = link.partition(">")
            if closed and not any(c.isspace() for c in target) and _is_next(parameters):
                return target
    return ""


def _is_next(parameters: str) -> bool:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "rel" and "next" in value.strip(' \t,"').lower().split():
            return True
    return False


def parse_content_range(header: str) -> tuple[int, int, int | None] | None:
    """First and last byte and the whole length (None: not told) of `bytes 0-99/1000`; None if it is none."""
    match = re.fullmatch(r"\s*bytes\s+(\d{1,19})-(\d{1,19})/(\d{1,19}|\*)\s*", header)
    if match is None or int(match[2]) < int(match[1]):
        return None
    whole = None if match[3] == "*" else int(match[3])
    return (int(match[1]), int(match[2]), whole) if whole is None or int(match[2]) < whole else None


def parse_upload_range(header: str) -> int:
    """How many bytes of an upload the registry has, from its `Range: 0-1023`.  0 where it says nothing that can be read.

    # Docker: a registry that has nothing yet says `0-0`, too; so does one that has a single byte.  0 is safe.
    """
    match = re.fullmatch(r"\s*(?:bytes=)?0-(\d{1,19})\s*", header)
    return int(match[1]) + 1 if match is not None and int(match[1]) > 0 else 0


def parse_retry_after(header: str, now_s: float) -> float | None:
    """Seconds to wait, from a number or a date; None if there is nothing to be read."""
    text = header.strip()
    if re.fullmatch(r"\d{1,9}", text):
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now_s)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def media_type_of(header: str) -> str:
    """`Content-Type` without its parameters, in lower case."""
    return header.partition(";")[0].strip().lower()


def _decode(body: bytes) -> _Errors | None:
    try:
        return _errors.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def _refusal(status: int, code: str, message: str) -> Refusal:
    words = _printable(message) or CODES[code]
    return Refusal(status=status, code=code, text=f"{code.lower().replace('_', ' ')}: {words}")


def _plain(body: bytes, quote: bool) -> str:
    """A short line of text that came instead of JSON; nothing of a page."""
    text = body.decode("utf-8", "replace").strip() if quote and len(body) <= _QUOTED_BYTES else ""
    return text if text.isprintable() and not text.startswith(("<", "{", "[")) else ""


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text).strip()


def _go_quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()
