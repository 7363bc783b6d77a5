"""Start: what is set up, what is told, what is left when it fails."""

import asyncio

import pytest

from tests.unit.engine.rig import Machine, Rig
from wharfd.engine.containers.start import Ground
from wharfd.engine.containers.waiters import WaitCondition
from wharfd.model.config import EndpointIPAMConfig, EndpointSettings
from wharfd.model.container import ContainerRecord, MountPoint, State, Step
from wharfd.model.errors import (
    Conflict,
    ContainerNotFound,
    Internal,
    InvalidParameter,
    NetworkNotFound,
    NotFound,
    NotModified,
    StartFailed,
)
from wharfd.ports.runtime import Launch
from wharfd.testing.builders import a_config, a_host_config, a_network, a_volume
from wharfd.testing.runtime import Phase


@pytest.fixture
async def rig() -> Rig:
    return await Rig.up(Machine())


def nothing_set_up(rig: Rig) -> bool:
    left = rig.world.leftovers()
    return not any(left[kind] for kind in ("runtime", "mounts", "sandboxes", "endpoints", "volume mounts"))


async def test_a_started_container_runs_and_its_record_says_so(rig: Rig) -> None:
    record = await rig.created()
    await rig.start(record.name)
    running = rig.now(record)
    process = rig.world.runtime.processes_by_id[record.id]
    assert process.phase is Phase.RUNNING
    assert running.state is State.RUNNING
    assert (running.pid, running.pid_start, running.monitor_pid) == (
        process.pid,
        process.pid_start,
        process.monitor_pid,
    )
    assert running.started_ns > record.created_ns
    assert running.owed == [Step.RUNTIME, Step.NETWORK, Step.ROOTFS]
    assert rig.world.sandboxes.keys == {running.sandbox_id: running.sandbox_key}
    assert process.launch.sandbox_key == running.sandbox_key
    assert sorted(rig.world.files.content[record.id]) == ["hostname", "hosts", "resolv.conf"]


async def test_the_record_says_which_apparmor_profile_was_used(rig: Rig) -> None:
    record = await rig.created()
    plan = rig.start.planner

    async def confines(record: ContainerRecord, ground: Ground) -> Launch:
        launch = await plan(record, ground)
        launch.spec["process"]["apparmorProfile"] = "ours"
        return launch

    rig.start.planner = confines
    await rig.start(record.name)
    assert rig.now(record).apparmor_profile == "ours"


async def test_a_container_that_cannot_be_planned_is_no_fault_of_the_request(rig: Rig) -> None:
    async def refuses(record: ContainerRecord, ground: Ground) -> Launch:
        raise InvalidParameter("unable to find user nosuch: no matching entries in passwd file")

    record = await rig.created()
    rig.start.planner = refuses
    with pytest.raises(Internal, match="unable to find user nosuch"):
        await rig.start(record.id)
    assert (rig.now(record).exit_code, nothing_set_up(rig)) == (128, True)


async def test_its_endpoint_is_shown_and_stands_in_hosts(rig: Rig) -> None:
    running = await rig.running()
    bridge = rig.ledger.network("bridge")
    given = running.networks["bridge"]
    endpoint = rig.world.networks["bridge"].endpoints[bridge.id][given.endpoint_id]
    assert (given.network_id, given.ip_address, given.ip_prefix_len) == (bridge.id, endpoint.ipv4, 16)
    assert (given.gateway, given.mac_address) == (endpoint.gateway, endpoint.mac)
    assert running.endpoints == {bridge.id: endpoint}
    assert f"{endpoint.ipv4}\tbox\n".encode() in rig.world.files.content[running.id]["hosts"]


async def test_what_is_told(rig: Rig) -> None:
    running = await rig.running()
    assert rig.told(running) == ["create", "network connect", "start"]


