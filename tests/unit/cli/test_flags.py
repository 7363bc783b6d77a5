"""The help says what holds where a flag is not given."""

import pytest

from wharfd.cli.flags import parser


def test_help_tells_the_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["serve", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    for words in (
        "daemon.json (default: /etc/wharfd/daemon.json)",
        "(default: /var/lib/wharfd)",
        "(default: /run/wharfd.pid)",
        "(default: 1.24)",
        "(default: 15)",
    ):
        assert words in said
    assert "default: None" not in said


def test_a_flag_that_is_not_given_is_none() -> None:
    assert parser().parse_args(["serve"]).data_root is None
