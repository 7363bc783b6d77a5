"""The address that an import names."""

import re
from urllib.parse import urlsplit

from wharfd.model.errors import Internal, InvalidParameter

SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")


def parse_source(text: str) -> str:
    """An address of http or https; http where it names no scheme.

    Docker: what cannot be parsed is the client's fault, what cannot be asked for is the engine's.  Raises InvalidParameter, Internal.
    """
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = "http", text
    if not SCHEME.fullmatch(scheme):
        raise InvalidParameter(f'parse "{text}": first path segment in URL cannot contain colon')
    url = f"{scheme.lower()}://{rest}"
    if any(ord(each) < 0x20 or ord(each) == 0x7F for each in url):
        raise InvalidParameter("parse: net/url: invalid control character in URL")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as e:
        raise InvalidParameter(f'parse "{url}": {e}') from e
    if parts.scheme not in ("http", "https"):
        raise Internal(f'Get "{url}": unsupported protocol scheme "{parts.scheme}"')
    if not parts.hostname:
        raise Internal(f'Get "{url}": http: no Host in request URL')
    return url
