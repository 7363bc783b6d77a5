"""The create use case: what it records, in which order it complains, and that a failed step leaves nothing."""

import asyncio

import msgspec
import pytest

from tests.unit.engine.containers.maker import Maker, asked
from tests.unit.engine.rig import BASE
from wharfd.engine.containers.planner import refuse_nul
from wharfd.model.config import (
    EndpointSettings,
    LogConfig,
    MountSpec,
    RestartPolicy,
    VolumeOptions,
)
from wharfd.model.container import MountPart, State
from wharfd.model.errors import ImageNotFound, Internal, InvalidParameter, NameInUse
from wharfd.model.image import RunConfig
from wharfd.model.volume import VolumeRecord
from wharfd.testing.builders import a_volume


async def test_a_record_is_complete() -> None:
    maker = await Maker.of()
    record = await maker.make(name="web", cmd=["echo", "hello world"])
    assert record.state is State.CREATED
    assert (record.name, record.image_ref, record.image_id) == ("web", "alpine", maker.images.record.id)
    assert record.manifest == maker.images.record.platforms[0].manifest
    assert (record.path, record.args) == ("echo", ["hello world"])
    assert record.config.hostname == record.id[:12]
    assert record.config.env == ["PATH=/bin"]
    assert record.config.labels == {}
    assert record.driver == maker.world.rootfs.facts().driver
    assert record.rootfs is not None
    assert record.rootfs.layers == [BASE]
    assert record.log_path
    assert list(record.networks) == ["bridge"]
    host = record.host_config
    assert (host.runtime, host.ipc_mode, host.cgroupns_mode, host.shm_size) == ("crun", "private", "private", 64 << 20)
    assert host.restart_policy == RestartPolicy(name="no")
    assert host.log_config == LogConfig(type="json-file", config={})
    assert host.oom_kill_disable is False
    assert host.masked_paths
    assert host.readonly_paths


async def test_one_event_tells_of_it_and_another_engine_finds_it() -> None:
    maker = await Maker.of()
    record = await maker.make(labels={"tier": "front"}, name="web")
    event = maker.events(record.id)[0]
    assert (event.type, event.action) == ("container", "create")
    assert event.attributes == {"image": "alpine", "name": "web", "tier": "front"}
    again = await maker.reborn()
    assert again.ledger.container(record.id) == record


async def test_a_created_container_and_its_volumes_survive_a_power_cut() -> None:
    maker = await Maker.of()
    record = await maker.make(binds=["data:/data"])
    maker.world.records.lose_power()
    again = await maker.reborn()
    assert again.ledger.container(record.id) == record
    assert "data" in again.ledger.volumes


async def test_ids_are_never_all_digits_at_their_beginning() -> None:
    maker = await Maker.of()
    ids = {(await maker.make()).id for _ in range(20)}
    assert len(ids) == 20
    assert not any(each[:12].isdecimal() for each in ids)


async def test_a_taken_name_is_refused_with_its_holder() -> None:
    maker = await Maker.of()
    holder = await maker.make(name="web")
    with pytest.raises(NameInUse, match=f'"/web" is already in use by container "{holder.id}"'):
        await maker.make(name="/web")
    assert len(maker.ledger.containers) == 1


