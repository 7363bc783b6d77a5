"""The engine's settings, as flags and configuration file give them."""

import msgspec

from wharfd.model.config import Ulimit


class AddressArea(msgspec.Struct, frozen=True, kw_only=True):
    """Where networks get subnets of the prefix length `size`."""

    base: str
    size: int


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Defaults do not collide with an installed dockerd.  Paths are absolute."""

    hosts: list[str] = msgspec.field(default_factory=lambda: ["unix:///run/wharfd.sock"])
    data_root: str = "/var/lib/wharfd"
    exec_root: str = "/run/wharfd"
    pidfile: str = "/run/wharfd.pid"
    group: str = "docker"
    log_level: str = "info"
    bip: str = ""  # address and prefix length of the default bridge; empty: chosen against the routing table
    bip6: str = ""
    fixed_cidr: str = ""  # where the default bridge's containers get their addresses
    fixed_cidr_v6: str = ""
    ipv6: bool = False  # of the default bridge
    ip: str = "0.0.0.0"  # where ports are published that name no address, on the default bridge
    default_address_pools: list[AddressArea] = []  # empty: the built-in ones
    default_network_opts: dict[str, dict[str, str]] = {}  # driver -> options of networks that do not say otherwise
    published_ports: str = "direct"  # or "input": through the host's own rules for what comes in
    host_gateway_ips: list[str] = []  # empty: those of the default bridge
    bridge: str = "wharf0"
    mtu: int = 1500
    default_runtime: str = "crun"
    runtimes: dict[str, str] = {}  # name -> path, besides crun and runc
    storage_driver: str = "overlay2"
    log_driver: str = "json-file"
    log_opts: dict[str, str] = {}
    cgroup_parent: str = ""  # empty: "/wharfd" with cgroupfs, "system.slice" with systemd
    cgroup_driver: str = ""  # cgroupfs, systemd; empty: chosen
    labels: list[str] = []
    dns: list[str] = []
    dns_options: list[str] = []
    dns_search: list[str] = []
    default_shm_size: int = 64 << 20
    default_ulimits: list[Ulimit] = []
    default_ipc_mode: str = "private"
    default_cgroupns_mode: str = ""
    init: bool = False
    init_path: str = ""
    no_new_privileges: bool = False
    seccomp_profile: str = ""
    min_api_version: str = "1.24"
    shutdown_timeout_s: int = 15
    experimental: bool = False
    ip_masq: bool = True
    icc: bool = True
    insecure_registries: list[str] = []  # hosts, or networks as CIDR
    registry_mirrors: list[str] = []  # URLs; of docker.io
    registry_config_dirs: list[str] = msgspec.field(  # each holds <host>/{hosts.toml,ca.crt,…}
        default_factory=lambda: ["/etc/wharfd/certs.d", "/etc/docker/certs.d"]
    )
    allow_nondistributable_artifacts: list[str] = []
    max_concurrent_downloads: int = 3  # from one registry
    max_concurrent_uploads: int = 5  # of one push
    max_download_attempts: int = 5
    signature_policy: str = ""  # file in the form of containers-policy.json; empty: images need no signature
    image_budget: int = 0  # bytes that images may take; 0: no limit
    http_proxy: str = ""
    https_proxy: str = ""
    no_proxy: str = ""
    cdi_spec_dirs: list[str] = msgspec.field(default_factory=lambda: ["/etc/cdi", "/var/run/cdi"])
    plugin_dirs: list[str] = msgspec.field(  # where volume plugins have their sockets and addresses
        default_factory=lambda: ["/run/docker/plugins", "/etc/docker/plugins", "/usr/lib/docker/plugins"]
    )
    event_limit: int = 100_000
