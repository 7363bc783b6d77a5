"""Options of endpoints that every driver understands."""

import pytest

from wharfd.model.errors import InvalidParameter
from wharfd.wire.endpointopts import SYSCTLS, faults_of_sysctls, free_name, settings_of


@pytest.mark.parametrize(
    ("text", "faulty"),
    [
        ("", []),
        ("net.ipv4.conf.IFNAME.log_martians=1", []),
        ("net.ipv6.conf.ifname.accept_ra=2,net.mpls.conf.IFNAME.input=1", []),
        ("net.ipv4.conf.eth0.log_martians=1", ["net.ipv4.conf.eth0.log_martians=1"]),
        ("net.core.somaxconn=5,net.ipv4.conf.IFNAME.forwarding=1", ["net.core.somaxconn=5"]),
    ],
)
def test_names_of_settings(text: str, faulty: list[str]) -> None:
    faults = faults_of_sysctls({SYSCTLS: text})
    assert [fault.split("'")[1] for fault in faults] == faulty


def test_files_of_settings() -> None:
    options = {SYSCTLS: "net.ipv4.conf.IFNAME.log_martians=1,net.ipv6.conf.IFNAME.accept_ra=2"}
    assert settings_of(options, "dmz.0") == [
        ("/proc/sys/net/ipv4/conf/dmz.0/log_martians", "1"),
        ("/proc/sys/net/ipv6/conf/dmz.0/accept_ra", "2"),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("net.ipv4.conf.IFNAME.log_martians", "to have format name=value"),
        ("net.ipv4.conf.IFNAME./../../x=1", "is not a sysctl file"),
    ],
)
def test_what_is_none(text: str, words: str) -> None:
    with pytest.raises(InvalidParameter, match=words):
        settings_of({SYSCTLS: text}, "eth0")


def test_the_lowest_name_that_is_free() -> None:
    assert free_name("eth", []) == "eth0"
    assert free_name("eth", ["eth0", "dmz0", "eth2"]) == "eth1"
