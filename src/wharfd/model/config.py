"""What a client asks a container to be: `Config`, `HostConfig` and the endpoints, in the newest API's shape.

These documents are handed over by clients, stored and given back as they came, so one record serves decoding, storing and encoding:
the structs carry Docker's spelling as their encoded name (docs/adr/0001).  `None` is Go's nil (encoded `null`); it differs from `[]`.
Which fields an answer leaves out when empty is decided in `api/codec`.  Source: API document 1.55, `ContainerConfig`, `HostConfig`.
"""

from typing import Annotated

import msgspec

Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
UInt16 = Annotated[int, msgspec.Meta(ge=0, le=2**16 - 1)]
UInt32 = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]
Empty = dict[str, str]  # Go's struct{}: an object without keys


class Document(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """Base of the documents below: unknown keys are ignored, as dockerd does."""


class HealthConfig(Document, frozen=True, kw_only=True):
    """Durations in nanoseconds; 0 inherits.  `test`: [] inherit, ["NONE"] off, ["CMD", …], ["CMD-SHELL", line]."""

    test: list[str] | None = None
    interval: Int64 = 0
    timeout: Int64 = 0
    start_period: Int64 = 0
    start_interval: Int64 = 0
    retries: Int64 = 0


class ContainerConfig(Document, frozen=True, kw_only=True):
    """The portable part: what an image may preset."""

    hostname: str = ""
    domainname: str = ""
    user: str = ""
    attach_stdin: bool = False
    attach_stdout: bool = False
    attach_stderr: bool = False
    exposed_ports: dict[str, Empty] | None = None
    tty: bool = False
    open_stdin: bool = False
    stdin_once: bool = False
    env: list[str] | None = None
    cmd: list[str] | None = None
    healthcheck: HealthConfig | None = None
    args_escaped: bool = False
    image: str = ""
    volumes: dict[str, Empty] | None = None
    working_dir: str = ""
    entrypoint: list[str] | None = None
    network_disabled: bool = False
    mac_address: str = ""
    on_build: list[str] | None = None
    labels: dict[str, str] | None = None
    stop_signal: str = ""
    stop_timeout: Int64 | None = None
    shell: list[str] | None = None


class LogConfig(Document, frozen=True, kw_only=True):
    type: str = ""
    config: dict[str, str] | None = None


class RestartPolicy(Document, frozen=True, kw_only=True):
    """`name`: "", no, always, unless-stopped, on-failure."""

    name: str = ""
    maximum_retry_count: Int64 = 0


class PortBinding(Document, frozen=True, kw_only=True):
    host_ip: str = ""
    host_port: str = ""


class DeviceMapping(Document, frozen=True, kw_only=True):
    path_on_host: str = ""
    path_in_container: str = ""
    cgroup_permissions: str = ""


class DeviceRequest(Document, frozen=True, kw_only=True):
    driver: str = ""
    count: Int64 = 0
    device_ids: list[str] | None = msgspec.field(default=None, name="DeviceIDs")
    capabilities: list[list[str]] | None = None
    options: dict[str, str] | None = None


class ThrottleDevice(Document, frozen=True, kw_only=True):
    """`rate`: bytes or operations per second."""

    path: str = ""
    rate: Annotated[int, msgspec.Meta(ge=0)] = 0  # msgspec cannot check an upper bound beyond int64


class WeightDevice(Document, frozen=True, kw_only=True):
    path: str = ""
    weight: UInt16 = 0


class Ulimit(Document, frozen=True, kw_only=True):
    name: str = ""
    soft: Int64 = 0
    hard: Int64 = 0


class BindOptions(Document, frozen=True, kw_only=True):
    propagation: str = ""
    non_recursive: bool = False
    create_mountpoint: bool = False
    read_only_non_recursive: bool = False
    read_only_force_recursive: bool = False


class DriverConfig(Document, frozen=True, kw_only=True):
    name: str = ""
    options: dict[str, str] | None = None


class VolumeOptions(Document, frozen=True, kw_only=True):
    no_copy: bool = False
    labels: dict[str, str] | None = None
    subpath: str = ""
    driver_config: DriverConfig | None = None


class ImageOptions(Document, frozen=True, kw_only=True):
    subpath: str = ""


class TmpfsOptions(Document, frozen=True, kw_only=True):
    """`mode`: permission bits as a plain number (Go's os.FileMode)."""

    size_bytes: Int64 = 0
    mode: UInt32 = 0
    options: list[list[str]] | None = None


class MountSpec(Document, frozen=True, kw_only=True):
    """One entry of `HostConfig.Mounts`.  `type`: bind, volume, tmpfs, image, npipe, cluster."""

    type: str = ""
    source: str = ""
    target: str = ""
    read_only: bool = False
    consistency: str = ""
    bind_options: BindOptions | None = None
    volume_options: VolumeOptions | None = None
    image_options: ImageOptions | None = None
    tmpfs_options: TmpfsOptions | None = None


class HostConfig(Document, frozen=True, kw_only=True):
    """The part that belongs to this host.  Sizes in bytes, CPU times in microseconds, `nano_cpus` in 1e-9 CPUs."""

    binds: list[str] | None = None
    container_id_file: str = msgspec.field(default="", name="ContainerIDFile")
    log_config: LogConfig = LogConfig()
    network_mode: str = ""
    port_bindings: dict[str, list[PortBinding] | None] | None = None
    restart_policy: RestartPolicy = RestartPolicy()
    auto_remove: bool = False
    volume_driver: str = ""
    volumes_from: list[str] | None = None
    console_size: list[int] = msgspec.field(default_factory=lambda: [0, 0])
    annotations: dict[str, str] | None = None
    cap_add: list[str] | None = None
    cap_drop: list[str] | None = None
    cgroupns_mode: str = ""
    dns: list[str] | None = None
    dns_options: list[str] | None = None
    dns_search: list[str] | None = None
    extra_hosts: list[str] | None = None
    group_add: list[str] | None = None
    ipc_mode: str = ""
    cgroup: str = ""
    links: list[str] | None = None
    oom_score_adj: Int64 = 0
    pid_mode: str = ""
    privileged: bool = False
    publish_all_ports: bool = False
    readonly_rootfs: bool = False
    security_opt: list[str] | None = None
    storage_opt: dict[str, str] | None = None
    tmpfs: dict[str, str] | None = None
    uts_mode: str = msgspec.field(default="", name="UTSMode")
    userns_mode: str = ""
    shm_size: Int64 = 0
    sysctls: dict[str, str] | None = None
    runtime: str = ""
    isolation: str = ""
    # Resources
    cpu_shares: Int64 = 0
    memory: Int64 = 0
    nano_cpus: Int64 = 0
    cgroup_parent: str = ""
    blkio_weight: UInt16 = 0
    blkio_weight_device: list[WeightDevice] | None = None
    blkio_device_read_bps: list[ThrottleDevice] | None = None
    blkio_device_write_bps: list[ThrottleDevice] | None = None
    blkio_device_read_iops: list[ThrottleDevice] | None = msgspec.field(default=None, name="BlkioDeviceReadIOps")
    blkio_device_write_iops: list[ThrottleDevice] | None = msgspec.field(default=None, name="BlkioDeviceWriteIOps")
    cpu_period: Int64 = 0
    cpu_quota: Int64 = 0
    cpu_realtime_period: Int64 = 0
    cpu_realtime_runtime: Int64 = 0
    cpuset_cpus: str = ""
    cpuset_mems: str = ""
    devices: list[DeviceMapping] | None = None
    device_cgroup_rules: list[str] | None = None
    device_requests: list[DeviceRequest] | None = None
    memory_reservation: Int64 = 0
    memory_swap: Int64 = 0
    memory_swappiness: Int64 | None = None
    oom_kill_disable: bool | None = None
    pids_limit: Int64 | None = None
    ulimits: list[Ulimit] | None = None
    cpu_count: Int64 = 0
    cpu_percent: Int64 = 0
    io_maximum_iops: Annotated[int, msgspec.Meta(ge=0)] = msgspec.field(default=0, name="IOMaximumIOps")
    io_maximum_bandwidth: Annotated[int, msgspec.Meta(ge=0)] = msgspec.field(default=0, name="IOMaximumBandwidth")
    mounts: list[MountSpec] | None = None
    masked_paths: list[str] | None = None
    readonly_paths: list[str] | None = None
    init: bool | None = None


class EndpointIPAMConfig(Document, frozen=True, kw_only=True):
    ipv4_address: str = msgspec.field(default="", name="IPv4Address")
    ipv6_address: str = msgspec.field(default="", name="IPv6Address")
    link_local_ips: list[str] | None = msgspec.field(default=None, name="LinkLocalIPs")


class EndpointSettings(Document, frozen=True, kw_only=True):
    """A container's place on one network: what was asked for, and (while it runs) what it was given."""

    ipam_config: EndpointIPAMConfig | None = msgspec.field(default=None, name="IPAMConfig")
    links: list[str] | None = None
    aliases: list[str] | None = None
    driver_opts: dict[str, str] | None = None
    gw_priority: Int64 = 0
    network_id: str = msgspec.field(default="", name="NetworkID")
    endpoint_id: str = msgspec.field(default="", name="EndpointID")
    gateway: str = ""
    ip_address: str = msgspec.field(default="", name="IPAddress")
    ip_prefix_len: Int64 = msgspec.field(default=0, name="IPPrefixLen")
    ipv6_gateway: str = msgspec.field(default="", name="IPv6Gateway")
    global_ipv6_address: str = msgspec.field(default="", name="GlobalIPv6Address")
    global_ipv6_prefix_len: Int64 = msgspec.field(default=0, name="GlobalIPv6PrefixLen")
    mac_address: str = ""
    dns_names: list[str] | None = msgspec.field(default=None, name="DNSNames")


class NetworkingConfig(Document, frozen=True, kw_only=True):
    endpoints_config: dict[str, EndpointSettings | None] | None = None
