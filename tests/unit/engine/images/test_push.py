"""Pushing, on fakes."""

import pytest

from tests.images import image, layer
from tests.tars import entry
from tests.unit.engine.images.publisher import BASE, BIG, ETC, Published, packed, publish_index
from tests.unit.engine.images.rig import ImageRig
from wharfd.engine.images.progress import BlobStep, PushBegun, PushedInstead, PushEnded, Step
from wharfd.model.errors import Conflict, Forbidden, NotFound, RegistryFailure
from wharfd.wire.authconfig import AuthConfig
from wharfd.wire.oci import Platform, digest_of
from wharfd.wire.reference import parse_normalised

Told = list[PushBegun | PushedInstead | PushEnded | BlobStep]
ARM = Platform(os="linux", architecture="arm64")


@pytest.fixture
async def rig() -> ImageRig:
    return await ImageRig().up()


async def push(
    rig: ImageRig,
    name: str,
    *,
    login: AuthConfig | None = None,
    platform: Platform | None = None,
    told: Told | None = None,
) -> Told:
    told = [] if told is None else told
    await rig.push_image(parse_normalised(name), told.append, login=login, platform=platform)
    return told


async def pull(rig: ImageRig, name: str, platform: Platform | None = None) -> None:
    await rig.pull_image(parse_normalised(name), lambda _: None, platform=platform)


def steps(told: Told, data: bytes) -> list[Step]:
    digest = digest_of(data)
    found = [each.step for each in told if isinstance(each, BlobStep) and each.digest == digest]
    return [step for number, step in enumerate(found) if number == 0 or found[number - 1] is not step]


async def test_an_image_arrives_as_it_lies_here(rig: ImageRig) -> None:
    record = await rig.loaded("x.example:5000/me/app:v1", layers=[BASE, BIG], labels={"who": "me"})
    rig.events()
    told = await push(rig, "x.example:5000/me/app:v1")
    repository = rig.registry.repositories["x.example:5000/me/app"]
    assert repository.tags == {"v1": record.id}
    assert told[0] == PushBegun("x.example:5000/me/app")
    assert told[-1] == PushEnded("v1", record.platforms[0].manifest, record.size)
    assert steps(told, BIG) == [Step.WAITING, Step.PUSHING, Step.PUSHED]
    config = await rig.world.content.read(record.platforms[0].config_digest)
    assert steps(told, config) == []
    event = rig.heard.queue[-1]
    assert (event.action, event.actor_id) == ("push", "x.example:5000/me/app:v1")
    assert event.attributes == {"name": "x.example:5000/me/app", "who": "me"}
    assert rig.leases.held == {}


async def test_what_is_pushed_and_pulled_again_is_the_same(rig: ImageRig) -> None:
    published = Published(rig.registry, "x.example/a:1", BASE, BIG)
    await pull(rig, "x.example/a:1")
    await rig.tag("x.example/a:1", "y.example/b", "2")
    await push(rig, "y.example/b:2")
    assert rig.registry.repositories["y.example/b"].tags == {"2": published.target.digest}
    other = await ImageRig().up()
    other.exchange.pull.registry = other.exchange.pull.remote.registry = rig.registry
    other.exchange.pull.downloads.registry = rig.registry
    await pull(other, "y.example/b:2")
    assert other.images.find("y.example/b:2").platforms == rig.images.find("x.example/a:1").platforms


async def test_what_the_registry_has_is_not_sent(rig: ImageRig) -> None:
    published = Published(rig.registry, "x.example/a:1")
    await pull(rig, "x.example/a:1")
    rig.registry.calls.clear()
    told = await push(rig, "x.example/a:1")
    assert [steps(told, each) for each in published.layers] == [[Step.WAITING, Step.THERE]] * 2
    assert "upload_blob" not in rig.registry.calls


async def test_another_repository_of_the_registry_gives_its_blobs(rig: ImageRig) -> None:
    published = Published(rig.registry, "x.example/me/a:1")
    await pull(rig, "x.example/me/a:1")
    await rig.tag("x.example/me/a:1", "x.example/me/b", "2")
    told = await push(rig, "x.example/me/b:2")
    assert BlobStep(digest_of(published.layers[0]), Step.MOUNTED, source="me/a") in told
    assert "upload_blob" not in rig.registry.calls


async def test_what_cannot_be_taken_over_is_sent(rig: ImageRig) -> None:
    """The name was given here only; no such repository exists there."""
    record = await rig.loaded("x.example/a:1")
    await rig.tag("x.example/a:1", "x.example/b", "2")
    told = await push(rig, "x.example/b:2")
    assert steps(told, BASE) == [Step.WAITING, Step.PUSHING, Step.PUSHED]
    assert rig.registry.repositories["x.example/b"].tags == {"2": record.id}


async def test_without_a_tag_all_of_them_go(rig: ImageRig) -> None:
    await rig.loaded("x.example/a:2", "x.example/a:1", "x.example/ab:3")
    told = await push(rig, "x.example/a")
    assert [each.tag for each in told if isinstance(each, PushEnded)] == ["1", "2"]
    assert list(rig.registry.repositories) == ["x.example/a"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("x.example/no", "An image does not exist locally with the tag: x.example/no"),
        ("x.example/a:no", "tag does not exist: x.example/a:no"),
        ("no:latest", "tag does not exist: no:latest"),
    ],
)
async def test_a_name_that_is_not_here_is_refused(rig: ImageRig, name: str, message: str) -> None:
    await rig.loaded("x.example/a:1")
    told: Told = []
    with pytest.raises(NotFound) as refusal:
        await push(rig, name, told=told)
    assert str(refusal.value) == message
    assert [type(each) for each in told] == [PushBegun]


