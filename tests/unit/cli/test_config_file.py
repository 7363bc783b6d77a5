"""Settings from flags and file: what cannot be used is refused before the engine starts, by its name."""

import json
from pathlib import Path
from typing import Any

import pytest

from wharfd.cli.config_file import ConfigError, load
from wharfd.cli.flags import parser


def settings(tmp_path: Path, *flags: str, **file: Any) -> Any:
    config = tmp_path / "daemon.json"
    config.write_text(json.dumps(file))
    return load(vars(parser().parse_args(["serve", f"--config-file={config}", *flags])))[0]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--dns=1.2.3"], "dns 1.2.3 is not an IP address"),
        (["--bridge=a-name-of-sixteen"], "bridge 'a-name-of-sixteen' is not a link's name"),
        (["--bridge="], "bridge '' is not a link's name"),
        (["--bridge=a/b"], "bridge 'a/b' is not a link's name"),
        (["--ip=localhost"], "invalid ip localhost: "),
        (["--ip=::1"], "invalid ip ::1: it is not of IPv4"),
        (["--bip=10.9.0.0/24"], "invalid bip 10.9.0.0/24"),
        (["--fixed-cidr=10.9.0.1/24"], "invalid fixed-cidr 10.9.0.1/24"),
        (["--default-address-pool=10.9.0.0/16"], "default-address-pool '10.9.0.0/16' must be base=CIDR,size=LENGTH"),
        (["--default-address-pool=base=10.9.0.0,size=24"], 'invalid CIDR address: "10.9.0.0"'),
        (["--default-network-opt=mtu=5"], "default-network-opt 'mtu=5' must be driver=key=value"),
        (["--mtu=-5"], "mtu must not be negative, as -5 is"),
        (["--cgroup-parent=../x"], "cgroup-parent ../x must not lead upwards"),
        (
            ["--log-driver=splunk"],
            "log-driver splunk is not supported: fluentd, gelf, journald, json-file, local, none, syslog",
        ),
        (["--default-ipc-mode=host"], "default-ipc-mode host is not supported: private, shareable"),
        (["--default-cgroupns-mode=x"], "default-cgroupns-mode x is not supported: private, host"),
        (["--label=x"], "label 'x' must be key=value"),
        (["--data-root=here"], "data-root must be an absolute path"),
        (["--registry-mirror=m.example"], 'invalid mirror: no scheme specified for "m.example"'),
        (["--insecure-registry=ftp://x"], "insecure registry ftp://x should not contain '://'"),
        (["--registry-config-dir=certs.d"], "registry-config-dirs: certs.d must be an absolute path"),
        (["--max-concurrent-downloads=-1"], "invalid max concurrent downloads: -1"),
        (["--max-download-attempts=0"], "invalid max download attempts: 0"),
        (["--max-concurrent-uploads=many"], "max-concurrent-uploads must be a whole number"),
    ],
)
def test_unusable_flag_is_told(tmp_path: Path, flags: list[str], words: str) -> None:
    with pytest.raises(ConfigError) as told:
        settings(tmp_path, *flags)
    assert str(told.value).startswith(words)


def test_file_is_held_to_the_same(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="dns x is not an IP address"):
        settings(tmp_path, dns=["x"])


def test_usable_settings_pass(tmp_path: Path) -> None:
    found = settings(
        tmp_path,
        "--dns=1.1.1.1",
        "--dns=2606:4700::1111",
        "--bridge=br-a.b_1",
        "--cgroup-parent=/a/b..c",
        "--log-driver=local",
        "--mtu=0",
    )
    assert (found.dns, found.bridge, found.mtu) == (["1.1.1.1", "2606:4700::1111"], "br-a.b_1", 0)


def test_networks_from_flags_and_from_the_file(tmp_path: Path) -> None:
    by_flag = settings(
        tmp_path,
        "--default-address-pool=base=10.9.0.0/16,size=24",
        "--default-network-opt=bridge=a.b=c",
        "--host-gateway-ip=10.9.9.9",
    )
    by_file = settings(
        tmp_path,
        **{
            "default-address-pools": [{"base": "10.9.0.0/16", "size": 24}],
            "default-network-opts": {"bridge": {"a.b": "c"}},
            "host-gateway-ip": "10.9.9.9",
        },
    )
    assert by_flag == by_file
    assert (by_flag.default_address_pools[0].size, by_flag.host_gateway_ips) == (24, ["10.9.9.9"])


def test_builtin_is_the_name_of_the_default_profile(tmp_path: Path) -> None:
    assert settings(tmp_path, "--seccomp-profile=builtin").seccomp_profile == ""


def test_proxies_come_from_flags_then_file_then_environment(tmp_path: Path) -> None:
    config = tmp_path / "daemon.json"
    config.write_text(json.dumps({"proxies": {"https-proxy": "http://file:1", "no-proxy": "a"}}))
    flags = vars(parser().parse_args(["serve", f"--config-file={config}", "--http-proxy=http://flag:1"]))
    environment = {"HTTP_PROXY": "http://env:1", "https_proxy": "http://env:2", "no_proxy": "b"}
    found = load(flags, environment)[0]
    assert (found.http_proxy, found.https_proxy, found.no_proxy) == ("http://flag:1", "http://file:1", "a")
    config.write_text("{}")
    found = load(vars(parser().parse_args(["serve", f"--config-file={config}"])), environment)[0]
    assert (found.http_proxy, found.https_proxy, found.no_proxy) == ("http://env:1", "http://env:2", "b")


@pytest.mark.parametrize("proxies", [{"ftp-proxy": "x"}, {"no-proxy": ["a"]}])
def test_what_are_no_proxies(tmp_path: Path, proxies: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="proxies"):
        settings(tmp_path, proxies=proxies)


def test_no_number_of_transfers_is_the_default(tmp_path: Path) -> None:
    found = settings(tmp_path, **{"max-concurrent-downloads": 0, "max-concurrent-uploads": 7})
    assert (found.max_concurrent_downloads, found.max_concurrent_uploads) == (3, 7)


def test_registries_of_the_file(tmp_path: Path) -> None:
    found = settings(
        tmp_path,
        **{
            "insecure-registries": ["r.example:5000"],
            "registry-mirrors": ["https://m.example"],
            "allow-nondistributable-artifacts": ["r.example"],
        },
    )
    assert found.insecure_registries == ["r.example:5000"]
    assert found.registry_mirrors == ["https://m.example"]
    assert found.allow_nondistributable_artifacts == ["r.example"]