async def test_the_record_is_written_twice_and_the_commit_is_the_last_call(rig: Rig) -> None:
    record = await rig.created()
    rig.plan.forget_calls()
    await rig.start(record.id)
    assert [call for call in rig.plan.calls if call.startswith("records.")] == ["records.post", "records.commit"]
    assert rig.plan.calls[-1] == "records.commit"


async def test_on_the_host_network_there_is_no_sandbox(rig: Rig) -> None:
    running = await rig.running(host_config=a_host_config(network_mode="host"), networks={"host": EndpointSettings()})
    assert (running.sandbox_key, rig.world.sandboxes.keys) == ("", {})
    assert running.networks["host"].network_id == rig.ledger.network("host").id


async def test_without_a_network_there_is_an_empty_sandbox(rig: Rig) -> None:
    running = await rig.running(host_config=a_host_config(network_mode="none"), networks={"none": EndpointSettings()})
    assert running.sandbox_key in rig.world.sandboxes.keys.values()


async def test_a_container_joins_anothers_sandbox(rig: Rig) -> None:
    other = await rig.running()
    joined = await rig.running(host_config=a_host_config(network_mode=f"container:{other.id}"), networks={})
    assert joined.sandbox_key == other.sandbox_key
    assert (joined.endpoints, list(rig.world.sandboxes.keys)) == ({}, [other.sandbox_id])
    rig.world.runtime.exit(joined.id)
    await rig.settle()
    assert list(rig.world.sandboxes.keys) == [other.sandbox_id]


async def test_who_joins_anothers_network_has_its_hostname(rig: Rig) -> None:
    other = await rig.running(config=a_config(hostname="box", domainname="example.test"))
    mode = a_host_config(network_mode=f"container:{other.id}")
    joined = await rig.running(config=a_config(hostname="mine"), host_config=mode, networks={})
    assert (joined.config.hostname, joined.config.domainname) == ("box", "example.test")


async def test_a_container_cannot_join_one_that_does_not_run(rig: Rig) -> None:
    other = await rig.created()
    record = await rig.created(host_config=a_host_config(network_mode=f"container:{other.id}"), networks={})
    with pytest.raises(
        Conflict, match=f"cannot join network namespace of a non running container: container {other.name} is created"
    ):
        await rig.start(record.id)
    lonely = await rig.created(host_config=a_host_config(network_mode="container:nope"), networks={})
    with pytest.raises(NotFound, match=r"^joining network namespace of container: No such container: nope$"):
        await rig.start(lonely.id)
    assert rig.now(record).exit_code == 128


async def test_several_networks_their_order_and_the_default_route(rig: Rig) -> None:
    for name, subnet in (("alpha", "10.1.0.0/16"), ("zeta", "10.2.0.0/16")):
        network = a_network(name=name, pools=[])
        network = await rig.world.networks["bridge"].create_network(network)
        await rig.ledger.commit(network)
        assert subnet
    record = await rig.created(
        host_config=a_host_config(network_mode="zeta"),
        networks={"alpha": EndpointSettings(aliases=["a"]), "zeta": EndpointSettings(gw_priority=1)},
    )
    wanted = rig.attachment.wanted(record)
    assert [name for name, _, _ in wanted] == ["zeta", "alpha"]
    await rig.start(record.id)
    assert sorted(rig.now(record).endpoints) == sorted(network.id for _, _, network in wanted)
    assert rig.now(record).networks["alpha"].dns_names == [record.name, "a", record.id[:12], "box"]


async def test_an_address_that_was_asked_for(rig: Rig) -> None:
    settings = EndpointSettings(ipam_config=EndpointIPAMConfig(ipv4_address="172.30.9.9"))
    running = await rig.running(networks={"bridge": settings})
    assert running.networks["bridge"].ip_address == "172.30.9.9"


