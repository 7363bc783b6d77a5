"""Rename, update, top, prune, inspect."""

from typing import Any

import msgspec
import pytest

from tests.unit.engine.containers.maker import Maker
from wharfd.model.config import HostConfig, RestartPolicy, ThrottleDevice
from wharfd.model.container import State
from wharfd.model.errors import Conflict, ContainerNotFound, Internal, InvalidParameter, NameInUse
from wharfd.wire.filters import Filters

# rename


async def test_a_renamed_container_is_found_by_its_new_name_only() -> None:
    maker = await Maker.of()
    record = await maker.make(name="old")
    maker.events()
    await maker.rename("old", "/new")
    assert maker.ledger.container("new").id == record.id
    with pytest.raises(ContainerNotFound):
        maker.ledger.container("old")
    (event,) = maker.events(record.id)
    assert (event.action, event.attributes["name"], event.attributes["oldName"]) == ("rename", "new", "/old")
    await maker.make(name="old")


@pytest.mark.parametrize(
    ("wanted", "kind", "text"),
    [
        ("", InvalidParameter, "Neither old nor new names may be empty"),
        ("web", InvalidParameter, "Renaming a container with the same name as its current name"),
        ("/web", InvalidParameter, "Renaming a container with the same name as its current name"),
        (
            "a b",
            InvalidParameter,
            "Error when allocating new name: Invalid container name (/a b), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
        ),
        ("other", NameInUse, 'Error when allocating new name: Conflict. The container name "/other" is already in use'),
    ],
)
async def test_names_that_cannot_be_taken(wanted: str, kind: type[Exception], text: str) -> None:
    maker = await Maker.of()
    await maker.make(name="web")
    await maker.make(name="other")
    with pytest.raises(kind) as caught:
        await maker.rename("web", wanted)
    assert str(caught.value).startswith(text)
    assert maker.ledger.container("web").name == "web"


async def test_a_rename_that_cannot_be_written_gives_the_name_back() -> None:
    maker = await Maker.of()
    await maker.make(name="web")
    maker.world.records.fail_next("commit", Internal("no luck"))
    with pytest.raises(Internal):
        await maker.rename("web", "new")
    await maker.make(name="new")
    assert maker.ledger.container("web").name == "web"


# update


async def test_limits_are_written_at_once_and_kept() -> None:
    maker = await Maker.of()
    record = await maker.make()
    await maker.start(record.id)
    maker.events()
    warnings = await maker.update(record.id, HostConfig(cpu_shares=512, memory=64 << 20, memory_swap=128 << 20))
    assert warnings == []
    kept = maker.now(record).host_config
    assert (kept.cpu_shares, kept.memory, kept.memory_swap) == (512, 64 << 20, 128 << 20)
    assert maker.world.runtime.processes_by_id[record.id].resources == kept
    assert maker.told(record) == ["update"]


async def test_what_is_not_given_stays() -> None:
    maker = await Maker.of()
    record = await maker.make(memory=64 << 20, cpu_shares=5, pids_limit=9)
    await maker.update(record.id, HostConfig())
    assert maker.now(record).host_config == record.host_config
    assert "update" not in maker.world.runtime.calls


@pytest.mark.parametrize(("given", "kept", "written"), [(0, 0, -1), (-1, 0, -1), (50, 50, 50)])
async def test_a_pids_limit_can_be_taken_away(given: int, kept: int, written: int) -> None:
    maker = await Maker.of()
    record = await maker.make(pids_limit=9)
    await maker.start(record.id)
    await maker.update(record.id, HostConfig(pids_limit=given))
    assert maker.now(record).host_config.pids_limit == kept
    resources = maker.world.runtime.processes_by_id[record.id].resources
    assert resources is not None
    assert resources.pids_limit == written


