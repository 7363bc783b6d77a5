"""Times and durations: numbers or InvalidParameter; what was read can be written and read again."""

from wharfd.model.errors import InvalidParameter
from wharfd.wire.timestamps import (
    format_duration,
    format_rfc3339_nano,
    human_duration,
    parse_duration,
    parse_rfc3339,
    parse_timestamp,
)

SEEDS = [
    b"2024-01-01T00:00:00.123456789+02:30",
    b"2024-02-29",
    b"1704067200.000000001",
    b"1h2m3.004s",
    b"-1.5us",
    b"0001-01-01T00:00:00Z",
]


def fuzz_one(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    try:
        at = parse_timestamp(text, 1_704_067_200_000_000_000)
    except InvalidParameter:
        pass
    else:
        try:
            assert parse_rfc3339(format_rfc3339_nano(at)) == at
        except InvalidParameter:
            assert not -62_135_596_800 * 10**9 <= at < 253_402_300_800 * 10**9
    try:
        duration = parse_duration(text)
    except InvalidParameter:
        return
    human_duration(duration)
    assert parse_duration(format_duration(duration)) == duration
