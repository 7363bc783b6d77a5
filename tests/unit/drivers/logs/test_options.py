"""Log options and Docker's words about them."""

import pytest

from wharfd.drivers.logs.kinds import log_drivers
from wharfd.drivers.logs.options import (
    Limits,
    cache_limits,
    json_file_limits,
    local_limits,
    parse_size,
)
from wharfd.model.errors import InvalidParameter
from wharfd.sys.blocking import Pool

drivers = log_drivers(Pool("never-used", 1))


@pytest.mark.parametrize("kind", ["json-file", "local"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"max-size": "10m", "max-file": "3", "compress": "true"},
        {"max-size": "1.5 GB"},
        {"max-size": "1000"},
        {"max-size": "-1"},
        {"compress": "false"},
        {"labels": "a,b", "labels-regex": "^a", "env": "A", "env-regex": "^A", "tag": "{{.Name}}"},
        {"cache-disabled": "true", "cache-max-size": "1m", "cache-max-file": "3", "cache-compress": "false"},
    ],
)
def test_good_options(kind: str, options: dict[str, str]) -> None:
    drivers[kind].validate(options)


COMPRESS = "compress cannot be true when max-file is less than 2 or max-size is not set"
# As dockerd 28 words them.
BAD = [
    ("json-file", {"size": "10m"}, "unknown log opt 'size' for json-file log driver"),
    ("json-file", {"cache-foo": "x"}, "unknown log opt 'cache-foo' for json-file log driver"),
    ("json-file", {"zeta": "", "alpha": ""}, "unknown log opt 'alpha' for json-file log driver"),
    ("json-file", {"max-size": "much"}, "invalid size: 'much'"),
    ("json-file", {"max-size": "-2"}, "invalid size: '-2'"),
    ("json-file", {"max-size": "0"}, "max-size must be a positive number"),
    ("json-file", {"max-file": "few"}, 'strconv.Atoi: parsing "few": invalid syntax'),
    ("json-file", {"max-file": "0"}, "max-file cannot be less than 1"),
    ("json-file", {"compress": "maybe"}, 'strconv.ParseBool: parsing "maybe": invalid syntax'),
    ("json-file", {"compress": "true"}, COMPRESS),
    ("json-file", {"compress": "1", "max-size": "1m"}, COMPRESS),
    ("json-file", {"compress": "1", "max-size": "-1", "max-file": "3"}, COMPRESS),
    ("json-file", {"cache-disabled": "foo"}, "invalid value for option cache-disabled: foo"),
    ("local", {"size": "1"}, "unknown log opt 'size' for log driver local"),
    ("local", {"max-file": "1"}, "compression cannot be enabled when max file count is 1"),
    ("local", {"max-file": "-1"}, "max file count cannot be less than 0"),
    ("local", {"max-size": "x"}, "invalid value for max-size: x: invalid size: 'x'"),
    (
        "local",
        {"compress": "maybe"},
        'error reading compress log option: strconv.ParseBool: parsing "maybe": invalid syntax',
    ),
]


@pytest.mark.parametrize(("kind", "options", "message"), BAD)
def test_bad_options(kind: str, options: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidParameter) as refusal:
        drivers[kind].validate(options)
    assert str(refusal.value) == message


def limits(size: int, files: int, compress: bool) -> Limits:
    return Limits(max_size_bytes=size, max_files=files, compress=compress)


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({}, limits(50_000_000, 5, True)),
        ({"tag": "x"}, limits(50_000_000, 5, True)),
        ({"max-size": "10m"}, limits(10_000_000, 1, False)),
        ({"max-size": "10k", "max-file": "3"}, limits(10_000, 3, False)),
        ({"max-size": "10k", "max-file": "3", "compress": "true"}, limits(10_000, 3, True)),
        ({"max-file": "3"}, limits(50_000_000, 3, False)),
        ({"max-size": "-1"}, limits(0, 1, False)),
    ],
)
def test_json_file_s_limits(options: dict[str, str], wanted: Limits) -> None:
    assert json_file_limits(options) == wanted


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({}, limits(20 << 20, 5, True)),
        ({"max-size": "10k"}, limits(10 << 10, 5, True)),
        ({"max-size": "0"}, limits(0, 5, True)),
        ({"max-size": "-1"}, limits(0, 5, True)),
        ({"max-file": "1", "compress": "false"}, limits(20 << 20, 1, False)),
        ({"max-file": "0", "compress": "false"}, limits(20 << 20, 1, False)),
    ],
)
def test_local_s_limits(options: dict[str, str], wanted: Limits) -> None:
    assert local_limits(options) == wanted
    assert cache_limits({f"cache-{name}": value for name, value in options.items()}) == wanted


@pytest.mark.parametrize(
    ("text", "thousand", "size"),
    [
        ("10", 1000, 10),
        ("10k", 1000, 10_000),
        ("10K", 1024, 10_240),
        ("1.5mb", 1000, 1_500_000),
        ("2 GiB", 1000, 2_000_000_000),
    ],
)
def test_sizes(text: str, thousand: int, size: int) -> None:
    assert parse_size(text, thousand) == size
