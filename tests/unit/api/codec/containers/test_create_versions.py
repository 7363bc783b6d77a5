"""A create body means something else to clients of other versions: each difference, just below its version and at it."""

from typing import Any

import pytest

from wharfd.api.codec.containers.create import decode_create, encode_created
from wharfd.api.versions.behaviour import Behaviour
from wharfd.api.versions.version import MAX, Version
from wharfd.engine.containers.create import Asked
from wharfd.model.config import EndpointSettings, PortBinding
from wharfd.model.errors import InvalidParameter

BIND = {"Type": "bind", "Source": "/tmp", "Target": "/c"}
MAC = "02:42:ac:11:00:09"


def decode(minor: int, host: Any = None, endpoints: Any = None, **fields: Any) -> Asked:
    body: dict[str, Any] = {"Image": "alpine", "Cmd": ["true"], **fields}
    if host is not None:
        body["HostConfig"] = host
    if endpoints is not None:
        body["NetworkingConfig"] = {"EndpointsConfig": endpoints}
    return decode_create(body, Behaviour.for_version(Version(1, minor)), platform="linux/arm64")


def refusal(minor: int, host: Any = None, endpoints: Any = None, **fields: Any) -> str:
    with pytest.raises(InvalidParameter) as caught:
        decode(minor, host, endpoints, **fields)
    return str(caught.value)


def mount(minor: int, **over: Any) -> Any:
    (spec,) = decode(minor, {"Mounts": [{**BIND, **over}]}).host_config.mounts or []
    return spec


def test_1_25_removal_at_exit() -> None:
    assert not decode(24, {"AutoRemove": True}).host_config.auto_remove
    assert decode(25, {"AutoRemove": True}).host_config.auto_remove


def test_1_40_ipc() -> None:
    assert decode(39).host_config.ipc_mode == "shareable"
    assert decode(39, {"IpcMode": "private"}).host_config.ipc_mode == "private"
    assert decode(40).host_config.ipc_mode == ""


def test_1_40_non_recursive_binds() -> None:
    assert not mount(39, BindOptions={"NonRecursive": True}).bind_options.non_recursive
    assert mount(40, BindOptions={"NonRecursive": True}).bind_options.non_recursive


def test_1_41_cgroup_namespace() -> None:
    assert decode(40).cgroupns_default_host
    assert not decode(41).cgroupns_default_host


def test_1_41_platform() -> None:
    assert decode(40).platform == ""
    assert decode(41).platform == "linux/arm64"


def test_1_42_mount_options() -> None:
    assert not mount(41, BindOptions={"CreateMountpoint": True}).bind_options.create_mountpoint
    assert mount(42, BindOptions={"CreateMountpoint": True}).bind_options.create_mountpoint
    assert mount(41, VolumeOptions={"NoCopy": True}, TmpfsOptions={}).volume_options is None
    text = refusal(42, {"Mounts": [{**BIND, "VolumeOptions": {}}]})
    assert text == 'VolumeOptions must not be specified on mount type "bind"'


def test_1_42_console_size() -> None:
    assert decode(41, {"ConsoleSize": [24, 80]}).host_config.console_size == [0, 0]
    assert decode(42, {"ConsoleSize": [24, 80]}).host_config.console_size == [24, 80]


def test_1_43_annotations() -> None:
    assert decode(42, {"Annotations": {"a": "b"}}).host_config.annotations is None
    assert decode(43, {"Annotations": {"a": "b"}}).host_config.annotations == {"a": "b"}


def test_1_44_start_interval() -> None:
    for minor, expected in ((43, 0), (44, 10**9)):
        health = decode(minor, Healthcheck={"StartInterval": 10**9}).config.healthcheck
        assert health is not None
        assert health.start_interval == expected


