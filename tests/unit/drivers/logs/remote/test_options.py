"""Options of the drivers that send lines away.  The texts are dockerd 28's."""

from pathlib import Path

import pytest

from wharfd.drivers.logs.kinds import log_drivers
from wharfd.drivers.logs.remote.kind import BUFFER, most_behind
from wharfd.model.errors import InvalidParameter
from wharfd.sys.blocking import Pool

drivers = log_drivers(Pool("never-used", 1))

UDP = {"syslog-address": "udp://127.0.0.1:9999"}
GELF, GELF_TCP = {"gelf-address": "udp://127.0.0.1:12201"}, {"gelf-address": "tcp://127.0.0.1:9"}
LINES = {"labels": "a", "labels-regex": "^a", "env": "A", "env-regex": "^A", "tag": "{{.Name}}"}
CACHE = {"cache-max-size": "1m", "cache-max-file": "2", "cache-compress": "false", "cache-disabled": "false"}


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("syslog", {}),
        ("syslog", {"syslog-address": "udp://"}),
        ("syslog", {"syslog-address": "udp://127.0.0.1:99999"}),  # found out when it is used
        ("syslog", {"syslog-address": "unix:///dev/null"}),
        ("syslog", {**UDP, "syslog-facility": "5", "syslog-format": "rfc5424micro"}),
        ("syslog", {"syslog-address": "tcp+tls://127.0.0.1:9", "syslog-tls-ca-cert": "/nosuch"}),
        ("gelf", GELF),
        ("gelf", {**GELF, "gelf-compression-type": "zlib", "gelf-compression-level": "-1"}),
        ("gelf", {**GELF_TCP, "gelf-tcp-max-reconnect": "0", "gelf-tcp-reconnect-delay": "5"}),
        ("fluentd", {}),
        ("fluentd", {"fluentd-address": "foo"}),
        ("fluentd", {"fluentd-address": "tls://127.0.0.1:9", "fluentd-async": "true"}),
        ("fluentd", {"fluentd-address": "unix:///nosuch", "fluentd-async-reconnect-interval": "100ms"}),
        ("fluentd", {"fluentd-retry-wait": "1s", "fluentd-max-retries": "5", "fluentd-buffer-limit": "8m"}),
        ("fluentd", {"fluentd-write-timeout": "5s", "fluentd-request-ack": "1"}),
        ("journald", {}),
    ],
)
def test_good_options(kind: str, options: dict[str, str]) -> None:
    drivers[kind].validate({**options, **LINES, **CACHE})


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("syslog", {"syslog-foo": "1"}, "unknown log opt 'syslog-foo' for syslog log driver"),
        ("syslog", {"syslog-tag": "1"}, "unknown log opt 'syslog-tag' for syslog log driver"),
        ("syslog", {"max-size": "1m"}, "unknown log opt 'max-size' for syslog log driver"),
        ("syslog", {"syslog-address": "foo"}, "unsupported scheme: ''"),
        ("syslog", {"syslog-address": "http://1.2.3.4"}, "unsupported scheme: 'http'"),
        ("syslog", {"syslog-address": "unix:///nosuch"}, "stat /nosuch: no such file or directory"),
        ("syslog", {"syslog-address": "unixgram:///nosuch"}, "stat /nosuch: no such file or directory"),
        ("syslog", {"syslog-address": "udp://[::1"}, "parse \"udp://[::1\": missing ']' in host"),
        ("syslog", {**UDP, "syslog-facility": "foo"}, "invalid syslog facility"),
        ("syslog", {**UDP, "syslog-facility": "24"}, "invalid syslog facility"),
        ("syslog", {**UDP, "syslog-format": "foo"}, "Invalid syslog format"),
        ("syslog", {"cache-disabled": "foo"}, "invalid value for option cache-disabled: foo"),
        ("gelf", {}, "gelf-address is a required parameter"),
        ("gelf", {"gelf-foo": "1"}, "gelf-address is a required parameter"),
        ("gelf", {**GELF, "gelf-foo": "1"}, 'unknown log opt "gelf-foo" for gelf log driver'),
        ("gelf", {"gelf-address": "foo"}, "gelf: endpoint needs to be TCP or UDP"),
        ("gelf", {"gelf-address": "http://a:1"}, "gelf: endpoint needs to be TCP or UDP"),
        ("gelf", {"gelf-address": "udp://127.0.0.1"}, "gelf: please provide gelf-address as proto://host:port"),
        (
            "gelf",
            {**GELF, "gelf-compression-type": "x"},
            'unknown value "x" for log opt "gelf-compression-type" for gelf log driver',
        ),
        (
            "gelf",
            {**GELF, "gelf-compression-level": "10"},
            'unknown value "10" for log opt "gelf-compression-level" for gelf log driver',
        ),
        ("gelf", {**GELF_TCP, "gelf-compression-level": "5"}, "compression is only supported on UDP"),
        ("gelf", {**GELF, "gelf-tcp-max-reconnect": "5"}, '"gelf-tcp-max-reconnect" is only valid for TCP'),
        ("gelf", {**GELF_TCP, "gelf-tcp-max-reconnect": "-1"}, '"gelf-tcp-max-reconnect" must be a positive integer'),
        (
            "gelf",
            {**GELF_TCP, "gelf-tcp-reconnect-delay": "x"},
            '"gelf-tcp-reconnect-delay" must be a positive integer',
        ),
        ("gelf", {**GELF, "cache-disabled": "foo"}, "invalid value for option cache-disabled: foo"),
        ("fluentd", {"fluentd-foo": "1"}, "unknown log opt 'fluentd-foo' for fluentd log driver"),
        (
            "fluentd",
            {"fluentd-async-connect": "true"},
            "unknown log opt 'fluentd-async-connect' for fluentd log driver",
        ),
        (
            "fluentd",
            {"fluentd-address": "foo:bar"},
            'invalid fluentd-address (foo:bar): parse "tcp://foo:bar": invalid port ":bar" after host',
        ),
        (
            "fluentd",
            {"fluentd-address": "http://a:1"},
            "invalid fluentd-address (http://a:1): unsupported scheme: 'http'",
        ),
        (
            "fluentd",
            {"fluentd-address": "tcp://127.0.0.1:9/path"},
            "invalid fluentd-address (tcp://127.0.0.1:9/path): should not contain a path element",
        ),
        ("fluentd", {"fluentd-address": "unix://"}, "invalid fluentd-address (unix://): path is empty"),
        (
            "fluentd",
            {"fluentd-address": "127.0.0.1:99999"},
            'invalid fluentd-address (127.0.0.1:99999): invalid port: strconv.ParseUint: parsing "99999": value out of range',
        ),
        ("fluentd", {"fluentd-async": "x"}, 'strconv.ParseBool: parsing "x": invalid syntax'),
        ("fluentd", {"fluentd-buffer-limit": "x"}, "invalid size: 'x'"),
        ("fluentd", {"fluentd-retry-wait": "x"}, 'time: invalid duration "x"'),
        ("fluentd", {"fluentd-max-retries": "x"}, 'strconv.ParseUint: parsing "x": invalid syntax'),
        (
            "fluentd",
            {"fluentd-async-reconnect-interval": "x"},
            'invalid value for fluentd-async-reconnect-interval: time: invalid duration "x"',
        ),
        (
            "fluentd",
            {"fluentd-async-reconnect-interval": "1ms"},
            'invalid value for fluentd-async-reconnect-interval: value ("1ms") must be between 100ms and 10s',
        ),
        (
            "fluentd",
            {"fluentd-write-timeout": "x"},
            'invalid value for fluentd-write-timeout: value must be a duration: time: invalid duration "x"',
        ),
        ("journald", {"foo": "1"}, "unknown log opt 'foo' for journald log driver"),
        ("journald", {"cache-max-file": "1"}, "compression cannot be enabled when max file count is 1"),
    ],
)
def test_bad_options(kind: str, options: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidParameter) as refusal:
        drivers[kind].validate(options)
    assert str(refusal.value) == message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"syslog-tls-ca-cert": "/nosuch"},
            'could not read CA certificate "/nosuch": open /nosuch: no such file or directory',
        ),
        ({"syslog-tls-cert": "/nosuch"}, "Could not load X509 key pair: open /nosuch: no such file or directory"),
    ],
)
def test_certificates_that_cannot_be_read_keep_the_container_from_starting(
    tmp_path: Path, options: dict[str, str], message: str
) -> None:
    with pytest.raises(InvalidParameter) as refusal:
        drivers["syslog"].begin(str(tmp_path / "log"), {"syslog-address": "tcp+tls://127.0.0.1:9", **options})
    assert str(refusal.value) == message


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({}, None),
        ({"mode": "blocking"}, None),
        ({"mode": "non-blocking"}, BUFFER),
        ({"mode": "non-blocking", "max-buffer-size": "4m"}, 4 << 20),
    ],
)
def test_how_much_may_wait(options: dict[str, str], wanted: int | None) -> None:
    assert most_behind(options) == wanted