async def test_the_restart_policy() -> None:
    maker = await Maker.of()
    record = await maker.make()
    await maker.update(record.id, HostConfig(restart_policy=RestartPolicy(name="on-failure", maximum_retry_count=3)))
    assert maker.now(record).host_config.restart_policy == RestartPolicy(name="on-failure", maximum_retry_count=3)
    await maker.update(record.id, HostConfig(restart_policy=RestartPolicy(maximum_retry_count=3)))
    assert maker.now(record).host_config.restart_policy.name == "on-failure"


@pytest.mark.parametrize(
    ("made", "asked", "kind", "text"),
    [
        ({}, {"memory": 5}, InvalidParameter, "Minimum memory limit allowed is 6MB"),
        ({}, {"cpu_shares": -5}, InvalidParameter, "invalid CPU shares (-5)"),
        ({}, {"restart_policy": RestartPolicy(name="x")}, InvalidParameter, "invalid restart policy"),
        ({}, {"memory": 64 << 20}, Conflict, "Memory limit should be smaller than already set memoryswap limit"),
        ({"nano_cpus": 10**9}, {"cpu_period": 100_000}, Conflict, "CPU Period cannot be updated as NanoCPUs"),
        ({"nano_cpus": 10**9}, {"cpu_quota": 50_000}, Conflict, "CPU Quota cannot be updated as NanoCPUs"),
        ({"cpu_period": 100_000}, {"nano_cpus": 10**9}, Conflict, "Nano CPUs cannot be updated as CPU Period"),
        ({"cpu_quota": 50_000}, {"nano_cpus": 10**9}, Conflict, "Nano CPUs cannot be updated as CPU Quota"),
        (
            {"auto_remove": True},
            {"restart_policy": RestartPolicy(name="always")},
            Conflict,
            "Restart policy cannot be updated because AutoRemove is enabled for the container",
        ),
    ],
)
async def test_refused_updates_change_nothing(
    made: dict[str, Any], asked: dict[str, Any], kind: type[Exception], text: str
) -> None:
    maker = await Maker.of()
    record = await maker.make(**made)
    with pytest.raises(kind) as caught:
        await maker.update(record.id, HostConfig(**asked))
    assert text in str(caught.value)
    if kind is Conflict:
        assert str(caught.value).startswith(f"Cannot update container {record.id}: ")
    assert maker.now(record) == record


async def test_limits_per_device_are_kept() -> None:
    maker = await Maker.of()
    record = await maker.make()
    devices = [ThrottleDevice(path="/dev/sda", rate=5)]
    await maker.update(record.id, HostConfig(blkio_device_read_bps=devices))
    assert maker.now(record).host_config.blkio_device_read_bps == devices


async def test_a_runtime_that_refuses_leaves_the_record_as_it_was() -> None:
    maker = await Maker.of()
    record = await maker.make()
    await maker.start(record.id)
    before = maker.now(record)
    maker.world.runtime.fail_next("update", Internal("device or resource busy"))
    with pytest.raises(Internal):
        await maker.update(record.id, HostConfig(cpu_shares=5))
    assert maker.now(record) == before


async def test_limits_that_could_not_be_recorded_are_taken_back() -> None:
    maker = await Maker.of()
    record = await maker.make(cpu_shares=7)
    await maker.start(record.id)
    maker.world.records.fail_next("commit", Internal("no luck"))
    with pytest.raises(Internal):
        await maker.update(record.id, HostConfig(cpu_shares=5))
    resources = maker.world.runtime.processes_by_id[record.id].resources
    assert resources is not None
    assert resources.cpu_shares == maker.now(record).host_config.cpu_shares == 7


# top


async def test_the_processes_of_a_running_container() -> None:
    maker = await Maker.of()
    record = await maker.make()
    await maker.start(record.id)
    maker.events()
    processes = await maker.top(record.id)
    assert "PID" in processes.titles
    assert processes.rows
    assert maker.told(record) == ["top"]


async def test_top_of_a_container_that_does_not_run() -> None:
    maker = await Maker.of()
    record = await maker.make()
    with pytest.raises(Conflict, match=f"container {record.id} is not running"):
        await maker.top(record.id)