async def test_of_two_at_once_one_gets_the_name() -> None:
    maker = await Maker.of()
    outcomes = await asyncio.gather(maker.make(name="web"), maker.make(name="web"), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["ContainerRecord", "NameInUse"]


async def test_without_a_name_one_is_made_up() -> None:
    maker = await Maker.of()
    names = {(await maker.make()).name for _ in range(10)}
    assert len(names) == 10
    assert all("_" in name for name in names)


async def test_when_no_made_up_name_is_free_it_is_the_short_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wharfd.engine.containers.create.random_name", lambda rng, attempt: "same_name")
    maker = await Maker.of()
    first, second = await maker.make(), await maker.make()
    assert first.name == "same_name"
    assert second.name == second.id[:12]


@pytest.mark.parametrize(
    ("port", "method"), [("rootfs", "prepare"), ("volumes", "create"), ("volumes", "copy_up"), ("records", "commit")]
)
async def test_a_failed_step_leaves_nothing(port: str, method: str) -> None:
    maker = await Maker.of()
    getattr(maker.world, port).fail_next(method, Internal("no luck"))
    with pytest.raises(Internal, match="no luck"):
        await maker.make(name="web", volumes={"/data": {}}, binds=["named:/named"])
    left = maker.world.leftovers()
    assert not any(left.values()), left
    assert not maker.ledger.volumes
    assert not maker.locks.locks
    await maker.make(name="web")


async def test_locks_of_named_volumes_are_given_back() -> None:
    maker = await Maker.of()
    await maker.make(binds=["one:/one", "two:/two"])
    assert not maker.locks.locks


# image


async def test_an_absent_image_is_not_found() -> None:
    maker = await Maker.of()
    with pytest.raises(ImageNotFound, match="No such image: nope:latest"):
        await maker.make(image="nope")


async def test_a_wrong_setting_is_complained_of_before_the_image_is_looked_for() -> None:
    maker = await Maker.of()
    with pytest.raises(InvalidParameter, match="6MB"):
        await maker.make(image="nope", memory=5)


async def test_an_absent_image_is_complained_of_before_the_name() -> None:
    maker = await Maker.of()
    await maker.make(name="web")
    with pytest.raises(ImageNotFound):
        await maker.make(image="nope", name="web")


async def test_the_platform_is_parsed_and_handed_on() -> None:
    maker = await Maker.of()
    await maker.make(platform="linux/arm64")
    platform = maker.images.asked[-1]
    assert platform is not None
    assert (platform.os, platform.architecture) == ("linux", "arm64")
    with pytest.raises(InvalidParameter, match="unknown operating system or architecture"):
        await maker.make(platform="x")


async def test_an_image_for_another_machine_draws_a_warning() -> None:
    maker = await Maker.of()
    platform = msgspec.structs.replace(maker.images.record.platforms[0], architecture="s390x", variant="")
    maker.images.record = msgspec.structs.replace(maker.images.record, platforms=[platform])
    created = await maker.create(asked())
    assert created.warnings == [
        "The requested image's platform (linux/s390x) does not match the detected host platform (linux/amd64) "
        "and no specific platform was requested"
    ]
    assert (await maker.create(asked(platform="linux/s390x"))).warnings == []


# warnings


async def test_warnings_of_the_decoding_come_last() -> None:
    maker = await Maker.of()
    created = await maker.create(asked(warnings=["of the version"], cpu_percent=5))
    assert created.warnings[0] == "linux does not support CPU percent. Percent discarded."
    assert created.warnings[-1] == "of the version"


async def test_what_is_not_carried_out_draws_a_warning() -> None:
    maker = await Maker.of()
    created = await maker.create(asked(userns_mode="private"))
    assert any("UsernsMode" in warning for warning in created.warnings)


async def test_an_image_as_a_mount() -> None:
    maker = await Maker.of()
    record = await maker.make(mounts=[MountSpec(type="image", source="alpine", target="/c")])
    (point,) = record.mounts
    assert (point.type, point.name, point.rw, point.propagation) == ("image", "alpine", False, "rprivate")
    assert record.parts["/c"].layers
    with pytest.raises(ImageNotFound):
        await maker.make(mounts=[MountSpec(type="image", source="absent", target="/c")])


async def test_a_part_of_a_volume_is_not_filled_from_the_image() -> None:
    maker = await Maker.of()
    options = VolumeOptions(subpath="sub")
    record = await maker.make(mounts=[MountSpec(type="volume", source="data", target="/c", volume_options=options)])
    assert record.parts == {"/c": MountPart(subpath="sub")}
    assert "copy_up" not in maker.world.volumes.calls


async def test_parts_are_taken_over_from_another_container() -> None:
    maker = await Maker.of()
    options = VolumeOptions(subpath="sub")
    mounts = [
        MountSpec(type="volume", source="data", target="/c", volume_options=options),
        MountSpec(type="image", source="alpine", target="/i"),
    ]
    first = await maker.make(name="first", mounts=mounts)
    second = await maker.make(volumes_from=["first"])
    assert second.parts == first.parts
    assert {mount.destination: second.id in mount.source for mount in second.mounts} == {"/c": False, "/i": True}


# volumes


def volume_of(maker: Maker, name: str) -> VolumeRecord:
    return maker.ledger.volumes[name]


async def test_an_anonymous_volume_is_made_and_filled_from_the_image() -> None:
    maker = await Maker.of()
    maker.images.config = RunConfig(cmd=["sh"], volumes={"/data": {}})
    record = await maker.make()
    (point,) = record.mounts
    assert (point.type, point.destination, point.driver, point.mode, point.rw) == ("volume", "/data", "local", "", True)
    volume = volume_of(maker, point.name)
    assert volume.anonymous
    assert volume.labels == {"com.docker.volume.anonymous": ""}
    assert point.source == volume.mountpoint
    assert "copy_up" in maker.world.volumes.calls
    assert not await maker.world.rootfs.is_mounted(record.id)
    assert [event.action for event in maker.events() if event.type == "volume"] == ["create"]


async def test_a_named_volume_is_made_once_and_kept() -> None:
    maker = await Maker.of()
    first = await maker.make(binds=["data:/one:ro,nocopy"])
    second = await maker.make(binds=["data:/two"])
    assert first.mounts[0].name == second.mounts[0].name == "data"
    assert (first.mounts[0].rw, first.mounts[0].mode) == (False, "ro,nocopy")
    assert (second.mounts[0].rw, second.mounts[0].mode) == (True, "z")
    assert len(maker.ledger.volumes) == 1
    assert not volume_of(maker, "data").anonymous
    await maker.remove(first.id, volumes=True)
    await maker.remove(second.id, volumes=True)
    assert "data" in maker.ledger.volumes


async def test_of_several_mounts_of_one_volume_the_first_makes_it() -> None:
    maker = await Maker.of()
    labelled = MountSpec(type="volume", source="data", target="/z", volume_options=VolumeOptions(labels={"k": "v"}))
    await maker.make(mounts=[labelled, MountSpec(type="volume", source="data", target="/a")])
    assert volume_of(maker, "data").labels == {"k": "v"}


async def test_a_named_volume_of_a_failed_create_that_was_there_before_stays() -> None:
    maker = await Maker.of()
    await maker.ledger.commit(await maker.world.volumes.create(a_volume(name="data")))
    maker.world.records.fail_next("commit", Internal("no luck"))
    with pytest.raises(Internal):
        await maker.make(binds=["data:/data"])
    assert "data" in maker.world.volumes.content


async def test_a_volume_of_the_image_gives_way_to_the_clients_mounts() -> None:
    maker = await Maker.of()
    maker.images.config = RunConfig(cmd=["sh"], volumes={"/a": {}, "/b": {}, "/c": {}})
    record = await maker.make(binds=["/tmp:/a"], tmpfs={"/b": ""})
    assert [(point.type, point.destination) for point in record.mounts] == [("bind", "/a"), ("volume", "/c")]


async def test_volumes_from_another_container_are_shared() -> None:
    maker = await Maker.of()
    maker.images.config = RunConfig(cmd=["sh"], volumes={"/data": {}})
    await maker.make(name="other", binds=["/tmp:/t"])
    record = await maker.make(volumes_from=["other:ro"])
    shared = {point.destination: point for point in record.mounts}
    assert set(shared) == {"/data", "/t"}
    assert not shared["/data"].rw
    assert not shared["/t"].rw
    assert len(maker.ledger.volumes) == 1


async def test_mounts_of_ones_own_win_over_those_of_others() -> None:
    maker = await Maker.of()
    await maker.make(name="other", binds=["/tmp:/t"])
    record = await maker.make(volumes_from=["other"], binds=["/var:/t"])
    assert [point.source for point in record.mounts] == ["/var"]


async def test_a_bind_that_holds_the_engines_directory_is_a_slave() -> None:
    maker = await Maker.of()
    record = await maker.make(binds=["/:/host", "/var/lib:/lib:rshared", "/tmp:/t"])
    assert {point.destination: point.propagation for point in record.mounts} == {
        "/host": "rslave",
        "/lib": "rshared",
        "/t": "rprivate",
    }


# network


async def test_the_network_of_the_mode_is_joined_only_if_none_is_listed() -> None:
    maker = await Maker.of()
    assert set((await maker.make()).networks) == {"bridge"}
    record = await maker.make(endpoints={"other": EndpointSettings(aliases=["a"])})
    assert record.networks == {"other": EndpointSettings(aliases=["a"])}


@pytest.mark.parametrize(
    ("mode", "networks", "text"),
    [
        ("host", ["bridge"], "container sharing network namespace with another container or host"),
        ("bridge", ["host"], "cannot connect container to host network"),
        ("bridge", ["bridge", "none"], "container cannot be connected to multiple networks"),
    ],
)
async def test_networks_that_do_not_go_together_are_told_of_at_the_start(
    mode: str, networks: list[str], text: str
) -> None:
    maker = await Maker.of()
    record = await maker.make(network_mode=mode, endpoints={name: EndpointSettings() for name in networks})
    with pytest.raises(InvalidParameter, match=text):
        await maker.start(record.id)
    await maker.remove(record.id)
    assert not any(maker.world.leftovers().values())


async def test_a_network_may_be_named_by_its_id() -> None:
    maker = await Maker.of()
    bridge = maker.ledger.network("bridge")
    record = await maker.make(
        network_mode=bridge.id[:12], endpoints={bridge.id: EndpointSettings(mac_address="02:42:ac:11:00:09")}
    )
    assert list(record.networks) == ["bridge"]
    assert record.networks["bridge"].mac_address == "02:42:ac:11:00:09"
    assert record.host_config.network_mode == bridge.id[:12]


async def test_addresses_of_an_earlier_life_are_not_taken_over() -> None:
    maker = await Maker.of()
    posted_back = EndpointSettings(ip_address="172.17.0.9", endpoint_id="e" * 64, gateway="172.17.0.1")
    record = await maker.make(endpoints={"bridge": posted_back})
    assert record.networks["bridge"] == EndpointSettings()


@pytest.mark.parametrize(("mode", "networks"), [("host", ["host"]), ("none", ["none"]), ("default", ["bridge"])])
async def test_modes(mode: str, networks: list[str]) -> None:
    maker = await Maker.of()
    record = await maker.make(network_mode=mode)
    assert list(record.networks) == networks
    assert record.host_config.network_mode == mode


async def test_the_hosts_name_in_the_hosts_network() -> None:
    maker = await Maker.of()
    assert (await maker.make(network_mode="host")).config.hostname == "testhost"
    assert (await maker.make(network_mode="host", hostname="own")).config.hostname == "own"


async def test_another_containers_namespaces_are_kept_by_id() -> None:
    maker = await Maker.of()
    other = await maker.make(name="other")
    record = await maker.make(
        network_mode="container:other", pid_mode=f"container:{other.id[:12]}", ipc_mode="container:other"
    )
    host = record.host_config
    assert host.network_mode == host.pid_mode == host.ipc_mode == f"container:{other.id}"
    assert record.networks == {}


async def test_a_link_to_a_container_of_the_hosts_network_is_refused() -> None:
    maker = await Maker.of()
    await maker.make(name="other", network_mode="host")
    with pytest.raises(InvalidParameter, match="host type networking can't be used with links"):
        await maker.make(links=["other:o"])


# host config


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"memory": 100 << 20}, {"memory_swap": 200 << 20}),
        ({"memory": 2**63 - 1}, {"memory_swap": -1}),
        ({"memory": 100 << 20, "memory_swap": -1}, {"memory_swap": -1}),
        ({"pids_limit": 0}, {"pids_limit": None}),
        ({"pids_limit": -1}, {"pids_limit": None}),
        ({"pids_limit": 7}, {"pids_limit": 7}),
        ({"privileged": True}, {"security_opt": ["label=disable"], "masked_paths": None, "readonly_paths": None}),
        ({"pid_mode": "host"}, {"security_opt": ["label=disable"]}),
        ({"pid_mode": "host", "security_opt": ["label=type:x"]}, {"security_opt": ["label=type:x"]}),
        ({"masked_paths": [], "readonly_paths": ["/x"]}, {"masked_paths": [], "readonly_paths": ["/x"]}),
        ({"security_opt": ["systempaths=unconfined"]}, {"masked_paths": None}),
        ({"memory_swappiness": -1}, {"memory_swappiness": None}),
    ],
)
async def test_defaults(given: dict[str, object], kept: dict[str, object]) -> None:
    record = await (await Maker.of()).make(**given)
    assert {key: getattr(record.host_config, key) for key in kept} == kept


