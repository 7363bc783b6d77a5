"""Signals, capabilities, ulimits, restart policies, device rules, sizes, users."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfd.model.config import RestartPolicy, Ulimit
from wharfd.model.errors import InvalidParameter
from wharfd.wire.limits import (
    ALL_CAPABILITIES,
    DEFAULT_CAPABILITIES,
    SIGNALS,
    ULIMITS,
    effective_capabilities,
    format_ulimit,
    normalise_capabilities,
    parse_device_permissions,
    parse_device_rule,
    parse_signal,
    parse_size,
    parse_ulimit,
    split_user,
    validate_restart_policy,
    validate_ulimit,
)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("9", 9),
        ("+15", 15),
        ("KILL", 9),
        ("sigterm", 15),
        ("SIGHUP", 1),
        ("RTMIN", 34),
        ("SIGRTMIN+3", 37),
        ("rtmax-14", 50),
        ("RTMAX", 64),
        ("64", 64),
        ("SIGCLD", SIGNALS["CHLD"]),
    ],
)
def test_signals(text: str, number: int) -> None:
    assert parse_signal(text) == number


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "invalid signal: "),
        ("0", "invalid signal: 0"),
        ("FOO", "invalid signal: FOO"),
        ("SIGSIGKILL", "invalid signal: SIGSIGKILL"),
        ("RTMIN+16", "invalid signal: RTMIN+16"),
        ("9 ", "invalid signal: 9 "),
        ("32", "the linux daemon does not support signal 32"),
        ("99", "the linux daemon does not support signal 99"),
        ("-1", "the linux daemon does not support signal -1"),
    ],
)
def test_signals_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        parse_signal(text)
    assert str(caught.value) == message


def test_capability_lists_are_complete() -> None:
    assert len(ALL_CAPABILITIES) == len(set(ALL_CAPABILITIES)) == 41
    assert ALL_CAPABILITIES[21] == "CAP_SYS_ADMIN"  # the kernel's numbers
    assert ALL_CAPABILITIES[40] == "CAP_CHECKPOINT_RESTORE"
    assert len(DEFAULT_CAPABILITIES) == 14
    assert set(DEFAULT_CAPABILITIES) < set(ALL_CAPABILITIES)


def test_capabilities_are_normalised() -> None:
    assert normalise_capabilities(["net_admin", "CAP_CHOWN", "all"]) == ["CAP_NET_ADMIN", "CAP_CHOWN", "ALL"]
    assert normalise_capabilities(None) == []


def test_effective_capabilities() -> None:
    assert effective_capabilities(None, None, False) == list(DEFAULT_CAPABILITIES)
    assert effective_capabilities(None, None, True) == list(ALL_CAPABILITIES)
    assert effective_capabilities(["ALL"], ["sys_admin"], False) == [
        c for c in ALL_CAPABILITIES if c != "CAP_SYS_ADMIN"
    ]
    assert effective_capabilities(["net_admin"], ["ALL"], False) == ["CAP_NET_ADMIN"]
    assert effective_capabilities(["chown", "net_admin"], ["kill"], False) == [
        *(c for c in DEFAULT_CAPABILITIES if c != "CAP_KILL"),
        "CAP_NET_ADMIN",
    ]


def test_what_the_kernel_lacks_is_not_given() -> None:
    some = ["CAP_CHOWN", "CAP_KILL"]
    assert effective_capabilities(None, None, True, some) == some
    assert effective_capabilities(None, None, False, some) == some
    with pytest.raises(InvalidParameter) as caught:
        effective_capabilities(["net_admin"], None, False, some)
    assert str(caught.value) == (
        'capability not supported by your kernel or not available in the current environment: "CAP_NET_ADMIN"'
    )


def test_unknown_capability() -> None:
    with pytest.raises(InvalidParameter) as caught:
        normalise_capabilities(["fly"])
    assert str(caught.value) == 'unknown capability: "CAP_FLY"'


@pytest.mark.parametrize(
    ("text", "soft", "hard"),
    [("nofile=512", 512, 512), ("nofile=512:1024", 512, 1024), ("core=-1", -1, -1), ("cpu=5:infinity", 5, -1)],
)
def test_ulimits(text: str, soft: int, hard: int) -> None:
    ulimit = parse_ulimit(text)
    assert (ulimit.soft, ulimit.hard) == (soft, hard)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nofile", "invalid ulimit argument: nofile"),
        ("no=1", "invalid ulimit type: no"),
        ("nofile=1:2:3", "too many limit value arguments - 1:2:3, can only have up to two, `soft[:hard]`"),
        ("nofile=2:1", "ulimit soft limit must be less than or equal to hard limit: 2 > 1"),
        ("nofile=-1:1", "ulimit soft limit must be less than or equal to hard limit: soft: -1 (unlimited), hard: 1"),
        ("nofile=x", 'strconv.ParseInt: parsing "x": invalid syntax'),
    ],
)
def test_ulimits_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        parse_ulimit(text)
    assert str(caught.value) == message


def test_ulimit_names_are_the_kernel_s() -> None:
    assert ULIMITS["nofile"] == "RLIMIT_NOFILE"
    with pytest.raises(InvalidParameter, match="invalid ulimit type: as"):
        validate_ulimit(Ulimit(name="as"))


@given(st.sampled_from(sorted(ULIMITS)), st.integers(0, 1 << 40), st.integers(0, 1 << 40))
def test_ulimits_round_trip(name: str, one: int, other: int) -> None:
    ulimit = Ulimit(name=name, soft=min(one, other), hard=max(one, other))
    assert parse_ulimit(format_ulimit(ulimit)) == ulimit


@pytest.mark.parametrize(
    ("name", "count"),
    [("", 0), ("", -3), ("no", 0), ("always", 0), ("unless-stopped", 0), ("on-failure", 0), ("on-failure", 5)],
)
def test_restart_policies(name: str, count: int) -> None:
    validate_restart_policy(RestartPolicy(name=name, maximum_retry_count=count))


@pytest.mark.parametrize(
    ("name", "count", "message"),
    [
        ("always", 1, "invalid restart policy: maximum retry count can only be used with 'on-failure'"),
        (
            "no",
            -1,
            "invalid restart policy: maximum retry count can only be used with 'on-failure' and cannot be negative",
        ),
        ("on-failure", -1, "invalid restart policy: maximum retry count cannot be negative"),
        (
            "sometimes",
            0,
            "invalid restart policy: unknown policy 'sometimes'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'",
        ),
    ],
)
def test_restart_policies_refused(name: str, count: int, message: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        validate_restart_policy(RestartPolicy(name=name, maximum_retry_count=count))
    assert str(caught.value) == message


def test_devices() -> None:
    assert parse_device_permissions("") == "rwm"
    assert parse_device_permissions("mr") == "mr"
    assert parse_device_rule("c 13:* rwm") == ("c", 13, None, "rwm")
    assert parse_device_rule("a *:* r") == ("a", None, None, "r")
    for text in ("rr", "x", "rwmx"):
        with pytest.raises(InvalidParameter, match="invalid device mode"):
            parse_device_permissions(text)
    for text in ("", "c 13:*", "d 1:1 r", "c 1:1 rwmm", "c 1:1 r\n"):
        with pytest.raises(InvalidParameter, match="invalid device cgroup rule format"):
            parse_device_rule(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("32", 32),
        ("32b", 32),
        ("32k", 32 << 10),
        ("32Kb", 32 << 10),
        ("32KiB", 32 << 10),
        ("1.5 g", 3 << 29),
        ("512M", 512 << 20),
        ("2t", 2 << 40),
        ("1P", 1 << 50),
        ("0", 0),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "x", "-1", "5x", "1,5g", "1.2.3k", "32  m", "9999p" * 9, "99999999999p", "٣m"])
def test_sizes_refused(text: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        parse_size(text)
    assert str(caught.value) == f"invalid size: '{text}'"


@pytest.mark.parametrize(
    ("spec", "user", "group"),
    [("", "", None), ("a", "a", None), ("a:", "a", None), ("a:b", "a", "b"), (":b", "", "b"), ("a:b:c", "a", "b:c")],
)
def test_split_user(spec: str, user: str, group: str | None) -> None:
    assert split_user(spec) == (user, group)


@given(st.text(max_size=12))
def test_any_text_parses_or_is_refused(text: str) -> None:
    for parse in (parse_signal, parse_ulimit, parse_size, parse_device_rule, parse_device_permissions):
        try:
            parse(text)
        except InvalidParameter:
            pass
