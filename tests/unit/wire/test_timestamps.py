"""Times and durations in Go's spellings."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfd.model.errors import InvalidParameter
from wharfd.wire.timestamps import (
    HOUR,
    MINUTE,
    SECOND,
    format_duration,
    format_fixed_nano,
    format_rfc3339,
    format_rfc3339_nano,
    format_unix,
    human_duration,
    parse_duration,
    parse_rfc3339,
    parse_timestamp,
    parse_unix,
)

NEW_YEAR = 1_704_067_200 * SECOND  # 2024-01-01T00:00:00Z


@pytest.mark.parametrize(
    ("at", "nano", "fixed", "seconds"),
    [
        (NEW_YEAR, "2024-01-01T00:00:00Z", "2024-01-01T00:00:00.000000000Z", "2024-01-01T00:00:00Z"),
        (NEW_YEAR + 120_000_000, "2024-01-01T00:00:00.12Z", "2024-01-01T00:00:00.120000000Z", "2024-01-01T00:00:00Z"),
        (NEW_YEAR + 1, "2024-01-01T00:00:00.000000001Z", "2024-01-01T00:00:00.000000001Z", "2024-01-01T00:00:00Z"),
        (-1, "1969-12-31T23:59:59.999999999Z", "1969-12-31T23:59:59.999999999Z", "1969-12-31T23:59:59Z"),
        (0, "0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000000Z", "0001-01-01T00:00:00Z"),
        (None, "0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000000Z", "0001-01-01T00:00:00Z"),
    ],
)
def test_formats(at: int | None, nano: str, fixed: str, seconds: str) -> None:
    assert (format_rfc3339_nano(at), format_fixed_nano(at), format_rfc3339(at)) == (nano, fixed, seconds)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2024-01-01T00:00:00Z", NEW_YEAR),
        ("2024-01-01T02:30:00.5+02:30", NEW_YEAR + SECOND // 2),
        ("2023-12-31T19:00:00.1234567891-05:00", NEW_YEAR + 123_456_789),
        ("0001-01-01T00:00:00Z", 0),
    ],
)
def test_parse_rfc3339(text: str, at: int) -> None:
    assert parse_rfc3339(text) == at


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2024-01-01",
        "2024-01-01T00:00:00",
        "2024-13-01T00:00:00Z",
        "2024-02-30T00:00:00Z",
        "2023-02-29T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "2024-01-01T24:00:00Z",
        "2024-01-01T00:60:00Z",
        "2024-01-01T00:00:60Z",
        "2024-01-01 00:00:00Z",
        "２０２４-01-01T00:00:00Z",
    ],
)
def test_parse_rfc3339_refuses(text: str) -> None:
    with pytest.raises(InvalidParameter, match="parsing time"):
        parse_rfc3339(text)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("1704067200", NEW_YEAR),
        ("1704067200.000000001", NEW_YEAR + 1),
        ("1704067200.5", NEW_YEAR + SECOND // 2),
        ("0", 0),
        ("2024-01-01T00:00:00Z", NEW_YEAR),
        ("2024-01-01T00:00:00.25Z", NEW_YEAR + SECOND // 4),
        ("2024-01-01T01:00:00+01:00", NEW_YEAR),
        ("2024-01-01T01:00+01:00", NEW_YEAR),
        ("2024-01-01T01+01:00", NEW_YEAR),
        ("2024-01-01T00:00:00", NEW_YEAR),
        ("2024-01-01T00:00", NEW_YEAR),
        ("2024-01-01T00", NEW_YEAR),
        ("2024-01-01", NEW_YEAR),
        ("2024-01-01Z", NEW_YEAR),
        ("2024-01-01+01:00", NEW_YEAR - HOUR),
        ("1h", NEW_YEAR - HOUR),
        ("-1h", NEW_YEAR + HOUR),
        ("1m30s", NEW_YEAR - 90 * SECOND),
    ],
)
def test_parse_timestamp(text: str, at: int) -> None:
    assert parse_timestamp(text, NEW_YEAR) == at


def test_a_time_without_zone_is_local() -> None:
    assert parse_timestamp("2024-01-01T01:00:00", 0, zone_offset_s=3600) == NEW_YEAR
    assert parse_timestamp("2024-01-01T00:00:00Z", 0, zone_offset_s=3600) == NEW_YEAR


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x", 'failed to parse value as time or duration: "x"'),
        ("", 'failed to parse value as time or duration: ""'),
        ("3d", 'failed to parse value as time or duration: "3d"'),
        ("2013-13-01", 'parsing time "2013-13-01": month out of range'),
        ("2013-1-1", 'parsing time "2013-1-1": cannot parse "2013-1-1" as a date'),
        ("9" * 30, f'failed to parse value as time or duration: "{"9" * 30}"'),
    ],
)
def test_parse_timestamp_refuses(text: str, message: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        parse_timestamp(text, 0)
    assert str(caught.value) == message


@pytest.mark.parametrize("text", ["", "x", "1.", ".5", "1.5.5", "1_0", "9" * 19, "1e5", "1.x"])
def test_parse_unix_refuses(text: str) -> None:
    with pytest.raises(InvalidParameter, match="invalid timestamp"):
        parse_unix(text)


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("0", 0),
        ("1s", SECOND),
        ("1.5h", 90 * MINUTE),
        ("1h2m3.004s", HOUR + 2 * MINUTE + 3_004_000_000),
        (".5s", SECOND // 2),
        ("1.s", SECOND),
        ("-10ms", -10_000_000),
        ("+1us", 1000),
        ("1µs", 1000),
        ("1μs", 1000),
        ("9223372036854775807ns", (1 << 63) - 1),
        ("-9223372036854775808ns", -(1 << 63)),
        ("0.3333333333333333333333h", HOUR // 3),
    ],
)
def test_parse_duration(text: str, duration: int) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", 'time: invalid duration ""'),
        ("-", 'time: invalid duration "-"'),
        ("x", 'time: invalid duration "x"'),
        (".s", 'time: invalid duration ".s"'),
        ("3", 'time: missing unit in duration "3"'),
        ("3d", 'time: unknown unit "d" in duration "3d"'),
        ("1h2", 'time: missing unit in duration "1h2"'),
        ("9223372036854775808ns", 'time: invalid duration "9223372036854775808ns"'),
        ("9" * 5000 + "s", f'time: invalid duration "{"9" * 5000}s"'),
    ],
)
def test_parse_duration_refuses(text: str, message: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        parse_duration(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (0, "0s"),
        (1, "1ns"),
        (1100, "1.1µs"),
        (2_200_000, "2.2ms"),
        (3_300_000_000, "3.3s"),
        (4 * MINUTE + 5 * SECOND, "4m5s"),
        (4 * MINUTE + 5_001_000_000, "4m5.001s"),
        (5 * HOUR + 6 * MINUTE + 7_001_000_000, "5h6m7.001s"),
        (HOUR, "1h0m0s"),
        (-SECOND, "-1s"),
        ((1 << 63) - 1, "2562047h47m16.854775807s"),
    ],
)
def test_format_duration(duration: int, text: str) -> None:
    assert format_duration(duration) == text


DAY = 24 * HOUR


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (-5, "Less than a second"),
        (450_000_000, "Less than a second"),
        (SECOND, "1 second"),
        (47 * SECOND, "47 seconds"),
        (MINUTE, "About a minute"),
        (3 * MINUTE, "3 minutes"),
        (59 * MINUTE + 59 * SECOND, "59 minutes"),
        (HOUR, "About an hour"),
        (HOUR + 29 * MINUTE, "About an hour"),
        (HOUR + 30 * MINUTE, "2 hours"),
        (47 * HOUR, "47 hours"),
        (2 * DAY, "2 days"),
        (13 * DAY, "13 days"),
        (14 * DAY, "2 weeks"),
        (59 * DAY, "8 weeks"),
        (60 * DAY, "2 months"),
        (729 * DAY, "24 months"),
        (730 * DAY, "2 years"),
        (3653 * DAY, "10 years"),
    ],
)
def test_human_duration(duration: int, text: str) -> None:
    assert human_duration(duration) == text


@given(st.integers(-(1 << 63), (1 << 63) - 1))
def test_durations_round_trip(duration: int) -> None:
    assert parse_duration(format_duration(duration)) == duration


@given(st.integers(-62_135_596_799 * SECOND, 253_402_300_799 * SECOND).filter(bool))
def test_times_round_trip(at: int) -> None:
    assert parse_rfc3339(format_rfc3339_nano(at)) == at
    assert parse_rfc3339(format_fixed_nano(at)) == at
    assert parse_timestamp(format_rfc3339_nano(at), 0) == at
    if at > 0:
        assert parse_timestamp(format_unix(at), 0) == at


@given(st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1)), st.integers(-14 * 60, 14 * 60))
def test_agrees_with_datetime(moment: datetime, offset: int) -> None:
    sign = "-" if offset < 0 else "+"
    text = f"{moment.isoformat()}{sign}{abs(offset) // 60:02d}:{abs(offset) % 60:02d}"
    expected = (moment.replace(tzinfo=UTC) - timedelta(minutes=offset)) - datetime(1970, 1, 1, tzinfo=UTC)
    assert parse_rfc3339(text) == expected // timedelta(microseconds=1) * 1000


@given(st.text(alphabet="0123456789-:.TZz+hmsnµu", max_size=30))
def test_any_text_parses_or_is_refused(text: str) -> None:
    for parse in (parse_rfc3339, parse_duration, parse_unix, lambda t: parse_timestamp(t, 0)):
        try:
            assert isinstance(parse(text), int)
        except InvalidParameter:
            pass
