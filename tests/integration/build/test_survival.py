"""Builds and the death of the engine."""

import socket
from pathlib import Path

from tests.engine import PATIENCE, Engine, settled
from tests.integration.build.contexts import Builder, context, dockerfile
from tests.integration.build.test_hostile import request


def test_the_cache_outlives_a_restart(lone: Engine) -> None:
    steps = ("RUN echo one > /one", "COPY f /f")
    first = Builder(lone).build(*steps, files={"f": "f"})
    lone.restart()
    again = Builder(lone).build(*steps, files={"f": "f"})
    assert again.cached == 2
    assert again.image == first.image


def test_an_engine_that_is_killed_in_the_middle_leaves_nothing_and_goes_on_where_it_was(lone: Engine) -> None:
    before = lone.traces()
    steps = ("RUN echo first > /first", "RUN --mount=type=cache,target=/c echo begun; sleep 1000")
    body = context({"Dockerfile": dockerfile(*steps)})
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(60 * PATIENCE)
        connection.connect(lone.socket)
        connection.sendall(request("/build?rm=1", body, len(body)))
        received = b""
        while b"begun" not in received:
            received += connection.recv(65536)
        lone.restart(kill=True)
    assert settled(lone, before) == before
    assert Builder(lone).build("RUN echo first > /first", "RUN echo done").cached == 1


def test_images_outlive_the_cache_and_the_cache_the_images(lone: Engine) -> None:
    builder = Builder(lone)
    steps = ("RUN head -c 100000 /dev/urandom > /big", "COPY f /f")
    built = builder.build(*steps, files={"f": "f"}, t="kept")
    pruned = lone.post("/build/prune?all=1").json
    assert len(pruned["CachesDeleted"]) == 2
    assert builder.run("kept", "cat", "/f") == "f"
    lone.restart()
    assert builder.run("kept", "cat", "/f") == "f"
    again = builder.build(*steps, files={"f": "f"}, t="other")
    assert again.cached == 0
    assert again.image != built.image
    assert lone.delete("/images/other").status == 200
    third = builder.build(*steps, files={"f": "f"})
    assert third.cached == 2
    assert third.image == again.image


def test_prune_frees_what_only_the_cache_has(lone: Engine) -> None:
    builder = Builder(lone)
    builder.build("RUN head -c 3000000 /dev/urandom > /big", "RUN false")
    cache = lone.get("/system/df?type=build-cache").json["BuildCache"]
    (record,) = [each for each in cache if "urandom" in each["Description"]]
    assert record["Size"] == 3_000_000
    assert record["Type"] == "regular"
    assert not record["InUse"]
    assert not record["Shared"]
    layers = Path(lone.directory, "data/overlay2/layers")
    count = len(list(layers.iterdir()))
    assert lone.post('/build/prune?filters={"id":["nosuch"]}').json == {"CachesDeleted": None, "SpaceReclaimed": 0}
    assert lone.post("/build/prune?reserved-space=9000000").json["CachesDeleted"] is None
    pruned = lone.post("/build/prune").json
    assert pruned["CachesDeleted"] == [record["ID"]]
    assert pruned["SpaceReclaimed"] == 3_000_000
    assert len(list(layers.iterdir())) == count - 1
    assert lone.post('/build/prune?filters={"until":["1h","2h"]}').status == 400
