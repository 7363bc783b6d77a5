"""Log options and Docker's words about them."""

import pytest

from wharfd.drivers.logs.options import check_options, json_file_unknown, local_unknown, parse_size
from wharfd.model.errors import InvalidParameter


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"max-size": "10m", "max-file": "3", "compress": "true"},
        {"max-size": "1.5 GB"},
        {"max-size": "1000"},
        {"compress": "false"},
        {"labels": "a,b", "labels-regex": "^a", "env": "A", "env-regex": "^A", "tag": "{{.Name}}"},
    ],
)
def test_good_options(options: dict[str, str]) -> None:
    check_options(options, json_file_unknown)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": "10m"}, "unknown log opt 'size' for json-file log driver"),
        ({"zeta": "", "alpha": ""}, "unknown log opt 'alpha' for json-file log driver"),
        ({"max-size": "much"}, "invalid size: 'much'"),
        ({"max-size": "-1"}, "invalid size: '-1'"),
        ({"max-file": "few"}, 'strconv.Atoi: parsing "few": invalid syntax'),
        ({"max-file": "0"}, "max-file cannot be less than 1"),
        ({"compress": "maybe"}, 'strconv.ParseBool: parsing "maybe": invalid syntax'),
        ({"compress": "true"}, "compress cannot be true when max-file is less than 2 or max-size is not set"),
        (
            {"compress": "1", "max-size": "1m"},
            "compress cannot be true when max-file is less than 2 or max-size is not set",
        ),
    ],
)
def test_bad_options(options: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidParameter) as refusal:
        check_options(options, json_file_unknown)
    assert str(refusal.value) == message


def test_the_other_driver_has_other_words() -> None:
    with pytest.raises(InvalidParameter, match=r"^unknown log opt 'size' for log driver local$"):
        check_options({"size": "1"}, local_unknown)


@pytest.mark.parametrize(
    ("text", "size"), [("10", 10), ("10k", 10_000), ("10K", 10_000), ("1.5mb", 1_500_000), ("2 GiB", 2_000_000_000)]
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size
