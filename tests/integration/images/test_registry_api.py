"""The routes that need a registry, from the socket to the disk; the registry is one in memory."""

import asyncio
import base64
import json
import os
from pathlib import Path

import pytest

from tests.images import layer
from tests.integration.images.rig import ApiRig
from tests.spec.documents import check_answer
from tests.tars import entry
from tests.unit.engine.images.publisher import BASE, ETC, Published, publish_index
from wharfd.model.errors import RegistryFailure
from wharfd.model.ids import ChainId
from wharfd.ports.registry import SearchResult
from wharfd.testing.records import FakeRecords
from wharfd.wire.oci import digest_of

pytestmark = pytest.mark.root

HOST = "reg.example:5000"
LOGIN = {
    "X-Registry-Auth": base64.urlsafe_b64encode(json.dumps({"username": "me", "password": "pass"}).encode()).decode()
}


def statuses(lines: list[dict[str, object]], data: bytes) -> list[object]:
    """Of one blob, repetitions left out."""
    found = [line["status"] for line in lines if line.get("id") == digest_of(data)[7:19]]
    return [each for number, each in enumerate(found) if number == 0 or found[number - 1] != each]


async def test_pull_tells_the_words_that_clients_wait_for(rig: ApiRig) -> None:
    published = Published(rig.registry, f"{HOST}/me/app:v1")
    answer = await rig.ask("POST", "/images/create", fromImage=f"{HOST}/me/app", tag="v1")
    assert (answer.status, answer.content_type) == (200, "application/json")
    assert answer.lines[0] == {"status": "Pulling from me/app", "id": "v1"}
    assert answer.lines[-2:] == [
        {"status": f"Digest: {published.target.digest}"},
        {"status": f"Status: Downloaded newer image for {HOST}/me/app:v1"},
    ]
    for stored in published.layers:
        told = statuses(answer.lines, stored)
        assert told[0] == "Pulling fs layer"
        assert told[-1] == "Pull complete"
        assert "Download complete" in told
    assert all("progressDetail" in line for line in answer.lines if "id" in line and line["id"] != "v1")
    again = await rig.ask("POST", "/images/create", fromImage=f"{HOST}/me/app:v1")
    assert again.lines == [
        {"status": "Pulling from me/app", "id": "v1"},
        {"status": f"Digest: {published.target.digest}"},
        {"status": f"Status: Image is up to date for {HOST}/me/app:v1"},
    ]


async def test_what_was_pulled_runs_and_is_stored_once(rig: ApiRig) -> None:
    published = Published(rig.registry, "app:latest", BASE, layer(entry("etc/new", b"n"), entry("bin/.wh.sh")))
    await rig.ask("POST", "/images/create", fromImage="app", tag="latest")
    details = (await rig.ask("GET", "/images/app/json")).json
    assert details["Id"] == published.target.digest
    assert details["RepoDigests"] == [f"app@{published.target.digest}"]
    resolved = await rig.cases.images.get("app")
    tops = [Path(rig.layout.diff(ChainId(each))) for each in resolved.platform.chain_ids]
    assert (tops[1] / "etc/new").read_bytes() == b"n"
    assert sum(each.startswith("sha256/") for each in rig.stored()) == 4
    assert os.listdir(rig.content.partials.directory) == []


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        (
            {"fromImage": "Bad", "tag": "x"},
            400,
            "invalid reference format: repository name (library/Bad) must be lowercase",
        ),
        ({"fromImage": "one", "tag": "b@d"}, 400, "invalid tag format"),
        ({"fromImage": "scratch", "tag": "x"}, 403, "'scratch' is a reserved name"),
        ({"fromImage": "none", "tag": "x"}, 404, "manifest for none:x not found: manifest unknown: manifest unknown"),
        (
            {"fromImage": "arm", "tag": "idx"},
            404,
            "no matching manifest for linux/amd64 in the manifest list entries: no match for platform in manifest: not found",
        ),
        ({"fromImage": "closed.example/a", "tag": "x"}, 404, "pull access denied for closed.example/a, "),
    ],
)
async def test_an_early_failure_is_a_status(rig: ApiRig, query: dict[str, str], status: int, message: str) -> None:
    publish_index(rig.registry, "arm:idx", {"arm64": Published(rig.registry, "arm:1", architecture="arm64")})
    rig.registry.accounts["closed.example"] = {"me": "pass"}
    answer = await rig.ask("POST", "/images/create", query=query)
    assert answer.status == status
    assert answer.message.startswith(message)
    assert rig.stored() == []


async def test_a_registry_that_fails_early_is_a_status(rig: ApiRig) -> None:
    rig.registry.fail_next("resolve", RegistryFailure("toomanyrequests: You have reached your pull rate limit."))
    answer = await rig.ask("POST", "/images/create", fromImage="one", tag="x")
    assert (answer.status, answer.message) == (500, "toomanyrequests: You have reached your pull rate limit.")


