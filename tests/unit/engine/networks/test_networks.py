"""Networks of one's own on the machine of `wharfd.testing`: create, connect, disconnect, remove, prune, and who is called what."""

from typing import Any

import msgspec
import pytest

from tests.unit.engine.rig import Machine, Rig, fresh_id
from wharfd.engine.networks.connect import ConnectNetwork, DisconnectNetwork
from wharfd.engine.networks.create import AskedNetwork, CreateNetwork
from wharfd.engine.networks.list import inspect_network, list_networks
from wharfd.engine.networks.prune import PruneNetworks
from wharfd.engine.networks.remove import RemoveNetwork
from wharfd.model.config import EndpointIPAMConfig, EndpointSettings, HostConfig, PortBinding
from wharfd.model.container import ContainerRecord, State
from wharfd.model.errors import Conflict, Forbidden, Internal, InvalidParameter, NetworkNotFound, NotFound
from wharfd.model.network import IPAMPool, NetworkRecord
from wharfd.wire.filters import Filters


class Networks:
    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        more: Any = {"ledger": rig.ledger, "locks": rig.locks, "clock": rig.clock}
        at: Any = {**more, "attachment": rig.attachment, "files": rig.start.files}
        drivers = rig.attachment.drivers
        self.create = CreateNetwork(ledger=rig.ledger, clock=rig.clock, drivers=drivers, new_id=fresh_id)
        self.remove = RemoveNetwork(**more, drivers=drivers)
        self.prune = PruneNetworks(ledger=rig.ledger, clock=rig.clock, remove=self.remove)
        self.connect = ConnectNetwork(**at)
        self.disconnect = DisconnectNetwork(**at)

    async def made(self, name: str, **asked: Any) -> NetworkRecord:
        return await self.create(AskedNetwork(name=name, **asked))

    async def on(
        self, network: str, *, run: bool = True, host: HostConfig | None = None, **over: Any
    ) -> ContainerRecord:
        host = msgspec.structs.replace(host or HostConfig(), network_mode=network)
        settings = over.pop("settings", EndpointSettings())
        make = self.rig.running if run else self.rig.created
        return await make(host_config=host, networks={network: settings}, **over)


@pytest.fixture
async def engine() -> Networks:
    return Networks(await Rig.up(Machine()))


async def test_a_network_is_made_recorded_and_told_of(engine: Networks) -> None:
    engine.rig.events()
    network = await engine.made("one", labels={"a": "b"}, internal=True)
    assert engine.rig.ledger.network("one") == network
    assert (network.driver, network.labels, network.internal, len(network.pools)) == ("bridge", {"a": "b"}, True, 1)
    assert [(e.action, e.attributes) for e in engine.rig.events(network.id)] == [
        ("create", {"name": "one", "type": "bridge"})
    ]


@pytest.mark.parametrize(
    ("asked", "error", "text"),
    [
        ({"name": ""}, InvalidParameter, "invalid name: name is empty"),
        ({"name": "bridge"}, Forbidden, "operation is not permitted on predefined bridge network "),
        ({"name": "x", "driver": "nope"}, NotFound, 'plugin "nope" not found'),
        ({"name": "x", "enable_ipv4": False}, InvalidParameter, "IPv4 or IPv6 must be enabled"),
        ({"name": "x", "scope": "swarm"}, Forbidden, "cannot create a swarm scoped network when swarm is not active"),
        ({"name": "x", "ipam_driver": "nope"}, NotFound, 'plugin "nope" not found'),
        ({"name": "x", "config_from": "y"}, NotFound, 'configuration network "y" does not exist'),
    ],
)
async def test_refusals(engine: Networks, asked: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error) as refused:
        await engine.made(**asked)
    assert str(refused.value) == text
    assert "x" not in engine.rig.ledger.networks.by_name


async def test_names_are_unique_also_while_one_is_being_made(engine: Networks) -> None:
    await engine.made("one")
    with pytest.raises(Conflict, match="network with name one already exists"):
        await engine.made("one")
    with pytest.raises(Forbidden, match="Pool overlaps"):
        await engine.made("two", pools=[IPAMPool(subnet=engine.rig.ledger.network("one").pools[0].subnet)])
    await engine.made("two")  # the name was given back


