"""JSON texts of any bytes: what is accepted is JSON, what is refused gets one of Go's sentences."""

import json

from wharfd.wire.gojson import GoJsonError, scan

SEEDS = [
    b'{"Image": "a", "Cmd": ["x", null, true], "HostConfig": {"Memory": -1.5e+3, "Binds": []}} trailing',
    b'["\\ud83d\\ude00\\n", 0, {"": {}}]',
    b"[" * 50 + b"]" * 50,
]
SENTENCES = ("EOF", "unexpected EOF", "exceeded max depth")


def fuzz_one(data: bytes) -> None:
    try:
        end = scan(data)
    except GoJsonError as error:
        text = str(error)
        assert text in SENTENCES or text.startswith("invalid character '"), text
    else:
        json.loads(data[:end].decode("utf-8", "replace"))