async def test_a_late_failure_is_a_line(rig: ApiRig) -> None:
    published = Published(rig.registry, "bad:1")
    published.spoil(1, bytes(len(published.layers[1])))
    answer = await rig.ask("POST", "/images/create", fromImage="bad", tag="1")
    assert answer.status == 200
    last = answer.lines[-1]
    assert set(last) == {"errorDetail", "error"}
    assert last["errorDetail"] == {"message": last["error"]}
    assert f"unexpected commit digest {digest_of(bytes(len(published.layers[1])))}" in last["error"]
    assert rig.stored() == []
    assert os.listdir(rig.content.partials.directory) == []


async def test_the_login_of_the_header_is_used(rig: ApiRig) -> None:
    rig.registry.accounts[HOST] = {"me": "pass"}
    Published(rig.registry, f"{HOST}/a:1")
    assert (await rig.ask("POST", "/images/create", fromImage=f"{HOST}/a", tag="1")).status == 404
    garbage = await rig.ask("POST", "/images/create", fromImage=f"{HOST}/a", tag="1", headers={"X-Registry-Auth": "%%"})
    assert garbage.status == 404
    answer = await rig.ask("POST", "/images/create", fromImage=f"{HOST}/a", tag="1", headers=LOGIN)
    assert answer.status == 200
    assert answer.lines[-1]["status"].startswith("Status: Downloaded newer image")


async def test_platform_is_read_from_1_32_on(rig: ApiRig) -> None:
    images = {
        "amd64": Published(rig.registry, "multi:amd"),
        "arm64/v8": Published(rig.registry, "multi:arm", ETC, architecture="arm64"),
    }
    publish_index(rig.registry, "multi:1", images)
    query = {"fromImage": "multi", "tag": "1", "platform": "linux/arm64"}
    await rig.ask("POST", "/v1.31/images/create", query=query)
    record = rig.cases.images.find("multi:1")
    assert [each.architecture for each in record.platforms if each.available] == ["amd64"]
    await rig.ask("POST", "/v1.32/images/create", query=query)
    record = rig.cases.images.find("multi:1")
    assert sorted(each.architecture for each in record.platforms if each.available) == ["amd64", "arm64"]
    wrong = await rig.ask("POST", "/images/create", query={**query, "platform": "foo/bar/baz/x"})
    assert wrong.status == 400


async def test_two_clients_share_one_pull(rig: ApiRig) -> None:
    published = Published(rig.registry, "big:1", BASE, layer(entry("big", os.urandom(3_000_000))))
    asks = [rig.ask("POST", "/images/create", fromImage="big", tag="1") for _ in range(3)]
    answers = await asyncio.gather(*asks)
    assert rig.registry.calls.count("blob") == 3
    for answer in answers:
        assert answer.lines[-1]["status"] == "Status: Downloaded newer image for big:1"
        assert statuses(answer.lines, published.layers[1])[-1] == "Pull complete"


async def test_a_client_that_goes_away_ends_its_pull_and_what_came_stays(rig: ApiRig) -> None:
    published = Published(rig.registry, "big:1", BASE, layer(entry("big", os.urandom(5_000_000))))
    reached, never, left = asyncio.Event(), asyncio.Event(), asyncio.Event()
    plain = rig.content.partial

    async def slow(digest: object, size: int) -> object:
        blob = await plain(digest, size)  # type: ignore[arg-type]
        write, suspend = blob.write, blob.suspend

        async def slowly(data: bytes | memoryview) -> None:
            await write(data)
            if blob.offset > 2_000_000:
                reached.set()
                await never.wait()

        async def leave() -> None:
            await suspend()
            left.set()

        blob.write, blob.suspend = slowly, leave  # type: ignore[method-assign]
        return blob

    rig.content.partial = slow  # type: ignore[assignment, method-assign]
    client = await rig.connect()
    await client.request("POST /v1.51/images/create?fromImage=big&tag=1", "Host: x", "Content-Length: 0")
    await reached.wait()
    client.close()
    await left.wait()
    rig.content.partial = plain  # type: ignore[method-assign]
    kept = {each.digest: each.size for each in await rig.content.remnants()}
    assert kept[digest_of(published.layers[1])] > 2_000_000
    answer = await rig.ask("POST", "/images/create", fromImage="big", tag="1")
    assert answer.lines[-1]["status"] == "Status: Downloaded newer image for big:1"
    assert await rig.content.remnants() == []


