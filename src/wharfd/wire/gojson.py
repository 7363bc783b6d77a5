"""Says what Go's `encoding/json` says about a JSON text that it refuses: clients and tests know these sentences.

Used after a fast decoder has failed, so it may take its time, though it stays linear.  Only the first value counts; what follows it is
reported by its position.  The grammar is Go's decoder's: strict JSON, any Unicode in strings (bad UTF-8 and lone surrogates pass, to
be replaced by U+FFFD), no control characters.
"""

import re

MAX_DEPTH = 10_000  # Go: exceeded max depth

_BLANK = re.compile(rb"[ \t\r\n]*")
# Unrolled, so that it is linear.  (Possessive groups would do, but CPython 3.11.2 matches some of them wrongly.)
_STRING = re.compile(rb'"[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*)*"')
_NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_ESCAPES = {7: "\\a", 8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r", 39: "\\'", 92: "\\\\"}


class GoJsonError(Exception):
    """`str(error)` is Go's text."""


def scan(data: bytes) -> int:
    """Index behind the first value in `data`.

    Raises:
        GoJsonError: "unexpected EOF", "invalid character 'x' …", "exceeded max depth".  An empty text is "EOF".
    """
    at = skip_blanks(data, 0)
    if at == len(data):
        raise GoJsonError("EOF")
    stack: list[bytes] = []  # the closing brackets that are due
    while True:
        at, opened = begin_value(data, at)
        if opened:
            if len(stack) >= MAX_DEPTH:
                raise GoJsonError("exceeded max depth")
            stack.append(opened)
            at = skip_blanks(data, at)
            if data[at : at + 1] != opened:
                if opened == b"}":
                    at = object_key(data, at)
                continue
            at += 1
            stack.pop()
        while stack:
            at = skip_blanks(data, at)
            closing = stack[-1]
            here = byte_at(data, at)
            if here == closing:
                at += 1
                stack.pop()
                continue
            context = "after object key:value pair" if closing == b"}" else "after array element"
            if here != b",":
                raise unexpected(here, context)
            at = skip_blanks(data, at + 1)
            if closing == b"}":
                at = object_key(data, at)
            break
        else:
            return at


def begin_value(data: bytes, at: int) -> tuple[int, bytes]:
    """Behind the value at `at` (a scalar, or only the opening bracket), and the bracket that closes it."""
    at = skip_blanks(data, at)
    here = byte_at(data, at)
    if here == b"{":
        return at + 1, b"}"
    if here == b"[":
        return at + 1, b"]"
    if here == b'"':
        return string(data, at), b""
    if here in b"-0123456789":
        return number(data, at), b""
    for word in (b"true", b"false", b"null"):
        if here == word[:1]:
            return literal(data, at, word), b""
    raise unexpected(here, "looking for beginning of value")


def object_key(data: bytes, at: int) -> int:
    """Behind the colon."""
    here = byte_at(data, at)
    if here != b'"':
        raise unexpected(here, "looking for beginning of object key string")
    at = skip_blanks(data, string(data, at))
    here = byte_at(data, at)
    if here != b":":
        raise unexpected(here, "after object key")
    return at + 1


def string(data: bytes, at: int) -> int:
    found = _STRING.match(data, at)
    if found is not None:
        return found.end()
    at += 1
    while True:
        here = byte_at(data, at)
        if here == b"\\":
            at += 1
            escaped = byte_at(data, at)
            if escaped == b"u":
                for _ in range(4):
                    at += 1
                    digit = byte_at(data, at)
                    if digit not in b"0123456789abcdefABCDEF":
                        raise unexpected(digit, "in \\u hexadecimal character escape")
            elif escaped not in b'"\\/bfnrt':
                raise unexpected(escaped, "in string escape code")
        elif here < b" ":
            raise unexpected(here, "in string literal")
        at += 1


def number(data: bytes, at: int) -> int:
    found = _NUMBER.match(data, at)
    if found is None:  # a minus sign alone
        raise unexpected(byte_at(data, at + 1), "in numeric literal")
    end = found.end()
    following = data[end : end + 1]
    text = found.group()
    if following == b"." and not set(text) & set(b".eE"):
        raise unexpected(byte_at(data, end + 1), "after decimal point in numeric literal")
    if following in (b"e", b"E") and not set(text) & set(b"eE"):
        sign = data[end + 1 : end + 2]
        raise unexpected(byte_at(data, end + (2 if sign in (b"+", b"-") else 1)), "in exponent of numeric literal")
    return end


def literal(data: bytes, at: int, word: bytes) -> int:
    for index in range(1, len(word)):
        here = byte_at(data, at + index)
        if here != word[index : index + 1]:
            raise unexpected(here, f"in literal {word.decode()} (expecting '{chr(word[index])}')")
    return at + len(word)


def skip_blanks(data: bytes, at: int) -> int:
    found = _BLANK.match(data, at)
    assert found is not None
    return found.end()


def byte_at(data: bytes, at: int) -> bytes:
    if at >= len(data):
        raise GoJsonError("unexpected EOF")
    return data[at : at + 1]


def unexpected(here: bytes, context: str) -> GoJsonError:
    return GoJsonError(f"invalid character {quote(here[0])} {context}")


def quote(code: int) -> str:
    """A byte as Go's error texts show it: taken for the character of that number."""
    if code in _ESCAPES:
        return f"'{_ESCAPES[code]}'"
    if code < 0x20 or code == 0x7F:
        return f"'\\x{code:02x}'"
    if 0x80 <= code < 0xA0 or code == 0xAD:
        return f"'\\u{code:04x}'"
    return f"'{chr(code)}'" if code != 0xA0 else "'\\u00a0'"
