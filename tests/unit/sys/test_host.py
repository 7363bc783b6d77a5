"""Facts about the host: the grammars, and that they agree with other sources."""

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfd.sys import host
from wharfd.sys.host import format_number_list, parse_os_release


def test_os_release_quotes_and_comments() -> None:
    text = "\n".join(
        [
            'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"',
            "VERSION_ID='12'",
            "ID=debian",
            "# A=comment",
            "EMPTY=",
            'ESCAPED="a \\"b\\" \\$c"',
            "no assignment",
            '  SPACED = "kept as it is"',
            'OPEN="',
        ]
    )
    fields = parse_os_release(text)
    assert fields["PRETTY_NAME"] == "Debian GNU/Linux 12 (bookworm)"
    assert (fields["VERSION_ID"], fields["ID"], fields["EMPTY"]) == ("12", "debian", "")
    assert fields["ESCAPED"] == 'a "b" $c'
    assert fields["OPEN"] == ""
    assert "# A" not in fields


@pytest.mark.parametrize(("numbers", "text"), [([], ""), ([3], "3"), ([0, 1, 2, 5], "0-2,5"), ([7, 1, 0, 7], "0-1,7")])
def test_number_lists(numbers: list[int], text: str) -> None:
    assert format_number_list(numbers) == text


@given(st.sets(st.integers(0, 300)))
def test_number_lists_name_what_they_were_made_of(numbers: set[int]) -> None:
    named: set[int] = set()
    for part in filter(None, format_number_list(numbers).split(",")):
        first, _, last = part.partition("-")
        named |= set(range(int(first), int(last or first) + 1))
    assert named == numbers


def test_facts_agree_with_the_machine() -> None:
    assert host.hostname() == socket.gethostname()
    assert host.kernel_version() == os.uname().release
    assert host.memory_total_bytes() == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert 0 < host.memory_available_bytes() <= host.memory_total_bytes()
    assert len(host.usable_cpus()) == len(os.sched_getaffinity(0))
    assert host.cpuset_cpus() == format_number_list(os.sched_getaffinity(0))
    assert host.cpuset_mems().startswith("0")
    assert host.architecture().kernel == os.uname().machine
    assert host.os_release().id in Path("/etc/os-release").read_text()


def test_open_files_are_counted() -> None:
    before = host.open_file_count()
    fds = [os.open("/dev/null", os.O_RDONLY) for _ in range(3)]
    try:
        assert host.open_file_count() == before + 3
    finally:
        for fd in fds:
            os.close(fd)


def test_architectures_by_both_names(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"x86_64": ("amd64", ""), "aarch64": ("arm64", "v8"), "armv7l": ("arm", "v7"), "unheard": ("unheard", "")}
    for machine, expected in names.items():
        monkeypatch.setattr(os, "uname", lambda machine=machine: os.uname_result(("Linux", "h", "1", "v", machine)))
        found = host.architecture()
        assert (found.kernel, found.go, found.variant) == (machine, *expected)


def test_hard_limits_are_this_process_own() -> None:
    line = next(
        line for line in Path("/proc/self/limits").read_text().splitlines() if line.startswith("Max open files")
    )
    assert host.hard_limits()["nofile"] == int(line.split()[4])
    assert all(value >= -1 for value in host.hard_limits().values())
