"""The plan of a start: a record and what the host offers, turned into an OCI runtime spec.

A pure function: it opens nothing, so all that must be looked up (user, devices, namespaces of others, host directories of mounts)
comes in as `Place`.  Its outcome is compared with stored documents in tests/golden/plan.  `plan_mounts` and `plan_devices` hold those
two parts.  Source of the defaults: dockerd's own spec, which clients have come to rely on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from wharfd.engine.containers.plan_devices import device_nodes, device_rules
from wharfd.engine.containers.plan_mounts import PlacedMount, mount_list, rootfs_propagation
from wharfd.engine.containers.unserved import exceeds_own_limit
from wharfd.model.config import DeviceMapping, HostConfig, Ulimit
from wharfd.model.container import ContainerRecord
from wharfd.model.errors import InvalidParameter
from wharfd.model.json import JsonObject
from wharfd.ports.host import HostDevice, HostFacts
from wharfd.wire.cdi import Edits, NodeNumbers, apply
from wharfd.wire.limits import ULIMITS, effective_capabilities
from wharfd.wire.resources import oci_resources
from wharfd.wire.security import UNCONFINED, parse_security_options
from wharfd.wire.userdb import ResolvedUser

OCI_VERSION = "1.0.2"
DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
INIT_IN_CONTAINER = "/sbin/docker-init"
UNLIMITED = 2**64 - 1  # RLIM_INFINITY as the runtime spec writes it

DEFAULT_MASKED_PATHS = (
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
)
DEFAULT_READONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")

HOST = "host"
_NAMESPACES = ("mount", "network", "uts", "pid", "ipc", "cgroup")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What the host contributes to one start.

    `namespaces`: kind ("network", "uts", "pid", "ipc", "cgroup") -> "host" or the file of a namespace to join; a kind that is absent is
    private.  `mounts`: binds, volumes and images, resolved to host directories; tmpfs comes from the record.  `devices`: for each entry
    of `HostConfig.Devices` the host's nodes.  `all_devices`: everything below /dev, needed for privileged containers only.  `seccomp`:
    an OCI seccomp document, None for unconfined.  `shm_path`: a host directory for /dev/shm (shareable or joined IPC, host IPC); empty
    for a tmpfs of the container's own.  `init_path`: the host's init program, empty without one.  Paths of files that are empty are
    not bound.
    """

    rootfs: str
    user: ResolvedUser
    cgroup: str
    namespaces: Mapping[str, str] = field(default_factory=dict)
    hostname_path: str = ""
    hosts_path: str = ""
    resolv_conf_path: str = ""
    mounts: Sequence[PlacedMount] = ()
    devices: Sequence[tuple[DeviceMapping, Sequence[HostDevice]]] = ()
    all_devices: Sequence[HostDevice] = ()
    seccomp: JsonObject | None = None
    cdi: Sequence[Edits] = ()
    cdi_nodes: Mapping[str, NodeNumbers] = field(default_factory=dict)  # nodes of the host that `cdi` names
    shm_path: str = ""
    linked: Sequence[str] = ()  # variables
    init_path: str = ""
    default_ulimits: Sequence[Ulimit] = ()
    no_new_privileges: bool = False  # the engine's default
    block_devices: Mapping[str, tuple[int, int]] = field(
        default_factory=dict
    )  # path -> major, minor, for block I/O limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    spec: JsonObject
    warnings: Sequence[str]


