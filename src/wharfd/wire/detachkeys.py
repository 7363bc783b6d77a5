"""The keys that detach a client from a terminal without ending what runs there.

    "ctrl-p,ctrl-q"     the default: two keys, one after the other
    "ctrl-x,d"  "a"     a control key is ctrl- and one of a-z @ [ \\ ] ^ _ ; DEL and any single ASCII character stand for themselves

`KeyWatch` finds them in what is typed.  The first keys of a sequence are held back until it is clear that the rest does not follow.
"""

from wharfd.model.errors import InvalidParameter

DEFAULT_KEYS = b"\x10\x11"  # ctrl-p, ctrl-q
_CONTROL = {f"ctrl-{chr(code + 0x60)}": code for code in range(1, 27)}
_CONTROL |= {f"ctrl-{chr(code + 0x40)}": code for code in (0, 27, 28, 29, 30, 31)}
_CONTROL["DEL"] = 127


def parse_detach_keys(text: str) -> bytes:
    """The bytes that the keys send; empty for an empty text, which means the default.

    Raises:
        InvalidParameter: a key that is not known; `Invalid detach keys (…) provided`.
    """
    if not text:
        return b""
    codes = bytearray()
    for key in text.split(","):
        if len(key) == 1 and key.isascii():
            codes.append(ord(key))
        elif key in _CONTROL:
            codes.append(_CONTROL[key])
        else:
            raise InvalidParameter(f"Invalid detach keys ({text}) provided")
    return bytes(codes)


class KeyWatch:
    """Looks for `keys` in a stream of bytes; without keys it lets everything pass."""

    __slots__ = ("_held", "_keys")

    def __init__(self, keys: bytes) -> None:
        self._keys = keys
        self._held = b""  # the beginning of a sequence

    def feed(self, data: bytes) -> tuple[bytes, bool]:
        """What may be passed on, and whether the sequence is complete (what was typed behind it is dropped).

        Docker: a sequence that begins anew within a broken one (ctrl-p ctrl-p ctrl-q) is not seen there; here it is.
        """
        keys = self._keys
        if not keys or not (data and (self._held or keys[0] in data)):
            return data, False
        data = self._held + data
        at = data.find(keys)
        if at >= 0:
            self._held = b""
            return data[:at], True
        length = next(n for n in range(min(len(keys) - 1, len(data)), -1, -1) if data.endswith(keys[:n]))
        self._held = keys[:length]
        return data[: len(data) - length], False

    def rest(self) -> bytes:
        """What was held back, at the end of input."""
        held, self._held = self._held, b""
        return held
