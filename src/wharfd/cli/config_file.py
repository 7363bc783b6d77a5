"""The configuration file: daemon.json's keys, joined with the flags.

An unknown key, a wrong type and a key that is also given as a flag are errors that name it.  Keys that dockerd knows and that have
no effect here are accepted and named in the log, so that a daemon.json can be taken over as it is.
"""

import os
import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

import msgspec

from wharfd.cli.flags import DEFAULT_FILE
from wharfd.cli.network_settings import NetworkSettingError, check_networks, settle_networks
from wharfd.model.config import Ulimit
from wharfd.model.errors import InvalidParameter
from wharfd.model.settings import Settings
from wharfd.wire.limits import parse_size
from wharfd.wire.registryhosts import parse_insecure, parse_mirrors

LOG_DRIVERS = ("fluentd", "gelf", "journald", "json-file", "local", "none", "syslog")
# Linux: 15 bytes; the kernel takes nearly all characters, but the name also stands in firewall rules.
LINK_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}")

# daemon.json key -> (field of Settings, kind)
KEYS: dict[str, tuple[str, type]] = {
    "hosts": ("hosts", list),
    "data-root": ("data_root", str),
    "exec-root": ("exec_root", str),
    "pidfile": ("pidfile", str),
    "group": ("group", str),
    "log-level": ("log_level", str),
    "bip": ("bip", str),
    "plugin-dirs": ("plugin_dirs", list),
    "published-ports": ("published_ports", str),
    "bip6": ("bip6", str),
    "fixed-cidr": ("fixed_cidr", str),
    "fixed-cidr-v6": ("fixed_cidr_v6", str),
    "ipv6": ("ipv6", bool),
    "ip": ("ip", str),
    "default-address-pools": ("default_address_pools", list),
    "default-network-opts": ("default_network_opts", dict),
    "host-gateway-ips": ("host_gateway_ips", list),
    "host-gateway-ip": ("host_gateway_ips", str),
    "bridge": ("bridge", str),
    "mtu": ("mtu", int),
    "default-runtime": ("default_runtime", str),
    "runtimes": ("runtimes", dict),
    "storage-driver": ("storage_driver", str),
    "log-driver": ("log_driver", str),
    "log-opts": ("log_opts", dict),
    "cgroup-parent": ("cgroup_parent", str),
    "exec-opts": ("exec_opts", list),
    "labels": ("labels", list),
    "dns": ("dns", list),
    "dns-opts": ("dns_options", list),
    "dns-search": ("dns_search", list),
    "default-shm-size": ("default_shm_size", str),
    "image-budget": ("image_budget", str),
    "signature-policy": ("signature_policy", str),
    "default-ulimits": ("default_ulimits", dict),
    "default-ipc-mode": ("default_ipc_mode", str),
    "default-cgroupns-mode": ("default_cgroupns_mode", str),
    "init": ("init", bool),
    "init-path": ("init_path", str),
    "no-new-privileges": ("no_new_privileges", bool),
    "seccomp-profile": ("seccomp_profile", str),
    "min-api-version": ("min_api_version", str),
    "shutdown-timeout": ("shutdown_timeout", int),
    "debug": ("debug", bool),
    "experimental": ("experimental", bool),
    "ip-masq": ("ip_masq", bool),
    "icc": ("icc", bool),
    "insecure-registries": ("insecure_registries", list),
    "cdi-spec-dirs": ("cdi_spec_dirs", list),
    "registry-mirrors": ("registry_mirrors", list),
    "registry-config-dirs": ("registry_config_dirs", list),
    "allow-nondistributable-artifacts": ("allow_nondistributable_artifacts", list),
    "max-concurrent-downloads": ("max_concurrent_downloads", int),
    "max-concurrent-uploads": ("max_concurrent_uploads", int),
    "max-download-attempts": ("max_download_attempts", int),
    "proxies": ("proxies", dict),
    "http-proxy": ("http_proxy", str),
    "https-proxy": ("https_proxy", str),
    "no-proxy": ("no_proxy", str),
}

TRANSFERS = ("max_concurrent_downloads", "max_concurrent_uploads", "max_download_attempts")

# Known to dockerd, without effect here (docs/status.md).
WITHOUT_EFFECT = frozenset(
    """
    allow-direct-routing api-cors-header authorization-plugins bridge-accept-fwmark builder
    cluster-advertise cluster-store cluster-store-opts containerd containerd-namespace containerd-plugin-namespace
    containers-snapshotter cpu-rt-period cpu-rt-runtime default-gateway default-gateway-v6
    deprecated-key-path dns-search-opts features firewall-backend
    ip-forward ip-forward-no-drop ip6tables iptables live-restore
    log-format metrics-addr network-control-plane-mtu
    node-generic-resources oom-score-adjust raw-logs rootless selinux-enabled storage-opts swarm-default-advertise-addr
    tls tlscacert tlscert tlskey tlsverify userland-proxy userland-proxy-path userns-remap validate
    """.split()
)


