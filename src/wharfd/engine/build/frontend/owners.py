"""Owners and modes of files, as `--chown` and `--chmod` say them."""

import re

from wharfd.engine.build.ops import SCRATCH, Named, Owner
from wharfd.wire.dockerfile.errors import DockerfileError

MAX_ID = 2**32 - 1

_CLAUSE = re.compile(r"[ugoa]*(?:[-+=](?:[rwxXst]*|[ugo]))+")
_NUMERIC = re.compile(r"[0-9]+")


def parse_owner(text: str, root: int = SCRATCH) -> Owner | None:
    """`user[:group]`, names or numbers; names are looked up in the root of that number."""
    if not text:
        return None
    user, _, group = text.partition(":")
    return Owner(user=identity(user, root), group=identity(group, root))


def identity(text: str, root: int) -> int | Named | None:
    if not text:
        return None
    if text.isascii() and text.isdigit() and len(text) < 11 and int(text) <= MAX_ID:
        return int(text)
    return Named(name=text, input=root)


def parse_mode(text: str) -> tuple[int | None, str]:
    """An octal number, or chmod's symbols (`u=rwX,go=rX`); the other of the two is None or empty.

    Raises:
        DockerfileError: neither.
    """
    if not text:
        return None, ""
    if text.isascii() and text.isdigit() and not text.strip("01234567") and len(text) < 12 and int(text, 8) <= 0o7777:
        return int(text, 8), ""
    if _NUMERIC.fullmatch(text):
        raise DockerfileError(f"invalid chmod parameter: '{text}'. it should be octal string and between 0 and 07777")
    if not all(_CLAUSE.fullmatch(clause) for clause in text.split(",")):
        raise DockerfileError("invalid syntax")
    return None, text
