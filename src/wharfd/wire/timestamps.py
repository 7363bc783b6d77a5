"""Times and durations in Go's spellings.  A time is an `int`: nanoseconds since 1970-01-01 UTC; a duration is nanoseconds too.

0 and None stand for Go's zero time, `0001-01-01T00:00:00Z`, which the API shows for what never happened.
Pure: "now" is always an argument.
"""

import re
import time
from calendar import timegm

from wharfd.model.errors import InvalidParameter

ZERO_TIME = "0001-01-01T00:00:00Z"

NANOSECOND = 1
MICROSECOND = 1_000
MILLISECOND = 1_000_000
SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE

_MAX_INT64 = (1 << 63) - 1
_ZERO_TIME_S = -62_135_596_800  # 0001-01-01T00:00:00Z

_UNITS = {
    "ns": NANOSECOND,
    "us": MICROSECOND,
    "µs": MICROSECOND,  # U+00B5 micro sign
    "μs": MICROSECOND,  # U+03BC Greek letter mu
    "ms": MILLISECOND,
    "s": SECOND,
    "m": MINUTE,
    "h": HOUR,
}
_DURATION_PART = re.compile(r"([0-9]*)(\.[0-9]*)?([^0-9.]*)")
_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:T([0-9]{2})(?::([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]+))?)?)?)?"
    r"(Z|z|[+-][0-9]{2}:[0-9]{2})?"
)
_UNIX = re.compile(r"([+-]?[0-9]{1,19})(?:\.([0-9]{1,18}))?")
_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def format_rfc3339_nano(at_ns: int | None) -> str:
    """As Go's RFC3339Nano in UTC: trailing zeros of the fraction are left out, and the point with them."""
    if not at_ns:
        return ZERO_TIME
    seconds, nanos = divmod(at_ns, SECOND)
    if not nanos:
        return f"{_date_time(seconds)}Z"
    return f"{_date_time(seconds)}.{f'{nanos:09d}'.rstrip('0')}Z"


def format_fixed_nano(at_ns: int | None) -> str:
    """The form before log lines: always nine digits of fraction, so that all times are 30 characters long."""
    if not at_ns:
        return "0001-01-01T00:00:00.000000000Z"
    seconds, nanos = divmod(at_ns, SECOND)
    return f"{_date_time(seconds)}.{nanos:09d}Z"


def format_rfc3339(at_ns: int | None) -> str:
    """To the second, as volumes show their creation."""
    return f"{_date_time(at_ns // SECOND)}Z" if at_ns else ZERO_TIME


def parse_rfc3339(text: str) -> int:
    """Parse a time with its zone, as the API prints it; the zero time gives 0.

    Raises:
        InvalidParameter: not such a time.
    """
    match = _TIME.fullmatch(text)
    if match is None or match[6] is None or match[8] is None:
        raise InvalidParameter(f'parsing time "{text}" as "2006-01-02T15:04:05.999999999Z07:00": cannot parse "{text}"')
    return _from_match(match, text, 0)


def parse_timestamp(text: str, now_ns: int, zone_offset_s: int = 0) -> int:
    """Parse a `since` or `until` value: a Go duration before now, RFC 3339 (also without its smaller parts), a date, or
    Unix seconds with an optional fraction.  A time without a zone is in the zone `zone_offset_s` seconds east of UTC.

    Raises:
        InvalidParameter: none of these.
    """
    if text != "0" and (ago := _duration_or_none(text)) is not None:
        return now_ns - ago
    match = _TIME.fullmatch(text)
    if match is not None and (match[4] is not None or match[8] is None or _is_dated_zone(match)):
        return _from_match(match, text, zone_offset_s)
    if "-" in text[1:]:
        raise InvalidParameter(f'parsing time "{text}": cannot parse "{text}" as a date')
    try:
        return parse_unix(text)
    except InvalidParameter:
        raise InvalidParameter(f'failed to parse value as time or duration: "{text}"') from None


def parse_unix(text: str) -> int:
    """Parse Unix seconds with an optional fraction (`1136073600.000000001`).

    Raises:
        InvalidParameter: not such a number.
    """
    match = _UNIX.fullmatch(text)
    if match is None or abs(int(match[1])) > _MAX_INT64:
        raise InvalidParameter(f'invalid timestamp "{text}"')
    fraction = (match[2] or "").ljust(9, "0")[:9]
    return int(match[1]) * SECOND + int(fraction)


def format_unix(at_ns: int) -> str:
    """Seconds and nine digits, as the command line sends them."""
    seconds, nanos = divmod(at_ns, SECOND)
    return f"{seconds}.{nanos:09d}"


