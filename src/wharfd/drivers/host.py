"""This machine, behind `ports.host.Host`: read from /proc, /sys and /etc."""

import logging
import os
import stat
from collections.abc import Sequence

import msgspec

from wharfd.drivers.cdi import CdiDirectories
from wharfd.model.errors import Unavailable
from wharfd.ports.host import HostDevice, HostFacts
from wharfd.sys import apparmor, host, security
from wharfd.sys.cgroup_layout import cgroup_facts, detect_layout
from wharfd.wire.apparmor import container_profile
from wharfd.wire.cdi import CdiSpec

# The distribution's default seccomp profile (Debian: golang-github-containers-common).
PROFILES = ("/usr/share/containers/seccomp.json", "/etc/containers/seccomp.json")
TEXT_LIMIT = 4 << 20
APPARMOR_PROFILE = "wharfd-default"
# Docker: directories below /dev whose nodes a privileged container does not get.
SKIPPED = frozenset({"pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts", ".udev"})


log = logging.getLogger(__name__)


class LocalHost:
    """`cgroup_driver` empty: systemd where it is the init and cgroup v2 is there, else cgroupfs.  `apparmor_profile`: what
    `ensure_apparmor_profile` gave.
    """

    def __init__(
        self,
        *,
        cgroup_driver: str = "",
        seccomp_profile: str = "",
        apparmor_profile: str = "",
        cdi_directories: Sequence[str] = (),
    ) -> None:
        self.cgroup_driver = cgroup_driver
        self.custom_profile = seccomp_profile
        self.apparmor_profile = apparmor_profile
        self.cdi = CdiDirectories(cdi_directories)
        self.fixed = self.read_fixed()

    def facts(self) -> HostFacts:
        return msgspec.structs.replace(
            self.fixed,
            hostname=host.hostname(),
            ipv4_forwarding=host.ipv4_forwarding(),
            free_memory_bytes=host.memory_available_bytes(),
        )

    def read_fixed(self) -> HostFacts:
        """What does not change while the machine runs."""
        arch, release = host.architecture(), host.os_release()
        cgroup = cgroup_facts(detect_layout())
        guard = security.security_facts()
        driver = self.cgroup_driver or ("systemd" if cgroup.version == 2 and host.is_systemd_running() else "cgroupfs")
        return HostFacts(
            hostname=host.hostname(),
            kernel_version=host.kernel_version(),
            operating_system=release.pretty_name,
            os_version=release.version_id,
            os_type="linux",
            architecture=arch.kernel,
            go_arch=arch.go,
            variant=arch.variant,
            ncpu=len(host.usable_cpus()),
            memory_bytes=host.memory_total_bytes(),
            cgroup_version=cgroup.version,
            cgroup_driver=driver,
            cgroup_controllers=sorted(cgroup.controllers),
            memory_limit=cgroup.memory_limit,
            swap_limit=cgroup.swap_limit,
            kernel_memory_tcp=cgroup.kernel_memory_tcp,
            cpu_cfs_period=cgroup.cpu_cfs_period,
            cpu_cfs_quota=cgroup.cpu_cfs_quota,
            cpu_shares=cgroup.cpu_shares,
            cpuset=cgroup.cpuset,
            pids_limit=cgroup.pids_limit,
            blkio_weight=cgroup.blkio_weight,
            oom_kill_disable=cgroup.oom_kill_disable,
            memory_swappiness=cgroup.swappiness,
            memory_reservation=cgroup.memory_reservation,
            cpu_realtime=cgroup.cpu_realtime,
            ipv4_forwarding=host.ipv4_forwarding(),
            apparmor=guard.apparmor,
            apparmor_profile=self.apparmor_profile,
            selinux=guard.selinux,
            seccomp=guard.seccomp,
            seccomp_profile=self.custom_profile or "builtin",
            capabilities=list(guard.capabilities),
            can_raise_rlimits="CAP_SYS_RESOURCE" in guard.capabilities,
            cpuset_cpus=host.cpuset_cpus(),
            cpuset_mems=host.cpuset_mems(),
            free_memory_bytes=host.memory_available_bytes(),
            hard_limits=host.hard_limits(),
        )

    def open_files(self) -> int:
        return host.open_file_count()

    def seccomp_profile_document(self) -> bytes | None:
        if self.custom_profile == "unconfined":
            return None
        for path in (self.custom_profile,) if self.custom_profile else PROFILES:
            try:
                with open(path, "rb") as file:
                    return file.read(TEXT_LIMIT)
            except FileNotFoundError:
                continue
            except OSError as e:
                raise Unavailable(f"opening seccomp profile ({path}) failed: {e.strerror}") from e
        if self.custom_profile:
            raise Unavailable(f"opening seccomp profile ({self.custom_profile}) failed: no such file or directory")
        raise Unavailable(
            f"there is no default seccomp profile at {' or '.join(PROFILES)}; on Debian: "
            "apt-get install golang-github-containers-common (or ask for --seccomp-profile unconfined)"
        )

    def read_text(self, path: str) -> str | None:
        try:
            with open(path, errors="replace") as file:
                return file.read(TEXT_LIMIT)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None

    def cdi_specs(self) -> Sequence[CdiSpec]:
        return self.cdi.specs()

    def devices(self, path: str) -> Sequence[HostDevice]:
        if not os.path.isdir(path):
            found = device_at(path)
            return [found] if found else []
        nodes = []
        for folder, folders, files in os.walk(path):
            folders[:] = sorted(name for name in folders if name not in SKIPPED)
            for name in files:
                if name == "console":
                    continue
                node = device_at(os.path.join(folder, name), follow=False)
                if node is not None:
                    nodes.append(node)
        return sorted(nodes, key=lambda node: node.path)


def ensure_apparmor_profile() -> str:
    """The profile of containers that ask for none, loaded if the kernel does not have it yet; empty where that cannot be.

    Docker: it is loaded once after a boot, and stays.
    """
    if not security.is_apparmor_enabled():
        return ""
    if apparmor.has_profile(APPARMOR_PROFILE):
        return APPARMOR_PROFILE
    parser = apparmor.find_parser()
    if not parser:
        log.warning(
            "AppArmor is on, but apparmor_parser is not installed (Debian package apparmor): containers run without a profile"
        )
        return ""
    try:
        apparmor.load_profile(parser, container_profile(APPARMOR_PROFILE))
    except OSError as error:
        log.warning("the AppArmor profile of containers cannot be loaded, they run without: %s", error)
        return ""
    return APPARMOR_PROFILE


def device_at(path: str, *, follow: bool = True) -> HostDevice | None:
    """`follow`: a link's target is the device, as dockerd resolves `--device /dev/disk/by-id/…`."""
    try:
        found = os.stat(path, follow_symlinks=follow)
    except OSError:
        return None
    kind = (
        "c"
        if stat.S_ISCHR(found.st_mode)
        else "b"
        if stat.S_ISBLK(found.st_mode)
        else "p"
        if stat.S_ISFIFO(found.st_mode)
        else ""
    )
    if not kind:
        return None
    return HostDevice(
        path=path,
        type=kind,
        major=os.major(found.st_rdev),
        minor=os.minor(found.st_rdev),
        mode=stat.S_IMODE(found.st_mode),
        uid=found.st_uid,
        gid=found.st_gid,
    )
