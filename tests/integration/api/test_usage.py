"""`/system/df` over the socket, on fake drivers."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.api.rig import ApiRig
from tests.spec.documents import check_answer, documented_versions
from tests.unit.engine.test_usage import Rig
from wharfd.api.handlers.usage import UsageHandlers
from wharfd.model.container import State

LISTS = {"LayersSize", "Images", "Containers", "Volumes", "BuildCache"}
SUMS = {"ImageUsage", "ContainerUsage", "VolumeUsage", "BuildCacheUsage"}


class Engine:
    def __init__(self, path: Path, rig: Rig) -> None:
        self.rig = rig
        self.api = ApiRig(path, UsageHandlers(rig.usage).routes())

    async def df(self, version: str, query: str = "", status: int = 200) -> Any:
        client = await self.api.connect()
        await client.request(f"GET /v{version}/system/df{query}", "Host: x")
        answer = await client.answer()
        assert answer.status == status, answer.body
        assert answer.body.index(b"\n") == len(answer.body) - 1
        doc = json.loads(answer.body)
        if status == 200:
            check_answer(version, "GET", "/system/df", 200, doc)
        return doc


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    """One image with one exited container that wrote five bytes, and a volume of three that it mounts."""
    rig = await Rig.up()
    made = Engine(tmp_path / "api.sock", rig)
    image = await rig.images.loaded("busybox:1")
    await rig.volume("data", {"f": b"123"})
    await rig.container(State.EXITED, {"/a": b"12345"}, image=image, volumes=("data",))
    await made.api.start()
    yield made
    await made.api.stop()


@pytest.mark.parametrize("version", [v for v in documented_versions() if v < "1.52"])
async def test_lists_before_1_52(engine: Engine, version: str) -> None:
    doc = await engine.df(version)
    assert set(doc) == LISTS
    assert doc["LayersSize"] == doc["Images"][0]["Size"]
    assert [(each["Containers"], each["SharedSize"]) for each in doc["Images"]] == [(1, 0)]
    assert [each["SizeRw"] for each in doc["Containers"]] == [5]
    assert "ImageManifestDescriptor" not in doc["Containers"][0]
    assert [each["UsageData"] for each in doc["Volumes"]] == [{"RefCount": 1, "Size": 3}]
    assert sorted(each["Size"] for each in doc["BuildCache"]) == [5, 7, 9]


async def test_images_are_listed_as_that_version_lists_them(engine: Engine) -> None:
    assert "VirtualSize" in (await engine.df("1.43"))["Images"][0]
    assert "VirtualSize" not in (await engine.df("1.44"))["Images"][0]
    assert "Health" not in (await engine.df("1.51"))["Containers"][0]
    assert "Health" in (await engine.df("1.52"))["Containers"][0]


async def test_both_shapes_since_1_52(engine: Engine) -> None:
    doc = await engine.df("1.52")
    assert set(doc) == LISTS | SUMS
    assert all("Items" not in doc[key] for key in SUMS)
    size = doc["LayersSize"]
    assert doc["ImageUsage"] == {"ActiveCount": 1, "TotalCount": 1, "Reclaimable": 0, "TotalSize": size}
    assert doc["ContainerUsage"] == {"ActiveCount": 0, "TotalCount": 1, "Reclaimable": 5, "TotalSize": 5}
    assert doc["VolumeUsage"] == {"ActiveCount": 1, "TotalCount": 1, "Reclaimable": 0, "TotalSize": 3}
    assert doc["BuildCacheUsage"] == {"ActiveCount": 1, "TotalCount": 3, "Reclaimable": 5, "TotalSize": 12}


@pytest.mark.parametrize("word", ["1", "t", "T", "true", "True", "TRUE"])
async def test_verbose_has_the_lists_inside(engine: Engine, word: str) -> None:
    doc = await engine.df("1.55", f"?verbose={word}")
    assert set(doc) == SUMS
    assert [len(doc[key].get("Items", [])) for key in ("ImageUsage", "ContainerUsage", "VolumeUsage")] == [1, 1, 1]
    assert len(doc["BuildCacheUsage"]["Items"]) == 3


@pytest.mark.parametrize("word", ["0", "f", "F", "false", "False", "FALSE"])
async def test_not_verbose_has_sums_only(engine: Engine, word: str) -> None:
    doc = await engine.df("1.55", f"?verbose={word}")
    assert set(doc) == SUMS
    assert all("Items" not in doc[key] for key in SUMS)


async def test_verbose_must_be_a_boolean_where_it_is_known(engine: Engine) -> None:
    assert await engine.df("1.52", "?verbose=x", 400) == {"message": "invalid value for verbose: x"}
    assert set(await engine.df("1.51", "?verbose=x")) == LISTS
    assert set(await engine.df("1.52", "?verbose=")) == LISTS | SUMS


@pytest.mark.parametrize(
    ("query", "lists", "sums"),
    [
        ("?type=image", {"LayersSize", "Images"}, {"ImageUsage"}),
        ("?type=container", {"Containers"}, {"ContainerUsage"}),
        ("?type=volume", {"Volumes"}, {"VolumeUsage"}),
        ("?type=build-cache", {"BuildCache"}, {"BuildCacheUsage"}),
        ("?type=volume&type=container", {"Volumes", "Containers"}, {"VolumeUsage", "ContainerUsage"}),
    ],
)
async def test_types(engine: Engine, query: str, lists: set[str], sums: set[str]) -> None:
    doc = await engine.df("1.42", query)
    assert set(doc) == LISTS
    assert {key for key in LISTS if doc[key]} == lists
    assert {key for key in LISTS if doc[key] is None or doc[key] == 0} == LISTS - lists
    assert set(await engine.df("1.52", query)) == lists | sums
    everything = await engine.df("1.41", query)
    assert everything["Images"]
    assert everything["Containers"]


@pytest.mark.parametrize("word", ["", "x", "containers", "Image"])
async def test_an_unknown_type(engine: Engine, word: str) -> None:
    assert await engine.df("1.42", f"?type={word}", 400) == {"message": f"unknown object type: {word}"}
