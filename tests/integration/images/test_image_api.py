"""The image routes from the socket to the disk."""

import asyncio
import gzip
import io
import os
import tarfile
from pathlib import Path

import pytest
import zstandard

from tests.images import archive, image, layer
from tests.integration.images.rig import ApiRig
from tests.spec.documents import check_answer
from tests.tars import directory, entry, hard_link, symlink
from wharfd.cli.base_image import NAME, base_image_archive
from wharfd.model.ids import ContainerId
from wharfd.testing.records import FakeRecords
from wharfd.wire.oci import digest_of

pytestmark = pytest.mark.root

CONTAINER = ContainerId("c" * 64)


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.compress], ids=["plain", "gzip", "zstd"])
@pytest.mark.parametrize("oci", [False, True], ids=["docker-archive", "oci-layout"])
async def test_load_mount_and_look(rig: ApiRig, oci: bool, pack: object) -> None:
    assert callable(pack)
    layers = [
        layer(
            directory("./", 0o755),
            directory("etc"),
            entry("etc/passwd", b"root"),
            entry("etc/gone", b"x"),
            directory("old"),
            entry("old/f", b"x"),
            entry("tool", b"elf", mode=0o4755, pax={"SCHILY.xattr.user.note": "hi"}),
            hard_link("tool2", "tool", mode=0o4755),
            symlink("link", "/etc"),
        ),
        layer(entry("etc/.wh.gone"), entry("old/.wh..wh..opq"), entry("old/new", b"y")),
    ]
    answer = await rig.ask("POST", "/images/load", pack(archive(image("app:1", layers=layers), oci=oci)))
    assert (answer.status, answer.content_type) == (200, "application/json")
    assert [line["status"] for line in answer.lines[:-1]] == ["Loading layer"] * 2
    assert answer.lines[-1] == {"stream": "Loaded image: app:1\n"}
    resolved = await rig.cases.images.get("app:1")
    chain = [info.chain_id for info in sorted(rig.layers.list(), key=lambda info: info.parent is not None)]
    assert [str(each) for each in chain] == resolved.platform.chain_ids
    rootfs = await rig.rootfs.prepare(CONTAINER, chain)
    merged = Path(await rig.rootfs.mount(CONTAINER, rootfs))
    try:
        assert sorted(os.listdir(merged / "etc")) == ["hostname", "hosts", "mtab", "passwd", "resolv.conf"]
        assert os.listdir(merged / "old") == ["new"]
        tool = (merged / "tool").stat()
        assert (tool.st_mode & 0o7777, tool.st_nlink, tool.st_ino) == (0o4755, 2, (merged / "tool2").stat().st_ino)
        assert os.getxattr(merged / "tool", "user.note") == b"hi"
        assert os.readlink(merged / "link") == "/etc"
    finally:
        await rig.rootfs.remove(CONTAINER)


async def test_the_base_image(rig: ApiRig) -> None:
    answer = await rig.ask("POST", "/images/load", base_image_archive(), quiet="1")
    assert answer.lines == [{"stream": f"Loaded image: {NAME}\n"}]
    (listed,) = (await rig.ask("GET", "/images/json")).json
    assert listed["RepoTags"] == [NAME]
    assert "not the image of the busybox project" in listed["Labels"]["org.opencontainers.image.description"]
    rootfs = await rig.rootfs.prepare(CONTAINER, [info.chain_id for info in rig.layers.list()])
    assert (await rig.rootfs.read_file(rootfs, "/etc/passwd", 4096) or b"").startswith(b"root:x:0:0")
    assert await rig.rootfs.read_file(rootfs, "/bin/sh", 8 << 20) == Path("/bin/busybox").read_bytes()
    await rig.rootfs.remove(CONTAINER)


@pytest.mark.parametrize(
    "data",
    [
        b"garbage",
        b"",
        archive(image("x:1"))[:3000],
        archive(image("x:1", layers=[layer(entry("../x"))])),
        gzip.compress(archive(image("x:1")))[:-20],
        archive(image("x:1"), oci=True).replace(b"root:x:0:0", b"root:x:0:1"),
    ],
    ids=["garbage", "empty", "cut", "hostile", "cut-gzip", "damaged"],
)
async def test_a_broken_archive_is_a_line_and_leaves_nothing(rig: ApiRig, data: bytes) -> None:
    answer = await rig.ask("POST", "/images/load", data)
    assert (answer.status, answer.content_type) == (200, "application/json")
    last = answer.lines[-1]
    assert last["error"] == last["errorDetail"]["message"]
    assert rig.stored() == []
    assert (await rig.ask("GET", "/images/json")).json == []