@pytest.mark.parametrize(
    ("version", "privileged", "is_old_client", "expected"),
    [(1, False, False, "host"), (1, True, False, "host"), (2, False, False, "private"), (2, False, True, "private")],
)
async def test_the_cgroup_namespace(version: int, privileged: bool, is_old_client: bool, expected: str) -> None:
    maker = await Maker.of()
    maker.world.host.known = msgspec.structs.replace(maker.world.host.known, cgroup_version=version)
    record = await maker.make(privileged=privileged, cgroupns_default_host=is_old_client)
    assert record.host_config.cgroupns_mode == expected


async def test_options_of_the_default_log_driver_are_added() -> None:
    maker = await Maker.of()
    maker.create.settings = msgspec.structs.replace(maker.settings, log_opts={"max-size": "1m"}, log_driver="json-file")
    own = await maker.make(log_config=LogConfig(type="json-file", config={"max-file": "2"}))
    assert own.host_config.log_config.config == {"max-size": "1m", "max-file": "2"}
    other = await maker.make(log_config=LogConfig(type="local"))
    assert other.host_config.log_config == LogConfig(type="local", config={})


async def test_a_log_mode_is_taken_by_every_driver() -> None:
    maker = await Maker.of()
    options = {"mode": "non-blocking", "max-buffer-size": "4m"}
    record = await maker.make(log_config=LogConfig(config=options))
    assert record.host_config.log_config.config == options
    with pytest.raises(InvalidParameter, match="only supported with 'mode=non-blocking'"):
        await maker.make(log_config=LogConfig(config={"max-buffer-size": "4m"}))


