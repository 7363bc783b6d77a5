"""Which containers a list shows, filter by filter."""

from typing import Any

import msgspec
import pytest

from tests.unit.engine.containers.maker import Maker
from wharfd.engine.containers.list import ListQuery
from wharfd.engine.containers.status import status_text
from wharfd.model.config import EndpointSettings
from wharfd.model.container import ContainerRecord, Health, State
from wharfd.model.errors import ContainerNotFound, InvalidParameter
from wharfd.model.ids import ImageId
from wharfd.testing.builders import a_container, a_digest, an_image
from wharfd.wire.filters import Filters, parse_filters


async def full_house() -> tuple[Maker, dict[str, ContainerRecord]]:
    """Five containers, from the oldest to the newest: created, running, paused, exited, restarting."""
    maker = await Maker.of()
    made: dict[str, ContainerRecord] = {}
    wanted: dict[str, dict[str, Any]] = {
        "created": {"labels": {"tier": "front", "n": "1"}, "exposed_ports": {"80/tcp": {}}},
        "running": {"labels": {"tier": "front", "n": "2"}, "exposed_ports": {"80/tcp": {}, "90-91/udp": {}}},
        "paused": {"labels": {"tier": "back"}, "binds": ["data:/data", "/tmp:/t"]},
        "exited": {},
        "restarting": {},
    }
    for name, over in wanted.items():
        made[name] = await maker.make(name=name, **over)
    now = maker.clock.now_ns()
    health = Health(status="unhealthy")
    for name, state, more in (
        ("running", State.RUNNING, {"started_ns": now, "health": health}),
        ("paused", State.PAUSED, {"started_ns": now}),
        ("exited", State.EXITED, {"started_ns": now, "finished_ns": now, "exit_code": 3}),
        ("restarting", State.RESTARTING, {"started_ns": now, "finished_ns": now, "exit_code": 3}),
    ):
        made[name] = msgspec.structs.replace(made[name], state=state, **more)
        await maker.ledger.commit(made[name])
    return maker, made


async def shown(maker: Maker, filters: Any = None, **query: Any) -> list[str]:
    given = Filters.of(**filters) if filters else Filters()
    return [each.record.name for each in (await maker.list(ListQuery(filters=given, **query))).entries]


async def test_what_runs_is_shown_newest_first() -> None:
    maker, _ = await full_house()
    assert await shown(maker) == ["restarting", "paused", "running"]
    assert await shown(maker, all=True) == ["restarting", "exited", "paused", "running", "created"]


async def test_a_start_by_the_restart_policy_counts_as_restarting() -> None:
    maker, made = await full_house()
    again = msgspec.structs.replace(made["restarting"], state=State.STARTING, restart_count=1)
    await maker.ledger.commit(again)
    assert await shown(maker) == ["restarting", "paused", "running"]
    assert await shown(maker, {"status": ["restarting"]}) == ["restarting"]
    assert status_text(again, again.finished_ns).startswith("Restarting (3) ")


@pytest.mark.parametrize(
    ("limit", "names"), [(2, ["restarting", "exited"]), (0, ["restarting", "paused", "running"]), (99, None), (-1, 3)]
)
async def test_limit_takes_the_newest_in_any_state(limit: int, names: Any) -> None:
    maker, _ = await full_house()
    found = await shown(maker, limit=limit)
    assert found == names if isinstance(names, list) else len(found) == (names or 5)


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({"status": "exited"}, ["exited"]),
        ({"status": ["exited", "created"]}, ["exited", "created"]),
        ({"status": "running"}, ["running"]),
        ({"status": "restarting"}, ["restarting"]),
        ({"name": "^/?ed$"}, []),
        ({"name": "ed$"}, ["exited", "paused", "created"]),
        ({"name": "/running"}, ["running"]),
        ({"label": "tier"}, ["paused", "running", "created"]),
        ({"label": ["tier=front", "n=2"]}, ["running"]),
        ({"exited": "3"}, ["exited"]),
        ({"exited": ["0", "3"]}, ["exited"]),
        ({"exited": "0"}, []),
        ({"health": "unhealthy"}, ["running"]),
        ({"health": "none"}, ["restarting", "exited", "paused", "created"]),
        ({"volume": "data"}, ["paused"]),
        ({"volume": "/data"}, ["paused"]),
        ({"volume": "/tmp"}, ["paused"]),
        ({"volume": "/nope"}, []),
        ({"network": "bridge"}, ["restarting", "exited", "paused", "running", "created"]),
        ({"network": "nope"}, []),
        ({"before": "paused"}, ["running", "created"]),
        ({"since": "paused"}, ["restarting", "exited"]),
        ({"since": "created", "before": "exited"}, ["paused", "running"]),
        ({"is-task": "false"}, ["restarting", "exited", "paused", "running", "created"]),
        ({"is-task": "true"}, []),
        ({"isolation": "anything"}, ["restarting", "exited", "paused", "running", "created"]),
        ({"expose": "80"}, ["running"]),
        ({"expose": "79-80/tcp"}, ["running"]),
        ({"expose": "90/udp"}, ["running"]),
        ({"expose": "90/tcp"}, []),
        ({"publish": "80"}, []),
        ({"ancestor": "alpine"}, ["restarting", "exited", "paused", "running", "created"]),
        ({"ancestor": "nope"}, []),
        ({"ancestor": ["nope", "alpine:latest"]}, ["restarting", "exited", "paused", "running", "created"]),
        ({"label": "tier", "status": "paused"}, ["paused"]),
    ],
)
async def test_filters(filters: dict[str, Any], names: list[str]) -> None:
    maker, _ = await full_house()
    assert await shown(maker, filters, all=True) == names


