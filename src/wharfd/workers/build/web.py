"""Passes a file of the web on as it comes."""

import base64
import os
import urllib.error
import urllib.request
from http.client import HTTPException, HTTPResponse, IncompleteRead
from typing import cast
from urllib.parse import quote, unquote, urlsplit

from wharfd.model.errors import InvalidParameter
from wharfd.wire.masking import masked
from wharfd.workers.build.fetch import HEADERS, TIMEOUT_S, opener, pieces
from wharfd.workers.protocol import StreamUrl, WebAnswer, framed

REDIRECTS = (301, 302, 303, 307, 308)
TOLD_BYTES = 4096  # of what a bad answer says
SAFE = "%/:=&?~#+!$,;'@()*[]"  # what an address may have as it is


def stream_url(fd: int, job: StreamUrl) -> None:
    """Docker: the texts are those of Go's client.  Raises OSError, whose text is told."""
    where = masked(job.url)
    try:
        with opener(job.proxies).open(request_of(job.url), timeout=TIMEOUT_S) as response:
            pass_on(fd, cast("HTTPResponse", response))
    except urllib.error.HTTPError as e:
        if e.code in REDIRECTS:
            raise OSError(f'Get "{where}": stopped after 10 redirects') from e
        write(fd, framed(WebAnswer(status=e.code, reason=e.reason, body=e.read(TOLD_BYTES))))
    except BrokenPipeError:
        return  # nobody wants it any more
    except urllib.error.URLError as e:
        reason = e.reason.strerror or str(e.reason) if isinstance(e.reason, OSError) else str(e.reason)
        raise OSError(f'Get "{where}": {reason.lower()}') from e
    except IncompleteRead as e:
        raise OSError("unexpected EOF") from e
    except (HTTPException, OSError, ValueError, InvalidParameter) as e:
        raise OSError(f'Get "{where}": {str(e) or type(e).__name__}') from e


def request_of(url: str) -> urllib.request.Request:
    """A user and password of the address become a header, which a redirect to another host does not take along."""
    parts = urlsplit(url)
    user, _, place = parts.netloc.rpartition("@")
    headers = dict(HEADERS)
    if user:
        name, _, password = user.partition(":")
        headers["Authorization"] = basic(unquote(name), unquote(password))
    bare = parts._replace(netloc=place, path=quote(parts.path, SAFE), query=quote(parts.query, SAFE), fragment="")
    return urllib.request.Request(bare.geturl(), headers=headers)  # noqa: S310 - the scheme was looked at


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def pass_on(fd: int, response: HTTPResponse) -> None:
    length = response.length if response.length is not None else -1
    write(fd, framed(WebAnswer(status=response.status, reason=response.reason, length=length)))
    for piece in pieces(response):
        write(fd, piece)


def write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
