"""The fakes are what their ports say (checked by mypy here), and refuse what they must."""

import gzip
import io
import tarfile

import pytest

from wharfd.model.errors import Conflict, Forbidden, Internal, InvalidParameter, NotFound, StartFailed
from wharfd.model.ids import ChainId
from wharfd.model.network import EndpointRequest
from wharfd.ports.clock import Clock
from wharfd.ports.content import ContentStore
from wharfd.ports.host import Host
from wharfd.ports.logs import LogDriver
from wharfd.ports.network import NetworkDriver, SandboxDriver
from wharfd.ports.records import RecordStore
from wharfd.ports.runtime import Exit, RuntimeDriver
from wharfd.ports.storage import LayerStore, RootfsStore
from wharfd.ports.volumes import VolumeDriver
from wharfd.testing.builders import a_chain, a_container, a_digest, a_launch, a_network, a_volume
from wharfd.testing.runtime import Phase
from wharfd.testing.world import World


class Ports:
    """What an engine asks for; the assignment in `ports` is the check."""

    clock: Clock
    content: ContentStore
    host: Host
    layers: LayerStore
    logs: LogDriver
    network: NetworkDriver
    records: RecordStore
    rootfs: RootfsStore
    runtime: RuntimeDriver
    sandboxes: SandboxDriver
    volumes: VolumeDriver


def ports(world: World) -> Ports:
    of = Ports()
    of.clock, of.content, of.host, of.layers = world.clock, world.content, world.host, world.layers
    of.logs, of.network, of.records = world.logs["json-file"], world.networks["bridge"], world.records
    of.rootfs, of.runtime, of.sandboxes, of.volumes = world.rootfs, world.runtime, world.sandboxes, world.volumes
    return of