async def test_status_shows_all_states_without_being_asked() -> None:
    maker, _ = await full_house()
    assert await shown(maker, {"status": "exited"}) == ["exited"]
    assert await shown(maker, {"label": "tier"}) == ["paused", "running"]


async def test_ids_are_found_by_their_beginning() -> None:
    maker, made = await full_house()
    exited = made["exited"].id
    assert await shown(maker, {"id": exited[:12]}, all=True) == ["exited"]
    assert await shown(maker, {"id": exited[12:24]}, all=True) == []
    assert await shown(maker, {"id": [exited, made["paused"].id], "name": "paused"}, all=True) == ["paused"]


async def test_a_network_is_found_by_the_beginning_of_its_id() -> None:
    maker, made = await full_house()
    bridge = maker.ledger.network("bridge")
    running = msgspec.structs.replace(made["running"], networks={"bridge": EndpointSettings(network_id=bridge.id)})
    await maker.ledger.commit(running)
    assert await shown(maker, {"network": bridge.id[:8]}) == ["running"]


async def test_descendants_of_an_image_count() -> None:
    maker = await Maker.of()
    child = an_image(id=ImageId(a_digest(b"child")), tags=[], parent=maker.images.record.id)
    record = a_container(image_id=child.id, state=State.CREATED)
    await maker.ledger.commit(child, record)
    assert await shown(maker, {"ancestor": "alpine"}, all=True) == [record.name]


@pytest.mark.parametrize(
    ("filters", "text"),
    [
        ('{"foo":["x"]}', "invalid filter 'foo'"),
        (
            '{"status":["x"]}',
            "invalid filter 'status=x': invalid value for state (x): "
            "must be one of created, running, paused, restarting, removing, exited, dead",
        ),
        (
            '{"health":["x"]}',
            "invalid filter 'health=x': invalid value for health (x): must be one of none, starting, healthy, unhealthy",
        ),
        ('{"exited":["x"]}', "invalid filter 'exited=x': strconv.Atoi: parsing \"x\": invalid syntax"),
        ('{"is-task":["x"]}', "invalid filter 'is-task=[x]'"),
        ('{"publish":["1:2"]}', "filter for 'publish' should not contain ':': 1:2"),
        ('{"expose":["x"]}', 'error while looking up for expose x: invalid port specification: "x"'),
    ],
)
async def test_bad_filters(filters: str, text: str) -> None:
    maker = await Maker.of()
    with pytest.raises(InvalidParameter) as caught:
        await maker.list(ListQuery(filters=parse_filters(filters)))
    assert str(caught.value) == text


@pytest.mark.parametrize("key", ["before", "since"])
async def test_a_bound_that_does_not_exist(key: str) -> None:
    maker = await Maker.of()
    with pytest.raises(ContainerNotFound):
        await shown(maker, {key: "nope"})


async def test_an_image_that_lost_its_name_is_shown_by_its_id() -> None:
    maker, _ = await full_house()
    (first, *_) = (await maker.list(ListQuery())).entries
    assert first.image == "alpine"
    await maker.ledger.commit(msgspec.structs.replace(maker.images.record, tags=[]))
    (first, *_) = (await maker.list(ListQuery())).entries
    assert first.image == maker.images.record.id


async def test_sizes_on_request() -> None:
    maker, made = await full_house()
    maker.world.rootfs.files[made["running"].id]["/file"] = b"12345"
    assert all(each.size is None for each in (await maker.list(ListQuery())).entries)
    sizes = {each.record.name: each.size for each in (await maker.list(ListQuery(size=True))).entries}
    assert sizes["running"] is not None
    assert sizes["running"].rw == 5
    assert sizes["running"].root == 5 + sum(info.size_bytes for info in maker.world.layers.list())


@pytest.mark.parametrize(
    ("over", "text"),
    [
        ({"state": State.CREATED}, "Created"),
        ({"state": State.RUNNING, "started_ns": 1}, "Up Less than a second"),
        ({"state": State.RUNNING, "started_ns": -300 * 10**9}, "Up 5 minutes"),
        ({"state": State.RUNNING, "started_ns": 1, "health": Health(status="starting")}, "Up Less than a second (health: starting)"),
        ({"state": State.RUNNING, "started_ns": 1, "health": Health(status="healthy")}, "Up Less than a second (healthy)"),
        ({"state": State.PAUSED, "started_ns": 1, "health": Health(status="healthy")}, "Up Less than a second (Paused)"),
        ({"state": State.EXITED, "started_ns": 1, "finished_ns": -7200 * 10**9, "exit_code": 137}, "Exited (137) 2 hours ago"),
        ({"state": State.EXITED}, "Created"),
        ({"state": State.RESTARTING, "started_ns": 1, "finished_ns": -3 * 10**9, "exit_code": 1}, "Restarting (1) 3 seconds ago"),
        ({"state": State.DEAD}, "Dead"),
        ({"state": State.REMOVING}, "Removal In Progress"),
    ],
)  # fmt: skip
def test_states_in_words(over: dict[str, Any], text: str) -> None:
    now = 10**18
    moved = {key: now + value if key.endswith("_ns") and value < 0 else value for key, value in over.items()}
    if moved.get("started_ns") == 1:
        moved["started_ns"] = now
    assert status_text(a_container(**moved), now) == text
