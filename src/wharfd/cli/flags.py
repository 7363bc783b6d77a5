"""Command line of `wharfd serve`: dockerd's own flag names.

Every flag here has an effect.  Source: dockerd's reference, "Usage".
"""

import argparse
from collections.abc import Sequence

import wharfd
from wharfd.model.settings import Settings

DEFAULT_FILE = "/etc/wharfd/daemon.json"
DEFAULTS = Settings()


class Repeated(argparse.Action):
    """Collects `--flag a --flag b`; absent stays None, so that it can be told from given."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[object] | None,
        option_string: str | None = None,
    ) -> None:
        have = getattr(namespace, self.dest) or []
        setattr(namespace, self.dest, [*have, values])


def default_words(dest: str) -> str:
    """What stands behind the help of a flag; the flag itself stays None where it is not given."""
    value = {"config_file": DEFAULT_FILE, "shutdown_timeout": DEFAULTS.shutdown_timeout_s}.get(dest)
    if value is None:
        value = getattr(DEFAULTS, dest, "")
    return f" (default: {value})" if value else ""


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="wharfd", description="A container engine that speaks the Docker Engine API.")
    top.add_argument("-v", "--version", action="version", version=f"wharfd {wharfd.__version__}")
    verbs = top.add_subparsers(dest="verb", required=True)
    serve = verbs.add_parser("serve", help="run the engine in the foreground")
    text = {
        ("-H", "--host"): (
            "hosts",
            "where to listen: unix://PATH or fd:// (systemd); may be repeated (default: unix:///run/wharfd.sock)",
        ),
        ("--label",): ("labels", "a label of the engine, key=value; may be repeated"),
        ("--log-opt",): ("log_opts", "default log option, key=value; may be repeated"),
        ("--add-runtime",): ("runtimes", "an OCI runtime, name=path; may be repeated"),
        ("--cdi-spec-dir",): ("cdi_spec_dirs", "directory of CDI specifications; may be repeated"),
        ("--exec-opt",): ("exec_opts", "runtime option: native.cgroupdriver=cgroupfs|systemd; may be repeated"),
        ("--dns",): ("dns", "name server of containers; may be repeated"),
        ("--dns-opt",): ("dns_options", "resolver option of containers; may be repeated"),
        ("--dns-search",): ("dns_search", "search domain of containers; may be repeated"),
        ("--default-address-pool",): (
            "default_address_pools",
            "where networks get their subnets, base=CIDR,size=LENGTH; may be repeated",
        ),
        ("--default-network-opt",): ("default_network_opts", "option of networks, driver=key=value; may be repeated"),
        ("--host-gateway-ip",): ("host_gateway_ips", "address that host-gateway stands for; may be repeated"),
        ("--plugin-dir",): (
            "plugin_dirs",
            "directory with NAME.sock, NAME.spec and NAME.json of volume plugins; may be repeated "
            "(default: /run/docker/plugins, /etc/docker/plugins, /usr/lib/docker/plugins)",
        ),
        ("--default-ulimit",): ("default_ulimits", "name=soft[:hard]; may be repeated"),
        ("--registry-mirror",): ("registry_mirrors", "URL of a mirror of docker.io; may be repeated"),
        ("--insecure-registry",): (
            "insecure_registries",
            "registry whose certificate is not checked and which may speak plain HTTP: host[:port] or CIDR; may be repeated",
        ),
        ("--registry-config-dir",): (
            "registry_config_dirs",
            "directory with HOST/hosts.toml and HOST/*.crt; may be repeated (default: /etc/wharfd/certs.d, /etc/docker/certs.d)",
        ),
        ("--allow-nondistributable-artifacts",): (
            "allow_nondistributable_artifacts",
            "registry to which foreign layers are pushed; may be repeated",
        ),
    }
    for names, (dest, words) in text.items():
        serve.add_argument(*names, dest=dest, action=Repeated, metavar="VALUE", help=words)
    single = {
        ("--data-root",): ("data_root", "where images, containers and records are kept"),
        ("--exec-root",): ("exec_root", "where the state of running containers is kept (a tmpfs)"),
        ("-p", "--pidfile"): ("pidfile", "file for the engine's process id"),
        ("--config-file",): ("config_file", "settings in JSON, with the keys of daemon.json"),
        ("-G", "--group"): ("group", "group that owns the sockets"),
        ("-l", "--log-level"): ("log_level", "debug, info, warn, error or fatal"),
        ("--bip",): ("bip", "address of the default bridge, as CIDR (default: a free subnet)"),
        ("--bip6",): ("bip6", "IPv6 address of the default bridge, as CIDR"),
        ("--fixed-cidr",): ("fixed_cidr", "where containers of the default bridge get their addresses, as CIDR"),
        ("--fixed-cidr-v6",): ("fixed_cidr_v6", "IPv6 subnet of the default bridge"),
        ("--ip",): ("ip", "address at which ports of the default bridge are published that name none"),
        ("--published-ports",): (
            "published_ports",
            "direct, or input: what comes from outside passes the host's own input rules (ufw, firewalld)",
        ),
        ("-b", "--bridge"): ("bridge", "name of the default bridge's link"),
        ("--mtu",): ("mtu", "MTU of the default bridge"),
        ("--default-runtime",): ("default_runtime", "OCI runtime of containers that ask for none"),
        ("-s", "--storage-driver"): ("storage_driver", "the storage driver; there is one"),
        ("--log-driver",): (
            "log_driver",
            "default log driver: json-file, local, none, syslog, gelf, fluentd or journald",
        ),
        ("--cgroup-parent",): (
            "cgroup_parent",
            "cgroup under which containers are put (default: /wharfd, or system.slice under systemd)",
        ),
        ("--default-shm-size",): ("default_shm_size", "size of /dev/shm, e.g. 64M"),
        ("--default-ipc-mode",): ("default_ipc_mode", "private or shareable"),
        ("--default-cgroupns-mode",): ("default_cgroupns_mode", "private or host"),
        ("--init-path",): ("init_path", "the init of --init"),
        ("--seccomp-profile",): ("seccomp_profile", "default seccomp profile: a file, or unconfined"),
        ("--min-api-version",): ("min_api_version", "oldest API version that is answered"),
        ("--image-budget",): (
            "image_budget",
            "room that images may take, e.g. 50g: beyond it those go that were used longest ago (0: no limit)",
        ),
        ("--signature-policy",): (
            "signature_policy",
            "file that says which images must be signed, in the form of containers-policy.json (default: none)",
        ),
        ("--max-concurrent-downloads",): (
            "max_concurrent_downloads",
            "blobs that are fetched from one registry at once",
        ),
        ("--max-concurrent-uploads",): ("max_concurrent_uploads", "blobs that one push sends at once"),
        ("--max-download-attempts",): ("max_download_attempts", "tries for each blob of a pull"),
        ("--http-proxy",): ("http_proxy", "proxy for HTTP (default: that of the environment)"),
        ("--https-proxy",): ("https_proxy", "proxy for HTTPS (default: that of the environment)"),
        ("--no-proxy",): ("no_proxy", "hosts that are reached without a proxy, with commas"),
        ("--shutdown-timeout",): ("shutdown_timeout", "seconds that answers may take at the end"),
    }
    for names, (dest, words) in single.items():
        serve.add_argument(*names, dest=dest, metavar="VALUE", help=words + default_words(dest))
    switches = {
        ("-D", "--debug"): ("debug", "the same as --log-level debug"),
        ("--init",): ("init", "run an init in every container"),
        ("--no-new-privileges",): ("no_new_privileges", "no-new-privileges for every container"),
        ("--experimental",): ("experimental", "announce experimental features"),
    }
    for names, (dest, words) in switches.items():
        serve.add_argument(*names, dest=dest, action="store_true", default=None, help=words)
    bools = {
        "--ip-masq": ("ip_masq", "masquerade the default bridge"),
        "--icc": ("icc", "containers reach each other"),
        "--ipv6": ("ipv6", "IPv6 on the default bridge"),
    }
    for name, (dest, words) in bools.items():
        serve.add_argument(name, dest=dest, nargs="?", const="true", metavar="BOOL", help=words)
    verify = verbs.add_parser(
        "verify", help="check that the store holds what its records speak of and nothing else; an engine may be running"
    )
    for name in ("--data-root", "--config-file"):
        verify.add_argument(name, metavar="VALUE", help=single[(name,)][1] + default_words(name[2:].replace("-", "_")))
    verify.add_argument("--digests", action="store_true", help="also read every blob and compute its digest")
    base = verbs.add_parser("base-image", help="write the local base image, made from busybox-static, to a file")
    base.add_argument("file", help="the archive to write; '-' for standard output")
    return top