async def test_a_client_that_goes_away_leaves_nothing(rig: ApiRig) -> None:
    data = archive(image("x:1", layers=[layer(entry("f", b"x" * 3_000_000))]))
    client = await rig.connect()
    await client.request("POST /images/load", "Host: x", f"Content-Length: {len(data)}", body=data[:1_000_000])
    async with asyncio.timeout(20):
        while not os.listdir(rig.content.ingest):  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.005)
    client.close()
    async with asyncio.timeout(20):
        while rig.stored() or rig.server.connections:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def test_two_loads_of_the_same_image_at_once(rig: ApiRig) -> None:
    data = archive(image("x:1", layers=[layer(*(entry(f"f{n}", b"x" * 100) for n in range(500)))]))
    first, second = await asyncio.gather(*(rig.ask("POST", "/images/load", data) for _ in range(2)))
    assert first.lines[-1] == second.lines[-1] == {"stream": "Loaded image: x:1\n"}
    assert len(rig.layers.list()) == 1


async def test_import_and_its_way_through_the_api(rig: ApiRig) -> None:
    answer = await rig.ask(
        "POST",
        "/images/create",
        gzip.compress(layer()),
        fromSrc="-",
        repo="mine",
        tag="1",
        message="hello",
        changes=["CMD sh", "ENV A=1"],
    )
    assert (answer.status, answer.content_type) == (200, "application/json")
    (line,) = answer.lines
    details = await rig.ask("GET", "/images/mine:1/json")
    check_answer("1.51", "GET", "/images/{name}/json", 200, details.json)
    doc = details.json
    assert doc["Id"] == line["status"]
    assert doc["Comment"] == "hello"
    assert doc["Config"]["Cmd"] == ["/bin/sh", "-c", "sh"]
    assert doc["Config"]["Env"] == ["A=1"]
    assert doc["GraphDriver"] == {"Data": None, "Name": "overlayfs"}
    assert doc["RootFS"] == {"Type": "layers", "Layers": [digest_of(layer())]}
    history = await rig.ask("GET", "/images/mine:1/history")
    check_answer("1.51", "GET", "/images/{name}/history", 200, history.json)
    assert [row["Comment"] for row in history.json] == ["hello"]


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        ({"fromSrc": "-", "changes": "RUN x"}, 400, "RUN is not a valid change command"),
        (
            {"fromSrc": "-", "repo": "UPPER"},
            400,
            "invalid reference format: repository name (library/UPPER) must be lowercase",
        ),
        ({"fromSrc": "-", "repo": "a", "tag": "b c"}, 400, "invalid tag format"),
        ({"fromSrc": "-", "platform": "*"}, 400, '"*": wildcards not yet supported: invalid argument'),
        ({}, 400, "fromImage or fromSrc must be given"),
        ({"fromSrc": "-"}, 400, "archive/tar: invalid tar header"),
    ],
)
async def test_creations_that_are_refused(rig: ApiRig, query: dict[str, str], status: int, message: str) -> None:
    answer = await rig.ask("POST", "/images/create", b"garbage" * 100, query)
    assert (answer.status, answer.content_type) == (status, "application/json")
    assert answer.message.startswith(message)
    assert rig.stored() == []


async def test_names(rig: ApiRig) -> None:
    await rig.ask("POST", "/images/load", archive(image("app:1")))
    answer = await rig.ask("POST", "/images/app:1/tag", repo="example.org/me/app", tag="v1")
    assert (answer.status, answer.body) == (201, b"")
    answer = await rig.ask("GET", "/images/example.org/me/app:v1/json")
    assert answer.json["RepoTags"] == ["app:1", "example.org/me/app:v1"]
    refused = {
        ("/images/nothing/tag", "x"): (404, "No such image: nothing:latest"),
        ("/images/app:1/tag", ""): (400, "invalid reference format"),
        ("/images/app:1/tag", "sha256"): (400, "refusing to create an ambiguous tag using digest algorithm as name"),
        ("/images/UPPER/tag", "x"): (
            400,
            "invalid reference format: repository name (library/UPPER) must be lowercase",
        ),
    }
    for (path, repository), expected in refused.items():
        answer = await rig.ask("POST", path, repo=repository)
        assert (answer.status, answer.message) == expected


async def test_deletion_and_prune(rig: ApiRig) -> None:
    await rig.ask("POST", "/images/load", archive(image("app:1", "app:2")))
    image_id = (await rig.ask("GET", "/images/json")).json[0]["Id"]
    answer = await rig.ask("DELETE", "/images/app:1")
    assert (answer.status, answer.json) == (200, [{"Untagged": "app:1"}])
    answer = await rig.ask("DELETE", "/images/app:1")
    assert (answer.status, answer.message) == (404, "No such image: app:1")
    answer = await rig.ask("DELETE", f"/images/{image_id}")
    assert answer.json == [{"Untagged": "app:2"}, {"Deleted": image_id}]
    check_answer("1.51", "DELETE", "/images/{name}", 200, answer.json)
    assert rig.stored() == []
    await rig.ask("POST", "/images/create", layer(), fromSrc="-")
    answer = await rig.ask("POST", "/images/prune")
    check_answer("1.51", "POST", "/images/prune", 200, answer.json)
    assert [list(step) for step in answer.json["ImagesDeleted"]] == [["Deleted"]]
    assert answer.json["SpaceReclaimed"] > len(layer())
    assert (await rig.ask("POST", "/images/prune")).json == {"ImagesDeleted": None, "SpaceReclaimed": 0}
    assert rig.stored() == []
    answer = await rig.ask("POST", "/images/prune", filters='{"nothing":["x"]}')
    assert (answer.status, answer.message) == (400, "invalid filter 'nothing'")