class ConfigError(Exception):
    """A setting that cannot be used; the message names it."""


def read_file(path: str, *, required: bool) -> dict[str, Any]:
    try:
        with open(path, "rb") as file:
            text = file.read()
    except FileNotFoundError:
        if required:
            raise ConfigError(
                f"unable to configure wharfd with file {path}: open {path}: no such file or directory"
            ) from None
        return {}
    except OSError as e:
        raise ConfigError(f"unable to configure wharfd with file {path}: {e.strerror}") from e
    if not text.strip():
        return {}
    try:
        doc = msgspec.json.decode(text)
    except msgspec.DecodeError as e:
        raise ConfigError(f"unable to configure wharfd with file {path}: invalid JSON: {e}") from e
    if not isinstance(doc, dict):
        raise ConfigError(f"unable to configure wharfd with file {path}: the file must hold a JSON object")
    return doc


def load(flags: dict[str, Any], environment: Mapping[str, str] = os.environ) -> tuple[Settings, list[str]]:
    """Settings from the parsed flags (None: not given) and the file they name; and the keys without effect.

    Proxies that neither names are those of the environment.

    Raises ConfigError.
    """
    path = flags.get("config_file") or DEFAULT_FILE
    doc = read_file(path, required=bool(flags.get("config_file")))
    unknown = sorted(key for key in doc if key not in KEYS and key not in WITHOUT_EFFECT)
    if unknown:
        raise ConfigError(
            f"unable to configure wharfd with file {path}: "
            f"the following directives don't match any configuration option: {', '.join(unknown)}"
        )
    given = {name: value for name, value in flags.items() if value is not None and name not in ("verb", "config_file")}
    values: dict[str, Any] = {}
    clashes = []
    if isinstance(doc.get("proxies"), dict):
        doc |= proxies_of(path, doc["proxies"])
    for key, (field, kind) in KEYS.items():
        if key not in doc:
            continue
        value = doc[key]
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise ConfigError(f"unable to configure wharfd with file {path}: {key} must be {NAMES[kind]}")
        if field in given:
            clashes.append(f"{key}: (from flag: {given[field]}, from file: {value})")
        values[field] = value
    if clashes:
        raise ConfigError(
            f"unable to configure wharfd with file {path}: the following directives are specified both as a flag "
            f"and in the configuration file: {', '.join(clashes)}"
        )
    values.update(given)
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        values[name] = values.get(name) or environment.get(name.upper()) or environment.get(name, "")
    return settle(values), sorted(key for key in doc if key in WITHOUT_EFFECT)


def proxies_of(path: str, proxies: dict[str, Any]) -> dict[str, str]:
    """The keys of `proxies`, as if they stood outside of it."""
    for key, value in proxies.items():
        if key not in ("http-proxy", "https-proxy", "no-proxy") or not isinstance(value, str):
            raise ConfigError(
                f"unable to configure wharfd with file {path}: proxies.{key} is not known, or not a string"
            )
    return proxies


NAMES: dict[type, str] = {
    list: "a list of strings",
    dict: "an object",
    str: "a string",
    int: "a whole number",
    bool: "true or false",
}


def settle(values: dict[str, Any]) -> Settings:
    """From the loose forms of flags and file to `Settings`, checked."""
    out = dict(values)
    if out.pop("debug", False):
        out["log_level"] = "debug"
    for name in ("log_opts", "runtimes"):
        if isinstance(out.get(name), list):
            out[name] = dict(pair(name, word) for word in out[name])
    out["runtimes"] = {
        name: value["path"] if isinstance(value, dict) and "path" in value else value
        for name, value in out.get("runtimes", {}).items()
    }
    for option in out.pop("exec_opts", []) or []:
        key, value = pair("exec-opt", option)
        if key != "native.cgroupdriver" or value not in ("cgroupfs", "systemd"):
            raise ConfigError(f"unknown exec-opt {option}: native.cgroupdriver=cgroupfs|systemd is known")
        out["cgroup_driver"] = value
    for name in ("ip_masq", "icc", "ipv6"):
        if isinstance(out.get(name), str):
            out[name] = boolean(name, out[name])
    out.pop("proxies", None)
    for name in ("mtu", "shutdown_timeout", *TRANSFERS):
        if name in out:
            out[name] = number(name, out[name])
    for name in TRANSFERS:
        if out.get(name) == 0 and name != "max_download_attempts":
            del out[name]  # Docker: the default
    if out.get("seccomp_profile") == "builtin":
        out["seccomp_profile"] = ""  # Docker: the name of the default
    if "shutdown_timeout" in out:
        out["shutdown_timeout_s"] = out.pop("shutdown_timeout")
    if "default_shm_size" in out:
        out["default_shm_size"] = size("default-shm-size", out["default_shm_size"])
    if "image_budget" in out:
        out["image_budget"] = size("image-budget", out["image_budget"])
    if "default_ulimits" in out:
        out["default_ulimits"] = ulimits(out["default_ulimits"])
    try:
        settle_networks(out)
        settings = msgspec.convert(out, Settings)
        check_networks(settings)
    except NetworkSettingError as e:
        raise ConfigError(str(e)) from e
    except msgspec.ValidationError as e:
        raise ConfigError(f"invalid setting: {e}") from e
    check(settings)
    return settings


