r"""Expressions: what is valid here and in `re` gives the same verdict; the input is pattern, newline, text."""

import re
import warnings

from wharfd.wire.pattern import Pattern

SEEDS = [
    b"^/?web(-[0-9]+)?$\n/web-1",
    b"(?:a|b)*c{2,3}\naabcc",
    b"[^a-c]\\d\\bx\n_1x",
    b"(?i)ab|C?\ncC",
    b"a{0}b*?\\.$\n.",
]
_RISKY = re.compile(r"[*+}?]")


def fuzz_one(data: bytes) -> None:
    source, _, text = data.decode("utf-8", "replace").partition("\n")
    pattern = Pattern.cached(source[:60])
    found = pattern.search(text[:40])
    # `re` knows more, reads some signs differently (sets, classes beyond ASCII) and may take for ever: compare the simple ones.
    if (
        not pattern.is_valid
        or len(_RISKY.findall(source)) > 2
        or not data.isascii()
        or any(s in source for s in ("[", "(?", "\\", "{"))
    ):
        return
    if "$" in source:
        source = source.replace("$", r"\Z")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            expected = re.search(source[:60], text[:40])
        except re.error:
            return
    assert found == (expected is not None), (source, text)