@pytest.mark.parametrize("minor", [24, 43, 44, 47, 48, 50, 51, 52, 55])
async def test_documents_at_every_edge(rig: ApiRig, minor: int) -> None:
    await rig.ask("POST", "/images/load", archive(image("app:1", labels={"a": "b"}), image(layers=[layer(entry("x"))])))
    version = f"1.{minor}"
    listed = await rig.ask("GET", f"/v{version}/images/json", query={"manifests": "1", "shared-size": "1"})
    check_answer(version, "GET", "/images/json", 200, listed.json)
    assert ("Manifests" in listed.json[0]) == (minor >= 47)
    inspected = await rig.ask("GET", f"/v{version}/images/app:1/json")
    check_answer(version, "GET", "/images/{name}/json", 200, inspected.json)
    assert ("GraphDriver" in inspected.json) == (minor < 52)


async def test_filters_of_the_list(rig: ApiRig) -> None:
    await rig.ask(
        "POST", "/images/load", archive(image("app:1", labels={"a": "b"}), image("other:1", layers=[layer(entry("x"))]))
    )

    async def names(path: str = "/images/json", **query: str) -> list[str]:
        return sorted(name for doc in (await rig.ask("GET", path, query=query)).json for name in doc["RepoTags"])

    assert await names(filters='{"reference":["app"]}') == ["app:1"]
    assert await names(filters='{"reference":{"oth*":true}}') == ["other:1"]
    assert await names(filters='{"label":["a=b"]}') == ["app:1"]
    assert await names("/v1.24/images/json", filter="app") == ["app:1"]
    assert await names("/v1.30/images/json", filter="app") == ["app:1", "other:1"]
    assert (await rig.ask("GET", "/v1.54/images/json", identity="1")).status == 400


async def test_what_is_saved_can_be_loaded(rig: ApiRig) -> None:
    await rig.ask(
        "POST", "/images/load", archive(image("app:1", "app:2"), image("other:1", layers=[layer(entry("x", b"1"))]))
    )
    before = {doc["Id"]: doc["RepoTags"] for doc in (await rig.ask("GET", "/images/json")).json}
    saved = await rig.ask("GET", "/images/get", names=["app", "other:1"])
    assert (saved.status, saved.content_type) == (200, "application/x-tar")
    with tarfile.open(fileobj=io.BytesIO(saved.body)) as tar:
        assert {"index.json", "manifest.json", "oci-layout"} <= set(tar.getnames())
    for image_id in before:
        await rig.ask("DELETE", f"/images/{image_id}", force="1")
    assert rig.stored() == []
    answer = await rig.ask("POST", "/images/load", saved.body)
    assert sorted(line["stream"] for line in answer.lines if "stream" in line) == [
        "Loaded image: app:1\n",
        "Loaded image: app:2\n",
        "Loaded image: other:1\n",
    ]
    assert {doc["Id"]: doc["RepoTags"] for doc in (await rig.ask("GET", "/images/json")).json} == before
    assert (await rig.ask("GET", "/images/nothing/get")).status == 404


async def test_an_image_saved_by_its_id_has_no_name(rig: ApiRig) -> None:
    await rig.ask("POST", "/images/load", archive(image("app:1")))
    image_id = (await rig.ask("GET", "/images/json")).json[0]["Id"]
    saved = await rig.ask("GET", f"/images/{image_id}/get")
    await rig.ask("DELETE", "/images/app:1")
    answer = await rig.ask("POST", "/images/load", saved.body)
    assert answer.lines[-1] == {"stream": f"Loaded image ID: {image_id}\n"}


async def test_images_are_there_again_after_a_kill(tmp_path: Path) -> None:
    records = FakeRecords()
    rig = await ApiRig(tmp_path, records).open()
    await rig.ask("POST", "/images/load", archive(image("app:1")))
    stored = rig.stored()
    Path(rig.content.ingest, "half").mkdir()
    Path(rig.content.blobs, "0" * 64).write_bytes(b"nobody's")
    await rig.close()
    again = await ApiRig(tmp_path, records).open()
    assert again.stored() == stored
    assert (await again.ask("GET", "/images/app:1/json")).status == 200
    await again.close()
