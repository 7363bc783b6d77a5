"""Bodies of the table, decoded and brought before the engine: each ends as the table says, and leaves nothing."""

import json
import re

import msgspec
import pytest

from tests.api.bodies import REFUSED, TAKEN, Body
from tests.unit.engine.containers.maker import Maker
from wharfd.api.codec.containers.create import decode_create
from wharfd.api.errors import status_of
from wharfd.api.jsonbody import parse_json
from wharfd.api.versions.behaviour import Behaviour
from wharfd.api.versions.version import Version
from wharfd.model.errors import EngineError

BEHAVIOUR = Behaviour.for_version(Version(1, 51))


async def maker_like_the_table() -> Maker:
    """A host as the one on which dockerd was asked."""
    maker = await Maker.of()
    maker.world.host.known = msgspec.structs.replace(
        maker.world.host.known,
        cgroup_version=1,
        oom_kill_disable=True,
        memory_swappiness=True,
        blkio_weight=False,
        cpu_realtime=True,
        capabilities=["CAP_CHOWN", "CAP_NET_ADMIN", "CAP_SYS_TIME"],
    )
    maker.paths.directories |= {"/tmp"}
    return maker


@pytest.mark.parametrize("case", REFUSED, ids=str)
async def test_it_is_refused_and_leaves_nothing(case: Body) -> None:
    maker = await maker_like_the_table()
    with pytest.raises(EngineError) as caught:
        await maker.create(decode_create(parse_json(json.dumps(case.body).encode()), BEHAVIOUR))
    assert (status_of(caught.value), str(caught.value)) == (case.status, case.message.replace("{ncpu}", "2"))
    assert not any(maker.world.leftovers().values())
    assert not list(maker.ledger.containers)
    assert not maker.ledger.containers.by_name
    assert not maker.ledger.volumes


@pytest.mark.parametrize("case", TAKEN, ids=str)
async def test_it_is_taken_and_can_be_removed(case: Body) -> None:
    maker = await maker_like_the_table()
    created = await maker.create(decode_create(parse_json(json.dumps(case.body).encode()), BEHAVIOUR))
    assert re.fullmatch("[0-9a-f]{64}", created.id)
    await maker.remove(created.id, volumes=True)
    left = maker.world.leftovers()
    left["volumes"] = [name for name in left["volumes"] if re.fullmatch("[0-9a-f]{64}", name)]  # those with a name stay
    assert not any(left.values())
