"""What the containers' AppArmor profile forbids, its globs read as apparmor.d(5) has them."""

import re

import pytest

from wharfd.wire.apparmor import container_profile

DENIAL = re.compile(r"^  deny (/\S+) (\w+),$", re.MULTILINE)
GLOB = re.compile(r"\*\*|\*|\{[^}]*\}|\[\^?[^]]*\]|.")


def pattern(glob: str) -> str:
    def translated(token: str) -> str:
        match token[0]:
            case "*":
                return ".*" if token == "**" else "[^/]*"
            case "{":
                return f"(?:{token[1:-1].replace(',', '|')})"
            case "[":
                return token
            case _:
                return re.escape(token)

    return "".join(map(translated, GLOB.findall(glob)))


def is_denied(path: str, access: str) -> bool:
    rules = DENIAL.findall(container_profile("p"))
    return any(access in letters and re.fullmatch(pattern(glob), path) for glob, letters in rules)


@pytest.mark.parametrize(
    "path",
    [
        "/proc/sysrq-trigger",
        "/proc/sys/kernel/core_pattern",
        "/proc/sys/kernel/modprobe",
        "/proc/sys/kernel/modules_disabled",
        "/proc/sys/kernel/hotplug",
        "/proc/sys/kernel/dmesg_restrict",
        "/proc/sys/kernel/sysrq",
        "/proc/sys/kernel/yama/ptrace_scope",
        "/proc/sys/kernel/seccomp/actions_logged",
        "/proc/sys/vm/panic_on_oom",
        "/proc/sys/fs/binfmt_misc/register",
        "/proc/bus/pci/00/00.0",
        "/sys/kernel/mm/ksm/run",
        "/sys/fs/ext4/sda/trigger_fs_error",
        "/sys/firmware/efi/vars/x",
    ],
)
def test_what_leads_out_of_a_container_cannot_be_written(path: str) -> None:
    assert is_denied(path, "w")


@pytest.mark.parametrize(
    "path",
    [
        "/proc/1/oom_score_adj",
        "/proc/self/attr/current",
        "/proc/sys/kernel/shmmax",
        "/proc/sys/kernel/shm_rmid_forced",
        "/proc/sys/kernel/msgmnb",
        "/proc/sys/kernel/sem",
        "/proc/sys/kernel/hostname",
        "/proc/sys/kernel/domainname",
        "/proc/sys/net/ipv4/ip_forward",
        "/sys/fs/cgroup/cgroup.procs",
        "/etc/passwd",
    ],
)
def test_what_belongs_to_a_containers_namespaces_can_be_written(path: str) -> None:
    assert not is_denied(path, "w")


def test_secrets_of_the_kernel_cannot_be_read() -> None:
    assert is_denied("/proc/kcore", "r")
    assert is_denied("/sys/firmware/acpi/tables/DSDT", "r")
    assert not is_denied("/proc/meminfo", "r")
    assert not is_denied("/sys/class/net/eth0/address", "r")