async def test_volumes_are_mounted_and_told_of(rig: Rig) -> None:
    volume = a_volume(name="data")
    mount = MountPoint(type="volume", name="data", destination="/data", driver="local")
    running = await rig.running(volumes=[volume], mounts=[mount])
    assert rig.world.volumes.mounts["data"] == 1
    assert rig.told(running) == ["create", "volume mount", "network connect", "start"]
    rig.world.runtime.exit(running.id)
    await rig.settle()
    assert rig.world.volumes.mounts["data"] == 0
    assert rig.told(running) == ["network disconnect", "volume unmount", "die"]


async def test_refusals(rig: Rig) -> None:
    with pytest.raises(ContainerNotFound):
        await rig.start("nobody")
    running = await rig.running()
    with pytest.raises(NotModified):
        await rig.start(running.id)
    await rig.pause(running.id)
    with pytest.raises(Conflict, match="cannot start a paused container, try unpause instead"):
        await rig.start(running.id)


async def test_two_starts_at_once_start_one_process(rig: Rig) -> None:
    record = await rig.created()
    outcomes = await asyncio.gather(rig.start(record.id), rig.start(record.id), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(None), NotModified]
    assert rig.world.runtime.calls.count("create") == 1


STEPS = [
    ("rootfs", "mount"),
    ("sandboxes", "create"),
    ("network", "attach"),
    ("files", "write"),
    ("runtime", "create"),
    ("runtime", "start"),
]


@pytest.mark.parametrize(("port", "method"), STEPS, ids=[f"{port}.{method}" for port, method in STEPS])
async def test_whatever_step_fails_nothing_is_left(rig: Rig, port: str, method: str) -> None:
    record = await rig.created()
    rig.told(record)
    driver = rig.world.networks["bridge"] if port == "network" else getattr(rig.world, port)
    driver.fail_next(method, Internal("broken"))
    with pytest.raises(Internal, match="broken"):
        await rig.start(record.id)
    await rig.settle()
    failed = rig.now(record)
    prefix = "failed to set up container networking: " if port in {"network", "sandboxes"} else ""
    assert (failed.state, failed.exit_code, failed.error) == (State.EXITED, 128, f"{prefix}broken")
    assert (failed.started_ns, failed.owed, failed.endpoints) == (0, [], {})
    assert nothing_set_up(rig)
    assert rig.told(record) in ([], ["network connect", "network disconnect"])
    await rig.start(record.id)
    assert (rig.now(record).state, rig.now(record).error) == (State.RUNNING, "")


@pytest.mark.parametrize("code", [126, 127, 128])
async def test_a_program_that_cannot_be_run(rig: Rig, code: int) -> None:
    record = await rig.created(cmd=["nosuch"])
    rig.world.runtime.missing_programs["nosuch"] = StartFailed("no such file or directory", code)
    with pytest.raises(StartFailed, match="no such file or directory"):
        await rig.start(record.id)
    assert (rig.now(record).exit_code, rig.now(record).error) == (code, "no such file or directory")
    assert nothing_set_up(rig)


async def test_a_failed_start_that_cannot_be_written_is_over_all_the_same(rig: Rig) -> None:
    record = await rig.created(cmd=["nosuch"])
    rig.world.runtime.missing_programs["nosuch"] = StartFailed("no such file or directory", 127)
    rig.world.records.fail_next("commit", Internal("disk is full"))
    with pytest.raises(StartFailed):
        await rig.start(record.id)
    assert (rig.now(record).state, rig.now(record).exit_code) == (State.EXITED, 127)
    assert rig.world.records.unfired() == []


async def test_a_failed_start_wakes_who_waits_for_the_exit(rig: Rig) -> None:
    record = await rig.created(cmd=["nosuch"])
    rig.world.runtime.missing_programs["nosuch"] = StartFailed("no such file or directory", 127)
    waiting = rig.waiters.register(record.id, WaitCondition.NEXT_EXIT)
    with pytest.raises(StartFailed):
        await rig.start(record.id)
    result = await waiting.result()
    assert (result.exit_code, result.error) == (127, "")  # the error is the start's answer