def test_1_44_read_only_binds() -> None:
    assert decode(43).read_only_non_recursive
    assert not decode(44).read_only_non_recursive
    forced = {"Mounts": [{**BIND, "BindOptions": {"ReadOnlyForceRecursive": True}}]}
    assert refusal(43, forced) == "BindOptions.ReadOnlyForceRecursive needs API v1.44 or newer"
    decode(44, forced)


def test_1_44_several_endpoints() -> None:
    text = refusal(43, endpoints={"b": {}, "a": {}})
    assert text == "Container cannot be created with multiple network endpoints: a, b"
    assert set(decode(44, endpoints={"a": {}, "b": {}}).endpoints) == {"a", "b"}


def test_1_44_mac_address_of_the_endpoint() -> None:
    old = decode(43, endpoints={"bridge": {"MacAddress": MAC}}).endpoints["bridge"]
    new = decode(44, endpoints={"bridge": {"MacAddress": MAC}}).endpoints["bridge"]
    assert old == EndpointSettings()
    assert new == EndpointSettings(mac_address=MAC)


def test_1_44_mac_address_of_the_container() -> None:
    for minor, warnings in ((43, 0), (44, 1), (51, 1)):
        asked = decode(minor, MacAddress=MAC)
        assert asked.endpoints == {"bridge": EndpointSettings(mac_address=MAC)}
        assert asked.config.mac_address == ""
        assert len(asked.warnings) == warnings
    assert (
        refusal(43, {"NetworkMode": "none"}, MacAddress=MAC) == "conflicting options: mac-address and the network mode"
    )
    assert decode(44, {"NetworkMode": "none"}, MacAddress=MAC).endpoints == {}


def test_a_mac_address_of_the_container_must_fit_the_endpoints() -> None:
    other = {"bridge": {"MacAddress": "02:42:ac:11:00:08"}}
    assert "must match the endpoint-specific MAC address" in refusal(51, endpoints=other, MacAddress=MAC)
    assert refusal(51, endpoints={"x": {}}, MacAddress=MAC) == (
        "unable to migrate container-wide MAC address to a specific network: "
        "HostConfig.NetworkMode must match the identity of a network in NetworkSettings.Networks"
    )
    assert decode(43, endpoints={"x": {}}, MacAddress=MAC).endpoints == {"x": EndpointSettings(mac_address=MAC)}


def test_1_45_network_mode() -> None:
    assert decode(44).host_config.network_mode == "default"
    assert decode(45).host_config.network_mode == "bridge"
    assert decode(44, {"NetworkMode": "bridge"}).host_config.network_mode == "bridge"
    for minor in (44, 45):
        assert set(decode(minor, {"NetworkMode": "default"}, {"default": {}}).endpoints) == {"bridge"}


def test_1_45_subpath() -> None:
    volume = {"Mounts": [{"Type": "volume", "Target": "/c", "Source": "v", "VolumeOptions": {"Subpath": "x"}}]}
    assert refusal(44, volume) == "VolumeOptions.Subpath needs API v1.45 or newer"
    decode(45, volume)


def test_1_48_image_mounts_and_gateway_priority() -> None:
    image = {"Mounts": [{"Type": "image", "Target": "/c", "Source": "alpine"}]}
    assert refusal(47, image) == 'Mount type "Image" needs API v1.48 or newer'
    decode(48, image)
    for minor, priority in ((47, 0), (48, 7)):
        endpoint = decode(minor, endpoints={"bridge": {"GwPriority": 7}}).endpoints["bridge"]
        assert endpoint == EndpointSettings(gw_priority=priority)


def test_1_48_volume_driver() -> None:
    host = {"VolumeDriver": "local", "Mounts": [{"Type": "volume", "Target": "/c"}]}
    assert decode(47, host).warnings == []
    assert len(decode(48, host).warnings) == 1
    own = {"Type": "volume", "Target": "/c", "VolumeOptions": {"DriverConfig": {"Name": "local"}}}
    assert decode(48, {"VolumeDriver": "local", "Mounts": [own]}).warnings == []


