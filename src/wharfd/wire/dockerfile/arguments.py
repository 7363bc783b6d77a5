"""The forms that arguments come in: JSON lists, words, `name=value` pairs, the rest of a line as it is."""

import re

import msgspec

from wharfd.wire.dockerfile.errors import Malformed
from wharfd.wire.dockerfile.quoting import quote
from wharfd.wire.dockerfile.words import SPACES

_BLANKS = re.compile(r"[\t\v\f\r ]+")
# A word with its quotes; an escape character at the very end belongs to none.
_WORDS = {
    escape: re.compile(
        rf"""(?:[^{SPACES}'"{re.escape(escape)}]+|{re.escape(escape)}[\s\S]|'[^']*'?|"""
        rf""""[^"{re.escape(escape)}]*(?:{re.escape(escape)}[\s\S][^"{re.escape(escape)}]*)*"?)+"""
    )
    for escape in "\\`"
}


def json_list(text: str) -> tuple[str, ...] | None:
    """The strings of a JSON list; None for anything that is not one, which is a shell's line then.

    Raises:
        Malformed: a JSON list of something else.
    """
    if not text.startswith("["):
        return None
    try:
        found = msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    if not all(isinstance(each, str) for each in found):
        raise Malformed("when using JSON array syntax, arrays must be comprised of strings only")
    return tuple(found)


def plain_words(text: str) -> tuple[str, ...]:
    """Split at blanks and nothing else."""
    return tuple(_BLANKS.split(text)) if text else ()


def quoted_words(text: str, escape: str) -> list[str]:
    """Split at blanks that are neither quoted nor escaped; quotes and escapes stay."""
    return _WORDS[escape].findall(text)


def name_values(instruction: str, text: str, escape: str) -> list[tuple[str, str, bool]]:
    """`a=b c=d`, or the old `a the rest`, which gives a single pair and True.

    Raises:
        Malformed: neither.
    """
    words = quoted_words(text, escape)
    if not words:
        return []
    if "=" not in words[0]:
        parts = _BLANKS.split(text, maxsplit=1)
        if len(parts) < 2:
            raise Malformed(f"{instruction} must have two arguments")
        return [(parts[0], parts[1], True)]
    found = []
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise Malformed(f"Syntax error - can't find = in {quote(word)}. Must be of the form: name=value")
        found.append((name, value, False))
    return found
