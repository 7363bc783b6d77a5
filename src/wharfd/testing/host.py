"""A machine of two processors and 4 GiB that never changes."""

from collections.abc import Sequence

import msgspec

from wharfd.ports.host import HostDevice, HostFacts
from wharfd.testing.fake import Fake
from wharfd.wire.cdi import CdiSpec


def some_facts(**over: object) -> HostFacts:
    base = HostFacts(
        hostname="testhost",
        kernel_version="6.1.0",
        operating_system="Debian GNU/Linux 12 (bookworm)",
        os_version="12",
        os_type="linux",
        architecture="x86_64",
        go_arch="amd64",
        variant="",
        ncpu=2,
        memory_bytes=4 << 30,
        cgroup_version=2,
        cgroup_driver="cgroupfs",
        cgroup_controllers=["cpuset", "cpu", "io", "memory", "pids"],
        memory_limit=True,
        swap_limit=True,
        kernel_memory_tcp=False,
        cpu_cfs_period=True,
        cpu_cfs_quota=True,
        cpu_shares=True,
        cpuset=True,
        pids_limit=True,
        blkio_weight=True,
        oom_kill_disable=False,
        memory_swappiness=False,
        memory_reservation=True,
        cpu_realtime=False,
        ipv4_forwarding=True,
        apparmor=False,
        selinux=False,
        seccomp=True,
        seccomp_profile="builtin",
        capabilities=["CAP_CHOWN", "CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_SETUID", "CAP_SETGID", "CAP_SYS_RESOURCE"],
        can_raise_rlimits=True,
        cpuset_cpus="0-1",
        cpuset_mems="0",
        free_memory_bytes=2 << 30,
    )
    return msgspec.structs.replace(base, **over)


class FakeHost(Fake):
    """Port `host`.  `files` is what `read_text` finds."""

    def __init__(self, **facts: object) -> None:
        super().__init__()
        self.known = some_facts(**facts)
        self.files: dict[str, str] = {
            "/etc/resolv.conf": "nameserver 192.0.2.53\nsearch example.org\n",
            "/etc/hosts": "127.0.0.1\tlocalhost\n",
        }
        self.device_nodes = [
            HostDevice(path="/dev/fuse", type="c", major=10, minor=229, mode=0o666),
            HostDevice(path="/dev/sda", type="b", major=8, minor=0, mode=0o660, gid=6),
        ]
        self.cdi: list[CdiSpec] = []
        self.seccomp: bytes | None = b'{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[]}'

    def facts(self) -> HostFacts:
        self.enter("facts")
        return self.known

    def open_files(self) -> int:
        self.enter("open_files")
        return 20

    def seccomp_profile_document(self) -> bytes | None:
        self.enter("seccomp_profile_document")
        return self.seccomp

    def read_text(self, path: str) -> str | None:
        self.enter("read_text")
        return self.files.get(path)

    def cdi_specs(self) -> Sequence[CdiSpec]:
        self.enter("cdi_specs")
        return self.cdi

    def devices(self, path: str) -> Sequence[HostDevice]:
        self.enter("devices")
        return [node for node in self.device_nodes if node.path == path or node.path.startswith(path.rstrip("/") + "/")]