async def test_a_container_that_removes_itself_is_gone_after_a_failed_start(rig: Rig) -> None:
    record = await rig.created(cmd=["nosuch"], host_config=a_host_config(auto_remove=True))
    rig.world.runtime.missing_programs["nosuch"] = StartFailed("no such file or directory", 127)
    waiting = rig.wait.register(record.id, "removed")
    with pytest.raises(StartFailed):
        await rig.start(record.id)
    assert (await waiting.result()).error == ""
    assert rig.state(record) is None
    assert rig.told(record) == ["create", "network connect", "network disconnect", "destroy"]
    assert not any(rig.world.leftovers().values())


async def test_a_network_that_is_gone(rig: Rig) -> None:
    record = await rig.created(networks={"lost": EndpointSettings()}, host_config=a_host_config(network_mode="lost"))
    with pytest.raises(NetworkNotFound):
        await rig.start(record.id)
    assert nothing_set_up(rig)


async def test_what_cannot_be_taken_down_stays_owed_and_is_paid_before_the_next_start(rig: Rig) -> None:
    record = await rig.created()
    rig.world.runtime.fail_next("start", Internal("broken"))
    rig.world.rootfs.fail_next("unmount", Internal("busy"))
    with pytest.raises(Internal, match="broken"):
        await rig.start(record.id)
    assert rig.now(record).owed == [Step.ROOTFS]
    rig.world.rootfs.fail_next("unmount", Internal("busy"))
    with pytest.raises(Internal, match="its last run could not be taken down"):
        await rig.start(record.id)
    assert rig.now(record).owed == [Step.ROOTFS]
    await rig.start(record.id)
    assert rig.now(record).state is State.RUNNING


async def test_an_exit_before_start_returns(rig: Rig) -> None:
    record = await rig.created()
    rig.world.runtime.exits_after_start(record.id, 7)
    waiting = rig.wait.register(record.id, "next-exit")
    await rig.start(record.id)
    assert (await waiting.result()).exit_code == 7
    await rig.settle()
    assert (rig.now(record).state, rig.now(record).exit_code) == (State.EXITED, 7)
    assert rig.told(record) == ["create", "network connect", "start", "network disconnect", "die"]
    assert nothing_set_up(rig)


async def test_the_exit_of_a_failed_start_is_not_that_of_the_next_one(rig: Rig) -> None:
    record = await rig.created()
    rig.world.runtime.fail_next("start", Internal("broken"))
    first = rig.tasks.spawn(rig.start(record.id), "first")
    second = rig.tasks.spawn(rig.start(record.id), "second")
    await asyncio.gather(first, second, return_exceptions=True)
    await rig.settle()
    assert rig.now(record).state is State.RUNNING


async def test_a_start_that_is_broken_off_leaves_the_container_as_it_was(rig: Rig) -> None:
    record = await rig.created()
    reached = asyncio.Event()

    async def hang(*_: object) -> None:
        reached.set()
        await asyncio.Event().wait()

    rig.start.planner = hang  # type: ignore[assignment]
    task = rig.tasks.spawn(rig.start(record.id), "start")
    await reached.wait()
    await rig.tasks.close()
    assert task.cancelled()
    left = rig.now(record)
    assert (left.state, left.exit_code, left.error, left.owed) == (State.EXITED, 0, "", [])
    assert nothing_set_up(rig)


async def test_a_start_that_is_broken_off_in_its_last_step_has_happened(rig: Rig) -> None:
    record = await rig.created()
    ledger_commit = rig.ledger.commit

    async def commit_then_cancel(*changes: object, **more: object) -> None:
        await ledger_commit(*changes, **more)  # type: ignore[arg-type]
        raise asyncio.CancelledError

    rig.ledger.commit = commit_then_cancel  # type: ignore[method-assign]
    with pytest.raises(asyncio.CancelledError):
        await rig.start(record.id)
    assert rig.now(record).state is State.RUNNING
    assert rig.world.runtime.phase(record.id) is Phase.RUNNING
