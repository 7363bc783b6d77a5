"""Which log driver a container gets, and what is said of options that no driver can look at."""

import pytest

from wharfd.engine.containers.logging_choice import with_log
from wharfd.model.config import LogConfig
from wharfd.model.errors import InvalidParameter
from wharfd.model.settings import Settings
from wharfd.testing.builders import a_host_config
from wharfd.testing.logs import FakeLogs

KNOWN = ("max-size", "labels-regex", "env-regex", "tag")
DRIVERS = {"json-file": FakeLogs("json-file", KNOWN), "none": FakeLogs("none", ()), "syslog": FakeLogs("syslog", KNOWN)}


def chosen(kind: str, options: dict[str, str], **settings: object) -> LogConfig:
    asked = a_host_config(log_config=LogConfig(type=kind, config=options))
    return with_log(asked, Settings(**settings), DRIVERS).log_config  # type: ignore[arg-type]


def test_the_engine_s_own_is_the_default() -> None:
    assert chosen("", {"tag": "x"}, log_driver="syslog", log_opts={"max-size": "1m"}) == LogConfig(
        type="syslog", config={"max-size": "1m", "tag": "x"}
    )


def test_another_one_does_not_inherit_its_options() -> None:
    assert chosen("json-file", {}, log_driver="syslog", log_opts={"max-size": "1m"}).config == {}


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("nosuch", {}, 'error looking up logging plugin nosuch: plugin "nosuch" not found'),
        ("json-file", {"mode": "x"}, "logger: logging mode not supported: x"),
        (
            "json-file",
            {"max-buffer-size": "1m"},
            "logger: max-buffer-size option is only supported with 'mode=non-blocking'",
        ),
        (
            "json-file",
            {"mode": "non-blocking", "max-buffer-size": "x"},
            "error parsing option max-buffer-size: invalid size: 'x'",
        ),
        ("json-file", {"labels-regex": "["}, "error parsing regexp: `[`"),
        ("json-file", {"env-regex": "(a"}, "error parsing regexp: `(a`"),
        ("json-file", {"tag": "{{"}, "template: log-tag:1: unclosed action"),
        ("syslog", {"foo": "1"}, "unknown log opt 'foo' for syslog log driver"),
    ],
)
def test_what_is_refused(kind: str, options: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidParameter) as refusal:
        chosen(kind, options)
    assert str(refusal.value) == message


def test_none_takes_anything() -> None:
    options = {"foo": "1", "tag": "{{", "mode": "x"}
    assert chosen("none", options).config == options