async def test_the_next_engine_goes_on(tmp_path: Path) -> None:
    rig = await ApiRig(tmp_path, FakeRecords()).open()
    published = Published(rig.registry, "big:1", BASE, layer(entry("big", os.urandom(5_000_000))))
    rig.registry.fail_next("blob.piece", RegistryFailure("cut", may_pass=True), skip=50)
    assert "error" in (await rig.ask("POST", "/images/create", fromImage="big", tag="1")).lines[-1]
    registry = rig.registry
    await rig.close()
    again = ApiRig(tmp_path, FakeRecords())
    again.use(registry)
    await again.open()
    try:
        registry.calls.clear()
        answer = await again.ask("POST", "/images/create", fromImage="big", tag="1")
        downloading = [
            line["progressDetail"]["current"]
            for line in answer.lines
            if line.get("status") == "Downloading" and line["id"] == digest_of(published.layers[1])[7:19]
        ]
        assert downloading[0] > 1_000_000
        assert answer.lines[-1]["status"] == "Status: Downloaded newer image for big:1"
        assert registry.calls.count("blob") == 1
    finally:
        await again.close()


async def test_push_tells_of_each_layer_and_the_digest(rig: ApiRig) -> None:
    published = Published(rig.registry, "app:1")
    await rig.ask("POST", "/images/create", fromImage="app", tag="1")
    await rig.ask("POST", "/images/app:1/tag", repo=f"{HOST}/me/app", tag="2")
    answer = await rig.ask("POST", f"/images/{HOST}/me/app/push", tag="2")
    assert answer.status == 200
    assert answer.lines[0] == {"status": f"The push refers to repository [{HOST}/me/app]"}
    digest, size = published.target.digest, published.target.size
    assert answer.lines[-2:] == [
        {"status": f"2: digest: {digest} size: {size}"},
        {"progressDetail": {}, "aux": {"Tag": "2", "Digest": digest, "Size": size}},
    ]
    assert statuses(answer.lines, published.layers[0])[-1] == "Pushed"
    assert rig.registry.repositories[f"{HOST}/me/app"].tags == {"2": digest}
    again = await rig.ask("POST", f"/images/{HOST}/me/app:2/push")
    assert statuses(again.lines, published.layers[0])[-1] == "Layer already exists"
    await rig.ask("POST", "/images/app:1/tag", repo=f"{HOST}/me/other", tag="3")
    mounted = await rig.ask("POST", f"/images/{HOST}/me/other/push")
    assert statuses(mounted.lines, published.layers[0])[-1] == "Mounted from me/app"


async def test_push_of_a_part_says_what_went_instead(rig: ApiRig) -> None:
    images = {
        "amd64": Published(rig.registry, "multi:amd"),
        "arm64/v8": Published(rig.registry, "multi:arm", ETC, architecture="arm64"),
    }
    index = publish_index(rig.registry, "multi:1", images)
    await rig.ask("POST", "/images/create", fromImage="multi", tag="1")
    await rig.ask("POST", "/images/multi:1/tag", repo=f"{HOST}/m", tag="1")
    answer = await rig.ask("POST", f"/images/{HOST}/m/push", tag="1")
    (aux,) = [line["aux"] for line in answer.lines if "manifestPushedInsteadOfIndex" in line.get("aux", {})]
    assert aux["originalIndex"]["digest"] == index.digest
    assert aux["selectedManifest"]["platform"] == {"architecture": "amd64", "os": "linux"}
    arm = {"tag": "1", "platform": '{"os":"linux","architecture":"arm64"}'}
    missing = await rig.ask("POST", f"/images/{HOST}/m/push", query=arm)
    assert missing.lines[-1]["error"] == (
        f"image with reference {HOST}/m:1 was found but does not provide the specified platform (linux/arm64)"
    )
    ignored = await rig.ask("POST", f"/v1.45/images/{HOST}/m/push", query=arm)
    assert "error" not in ignored.lines[-1]


@pytest.mark.parametrize(
    ("path", "query", "message"),
    [
        (f"/images/{HOST}/a/push", {"tag": "nope"}, f"tag does not exist: {HOST}/a:nope"),
        (f"/images/{HOST}/a/push", {}, f"An image does not exist locally with the tag: {HOST}/a"),
    ],
)
async def test_push_of_what_is_not_here_is_a_line(rig: ApiRig, path: str, query: dict[str, str], message: str) -> None:
    answer = await rig.ask("POST", path, query=query)
    assert answer.status == 200
    assert answer.lines[1] == {"errorDetail": {"message": message}, "error": message}


async def test_auth(rig: ApiRig) -> None:
    rig.registry.accounts[HOST] = {"me": "pass"}
    good = json.dumps({"username": "me", "password": "pass", "serveraddress": HOST}).encode()
    answer = await rig.ask("POST", "/auth", good)
    assert (answer.status, answer.json) == (200, {"IdentityToken": "", "Status": "Login Succeeded"})
    check_answer("1.51", "POST", "/auth", answer.status, answer.json)
    assert (await rig.ask("POST", "/auth", good.replace(b"pass", b"wrong"))).status == 401
    assert (await rig.ask("POST", "/auth", b"x")).status == 400