def parse_duration(text: str) -> int:
    """Parse a Go duration (`1h30m`, `1.5s`, `-10ms`, `0`) to nanoseconds.

    Raises:
        InvalidParameter: with Go's words.
    """
    quoted = f'"{text}"'
    rest = text[1:] if text[:1] in {"+", "-"} else text
    if rest == "0":
        return 0
    if not rest:
        raise InvalidParameter(f"time: invalid duration {quoted}")
    total = 0
    while rest:
        match = _DURATION_PART.match(rest)
        assert match is not None  # every part of the pattern may be empty
        whole, fraction, unit = match[1], match[2] or "", match[3]
        if not whole and len(fraction) < 2:
            raise InvalidParameter(f"time: invalid duration {quoted}")
        if not unit:
            raise InvalidParameter(f"time: missing unit in duration {quoted}")
        scale = _UNITS.get(unit)
        if scale is None:
            raise InvalidParameter(f'time: unknown unit "{unit}" in duration {quoted}')
        total += _bounded(whole, quoted) * scale
        if len(fraction) > 1:
            digits = fraction[1:20] if int(fraction[1:19]) <= _MAX_INT64 // 10 else fraction[1:19]
            # Docker: Go multiplies in floating point here, so that 0.333…h is twenty minutes.
            total += int(float(int(digits)) * (float(scale) / 10.0 ** len(digits)))
        rest = rest[match.end() :]
    if total > _MAX_INT64 + (text[0] == "-"):
        raise InvalidParameter(f"time: invalid duration {quoted}")
    return -total if text[0] == "-" else total


def format_duration(duration_ns: int) -> str:
    """As Go prints a duration: `1h2m3.5s`, `1.5ms`, `0s`."""
    if duration_ns == 0:
        return "0s"
    sign, rest = ("-", -duration_ns) if duration_ns < 0 else ("", duration_ns)
    if rest < SECOND:
        unit, scale = ("ns", 1) if rest < MICROSECOND else ("µs", MICROSECOND)
        if rest >= MILLISECOND:
            unit, scale = "ms", MILLISECOND
        return f"{sign}{_decimal(rest, scale)}{unit}"
    minutes, below = divmod(rest, MINUTE)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{sign}{hours}h{minutes}m{_decimal(below, SECOND)}s"
    return f"{sign}{minutes}m{_decimal(below, SECOND)}s" if minutes else f"{sign}{_decimal(below, SECOND)}s"


def human_duration(duration_ns: int) -> str:
    """Roughly how long, as `docker ps` shows it: `Less than a second`, `About an hour`, `3 weeks`."""
    seconds = max(duration_ns, 0) // SECOND
    if seconds < 1:
        return "Less than a second"
    if seconds == 1:
        return "1 second"
    if seconds < 60:
        return f"{seconds} seconds"
    minutes = seconds // 60
    if minutes == 1:
        return "About a minute"
    if minutes < 60:
        return f"{minutes} minutes"
    hours = (2 * duration_ns + HOUR) // (2 * HOUR)
    if hours == 1:
        return "About an hour"
    if hours < 48:
        return f"{hours} hours"
    if hours < 24 * 7 * 2:
        return f"{hours // 24} days"
    if hours < 24 * 30 * 2:
        return f"{hours // 24 // 7} weeks"
    if hours < 24 * 365 * 2:
        return f"{hours // 24 // 30} months"
    return f"{duration_ns // HOUR // 24 // 365} years"


def _date_time(seconds: int) -> str:
    try:
        t = time.gmtime(seconds)
    except (OverflowError, OSError, ValueError) as e:
        raise InvalidParameter(f"time out of range: {seconds}") from e
    return f"{t[0]:04d}-{t[1]:02d}-{t[2]:02d}T{t[3]:02d}:{t[4]:02d}:{t[5]:02d}"


def _is_dated_zone(match: re.Match[str]) -> bool:
    return match[4] is None and match[8] is not None


def _from_match(match: re.Match[str], text: str, zone_offset_s: int) -> int:
    year, month, day = int(match[1]), int(match[2]), int(match[3])
    hour, minute, second = int(match[4] or 0), int(match[5] or 0), int(match[6] or 0)
    if not 1 <= month <= 12:
        raise InvalidParameter(f'parsing time "{text}": month out of range')
    leap = month == 2 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if not 1 <= day <= _DAYS[month - 1] + leap:
        raise InvalidParameter(f'parsing time "{text}": day out of range')
    for value, limit, what in ((hour, 23, "hour"), (minute, 59, "minute"), (second, 59, "second")):
        if value > limit:
            raise InvalidParameter(f'parsing time "{text}": {what} out of range')
    zone = match[8]
    if zone is None:
        offset = zone_offset_s
    elif zone in {"Z", "z"}:
        offset = 0
    else:
        offset = (int(zone[1:3]) * 3600 + int(zone[4:6]) * 60) * (-1 if zone[0] == "-" else 1)
    if year == 0:
        raise InvalidParameter(f'parsing time "{text}": year out of range')
    seconds = timegm((year, month, day, hour, minute, second)) - offset
    nanos = int((match[7] or "").ljust(9, "0")[:9])
    if seconds == _ZERO_TIME_S and nanos == 0:
        return 0
    return seconds * SECOND + nanos


def _duration_or_none(text: str) -> int | None:
    try:
        return parse_duration(text)
    except InvalidParameter:
        return None


def _bounded(digits: str, quoted: str) -> int:
    if len(digits) > 20:  # also keeps int() away from megabytes of digits
        digits = digits.lstrip("0")
        if len(digits) > 20:
            raise InvalidParameter(f"time: invalid duration {quoted}")
    return int(digits or "0")


def _decimal(value: int, scale: int) -> str:
    whole, part = divmod(value, scale)
    if not part:
        return str(whole)
    return f"{whole}.{str(part).rjust(len(str(scale)) - 1, '0').rstrip('0')}"
