"""Addresses of receivers, as URLs, with the words of Go's `net/url` for what is none."""

import re
from dataclasses import dataclass

from wharfd.model.errors import InvalidParameter

_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*)://")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """`port` empty: none was given.  `path` from its slash on."""

    scheme: str = ""
    host: str = ""
    port: str = ""
    path: str = ""


def parse_url(text: str) -> Address:
    """Raises InvalidParameter."""
    match = _SCHEME.match(text)
    if match is None:
        return Address(path=text)
    authority, slash, path = text[match.end() :].partition("/")
    host, port = split_host(authority, text)
    return Address(scheme=match[1].lower(), host=host, port=port, path=slash + path)


def split_host(authority: str, whole: str) -> tuple[str, str]:
    if authority.startswith("["):
        host, bracket, rest = authority[1:].partition("]")
        if not bracket:
            raise InvalidParameter(f"parse \"{whole}\": missing ']' in host")
    else:
        host, colon, rest = authority.partition(":")
        rest = colon + rest
    if rest and (not rest.startswith(":") or not re.fullmatch(r"[0-9]*", rest[1:])):
        raise InvalidParameter(f'parse "{whole}": invalid port "{rest}" after host')
    return host, rest[1:]