async def test_search(rig: ApiRig) -> None:
    rig.registry.found = [
        SearchResult(name="alpine", description="small", star_count=100, is_official=True),
        SearchResult(name="me/alpine", star_count=2),
    ]
    answer = await rig.ask("GET", "/images/search", term="alpine")
    assert answer.json[0] == {
        "star_count": 100,
        "is_official": True,
        "name": "alpine",
        "is_automated": False,
        "description": "small",
    }
    check_answer("1.51", "GET", "/images/search", answer.status, answer.json)

    async def names(filters: dict[str, list[str]], limit: str = "") -> list[str]:
        reply = await rig.ask("GET", "/images/search", term="alpine", filters=json.dumps(filters), limit=limit)
        return [each["name"] for each in reply.json]

    assert await names({}) == ["alpine", "me/alpine"]
    assert await names({}, limit="1") == ["alpine"]
    assert await names({"is-official": ["false"]}) == ["me/alpine"]
    assert await names({"stars": ["3"]}) == ["alpine"]
    assert await names({"is-automated": ["true"]}) == []


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"limit": "101"}, "limit 101 is outside the range of [1, 100]"),
        ({"limit": "abc"}, 'invalid limit specified: strconv.Atoi: parsing "abc": invalid syntax'),
        ({"filters": '{"x":["y"]}'}, "invalid filter 'x'"),
        ({"filters": '{"is-official":["maybe"]}'}, "invalid filter 'is-official=[maybe]'"),
        (
            {"filters": '{"stars":["many"]}'},
            "invalid filter 'stars=many': strconv.Atoi: parsing \"many\": invalid syntax",
        ),
        ({"term": "http://x"}, "invalid repository name: repository name (http://x) should not have a scheme"),
    ],
)
async def test_a_search_that_makes_no_sense(rig: ApiRig, query: dict[str, str], message: str) -> None:
    answer = await rig.ask("GET", "/images/search", query={"term": "x", **query})
    assert (answer.status, answer.message) == (400, message)


async def test_distribution(rig: ApiRig) -> None:
    images = {"amd64": Published(rig.registry, f"{HOST}/m:amd"), "arm64/v8": Published(rig.registry, f"{HOST}/m:arm")}
    index = publish_index(rig.registry, f"{HOST}/m:latest", images, attested=True)
    answer = await rig.ask("GET", f"/distribution/{HOST}/m/json")
    assert answer.json == {
        "Descriptor": {
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "digest": index.digest,
            "size": index.size,
        },
        "Platforms": [
            {"architecture": "amd64", "os": "linux"},
            {"architecture": "arm64", "os": "linux", "variant": "v8"},
            {"architecture": "unknown", "os": "unknown"},
            {"architecture": "unknown", "os": "unknown"},
        ],
    }
    check_answer("1.51", "GET", "/distribution/{name}/json", answer.status, answer.json)
    single = await rig.ask("GET", f"/distribution/{HOST}/m:amd/json")
    assert single.json["Platforms"] is None
    assert (await rig.ask("GET", f"/distribution/{HOST}/m:no/json")).status == 404
    assert (await rig.ask("GET", "/distribution/" + "a" * 64 + "/json")).status == 400
    assert (await rig.ask("GET", f"/v1.29/distribution/{HOST}/m/json")).status == 404
    assert rig.stored() == []


async def test_attestations_that_came_with_an_archive(rig: ApiRig) -> None:
    published = Published(rig.registry, "app:amd")
    index = publish_index(rig.registry, "app:1", {"amd64": published}, attested=True)
    await rig.ask("POST", "/images/create", fromImage="app", tag="1")
    none = await rig.ask("GET", "/v1.55/images/app:1/attestations")
    assert (none.status, none.json) == (200, [])
    repository = rig.registry.repositories["docker.io/library/app"]
    for data in (*repository.blobs.values(), *(each for _, each in repository.documents.values())):
        writer = await rig.content.writer()
        await writer.write(data)
        await writer.commit()
    found = await rig.ask("GET", "/v1.55/images/app:1/attestations")
    (row,) = found.json
    assert row["PredicateType"] == "https://slsa.dev/provenance/v0.2"
    assert "Statement" not in row
    check_answer("1.55", "GET", "/images/{name}/attestations", found.status, found.json)
    full = await rig.ask("GET", f"/v1.55/images/{index.digest}/attestations", statement="1")
    assert full.json[0]["Statement"]["_type"] == "https://in-toto.io/Statement/v0.1"
    other = await rig.ask("GET", "/v1.55/images/app:1/attestations", type="https://spdx.dev/Document")
    assert other.json == []
    assert (await rig.ask("GET", "/v1.55/images/none/attestations")).status == 404
    assert (await rig.ask("GET", "/v1.54/images/app:1/attestations")).status == 404
