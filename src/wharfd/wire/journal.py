"""The systemd journal's own protocol: a datagram with one field a line, and those with newlines by length.

    NAME=value\\n        NAME\\n + the length in eight bytes, little-endian + value\\n

Source: "Native Journal Protocol" of systemd's documentation.
"""

import struct
from collections.abc import Iterable

_LENGTH = struct.Struct("<Q")


def encode(fields: Iterable[tuple[str, bytes]]) -> bytes:
    parts: list[bytes] = []
    for name, value in fields:
        if b"\n" in value:
            parts += [name.encode(), b"\n", _LENGTH.pack(len(value)), value, b"\n"]
        else:
            parts += [name.encode(), b"=", value, b"\n"]
    return b"".join(parts)


def field_name(name: str) -> str:
    """Upper-case letters, digits and underscores, and no underscore at the beginning; empty if nothing is left."""
    made = "".join(c.upper() if c.isascii() and c.isalnum() else "_" for c in name)
    return made.lstrip("_")
