"""What links tell one container of another.  Expected texts are dockerd's."""

from typing import Any

import pytest

from tests.unit.engine.rig import Machine, Rig
from wharfd.engine.containers.linked import (
    host_lines,
    link_variables,
    linked_to,
    names_by_links,
    parse_link,
    shown_links,
    with_links,
)
from wharfd.model.config import HostConfig
from wharfd.model.container import ContainerRecord
from wharfd.model.errors import Internal, InvalidParameter
from wharfd.testing.builders import a_config


@pytest.fixture
async def rig() -> Rig:
    return await Rig.up(Machine())


async def pair(rig: Rig, alias: str = "my-db", **child: Any) -> tuple[ContainerRecord, ContainerRecord]:
    """A running container `db`, and one at rest that has a link to it."""
    config = a_config(hostname="dbhost", **child)
    db = await rig.running(name="db", config=config)
    asked = with_links(HostConfig(network_mode="bridge", links=[f"db:{alias}"]), rig.ledger.containers.find)
    web = await rig.created(name="web", host_config=asked)
    return db, web


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("db", ("db", "db")),
        ("/db", ("db", "db")),
        ("db:database", ("db", "database")),
        ("/db:/web/database", ("db", "database")),
        ("db:", ("db", "")),
    ],
)
def test_forms_of_a_link(text: str, found: tuple[str, str]) -> None:
    assert parse_link(text) == found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty string specified for links"),
        ("a:b:c", "bad format for links: a:b:c"),
        (":x", 'could not get container for : invalid name or ID supplied: ""'),
        ("nope:x", "could not get container for nope: No such container: nope"),
    ],
)
async def test_refused_links(rig: Rig, text: str, words: str) -> None:
    with pytest.raises(InvalidParameter) as told:
        with_links(HostConfig(network_mode="bridge", links=[text]), rig.ledger.containers.find)
    assert str(told.value) == words


async def test_networks_of_ones_own_have_none(rig: Rig) -> None:
    await rig.created(name="db")
    asked = with_links(HostConfig(network_mode="mine", links=["db"]), rig.ledger.containers.find)
    assert asked.links is None


async def test_variables(rig: Rig) -> None:
    exposed: dict[str, Any] = {key: {} for key in ("5434/tcp", "5432/tcp", "5433/tcp", "80/tcp", "53/udp")}
    db, web = await pair(rig, exposed_ports=exposed, env=["MODE=fast", "PATH=/x", "EMPTY"])
    ip = db.networks["bridge"].ip_address
    found = link_variables(rig.ledger, web)
    assert found[0] == f"MY_DB_PORT=tcp://{ip}:80"
    assert found[1:7] == [
        f"MY_DB_PORT_5432_TCP_START=tcp://{ip}:5432",
        f"MY_DB_PORT_5432_TCP_ADDR={ip}",
        "MY_DB_PORT_5432_TCP_PROTO=tcp",
        "MY_DB_PORT_5432_TCP_PORT_START=5432",
        f"MY_DB_PORT_5432_TCP_END=tcp://{ip}:5434",
        "MY_DB_PORT_5432_TCP_PORT_END=5434",
    ]
    assert f"MY_DB_PORT_53_UDP=udp://{ip}:53" in found
    assert found[-2:] == ["MY_DB_NAME=/web/my-db", "MY_DB_ENV_MODE=fast"]


async def test_the_hosts_file(rig: Rig) -> None:
    db, web = await pair(rig)
    assert host_lines(rig.ledger, web) == [f"{db.networks['bridge'].ip_address}\tmy-db dbhost db"]


async def test_who_is_called_what(rig: Rig) -> None:
    db, web = await pair(rig)
    assert shown_links(rig.ledger, web) == ["/db:/web/my-db"]
    assert names_by_links(rig.ledger) == {db.id: ["/web/my-db"]}
    assert linked_to(rig.ledger, db) == []
    await rig.start(web.id)
    assert [each.id for each in linked_to(rig.ledger, db)] == [web.id]


async def test_a_link_to_one_at_rest(rig: Rig) -> None:
    await rig.created(name="db")
    asked = with_links(HostConfig(network_mode="bridge", links=["db"]), rig.ledger.containers.find)
    web = await rig.created(name="web", host_config=asked)
    with pytest.raises(Internal, match=r"^Cannot link to a non running container: /db AS /web/db$"):
        link_variables(rig.ledger, web)
    assert link_variables(rig.ledger, web, must_run=False) == []


async def test_a_link_to_one_that_is_gone(rig: Rig) -> None:
    db, web = await pair(rig)
    await rig.remove(db.id, force=True)
    assert shown_links(rig.ledger, web) is None
    assert link_variables(rig.ledger, web) == []