async def test_a_network_in_use_stays(engine: Networks) -> None:
    await engine.made("one")
    record = await engine.on("one", name="web")
    endpoint = engine.rig.now(record).networks["one"].endpoint_id
    with pytest.raises(Forbidden) as refused:
        await engine.remove("one")
    assert str(refused.value) == (
        f'error while removing network: network one has active endpoints (name:"web" id:"{endpoint[:12]}")'
    )
    engine.rig.world.runtime.exit(record.id, 0)
    await engine.rig.settle()
    await engine.remove("one")
    with pytest.raises(NetworkNotFound):
        await engine.remove("one")
    with pytest.raises(NotFound, match="failed to set up container networking: network one not found"):
        await engine.rig.start(record.id)
    await engine.made("one")
    await engine.rig.start(record.id)


async def test_connect_and_disconnect_at_rest_change_the_next_start(engine: Networks) -> None:
    await engine.made("one")
    await engine.made("two")
    record = await engine.on("one", run=False)
    await engine.connect("two", record.id, EndpointSettings(aliases=["www"]))
    await engine.connect("two", record.id, EndpointSettings(aliases=["www"]))
    assert engine.rig.now(record).networks["two"].dns_names == [record.name, "www", record.id[:12], "box"]
    await engine.disconnect("one", record.id)
    await engine.rig.start(record.id)
    assert list(engine.rig.now(record).networks) == ["two"]
    assert len(engine.rig.now(record).endpoints) == 1


async def test_connect_and_disconnect_while_it_runs(engine: Networks) -> None:
    one, two = await engine.made("one"), await engine.made("two")
    record = await engine.on("one")
    engine.rig.events()
    await engine.connect("two", record.id)
    now = engine.rig.now(record)
    assert [now.endpoints[each].interface for each in (one.id, two.id)] == ["eth0", "eth1"]
    assert now.networks["two"].ip_address
    assert now.networks["two"].ip_address.encode() in engine.rig.world.files.content[record.id]["hosts"]
    assert [each.container_id for each in inspect_network(engine.rig.ledger, "two").attachments] == [record.id]
    with pytest.raises(Forbidden, match=r"endpoint with name .* already exists in network two"):
        await engine.connect("two", record.id)
    await engine.disconnect("one", record.id)
    after = engine.rig.now(record)
    assert (list(after.networks), list(after.endpoints)) == (["two"], [two.id])
    assert after.endpoints[two.id].is_gateway
    with pytest.raises(Conflict, match="is not connected to network one"):
        await engine.disconnect("one", record.id)
    assert engine.rig.told(record) == ["network connect", "network disconnect"]


async def test_ports_follow_the_way_out(engine: Networks) -> None:
    one, two = await engine.made("one"), await engine.made("two")
    host = HostConfig(port_bindings={"80/tcp": [PortBinding(host_port="8080")]})
    record = await engine.on("one", host=host)
    published = engine.rig.now(record).endpoints[one.id].ports
    assert [(each.port, each.host_port) for each in published] == [(80, 8080)]
    await engine.connect("two", record.id, EndpointSettings(gw_priority=1))
    now = engine.rig.now(record).endpoints
    assert (now[one.id].ports, now[one.id].is_gateway) == ([], False)
    assert (now[two.id].ports, now[two.id].is_gateway) == (published, True)
    await engine.disconnect("two", record.id)
    assert engine.rig.now(record).endpoints[one.id].ports == published


async def test_a_connect_that_fails_leaves_everything_as_it_was(engine: Networks) -> None:
    await engine.made("one")
    two = await engine.made("two")
    record = await engine.on("one")
    before = engine.rig.now(record)
    bridge = engine.rig.world.networks["bridge"]
    bridge.fail_next("attach", Internal("broken"))
    with pytest.raises(Internal, match="broken"):
        await engine.connect("two", record.id, EndpointSettings(gw_priority=1))
    assert engine.rig.now(record) == before
    assert not bridge.endpoints[two.id]
    assert all(each.is_gateway for held in bridge.endpoints.values() for each in held.values())


