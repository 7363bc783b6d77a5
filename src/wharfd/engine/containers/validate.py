"""What a create body must be like before anything is made: dockerd's rules, texts and order of complaint.

    check_request      combinations that are wrong on any host             (before the host's facts are looked at)
    check_config       the portable part
    check_host_config  the part that belongs to this host; gives back what can be kept, and warnings

What dockerd accepts here and refuses at the start (unknown networks, devices, sysctls, ulimits, bytes that the kernel does not take) is
accepted here, too, so that a client meets it at the same call.
"""

from collections.abc import Callable, Collection

import msgspec

from wharfd.engine.containers.limits import settle_limits
from wharfd.model.config import ContainerConfig, HealthConfig, HostConfig
from wharfd.model.errors import InvalidParameter
from wharfd.model.settings import Settings
from wharfd.ports.host import HostFacts
from wharfd.wire.binds import clean, missing_source, parse_mount, validate_tmpfs_target
from wharfd.wire.limits import (
    ALL_CAPABILITIES,
    normalise_capabilities,
    parse_signal,
    parse_size,
    validate_restart_policy,
)
from wharfd.wire.ports import parse_exposed, parse_host_ip, parse_range
from wharfd.wire.security import parse_security_options

MIN_HEALTH_NS = 1_000_000
HOST, NONE, PRIVATE, CONTAINER = "host", "none", "private", "container:"
SCORE_LIMIT = 1000
SLICE = ".slice"
SIZE_OPTION = "size"  # of storage
NO_QUOTA = "--storage-opt is supported only for overlay over xfs with 'pquota' mount option"


# --- combinations


def check_request(config: ContainerConfig, asked: HostConfig, facts: HostFacts) -> None:
    """Raises InvalidParameter."""
    check_network_mode(config, asked)
    if asked.uts_mode == HOST and config.hostname:
        raise InvalidParameter("conflicting options: hostname and the UTS mode")
    if asked.network_mode == HOST and asked.links:
        raise InvalidParameter(
            "conflicting options: host type networking can't be used with links. This would result in undefined behavior"
        )
    if asked.isolation.lower() not in {"", "default"}:
        raise InvalidParameter(f"invalid isolation ({asked.isolation}): linux only supports 'default'")
    if asked.io_maximum_bandwidth:
        raise InvalidParameter("invalid option: QoS maximum bandwidth configuration is not supported on linux")
    if asked.io_maximum_iops:
        raise InvalidParameter("invalid option: QoS maximum IOPs configuration is not supported on linux")
    if (asked.cpu_realtime_period or asked.cpu_realtime_runtime) and not facts.cpu_realtime:
        raise InvalidParameter("kernel does not support CPU real-time scheduler")
    if 0 != asked.cpu_realtime_period < asked.cpu_realtime_runtime:
        raise InvalidParameter("cpu real-time runtime cannot be higher than cpu real-time period")
    if asked.cpu_shares < 0 and facts.cpu_shares:
        raise InvalidParameter(f"invalid CPU shares ({asked.cpu_shares}): value must be a positive integer")


def check_network_mode(config: ContainerConfig, asked: HostConfig) -> None:
    kind, _, target = asked.network_mode.partition(":")
    if kind != "container":
        return
    if not target:
        raise InvalidParameter("invalid network mode: invalid container format container:<name|id>")
    conflicts = (
        (config.hostname, "hostname and the network mode"),
        (
            asked.links,
            "container type network can't be used with links. This would result in undefined behavior",
        ),
        (asked.dns, "dns and the network mode"),
        (asked.extra_hosts, "custom host-to-IP mapping and the network mode"),
        (asked.port_bindings or asked.publish_all_ports, "port publishing and the container type network mode"),
        (config.exposed_ports, "port exposing and the container type network mode"),
    )
    for given, text in conflicts:
        if given:
            raise InvalidParameter(f"conflicting options: {text}")


# --- config


def check_config(config: ContainerConfig) -> ContainerConfig:
    """The same with a clean working directory.  Raises InvalidParameter."""
    if config.working_dir and not config.working_dir.startswith("/"):
        raise InvalidParameter(
            f"the working directory '{config.working_dir}' is invalid, it needs to be an absolute path"
        )
    if "\0" in config.working_dir:
        raise InvalidParameter(f"the working directory {config.working_dir!r} is invalid: it contains a NUL byte")
    if config.stop_signal:
        check_stop_signal(config.stop_signal)
    for variable in config.env or ():
        if not variable.partition("=")[0]:
            raise InvalidParameter(f"invalid environment variable: {variable}")
    check_health(config.healthcheck)
    for port in config.exposed_ports or ():
        parse_exposed(port)
    if not config.working_dir:
        return config
    return msgspec.structs.replace(config, working_dir=clean(config.working_dir))


def check_stop_signal(text: str) -> None:
    """Docker: any number but 0 is taken here."""
    digits = text.removeprefix("-").removeprefix("+")
    if digits.isascii() and digits.isdecimal() and len(digits) <= 18 and int(digits):
        return
    parse_signal(text)


def check_health(health: HealthConfig | None) -> None:
    if health is None:
        return
    durations = (
        (health.interval, "Interval"),
        (health.timeout, "Timeout"),
        (None, ""),
        (health.start_period, "StartPeriod"),
        (health.start_interval, "StartInterval"),
    )
    for value, name in durations:
        if value is None:
            if health.retries < 0:
                raise InvalidParameter("Retries in Healthcheck cannot be negative")
        elif value and value < MIN_HEALTH_NS:
            raise InvalidParameter(f"{name} in Healthcheck cannot be less than 1ms")


# --- host config