@pytest.mark.parametrize("arguments", ["-o pid=x", "-eo comm,pid=PID", "a\0b"])
async def test_arguments_that_ps_must_not_see(arguments: str) -> None:
    maker = await Maker.of()
    record = await maker.make()
    await maker.start(record.id)
    with pytest.raises(InvalidParameter):
        await maker.top(record.id, arguments)


# prune


async def some_containers() -> tuple[Maker, dict[str, str]]:
    maker = await Maker.of()
    ids: dict[str, str] = {}
    for name, labels in (("created", {"keep": "no"}), ("exited", {"keep": "yes"}), ("running", {})):
        record = await maker.make(name=name, labels=labels)
        maker.world.rootfs.files[record.id]["/file"] = b"12345"
        ids[name] = record.id
    await maker.start(ids["running"])
    exited = msgspec.structs.replace(maker.ledger.container("exited"), state=State.EXITED, started_ns=1, finished_ns=2)
    await maker.ledger.commit(exited)
    maker.events()
    return maker, ids


async def test_prune_takes_what_does_not_run() -> None:
    maker, ids = await some_containers()
    pruned = await maker.prune(Filters())
    assert set(pruned.ids) == {ids["created"], ids["exited"]}
    assert pruned.reclaimed_bytes == 10
    assert [record.name for record in maker.ledger.containers] == ["running"]
    events = maker.events()
    assert (events[-1].action, events[-1].attributes) == ("prune", {"reclaimed": "10"})
    assert [event.action for event in events if event.type == "container"].count("destroy") == 2


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({"label": "keep=yes"}, ["exited"]),
        ({"label!": "keep=yes"}, ["created"]),
        ({"label": ["keep", "keep=no"]}, ["created"]),
        ({"until": "2000-01-01"}, []),
        ({"until": "1s"}, []),
        ({"until": "2100-01-01T00:00:00Z"}, ["created", "exited"]),
    ],
)
async def test_prune_filters(filters: dict[str, Any], names: list[str]) -> None:
    maker, ids = await some_containers()
    pruned = await maker.prune(Filters.of(**filters))
    assert sorted(pruned.ids) == sorted(ids[name] for name in names)


@pytest.mark.parametrize(
    ("filters", "text"),
    [
        ({"name": "x"}, "invalid filter 'name'"),
        ({"until": ["1h", "2h"]}, "more than one until filter specified"),
        ({"until": "x"}, 'failed to parse value as time or duration: "x"'),
    ],
)
async def test_bad_prune_filters(filters: dict[str, Any], text: str) -> None:
    maker, _ = await some_containers()
    with pytest.raises(InvalidParameter, match=text):
        await maker.prune(Filters.of(**filters))
    assert len(maker.ledger.containers) == 3


async def test_prune_goes_on_after_one_that_cannot_be_removed() -> None:
    maker, ids = await some_containers()
    maker.world.rootfs.fail_next("remove", Internal("busy"))
    pruned = await maker.prune(Filters())
    assert len(pruned.ids) == 1
    assert set(pruned.ids) < {ids["created"], ids["exited"]}


async def test_named_volumes_and_anonymous_ones_stay() -> None:
    maker = await Maker.of()
    await maker.make(volumes={"/data": {}}, binds=["named:/n"])
    await maker.prune(Filters())
    assert len(maker.ledger.volumes) == 2


# inspect


async def test_a_view_knows_where_the_files_are_and_how_big_it_is() -> None:
    maker = await Maker.of()
    record = await maker.make(name="web")
    maker.world.rootfs.files[record.id]["/file"] = b"12345"
    view = await maker.inspect("web", size=True)
    assert view.directory == maker.world.files.directory(record.id)
    assert view.size is not None
    assert view.size.rw == 5
    assert view.manifest is not None
    assert view.manifest.manifest == record.manifest
    assert (await maker.inspect(record.id[:12])).size is None
    with pytest.raises(ContainerNotFound):
        await maker.inspect("nope")
