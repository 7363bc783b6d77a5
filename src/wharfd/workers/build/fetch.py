"""Downloads a file, in a process of its own: certificates, redirects and slow servers are nobody else's affair."""

import email.utils
import hashlib
import os
import re
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException, HTTPResponse, IncompleteRead
from typing import cast

from wharfd.model.errors import InvalidParameter, NotFound
from wharfd.wire.masking import masked
from wharfd.workers.protocol import FetchUrl

TIMEOUT_S = 60.0
CHUNK_BYTES = 256 * 1024
RESERVE_BYTES = 64 << 20  # of the disk, that no download may fill
HEADERS = {"User-Agent": "wharfd", "Accept-Encoding": "identity"}
FALLBACK_NAME = "download"
DISPOSITION = re.compile(r'filename="?([^";]+)"?')
SECOND = 10**9


class HttpOnly(urllib.request.HTTPRedirectHandler):
    """A redirect may lead to other http addresses, not to files or elsewhere; credentials stay with their host, and with TLS."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):  # type: ignore[no-untyped-def]
        if urllib.parse.urlsplit(newurl).scheme not in ("http", "https"):
            raise InvalidParameter(f"redirect to {masked(newurl)!r} refused")
        request = super().redirect_request(req, fp, code, msg, headers, newurl)
        if request is not None and urllib.parse.urlsplit(newurl)[:2] != urllib.parse.urlsplit(req.full_url)[:2]:
            request.remove_header("Authorization")
        return request


def fetch_url(job: FetchUrl) -> dict[str, object] | None:
    """Raises InvalidParameter, NotFound."""
    if urllib.parse.urlsplit(job.url).scheme not in ("http", "https"):
        raise InvalidParameter(f"unsupported address {masked(job.url)!r}")
    headers = dict(HEADERS)
    if job.authorization:
        headers["Authorization"] = job.authorization
    if job.etag:
        headers["If-None-Match"] = job.etag
    try:
        request = urllib.request.Request(job.url, headers=headers)  # noqa: S310 - the scheme was looked at
        with opener(job.proxies).open(request, timeout=TIMEOUT_S) as response:
            return save(cast("HTTPResponse", response), job)
    except urllib.error.HTTPError as e:
        if e.code == 304:
            return None
        kind = NotFound if e.code == 404 else InvalidParameter
        raise kind(f"invalid response status {e.code}") from e
    except urllib.error.URLError as e:
        reason = e.reason.strerror or str(e.reason) if isinstance(e.reason, OSError) else str(e.reason)
        raise InvalidParameter(f'Get "{masked(job.url)}": {reason.lower()}') from e
    except (HTTPException, TimeoutError, ValueError) as e:
        raise InvalidParameter(f'Get "{masked(job.url)}": {str(e) or type(e).__name__}') from e


def opener(proxies: dict[str, str]) -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(
        urllib.request.ProxyHandler(proxies),
        urllib.request.HTTPSHandler(context=ssl.create_default_context()),
        HttpOnly(),
    )


def pieces(response: HTTPResponse) -> Iterator[bytes]:
    """The body.  Raises IncompleteRead where it is cut, which `HTTPResponse.read(n)` takes for its end."""
    while chunk := response.read(CHUNK_BYTES):
        yield chunk
    if response.length:
        raise IncompleteRead(b"", response.length)


def save(response: HTTPResponse, job: FetchUrl) -> dict[str, object]:
    space = os.statvfs(os.path.dirname(job.path))
    budget = space.f_bavail * space.f_frsize - RESERVE_BYTES
    plain = hashlib.sha256()
    size = 0
    fd = os.open(job.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        for chunk in pieces(response):
            size += len(chunk)
            if size > budget:
                raise InvalidParameter(f"{masked(job.url)}: too large for the disk")
            plain.update(chunk)
            file.write(chunk)
    return {
        "name": name_of(response),
        "digest": f"sha256:{plain.hexdigest()}",
        "size": size,
        "content_type": response.headers.get("Content-Type", "").partition(";")[0].strip().lower(),
        "etag": response.headers.get("ETag", ""),
        "modified_ns": modified(response.headers.get("Last-Modified", "")),
    }


def name_of(response: HTTPResponse) -> str:
    """As the server says, else the end of the address."""
    said = DISPOSITION.search(response.headers.get("Content-Disposition", ""))
    path = said[1] if said else urllib.parse.unquote(urllib.parse.urlsplit(response.geturl()).path)
    name = path.rstrip("/").rpartition("/")[2]
    return FALLBACK_NAME if name in ("", ".", "..") or "\0" in name else name[:255]


def modified(text: str) -> int:
    try:
        return int(email.utils.parsedate_to_datetime(text).timestamp()) * SECOND if text else 0
    except (ValueError, TypeError, OverflowError):
        return 0