def plan(record: ContainerRecord, place: Place, facts: HostFacts) -> Plan:
    """The runtime spec for `record` at `place`, and what had to be left out of it.

    Raises:
        InvalidParameter: an option that cannot be carried out (dockerd's text).
    """
    asked = record.host_config
    security = parse_security_options(asked.security_opt)
    rlimits, warnings = _rlimits(asked, place, facts)
    resources = oci_resources(asked, place.block_devices.get)
    resources["devices"] = device_rules(asked, place.devices)
    linux: JsonObject = {
        "cgroupsPath": place.cgroup,
        "namespaces": _namespaces(place, asked, facts),
        "resources": resources,
        "devices": device_nodes(asked, place.devices, place.all_devices),
        **_hidden_paths(asked, security.unconfined_paths),
    }
    sysctls = _sysctls(record, place)
    if sysctls:
        linux["sysctl"] = sysctls
    if place.seccomp is not None and not asked.privileged:
        linux["seccomp"] = place.seccomp
    propagation = rootfs_propagation(place.mounts)
    if propagation:
        linux["rootfsPropagation"] = propagation
    if facts.selinux and record.mount_label:
        linux["mountLabel"] = record.mount_label
    spec: JsonObject = {
        "ociVersion": OCI_VERSION,
        "process": _process(record, place, facts),
        "root": {"path": place.rootfs, "readonly": asked.readonly_rootfs},
        "mounts": mount_list(
            record,
            place.mounts,
            files={
                "/etc/resolv.conf": place.resolv_conf_path,
                "/etc/hostname": place.hostname_path,
                "/etc/hosts": place.hosts_path,
            },
            shm_path=place.shm_path,
            init=(place.init_path, INIT_IN_CONTAINER) if _has_init(record, place) else None,
            writable_cgroups=security.writable_cgroups,
        ),
        "linux": linux,
    }
    if rlimits:
        spec["process"]["rlimits"] = rlimits
    if place.namespaces.get("uts") != HOST and record.config.hostname:
        spec["hostname"] = record.config.hostname
    if asked.annotations:
        spec["annotations"] = dict(asked.annotations)
    apply(place.cdi, spec, place.cdi_nodes.get)
    return Plan(spec=spec, warnings=warnings)


def capabilities(asked: HostConfig, facts: HostFacts) -> list[str]:
    """The capabilities that the container's process gets (a seccomp profile depends on them, too).

    Raises:
        InvalidParameter: one that is not known, or that this engine does not have itself.
    """
    return effective_capabilities(asked.cap_add, asked.cap_drop, asked.privileged, facts.capabilities)


def apparmor_profile(asked: HostConfig, facts: HostFacts) -> str:
    """The AppArmor profile of a container's processes; empty where there is none to be had."""
    if not facts.apparmor:
        return ""
    profile = parse_security_options(asked.security_opt).apparmor
    return profile or (UNCONFINED if asked.privileged else facts.apparmor_profile)


def environment(record: ContainerRecord, home: str, linked: Sequence[str] = ()) -> list[str]:
    """The container's variables, and HOME if nothing sets it."""
    return with_home(variables(record, tty=record.config.tty, linked=linked), home)


def with_home(values: list[str], home: str) -> list[str]:
    """`home`: the user's; empty if /etc/passwd does not know him."""
    return values if has_home(values) else [*values, f"HOME={home or '/'}"]


def has_home(values: Sequence[str]) -> bool:
    return any(value.startswith("HOME=") for value in values)


def variables(record: ContainerRecord, *, tty: bool, more: Sequence[str] = (), linked: Sequence[str] = ()) -> list[str]:
    """Defaults and what links tell, replaced and followed by the container's own variables, then by `more`.

    A word without `=` takes one of the former away.
    """
    config = record.config
    values = [DEFAULT_PATH]
    if config.hostname:
        values.append(f"HOSTNAME={config.hostname}")
    if tty:
        values.append("TERM=xterm")
    values += linked
    at = {value.partition("=")[0]: index for index, value in enumerate(values)}
    removed: set[int] = set()
    for word in (*(config.env or ()), *more):
        name, equals, _ = word.partition("=")
        index = at.get(name)
        if not equals:
            if index is not None:
                removed.add(index)
        elif index is None:
            at[name] = len(values)
            values.append(word)
        else:
            values[index] = word
            removed.discard(index)
    return [value for index, value in enumerate(values) if index not in removed]


