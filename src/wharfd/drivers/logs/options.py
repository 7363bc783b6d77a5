"""Log options: which exist, and what their values must be.

Docker looks at the names when a container is created and at the values when it is started; here both are looked at when it is created,
with the same texts.  The options of every driver (`mode`, `max-buffer-size`) are not this driver's: the engine looks at them.
"""

import re
from collections.abc import Callable, Mapping

from wharfd.model.errors import InvalidParameter

NAMES = frozenset({"max-file", "max-size", "compress", "labels", "labels-regex", "env", "env-regex", "tag"})

SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kmgtp]?)i?b?", re.IGNORECASE)
POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})

UnknownText = Callable[[str], str]


def json_file_unknown(name: str) -> str:
    return f"unknown log opt '{name}' for json-file log driver"


def local_unknown(name: str) -> str:
    return f"unknown log opt '{name}' for log driver local"


def check_options(options: Mapping[str, str], unknown: UnknownText) -> None:
    """Raises InvalidParameter for the first name (in order) that does not exist, or a value that cannot be meant."""
    for name in sorted(options):
        if name not in NAMES:
            raise InvalidParameter(unknown(name))
    check_values(options)


def check_values(options: Mapping[str, str]) -> None:
    if "max-size" in options:
        parse_size(options["max-size"])
    files = 1
    if "max-file" in options:
        files = parse_integer(options["max-file"])
        if files < 1:
            raise InvalidParameter("max-file cannot be less than 1")
    if "compress" in options and parse_bool(options["compress"]) and (files == 1 or "max-size" not in options):
        raise InvalidParameter("compress cannot be true when max-file is less than 2 or max-size is not set")


def parse_size(text: str) -> int:
    """Bytes of "10m", "1.5 GB", "100".  Docker: a k is 1000 here."""
    match = SIZE.fullmatch(text)
    if match is None:
        raise InvalidParameter(f"invalid size: '{text}'")
    return int(float(match[1]) * 1000 ** POWERS[match[2].lower()])


def parse_integer(text: str) -> int:
    if re.fullmatch(r"[+-]?[0-9]{1,18}", text) is None:
        raise InvalidParameter(f'strconv.Atoi: parsing "{text}": invalid syntax')
    return int(text)


def parse_bool(text: str) -> bool:
    if text not in TRUE | FALSE:
        raise InvalidParameter(f'strconv.ParseBool: parsing "{text}": invalid syntax')
    return text in TRUE
