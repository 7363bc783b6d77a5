"""The tables on a real engine, over several versions; after each, nothing is left."""

import json
import os
from typing import Any
from urllib.parse import quote

import pytest

from tests.api.bodies import REFUSED, TAKEN, Body
from tests.api.steps import run
from tests.api.tables import TABLES, VERSIONS
from tests.engine import BASE_IMAGE, Engine

pytestmark = pytest.mark.root

JSON_TYPE = {"Content-Type": "application/json"}


def with_image(body: Any) -> Any:
    """The table's `alpine` is this machine's base image."""
    if isinstance(body, dict) and body.get("Image") == "alpine":
        return {**body, "Image": BASE_IMAGE}
    return body


@pytest.mark.parametrize("minor", VERSIONS)
@pytest.mark.parametrize("table", TABLES)
async def test_tables(engine: Engine, table: str, minor: int) -> None:
    async def call(method: str, path: str, body: Any) -> tuple[int, bytes]:
        answer = engine.request(method, quote(path, safe="/?=&%"), body)
        return answer.status, answer.body

    await run(TABLES[table], call, minor, image=BASE_IMAGE)
    assert engine.get("/containers/json", query={"all": 1}).json == []


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_refused_bodies(engine: Engine, case: Body) -> None:
    body = json.dumps(with_image(case.body)).encode()
    answer = engine.post("/v1.51/containers/create", body, headers=JSON_TYPE)
    assert (answer.status, answer.message) == (
        case.status,
        case.message.replace("{ncpu}", str(len(os.sched_getaffinity(0)))),
    )
    assert engine.get("/containers/json", query={"all": 1}).json == []
    assert engine.get("/volumes").json["Volumes"] == []


@pytest.mark.parametrize("case", TAKEN, ids=str)
def test_taken_bodies_never_end_in_a_fault(engine: Engine, case: Body) -> None:
    """They are created; their start does what it can or says why not."""
    created = engine.request("POST", "/v1.51/containers/create", with_image(case.body))
    assert created.status == 201, created.body
    container_id = created.json["Id"]
    try:
        started = engine.post(f"/containers/{container_id}/start")
        if started.status != 204:
            assert json.loads(started.body)["message"]
    finally:
        removed = engine.delete(f"/containers/{container_id}", query={"v": 1, "force": 1})
        assert removed.status == 204, removed.body
    for volume in engine.get("/volumes").json["Volumes"]:
        assert engine.delete(f"/volumes/{volume['Name']}").status == 204