def _process(record: ContainerRecord, place: Place, facts: HostFacts) -> JsonObject:
    config, asked = record.config, record.host_config
    security = parse_security_options(asked.security_opt)
    given = capabilities(asked, facts)
    args = record.command_line
    if _has_init(record, place):
        args = [INIT_IN_CONTAINER, "--", *args]
    process: JsonObject = {
        "terminal": config.tty,
        "user": {
            "uid": place.user.uid,
            "gid": place.user.gid,
            "additionalGids": list(place.user.additional_gids),
        },
        "args": args,
        "env": environment(record, place.user.home, place.linked),
        "cwd": config.working_dir or "/",
        "capabilities": {"bounding": given, "effective": given, "permitted": given},
    }
    if config.tty and len(asked.console_size) == 2 and all(asked.console_size):
        process["consoleSize"] = {"height": asked.console_size[0], "width": asked.console_size[1]}
    # Linux: writing even the same value needs CAP_SYS_RESOURCE when the engine's own score is above it, hence only what was asked.
    if asked.oom_score_adj or facts.can_raise_rlimits:
        process["oomScoreAdj"] = asked.oom_score_adj
    no_new = security.no_new_privileges
    if place.no_new_privileges if no_new is None else no_new:
        process["noNewPrivileges"] = True
    apparmor = apparmor_profile(asked, facts)
    if apparmor:
        process["apparmorProfile"] = apparmor
    if facts.selinux and record.process_label:
        process["selinuxLabel"] = record.process_label
    return process


def _has_init(record: ContainerRecord, place: Place) -> bool:
    # Docker: an init in a process namespace that is not the container's own would not be its first process.
    return bool(place.init_path) and bool(record.host_config.init) and "pid" not in place.namespaces


def _namespaces(place: Place, asked: HostConfig, facts: HostFacts) -> list[JsonObject]:
    listed: list[JsonObject] = []
    for kind in _NAMESPACES:
        mode = place.namespaces.get(kind, "")
        if kind == "cgroup" and not mode:
            # Docker: private by default on v2, the host's on v1.
            private = asked.cgroupns_mode == "private" or (not asked.cgroupns_mode and facts.cgroup_version == 2)
            mode = "" if private else HOST
        if mode == HOST:
            continue
        listed.append({"type": kind, "path": mode} if mode else {"type": kind})
    return listed


def _hidden_paths(asked: HostConfig, unconfined: bool) -> JsonObject:
    if asked.privileged or unconfined:
        return {"maskedPaths": [], "readonlyPaths": []}
    masked = DEFAULT_MASKED_PATHS if asked.masked_paths is None else asked.masked_paths
    readonly = DEFAULT_READONLY_PATHS if asked.readonly_paths is None else asked.readonly_paths
    return {"maskedPaths": list(masked), "readonlyPaths": list(readonly)}


def _sysctls(record: ContainerRecord, place: Place) -> dict[str, str]:
    sysctls = dict(record.host_config.sysctls or {})
    if (
        record.host_config.network_mode != HOST
        and place.namespaces.get("network") != HOST
        and not _joins_network(record)
    ):
        # Docker: a container may ping and bind low ports without capabilities, since the namespace is its own.
        sysctls.setdefault("net.ipv4.ping_group_range", "0 2147483647")
        sysctls.setdefault("net.ipv4.ip_unprivileged_port_start", "0")
    if record.config.domainname and place.namespaces.get("uts") != HOST:
        sysctls.setdefault("kernel.domainname", record.config.domainname)
    return sysctls


def _joins_network(record: ContainerRecord) -> bool:
    return record.host_config.network_mode.startswith("container:")


def _rlimits(asked: HostConfig, place: Place, facts: HostFacts) -> tuple[list[JsonObject], list[str]]:
    by_name = {limit.name: limit for limit in place.default_ulimits}
    by_name |= {limit.name: limit for limit in asked.ulimits or ()}
    limits, warnings = [], []
    for limit in by_name.values():
        if exceeds_own_limit(limit.name, limit.hard, facts):
            warnings.append(f"ulimit {limit.name}={limit.soft}:{limit.hard} discarded")
            continue
        limits.append(
            {
                "type": rlimit(limit.name),
                "soft": UNLIMITED if limit.soft < 0 else limit.soft,
                "hard": UNLIMITED if limit.hard < 0 else limit.hard,
            }
        )
    return limits, warnings


def rlimit(name: str) -> str:
    """The kernel's name of a ulimit, whatever the case.

    An unknown one is refused here: a runtime would repeat its name in a message, and one that is longer than a pipe holds keeps runtime
    and monitor waiting for each other for ever.

    Raises:
        InvalidParameter: there is none of that name.
    """
    if name.lower() not in ULIMITS and name.lower() != "as":
        raise InvalidParameter(f"wrong rlimit value: RLIMIT_{name.upper()}")
    return f"RLIMIT_{name.upper()}"