def tar_of(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


async def a_running_container(world: World) -> tuple[str, int, list[Exit]]:
    exits: list[Exit] = []
    record = a_container()
    await world.runtime.open(exits.append)
    rootfs = await world.rootfs.prepare(record.id, [])
    await world.rootfs.mount(record.id, rootfs)
    launched = await world.runtime.create(a_launch(record.id))
    await world.runtime.start(record.id)
    return record.id, launched.pid, exits


def test_the_fakes_satisfy_the_ports() -> None:
    assert ports(World()).network.needs_sandbox


async def test_a_launch_needs_its_root_mounted() -> None:
    world = World()
    await world.runtime.open(lambda _: None)
    with pytest.raises(Internal):
        await world.runtime.create(a_launch())


async def test_an_exit_is_told_once_and_found_by_the_next_engine() -> None:
    world = World()
    container_id, pid, exits = await a_running_container(world)
    world.kill_engine()
    world.runtime.exit(container_id, 3)
    assert exits == []
    await world.runtime.open(exits.append)
    seen = await world.runtime.observe(a_container(id=container_id).id, pid, pid * 10)
    assert not seen.alive
    assert seen.exit is not None
    assert seen.exit.code == 3
    assert exits == []


async def test_a_signal_waits_for_the_thaw_and_sigkill_is_not_ignored() -> None:
    world = World()
    container_id, pid, exits = await a_running_container(world)
    world.runtime.obeys[container_id] = set()
    identifier = a_container(id=container_id).id
    await world.runtime.signal(identifier, pid, 15)
    await world.runtime.pause(identifier)
    await world.runtime.signal(identifier, pid, 9)
    assert world.runtime.phase(container_id) is Phase.PAUSED
    await world.runtime.resume(identifier)
    assert [each.code for each in exits] == [137]
    with pytest.raises(Conflict):
        await world.runtime.signal(identifier, pid, 9)


async def test_delete_takes_everything_and_may_be_repeated() -> None:
    world = World()
    container_id, _, exits = await a_running_container(world)
    identifier = a_container(id=container_id).id
    await world.runtime.delete(identifier)
    await world.runtime.delete(identifier)
    assert [each.code for each in exits] == [137]
    assert world.leftovers()["runtime"] == []
    with pytest.raises(StartFailed):
        await world.runtime.start(identifier)


async def test_an_ordered_failure_happens_once() -> None:
    world = World()
    world.volumes.fail_next("create", NotFound("gone"), skip=1)
    await world.volumes.create(a_volume())
    assert world.volumes.unfired() == ["create"]
    with pytest.raises(NotFound):
        await world.volumes.create(a_volume())
    await world.volumes.create(a_volume())
    assert world.volumes.unfired() == []
    with pytest.raises(AttributeError):
        world.volumes.fail_next("destroy", NotFound("no such method"))


async def test_layers_are_checked_against_their_diff_id_and_stacked() -> None:
    world = World()
    base, above = tar_of({"etc/passwd": b"root", "gone": b"x"}), tar_of({".wh.gone": b"", "new": b"12345"})
    diffs = [a_digest(base), a_digest(above)]
    lower, upper = a_chain(*diffs)
    blob = world.content.path(world.content.put(gzip.compress(base)))
    await world.layers.unpack(lower, None, diffs[0], blob, "gzip")
    info = await world.layers.unpack(upper, lower, diffs[1], world.content.path(world.content.put(above)), "")
    assert info.size_bytes == 5
    assert sorted(world.layers.files[upper]) == ["/etc/passwd", "/new"]
    rootfs = await world.rootfs.prepare(a_container().id, [lower, upper])
    assert await world.rootfs.read_file(rootfs, "/etc/passwd", 100) == b"root"
    assert await world.rootfs.read_file(rootfs, "/gone", 100) is None


@pytest.mark.parametrize(
    ("data", "compression"), [(b"not gzip", "gzip"), (b"x" * 600, ""), (tar_of({"../out": b"x"}), ""), (b"", "lz4")]
)
async def test_a_broken_layer_leaves_nothing(data: bytes, compression: str) -> None:
    world = World()
    blob = world.content.path(world.content.put(data))
    with pytest.raises(InvalidParameter):
        await world.layers.unpack(ChainId(a_digest(data)), None, a_digest(data), blob, compression)
    assert world.layers.list() == []


async def test_a_blob_that_does_not_match_is_not_kept() -> None:
    world = World()
    writer = await world.content.writer()
    await writer.write(b"data")
    with pytest.raises(InvalidParameter):
        await writer.commit(a_digest())
    assert list(world.content.list()) == []
    with pytest.raises(RuntimeError):
        await writer.abort()


async def test_addresses_are_given_once_and_come_back() -> None:
    world = World()
    bridge = world.networks["bridge"]
    network = await bridge.create_network(a_network())
    key = await world.sandboxes.create("s1")
    first = await bridge.attach(network, EndpointRequest(endpoint_id="e1", container_id="c1"), key)
    second = await bridge.attach(network, EndpointRequest(endpoint_id="e2", container_id="c2"), key)
    assert (first.ipv4, second.ipv4, first.gateway) == ("172.30.0.2", "172.30.0.3", "172.30.0.1")
    with pytest.raises(Forbidden):
        await bridge.attach(network, EndpointRequest(endpoint_id="e3", container_id="c3", ipv4=first.ipv4), key)
    with pytest.raises(Forbidden):
        await bridge.delete_network(network)
    with pytest.raises(InvalidParameter):
        await bridge.attach(network, EndpointRequest(endpoint_id="e4", container_id="c4"), "/no/such/netns")
    await bridge.detach(network, first, key)
    await bridge.detach(network, first, key)
    again = await bridge.attach(network, EndpointRequest(endpoint_id="e5", container_id="c5"), key)
    assert again.ipv4 == first.ipv4


async def test_pools_do_not_overlap() -> None:
    world = World()
    await world.networks["bridge"].create_network(a_network())
    with pytest.raises(Forbidden, match="overlaps"):
        await world.networks["bridge"].create_network(a_network())


async def test_a_power_cut_takes_what_was_not_durable() -> None:
    world = World()
    await world.records.open()
    kept, lost = a_container(), a_container()
    await world.records.commit([kept], durable=True)
    await world.records.commit([lost])
    world.records.lose_power()
    assert [each.id for each in (await world.records.open()).containers] == [kept.id]