@pytest.mark.parametrize(
    "spec",
    [
        {"process": {"args": ["tr\0ue"]}, "linux": {}},
        {"process": {"env": {"a\0": "b"}}, "linux": {}},
        {"linux": {"cgroupsPath": "\0", "seccomp": {}}},
    ],
)
def test_a_plan_with_a_nul_byte_is_refused(spec: dict[str, object]) -> None:
    with pytest.raises(InvalidParameter, match="contains nul byte"):
        refuse_nul(spec)


def test_the_text_of_an_escape_is_not_a_nul_byte() -> None:
    refuse_nul({"process": {"args": ["\\u0000", "\\0"]}, "linux": {"seccomp": {"names": ["x"]}}})


# storage options


async def test_a_size_is_the_writable_layers() -> None:
    maker = await Maker.of()
    maker.world.rootfs.limits_size = True
    record = await maker.make(storage_opt={"Size": "10m"})
    assert record.rootfs is not None
    assert record.rootfs.size_bytes == 10 << 20
    assert maker.world.rootfs.prepared[record.id].size_bytes == 10 << 20


@pytest.mark.parametrize(
    ("can_limit", "options", "message"),
    [
        (False, {"size": "10m"}, "--storage-opt is supported only for overlay over xfs with 'pquota' mount option"),
        (False, {"size": "0"}, "--storage-opt is supported only for overlay over xfs with 'pquota' mount option"),
        (False, {"SIZE": "10m"}, "--storage-opt is supported only for overlay over xfs with 'pquota' mount option"),
        (False, {"inodes": "10"}, "Unknown option inodes"),
        (True, {"size": "10m", "inodes": "10"}, "Unknown option inodes"),
        (True, {"size": "much"}, "invalid size: 'much'"),
    ],
)
async def test_storage_options_that_are_refused_leave_nothing(
    can_limit: bool, options: dict[str, str], message: str
) -> None:
    maker = await Maker.of()
    maker.world.rootfs.limits_size = can_limit
    with pytest.raises(InvalidParameter) as caught:
        await maker.make(name="web", storage_opt=options)
    assert str(caught.value) == message
    assert not any(maker.world.leftovers().values())
    maker.world.rootfs.limits_size = True
    await maker.make(name="web", storage_opt={"size": "1g"})