async def test_a_digest_is_no_name_to_push(rig: ImageRig) -> None:
    record = await rig.loaded("x.example/a:1")
    with pytest.raises(NotFound, match="tag does not exist"):
        await push(rig, f"x.example/a@{record.id}")


async def test_an_index_that_is_whole_goes_whole(rig: ImageRig) -> None:
    images = {
        "arm64/v8": Published(rig.registry, "x.example/m:arm", ETC, architecture="arm64"),
        "amd64": Published(rig.registry, "x.example/m:amd"),
    }
    index = publish_index(rig.registry, "x.example/m:1", images)
    await pull(rig, "x.example/m:1")
    await pull(rig, "x.example/m:1", ARM)
    await rig.tag("x.example/m:1", "y.example/n", "1")
    told = await push(rig, "y.example/n:1")
    repository = rig.registry.repositories["y.example/n"]
    assert repository.tags == {"1": index.digest}
    assert {each.target.digest for each in images.values()} < set(repository.documents)
    assert told[-1] == PushEnded("1", index.digest, index.size)


async def test_of_an_index_that_is_not_whole_the_manifest_goes_that_is_here(rig: ImageRig) -> None:
    images = {
        "arm64/v8": Published(rig.registry, "x.example/m:arm", ETC, architecture="arm64"),
        "amd64": Published(rig.registry, "x.example/m:amd"),
    }
    index = publish_index(rig.registry, "x.example/m:1", images, attested=True)
    await pull(rig, "x.example/m:1")
    await rig.tag("x.example/m:1", "y.example/n", "1")
    told = await push(rig, "y.example/n:1")
    manifest = images["amd64"].target
    instead = next(each for each in told if isinstance(each, PushedInstead))
    assert (instead.index.digest, instead.manifest.digest) == (index.digest, manifest.digest)
    assert instead.manifest.platform == Platform(os="linux", architecture="amd64")
    assert rig.registry.repositories["y.example/n"].tags == {"1": manifest.digest}
    assert told[-1] == PushEnded("1", manifest.digest, manifest.size)


async def test_a_platform_goes_alone(rig: ImageRig) -> None:
    images = {
        "arm64/v8": Published(rig.registry, "x.example/m:arm", ETC, architecture="arm64"),
        "amd64": Published(rig.registry, "x.example/m:amd"),
    }
    publish_index(rig.registry, "x.example/m:1", images)
    await pull(rig, "x.example/m:1")
    with pytest.raises(NotFound, match=r"does not provide the specified platform \(linux/arm64\)"):
        await push(rig, "x.example/m:1", platform=ARM)
    await pull(rig, "x.example/m:1", ARM)
    await rig.tag("x.example/m:1", "y.example/n", "1")
    await push(rig, "y.example/n:1", platform=ARM)
    assert rig.registry.repositories["y.example/n"].tags == {"1": images["arm64/v8"].target.digest}


async def test_of_several_that_fit_none_is_guessed(rig: ImageRig) -> None:
    images = {
        key: Published(rig.registry, f"x.example/m:{key}", BASE, layer(entry(key)), architecture=key)
        for key in ("arm64", "s390x", "ppc64le")
    }
    publish_index(rig.registry, "x.example/m:1", images)
    for key in ("arm64", "s390x"):
        await pull(rig, "x.example/m:1", Platform(os="linux", architecture=key))
    with pytest.raises(Conflict, match="multiple matching manifests found but no specific platform requested"):
        await push(rig, "x.example/m:1")


async def test_a_login_that_may_not_write_is_told(rig: ImageRig) -> None:
    rig.registry.accounts["x.example"] = {"me": "secret"}
    await rig.loaded("x.example/a:1")
    with pytest.raises(Forbidden):
        await push(rig, "x.example/a:1")
    await push(rig, "x.example/a:1", login=AuthConfig(username="me", password="secret"))
    assert rig.registry.repositories["x.example/a"].tags


async def test_a_push_that_fails_names_nothing_and_may_be_tried_again(rig: ImageRig) -> None:
    await rig.load(image("x.example/a:1", layers=[BASE, BIG]))
    rig.registry.fail_next("upload_blob.piece", RegistryFailure("cut"), skip=3)
    with pytest.raises(RegistryFailure):
        await push(rig, "x.example/a:1")
    assert rig.registry.repositories["x.example/a"].tags == {}
    assert rig.leases.held == {}
    await push(rig, "x.example/a:1")
    assert rig.registry.repositories["x.example/a"].tags


async def test_layers_are_sent_as_they_were_packed(rig: ImageRig) -> None:
    await rig.load(image("x.example/a:1", layers=[BASE], stored=[packed(BASE)]))
    await push(rig, "x.example/a:1")
    assert packed(BASE) in rig.registry.repositories["x.example/a"].blobs.values()