async def test_addresses_need_a_subnet_of_the_users(engine: Networks) -> None:
    await engine.made("mine", pools=[IPAMPool(subnet="10.9.0.0/24", gateway="10.9.0.1")])
    record = await engine.on("bridge")
    outside = EndpointSettings(ipam_config=EndpointIPAMConfig(ipv4_address="10.8.0.9"))
    with pytest.raises(InvalidParameter, match=r"no configured subnet or ip-range contain the IP address 10\.8\.0\.9"):
        await engine.connect("mine", record.id, outside)
    await engine.connect("mine", record.id, EndpointSettings(ipam_config=EndpointIPAMConfig(ipv4_address="10.9.0.9")))
    assert engine.rig.now(record).networks["mine"].ip_address == "10.9.0.9"


@pytest.mark.parametrize(
    ("mode", "network", "text"),
    [
        ("host", "one", "container sharing network namespace with another container or host cannot be connected"),
        ("bridge", "host", "cannot connect container to host network"),
        ("bridge", "none", "container cannot be connected to multiple networks with one of the networks in private"),
    ],
)
async def test_what_does_not_go_together(engine: Networks, mode: str, network: str, text: str) -> None:
    await engine.made("one")
    record = await engine.on(mode)
    with pytest.raises(InvalidParameter, match=text):
        await engine.connect(network, record.id)


async def test_none_beside_another_network_is_refused_at_the_start(engine: Networks) -> None:
    record = await engine.rig.created(networks={"bridge": EndpointSettings(), "none": EndpointSettings()})
    with pytest.raises(InvalidParameter, match=r"^failed to set up container networking: container cannot be"):
        await engine.rig.start(record.id)


async def test_names_on_a_network(engine: Networks) -> None:
    await engine.made("one")
    web = await engine.on("one", name="web", settings=EndpointSettings(aliases=["www", "pool"]))
    other = await engine.on("one", name="other", settings=EndpointSettings(aliases=["pool"], links=["web:store"]))
    stranger = await engine.on("bridge")
    sandboxes = engine.rig.world.name_servers.serving
    seen, _ = sandboxes[engine.rig.now(other).sandbox_id]
    own = engine.rig.now(web).networks["one"].ip_address
    for name in ("web", "WWW", web.id[:12], "web.one", "store"):
        assert list(seen.addresses(name)) == [own], name
    assert set(seen.addresses("pool")) == {own, engine.rig.now(other).networks["one"].ip_address}
    assert list(seen.names(own)) == ["web.one"]
    assert list(seen.addresses("nobody")) == list(seen.names("192.0.2.1")) == []
    assert engine.rig.now(stranger).sandbox_id not in sandboxes
    assert b"nameserver 127.0.0.11" in engine.rig.world.files.content[web.id]["resolv.conf"]
    engine.rig.world.runtime.exit(web.id, 0)
    await engine.rig.settle()
    assert list(seen.addresses("web")) == []
    assert engine.rig.now(web).sandbox_id not in sandboxes


async def test_the_next_engine_serves_names_again(engine: Networks) -> None:
    await engine.made("one")
    web = await engine.on("one", name="web")
    rig = await engine.rig.reborn()
    assert rig.now(web).state is State.RUNNING
    seen, _ = rig.world.name_servers.serving[rig.now(web).sandbox_id]
    assert list(seen.addresses("web")) == [rig.now(web).networks["one"].ip_address]


async def test_prune_takes_what_no_container_belongs_to(engine: Networks) -> None:
    for name in ("used", "resting", "free", "kept"):
        await engine.made(name, labels={"keep": ""} if name == "kept" else {})
    await engine.on("used")
    await engine.on("resting", run=False)
    assert [each.network.name for each in list_networks(engine.rig.ledger, Filters.of(dangling="true"))] == [
        "free",
        "kept",
    ]
    assert await engine.prune(Filters.of(**{"label!": "keep"})) == ["free"]
    assert await engine.prune(Filters.of()) == ["kept"]
    assert await engine.prune(Filters.of()) == []
