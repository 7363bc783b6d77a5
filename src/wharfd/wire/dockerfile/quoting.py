"""Texts as Go's `%q` writes them: messages and history entries have them."""

import re

_SPECIAL = re.compile(r'["\\]')
_ESCAPES = {
    "\a": r"\a",
    "\b": r"\b",
    "\f": r"\f",
    "\n": r"\n",
    "\r": r"\r",
    "\t": r"\t",
    "\v": r"\v",
    '"': r"\"",
    "\\": r"\\",
}


def quote(text: str) -> str:
    """`say "hi"` gives `"say \\"hi\\""`; what cannot be printed is written as an escape."""
    if text.isprintable() and not _SPECIAL.search(text):
        return f'"{text}"'
    return '"' + "".join(_escaped(char) for char in text) + '"'


def quote_all(texts: "list[str] | tuple[str, ...]") -> str:
    """A list as `%q` writes it: `["a" "b"]`."""
    return "[" + " ".join(map(quote, texts)) + "]"


def _escaped(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    if char.isprintable():
        return char
    code = ord(char)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