def test_1_48_sysctls_of_interfaces() -> None:
    sysctls = {"net.ipv4.conf.eth0.forwarding": "1", "net.ipv4.ip_forward": "1"}
    old = decode(47, {"Sysctls": sysctls})
    option = "com.docker.network.endpoint.sysctls"
    assert old.endpoints["bridge"] == EndpointSettings(driver_opts={option: "net.ipv4.conf.IFNAME.forwarding=1"})
    assert old.host_config.sysctls == {"net.ipv4.ip_forward": "1"}
    assert old.warnings == [
        f'Migrated sysctl "net.ipv4.conf.eth0.forwarding" to DriverOpts{{"{option}":"net.ipv4.conf.IFNAME.forwarding=1"}}.'
    ]
    assert "must be supplied using driver option" in refusal(48, {"Sysctls": sysctls})
    assert "unable to determine network endpoint" in refusal(47, {"Sysctls": {"net.ipv4.conf.eth1.x": "1"}})
    joined = decode(48, {"NetworkMode": "host", "Sysctls": sysctls})
    assert joined.host_config.sysctls == sysctls


def test_1_52_mac_address_of_the_container() -> None:
    assert "no longer supported" in refusal(52, MacAddress=MAC)
    assert decode(52, MacAddress="").warnings == []


def test_1_52_and_1_53_empty_port_bindings() -> None:
    host = {"PortBindings": {"80/tcp": [], "81/tcp": None, "82/tcp": [{"HostPort": "8082"}]}}
    full = {"82/tcp": [PortBinding(host_port="8082")]}
    filled = {"80/tcp": [PortBinding()], "81/tcp": [PortBinding()], **full}
    assert (decode(51, host).host_config.port_bindings, decode(51, host).warnings) == (filled, [])
    assert decode(52, host).host_config.port_bindings == filled
    assert decode(52, host).warnings == [
        "Following container port(s) have an empty list of port-bindings: 80/tcp, 81/tcp. "
        "Starting with API 1.53, such bindings will be discarded."
    ]
    assert (decode(53, host).host_config.port_bindings, decode(53, host).warnings) == (full, [])


# the body itself


def test_keys_in_any_case_nulls_and_strange_keys() -> None:
    asked = decode_create(
        {
            "image": "alpine",
            "CMD": ["true"],
            "cMd": ["false"],
            "hostname": None,
            "Strange": 1,
            "hostconfig": {"MEMORY": 10 << 20, "portbindings": {"80/tcp": [{"hostport": "8080"}]}, "Binds": None},
        },
        Behaviour.for_version(MAX),
    )
    assert (asked.config.image, asked.config.cmd, asked.config.hostname) == ("alpine", ["false"], "")
    assert asked.host_config.memory == 10 << 20
    assert asked.host_config.port_bindings == {"80/tcp": [PortBinding(host_port="8080")]}


@pytest.mark.parametrize(
    ("sent", "kept"), [("true", ["true"]), (["a", "b"], ["a", "b"]), ([], []), (None, None), ("", [""])]
)
def test_commands_as_a_string_or_an_array(sent: Any, kept: list[str] | None) -> None:
    asked = decode(55, Cmd=sent, Entrypoint=sent)
    assert asked.config.cmd == asked.config.entrypoint == kept


@pytest.mark.parametrize("body", [{}, {"HostConfig": {}}, {"Strange": 1}, None])
def test_a_body_without_config(body: Any) -> None:
    with pytest.raises(InvalidParameter, match="config cannot be empty in order to create a container"):
        decode_create(body, Behaviour.for_version(MAX))


def test_a_null_of_the_config_is_a_config() -> None:
    assert decode_create({"image": None}, Behaviour.for_version(MAX)).config.image == ""


def test_warnings_are_an_empty_list() -> None:
    assert encode_created("ab", []) == {"Id": "ab", "Warnings": []}
