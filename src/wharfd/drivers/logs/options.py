"""Log options: which exist, what their values must be, and what they say about rotation.

Docker looks at the names when a container is created and at most values when it is started; here all are looked at when it is created,
with the same texts.  The options of every driver (`mode`, `max-buffer-size`) are the engine's to look at.

A log without a word about its size is rotated (Docker: `local` is, `json-file` grows for ever).  `max-size=-1` (Docker: the documented
default, which dockerd refuses to be given) is a log that is not.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from wharfd.model.errors import InvalidParameter

OF_LINES = ("labels", "labels-regex", "env", "env-regex", "tag")
OF_FILES = ("max-file", "max-size", "compress")
CACHE = "cache-"
CACHE_DISABLED = "cache-disabled"
OF_CACHE = frozenset({CACHE_DISABLED, *(CACHE + name for name in (*OF_FILES, *OF_LINES))})

UNLIMITED = "-1"
JSON_FILE_SIZE, JSON_FILE_FILES = 50_000_000, 5
LOCAL_SIZE, LOCAL_FILES = 20 << 20, 5

SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kmgtp]?)i?b?", re.IGNORECASE)
POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """`max_size_bytes` 0: no limit.  `max_files` counts the one that is being written."""

    max_size_bytes: int
    max_files: int
    compress: bool


# --- names


def check_names(options: Mapping[str, str], own: tuple[str, ...], words: Callable[[str], str]) -> None:
    """Raises InvalidParameter for the first name (in order) that is none of `own`, nor of the local copy's options."""
    for name in sorted(options):
        if name not in own and name not in OF_CACHE:
            raise InvalidParameter(words(name))
    disabled = options.get(CACHE_DISABLED, "")
    if disabled and disabled not in TRUE | FALSE:
        raise InvalidParameter(f"invalid value for option {CACHE_DISABLED}: {disabled}")


def unknown_for(kind: str) -> Callable[[str], str]:
    return lambda name: f"unknown log opt '{name}' for {kind} log driver"


# --- rotation


def json_file_limits(options: Mapping[str, str]) -> Limits:
    """Raises InvalidParameter."""
    if not any(name in options for name in OF_FILES):
        return Limits(max_size_bytes=JSON_FILE_SIZE, max_files=JSON_FILE_FILES, compress=True)
    size, files = JSON_FILE_SIZE, 1
    is_unlimited = options.get("max-size") == UNLIMITED
    if "max-size" in options:
        size = 0 if is_unlimited else parse_size(options["max-size"], 1000)
        if not size and not is_unlimited:
            raise InvalidParameter("max-size must be a positive number")
    if "max-file" in options:
        files = parse_integer(options["max-file"])
        if files < 1:
            raise InvalidParameter("max-file cannot be less than 1")
    compress = parse_bool(options["compress"]) if "compress" in options else False
    if compress and (files == 1 or "max-size" not in options or is_unlimited):
        raise InvalidParameter("compress cannot be true when max-file is less than 2 or max-size is not set")
    return Limits(max_size_bytes=size, max_files=files, compress=compress)


def local_limits(options: Mapping[str, str], prefix: str = "") -> Limits:
    """`prefix`: of the options' names.  Raises InvalidParameter."""
    size, files, compress = LOCAL_SIZE, LOCAL_FILES, True
    if (text := options.get(f"{prefix}max-size")) is not None:
        try:
            size = 0 if text == UNLIMITED else parse_size(text, 1024)
        except InvalidParameter as e:
            raise e.prefixed(f"invalid value for max-size: {text}: ") from e
    if (text := options.get(f"{prefix}max-file")) is not None:
        try:
            files = parse_integer(text)
        except InvalidParameter as e:
            raise e.prefixed(f"invalid value for max-file: {text}: ") from e
        if files < 0:
            raise InvalidParameter("max file count cannot be less than 0")
    if (text := options.get(f"{prefix}compress")) is not None:
        try:
            compress = parse_bool(text)
        except InvalidParameter as e:
            raise e.prefixed("error reading compress log option: ") from e
    if compress and files <= 1:
        raise InvalidParameter("compression cannot be enabled when max file count is 1")
    return Limits(max_size_bytes=size, max_files=max(files, 1), compress=compress)


def cache_limits(options: Mapping[str, str]) -> Limits:
    """Of the local copy behind a driver that sends lines away.  Raises InvalidParameter."""
    return local_limits(options, CACHE)


# --- values, as Go reads them


def parse_size(text: str, thousand: int) -> int:
    """Bytes of "10m", "1.5 GB", "100".  Docker: a k is 1000 for some options, 1024 for others."""
    match = SIZE.fullmatch(text)
    if match is None:
        raise InvalidParameter(f"invalid size: '{text}'")
    return int(float(match[1]) * thousand ** POWERS[match[2].lower()])


def parse_integer(text: str) -> int:
    if re.fullmatch(r"[+-]?[0-9]{1,18}", text) is None:
        raise InvalidParameter(f'strconv.Atoi: parsing "{text}": invalid syntax')
    return int(text)


def parse_unsigned(text: str) -> int:
    if re.fullmatch(r"[0-9]{1,19}", text) is None:
        raise InvalidParameter(f'strconv.ParseUint: parsing "{text}": invalid syntax')
    return int(text)


def parse_bool(text: str) -> bool:
    if text not in TRUE | FALSE:
        raise InvalidParameter(f'strconv.ParseBool: parsing "{text}": invalid syntax')
    return text in TRUE