def check(settings: Settings) -> None:
    for host in settings.hosts:
        scheme, separator, address = host.partition("://")
        if not separator or scheme not in ("unix", "fd", "tcp"):
            raise ConfigError(f"invalid host {host}: use unix://PATH or fd://")
        if scheme == "tcp":
            raise ConfigError(f"host {host} is refused: TCP is served only with mutual TLS, which is not built yet")
        if scheme == "unix" and not address.startswith("/"):
            raise ConfigError(f"invalid host {host}: the path must be absolute")
    if settings.signature_policy and not os.path.isabs(settings.signature_policy):
        raise ConfigError("signature-policy must be an absolute path")
    for name in ("data_root", "exec_root", "pidfile"):
        if not os.path.isabs(getattr(settings, name)):
            raise ConfigError(f"{name.replace('_', '-')} must be an absolute path")
    if settings.log_level not in ("debug", "info", "warn", "error", "fatal"):
        raise ConfigError(f"unable to parse logging level: {settings.log_level}")
    if settings.storage_driver not in ("overlay2", "overlayfs"):
        raise ConfigError(f"storage-driver {settings.storage_driver} is not supported: overlay2 is")
    for label in settings.labels:
        pair("label", label)
    check_registries(settings)
    for address in settings.dns:
        if not is_address(address):
            raise ConfigError(f"dns {address} is not an IP address")
    if not LINK_NAME.fullmatch(settings.bridge):
        raise ConfigError(f"bridge {settings.bridge!r} is not a link's name: 1 to 15 of A-Z a-z 0-9 _ . -")
    if settings.mtu < 0:
        raise ConfigError(f"mtu must not be negative, as {settings.mtu} is")
    if ".." in settings.cgroup_parent.split("/"):
        raise ConfigError(f"cgroup-parent {settings.cgroup_parent} must not lead upwards")
    for name, value, known in (
        ("log-driver", settings.log_driver, LOG_DRIVERS),
        ("published-ports", settings.published_ports, ("direct", "input")),
        ("default-ipc-mode", settings.default_ipc_mode, ("private", "shareable")),
        ("default-cgroupns-mode", settings.default_cgroupns_mode, ("", "private", "host")),
    ):
        if value not in known:
            raise ConfigError(f"{name} {value} is not supported: {', '.join(filter(None, known))}")


def check_registries(settings: Settings) -> None:
    try:
        parse_mirrors(settings.registry_mirrors)
        parse_insecure(settings.insecure_registries)
    except InvalidParameter as e:
        raise ConfigError(str(e)) from e
    for directory in settings.registry_config_dirs:
        if not os.path.isabs(directory):
            raise ConfigError(f"registry-config-dirs: {directory} must be an absolute path")
    for name in TRANSFERS:
        count, words = getattr(settings, name), name.replace("_", " ")
        if count < (1 if name == "max_download_attempts" else 0):
            raise ConfigError(f"invalid {words}: {count}")  # Docker: its words


def is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def pair(name: str, word: str) -> tuple[str, str]:
    key, separator, value = word.partition("=")
    if not separator or not key:
        raise ConfigError(f"{name} {word!r} must be key=value")
    return key, value


def boolean(name: str, word: str) -> bool:
    if word.lower() in ("1", "t", "true"):
        return True
    if word.lower() in ("0", "f", "false"):
        return False
    raise ConfigError(f"{name.replace('_', '-')} must be true or false, not {word!r}")


def number(name: str, value: str | int) -> int:
    try:
        return int(value)
    except ValueError:
        raise ConfigError(f"{name.replace('_', '-')} must be a whole number, not {value!r}") from None


def size(name: str, value: str | int) -> int:
    try:
        return parse_size(str(value))
    except Exception as e:
        raise ConfigError(f"invalid {name}: {e}") from e


def ulimits(value: list[str] | dict[str, Any]) -> list[Ulimit]:
    """`nofile=1024:2048` (flag) or {"nofile": {"Name": …, "Soft": …, "Hard": …}} (file)."""
    if isinstance(value, dict):
        try:
            return msgspec.convert(list(value.values()), list[Ulimit])
        except msgspec.ValidationError as e:
            raise ConfigError(f"invalid default-ulimits: {e}") from e
    found = []
    for word in value:
        name, limits = pair("default-ulimit", word)
        soft, _, hard = limits.partition(":")
        found.append(
            Ulimit(name=name, soft=number("default-ulimit", soft), hard=number("default-ulimit", hard or soft))
        )
    return found