def check_host_config(
    asked: HostConfig,
    facts: HostFacts,
    settings: Settings,
    runtimes: Collection[str],
    exists: Callable[[str], bool],
    *,
    is_update: bool = False,
) -> tuple[HostConfig, list[str]]:
    """What can be kept of it, and warnings.

    `exists` tells whether a path of the host is there (it raises InvalidParameter for one that no kernel takes).

    Raises:
        InvalidParameter: with dockerd's text.
    """
    warnings: list[str] = []
    policy = asked.restart_policy
    if asked.auto_remove and policy.name not in {"", "no"}:
        raise InvalidParameter("can't create 'AutoRemove' container with restart policy")
    check_mounts(asked, exists)
    for host in asked.extra_hosts or ():
        check_extra_host(host)
    check_port_bindings(asked)
    if not is_update and not policy.name:
        policy = msgspec.structs.replace(policy, name="no")
    validate_restart_policy(policy)
    check_capabilities(asked, facts)
    if "" in (asked.annotations or {}):
        raise InvalidParameter("invalid Annotations: the empty string is not permitted as an annotation key")
    kept, more = settle_limits(asked, facts, is_update=is_update)
    warnings += more
    check_modes(asked)
    if not facts.ipv4_forwarding and not is_update and asked.network_mode not in {HOST, NONE}:
        warnings.append("IPv4 forwarding is disabled. Networking will not work.")
    if asked.network_mode == HOST and asked.port_bindings:
        warnings.append("Published ports are discarded when using host network mode")
    check_cgroup_parent(asked.cgroup_parent, facts)
    runtime = asked.runtime or settings.default_runtime
    if runtime not in runtimes:
        raise InvalidParameter(f"unknown or invalid runtime name: {runtime}")
    for target in asked.tmpfs or ():
        validate_tmpfs_target(target)
    if asked.cgroupns_mode not in {"", PRIVATE, HOST}:
        raise InvalidParameter(f"invalid cgroup namespace mode: {asked.cgroupns_mode}")
    if not is_update:
        kept = msgspec.structs.replace(kept, runtime=runtime, restart_policy=policy)
    return kept, warnings


def check_mounts(asked: HostConfig, exists: Callable[[str], bool]) -> None:
    for mount in asked.mounts or ():
        parsed = parse_mount(mount)
        if mount.type != "bind":
            continue
        try:
            is_there = exists(mount.source)
        except InvalidParameter as e:
            raise e.prefixed('invalid mount config for type "bind": ') from e
        if not is_there and not parsed.create_source:
            raise missing_source(mount.source)


def check_extra_host(text: str) -> None:
    """`name:address`, or `name:host-gateway`."""
    name, colon, address = text.partition(":")
    if not colon or not name:
        raise InvalidParameter(f'bad format for add-host: "{text}"')
    if address == "host-gateway":
        return
    try:
        is_address = bool(parse_host_ip(address))
    except InvalidParameter:
        is_address = False
    if not is_address:
        raise InvalidParameter(f'invalid IP address in add-host: "{address}"')


def check_port_bindings(asked: HostConfig) -> None:
    for key, bindings in (asked.port_bindings or {}).items():
        try:
            parse_exposed(key)
        except InvalidParameter as e:
            raise InvalidParameter(f'invalid port specification: "{key.partition("/")[0]}"') from e
        for binding in bindings or ():
            if binding.host_port:
                parse_range(binding.host_port)
            parse_host_ip(binding.host_ip)


def check_capabilities(asked: HostConfig, facts: HostFacts) -> None:
    for field, names in (("CapAdd", asked.cap_add), ("CapDrop", asked.cap_drop)):
        try:
            normalise_capabilities(names, facts.capabilities if field == "CapAdd" else ALL_CAPABILITIES)
        except InvalidParameter as e:
            raise e.prefixed(f"invalid {field}: ") from e


def check_modes(asked: HostConfig) -> None:
    if asked.ipc_mode not in {"", NONE, PRIVATE, "shareable", HOST} and not asked.ipc_mode.startswith(CONTAINER):
        raise InvalidParameter(f"invalid IPC mode: {asked.ipc_mode}")
    if asked.pid_mode not in {"", HOST} and (not asked.pid_mode.startswith(CONTAINER) or asked.pid_mode == CONTAINER):
        raise InvalidParameter(f"invalid PID mode: {asked.pid_mode}")
    if asked.shm_size < 0:
        raise InvalidParameter("SHM size can not be less than 0")
    if asked.uts_mode not in {"", HOST}:
        raise InvalidParameter(f"invalid UTS mode: {asked.uts_mode}")
    if not -SCORE_LIMIT <= asked.oom_score_adj <= SCORE_LIMIT:
        raise InvalidParameter(f"Invalid value {asked.oom_score_adj}, range for oom score adj is [-1000, 1000]")


def check_cgroup_parent(parent: str, facts: HostFacts) -> None:
    if parent and facts.cgroup_driver == "systemd" and (len(parent) <= len(SLICE) or not parent.endswith(SLICE)):
        raise InvalidParameter('cgroup-parent for systemd cgroup should be a valid slice named as "xxx.slice"')


def check_security(asked: HostConfig) -> None:
    """Options of security, which dockerd looks at when the container is about to be made."""
    parse_security_options(asked.security_opt)


def size_of_layer(asked: HostConfig, *, can_limit: bool) -> int:
    """What the writable layer may hold, in bytes; 0 for no limit.  Raises InvalidParameter, with dockerd's texts."""
    options = asked.storage_opt or {}
    if SIZE_OPTION in options and not can_limit:
        raise InvalidParameter(NO_QUOTA)
    size = 0
    for key, text in options.items():
        if key.lower() != SIZE_OPTION:
            raise InvalidParameter(f"Unknown option {key}")
        size = parse_size(text)
    if size and not can_limit:
        raise InvalidParameter(NO_QUOTA)
    return size
