"""Pulling, on fakes."""

import asyncio
import hashlib
from collections.abc import AsyncIterator

import pytest

from tests.images import layer
from tests.tars import entry
from tests.unit.engine.images.publisher import BASE, BIG, ETC, Published, packed, publish_index
from tests.unit.engine.images.rig import ImageRig
from wharfd.engine.images.garbage import KEEP_REMNANTS_NS
from wharfd.engine.images.progress import BlobStep, PullBegun, PullEnded, Step
from wharfd.model.errors import (
    InvalidParameter,
    ManifestNotFound,
    NotFound,
    PullDenied,
    RegistryFailure,
    RepositoryNotFound,
)
from wharfd.model.ids import Digest, ImageId
from wharfd.ports.registry import OnRetry, Retry
from wharfd.testing.registry import FakeRegistry
from wharfd.wire.authconfig import AuthConfig
from wharfd.wire.filters import Filters
from wharfd.wire.oci import Descriptor, Platform, digest_of
from wharfd.wire.reference import Reference, parse_normalised

Told = list[PullBegun | PullEnded | BlobStep]
ARM = Platform(os="linux", architecture="arm64")


@pytest.fixture
async def rig() -> ImageRig:
    return await ImageRig().up()


async def pull(
    rig: ImageRig,
    name: str,
    *,
    login: AuthConfig | None = None,
    platform: Platform | None = None,
    told: Told | None = None,
) -> Told:
    told = [] if told is None else told
    await rig.pull_image(parse_normalised(name), told.append, login=login, platform=platform)
    return told


def steps(told: Told, data: bytes) -> list[Step]:
    """Of one blob, repetitions left out."""
    digest = digest_of(data)
    found = [each.step for each in told if isinstance(each, BlobStep) and each.digest == digest]
    return [step for number, step in enumerate(found) if number == 0 or found[number - 1] is not step]


def ended(told: Told) -> PullEnded:
    assert isinstance(told[-1], PullEnded)
    return told[-1]


async def test_an_image_comes_with_its_name_and_its_digest(rig: ImageRig) -> None:
    published = Published(rig.registry, "alpine:3.20", labels={"who": "me"})
    told = await pull(rig, "alpine:3.20")
    record = rig.images.find("alpine:3.20")
    assert record.id == ImageId(published.target.digest)
    assert record.tags == ["docker.io/library/alpine:3.20"]
    assert record.digests == [f"docker.io/library/alpine@{published.target.digest}"]
    assert told[0] == PullBegun("library/alpine", "3.20")
    assert told[-1] == PullEnded(published.target.digest, "alpine:3.20", True)
    resolved = await rig.images.get("alpine:3.20")
    assert resolved.platform.available
    assert rig.world.layers.files[resolved.platform.chain_ids[-1]]["/etc/motd"] == b"welcome\n"
    assert rig.world.content.unclaimed() == frozenset()
    event = rig.heard.queue[-1]
    assert (event.action, event.actor_id, event.attributes) == ("pull", "alpine:3.20", {"name": "alpine", "who": "me"})


async def test_each_layer_tells_its_way(rig: ImageRig) -> None:
    published = Published(rig.registry, "alpine:latest", BASE, BIG)
    told = await pull(rig, "alpine:latest")
    for stored in published.layers:
        assert steps(told, stored) == [
            Step.ANNOUNCED,
            Step.WAITING,
            Step.DOWNLOADING,
            Step.VERIFYING,
            Step.DOWNLOADED,
            Step.EXTRACTING,
            Step.PULLED,
        ]
    amounts = [
        (each.current, each.total) for each in told if isinstance(each, BlobStep) and each.step is Step.DOWNLOADING
    ]
    assert (len(published.layers[0]), len(published.layers[0])) in amounts
    assert steps(told, published.config) == []


async def test_an_image_that_is_here_tells_nothing_of_its_layers(rig: ImageRig) -> None:
    Published(rig.registry, "alpine:latest")
    await pull(rig, "alpine:latest")
    rig.registry.calls.clear()
    told = await pull(rig, "alpine:latest")
    assert [type(each) for each in told] == [PullBegun, PullEnded]
    assert not ended(told).is_newer
    assert rig.registry.calls == ["resolve"]
    assert rig.events()[-1] == ("pull", "alpine")


async def test_a_layer_that_is_here_is_not_fetched_again(rig: ImageRig) -> None:
    first = Published(rig.registry, "one:latest", BASE, ETC)
    second = Published(rig.registry, "two:latest", BASE, BIG)
    await pull(rig, "one:latest")
    rig.registry.calls.clear()
    told = await pull(rig, "two:latest")
    assert steps(told, first.layers[0]) == [Step.ANNOUNCED, Step.PRESENT]
    assert steps(told, second.layers[1])[-1] is Step.PULLED
    assert rig.registry.calls.count("blob") == 2  # config and layer


async def test_a_name_moves_and_its_old_image_stays_without(rig: ImageRig) -> None:
    old = Published(rig.registry, "alpine:latest")
    await pull(rig, "alpine:latest")
    new = Published(rig.registry, "alpine:latest", BASE, BIG)
    assert ended(await pull(rig, "alpine:latest")).is_newer
    assert rig.images.find("alpine").id == ImageId(new.target.digest)
    assert rig.images.find(old.target.digest).tags == []


async def test_a_digest_names_no_tag(rig: ImageRig) -> None:
    published = Published(rig.registry, "host.example:5000/me/app:v1")
    name = f"host.example:5000/me/app@{published.target.digest}"
    told = await pull(rig, name)
    assert told[0] == PullBegun("me/app", name)
    assert ended(told) == PullEnded(published.target.digest, name, True)
    record = rig.images.find(name)
    assert (record.tags, record.digests) == ([], [name])
    assert not ended(await pull(rig, name)).is_newer
    assert rig.heard.queue[-1].actor_id == name


async def test_beside_a_tag_the_digest_decides(rig: ImageRig) -> None:
    old = Published(rig.registry, "alpine:latest")
    Published(rig.registry, "alpine:latest", BASE, BIG)
    told = await pull(rig, f"alpine:latest@{old.target.digest}")
    assert told[0] == PullBegun("library/alpine", "latest")
    assert rig.images.find(old.target.digest).tags == []


async def test_without_a_tag_all_of_them_come(rig: ImageRig) -> None:
    Published(rig.registry, "alpine:a")
    Published(rig.registry, "alpine:b", BASE, BIG)
    told = await pull(rig, "alpine")
    assert [each.what for each in told if isinstance(each, PullBegun)] == ["a", "b"]
    assert rig.images.find("alpine:a").id != rig.images.find("alpine:b").id


async def test_of_an_index_the_hosts_platform_comes(rig: ImageRig) -> None:
    images = {
        "arm64/v8": Published(rig.registry, "multi:arm", ETC, architecture="arm64"),
        "amd64": Published(rig.registry, "multi:amd"),
    }
    index = publish_index(rig.registry, "multi:latest", images, attested=True)
    await pull(rig, "multi:latest")
    record = rig.images.find("multi:latest")
    assert record.id == ImageId(index.digest)
    assert [each.architecture for each in record.platforms] == ["amd64"]
    details = await rig.views.inspect("multi:latest", manifests=True)
    assert details.manifests is not None
    assert [(each.kind, each.available) for each in details.manifests] == [
        ("image", True),
        ("image", False),
        ("attestation", False),
        ("attestation", False),
    ]


async def test_a_further_platform_is_added_to_the_image(rig: ImageRig) -> None:
    images = {
        "arm64/v8": Published(rig.registry, "multi:arm", BASE, BIG, architecture="arm64"),
        "amd64": Published(rig.registry, "multi:amd"),
    }
    publish_index(rig.registry, "multi:latest", images)
    await pull(rig, "multi:latest")
    told = await pull(rig, "multi:latest", platform=ARM)
    assert not ended(told).is_newer
    assert steps(told, packed(BASE)) == [Step.ANNOUNCED, Step.PRESENT]
    record = rig.images.find("multi:latest")
    assert sorted(each.architecture for each in record.platforms if each.available) == ["amd64", "arm64"]
    assert rig.images.choose(record, "multi", ARM).architecture == "arm64"


async def test_a_platform_that_an_index_has_not_is_told_before_anything(rig: ImageRig) -> None:
    publish_index(rig.registry, "multi:latest", {"arm64": Published(rig.registry, "multi:arm", architecture="arm64")})
    told: Told = []
    with pytest.raises(NotFound, match=r"^no matching manifest for linux/amd64 in the manifest list entries: "):
        await pull(rig, "multi:latest", told=told)
    with pytest.raises(NotFound, match=r"^no matching manifest for linux/s390x in "):
        await pull(rig, "multi:latest", told=told, platform=Platform(os="linux", architecture="s390x"))
    assert told == []
    assert rig.is_empty()


async def test_a_mere_manifest_is_taken_for_any_platform(rig: ImageRig) -> None:
    """# Docker: so does dockerd."""
    Published(rig.registry, "arm:latest", architecture="arm64")
    await pull(rig, "arm:latest", platform=Platform(os="linux", architecture="s390x"))
    assert rig.images.find("arm").platforms[0].architecture == "arm64"


@pytest.mark.parametrize(
    ("name", "error"),
    [("nothing:latest", ManifestNotFound), ("nothing", RepositoryNotFound), ("x.example/a:b", PullDenied)],
)
async def test_what_the_registry_does_not_give_is_told_before_anything(
    rig: ImageRig, name: str, error: type[Exception]
) -> None:
    rig.registry.accounts["x.example"] = {"me": "secret"}
    told: Told = []
    with pytest.raises(error):
        await pull(rig, name, told=told)
    assert told == []
    assert rig.is_empty()


async def test_the_login_opens_what_is_closed(rig: ImageRig) -> None:
    rig.registry.accounts["x.example"] = {"me": "secret"}
    Published(rig.registry, "x.example/a:b")
    with pytest.raises(PullDenied):
        await pull(rig, "x.example/a:b", login=AuthConfig(username="me", password="wrong"))
    await pull(rig, "x.example/a:b", login=AuthConfig(username="me", password="secret"))
    assert rig.images.find("x.example/a:b").tags


async def test_something_else_than_an_image_is_kept_as_it_is(rig: ImageRig) -> None:
    import msgspec

    from wharfd.wire.oci import Manifest, encode
    from wharfd.wire.oci.media_types import OCI_EMPTY, OCI_MANIFEST

    config, chart = b"{}", b"a chart"
    manifest = encode(
        Manifest(
            artifact_type="application/vnd.example",
            config=Descriptor(media_type=OCI_EMPTY, digest=digest_of(config), size=2),
            layers=[Descriptor(media_type="application/vnd.example.chart", digest=digest_of(chart), size=len(chart))],
        )
    )
    assert msgspec.json.decode(manifest)
    target = rig.registry.put("chart:1", manifest, OCI_MANIFEST, config, chart)
    told = await pull(rig, "chart:1")
    assert steps(told, chart)[-1] is Step.DOWNLOADED
    assert rig.images.find("chart:1").id == ImageId(target.digest)
    assert await rig.world.content.read(digest_of(chart)) == chart


# What goes wrong.


async def test_content_that_does_not_hash_to_its_digest_leaves_nothing(rig: ImageRig) -> None:
    published = Published(rig.registry, "bad:latest", BASE, BIG)
    published.spoil(1, bytes(len(published.layers[1])))
    told: Told = []
    with pytest.raises(InvalidParameter, match="unexpected commit digest"):
        await pull(rig, "bad:latest", told=told)
    assert isinstance(told[0], PullBegun)
    assert rig.is_empty()
    assert list(rig.ledger.images) == []


async def test_what_a_mirror_spoils_its_own_host_makes_good(rig: ImageRig) -> None:
    published = Published(rig.registry, "alpine:latest")
    plain = rig.registry.blob

    async def mirrored(
        ref: Reference,
        descriptor: Descriptor,
        login: AuthConfig | None = None,
        *,
        offset: int = 0,
        on_retry: OnRetry | None = None,
        own_host_only: bool = False,
    ) -> AsyncIterator[bytes]:
        async for piece in plain(ref, descriptor, login, offset=offset):
            yield piece if own_host_only else bytes(len(piece))

    rig.registry.blob = mirrored  # type: ignore[method-assign]
    await pull(rig, "alpine:latest")
    assert await rig.world.content.read(digest_of(published.layers[0])) == published.layers[0]


async def test_a_layer_of_another_size_leaves_nothing(rig: ImageRig) -> None:
    published = Published(rig.registry, "bad:latest")
    published.spoil(1, published.layers[1][:-1])
    with pytest.raises(InvalidParameter):
        await pull(rig, "bad:latest")
    assert rig.is_empty()


async def test_a_hostile_layer_leaves_nothing(rig: ImageRig) -> None:
    Published(rig.registry, "bad:latest", BASE, layer(entry("../../escaped", b"x")))
    with pytest.raises(InvalidParameter, match="leads outside"):
        await pull(rig, "bad:latest")
    assert rig.is_empty()


async def test_a_layer_that_is_not_the_configs_leaves_nothing(rig: ImageRig) -> None:
    Published(rig.registry, "bad:latest", diff_ids=[Digest("sha256:" + "1" * 64), digest_of(ETC)])
    with pytest.raises(InvalidParameter, match="does not match its diff id"):
        await pull(rig, "bad:latest")
    assert rig.is_empty()


async def test_a_config_with_another_number_of_layers_leaves_nothing(rig: ImageRig) -> None:
    Published(rig.registry, "bad:latest", diff_ids=[digest_of(BASE)])
    with pytest.raises(InvalidParameter, match="mismatched image rootfs and manifest layers"):
        await pull(rig, "bad:latest")
    assert rig.is_empty()


async def test_what_another_image_has_stays_when_a_bad_one_goes(rig: ImageRig) -> None:
    Published(rig.registry, "good:latest", BASE, ETC)
    await pull(rig, "good:latest")
    bad = Published(rig.registry, "bad:latest", BASE, BIG)
    bad.spoil(1, bytes(len(bad.layers[1])))
    with pytest.raises(InvalidParameter):
        await pull(rig, "bad:latest")
    assert (await rig.images.get("good")).platform.available
    assert rig.world.content.partials == {}


async def test_what_came_before_a_failure_is_used_by_the_next_attempt(rig: ImageRig) -> None:
    published = Published(rig.registry, "big:latest", BASE, noise(300_000))
    rig.registry.fail_next("blob.piece", RegistryFailure("the connection was cut", may_pass=True), skip=4)
    with pytest.raises(RegistryFailure):
        await pull(rig, "big:latest")
    assert list(rig.ledger.images) == []
    assert rig.world.layers.layers == {}
    kept = {each.digest: each for each in await rig.world.content.remnants()}
    assert kept[digest_of(published.layers[1])].size in range(65536, 300_000)
    assert set(rig.world.content.blobs) == {each.digest for each in kept.values() if each.whole}
    rig.registry.calls.clear()
    told = await pull(rig, "big:latest")
    assert rig.registry.calls.count("blob") == 1
    assert next(each.current for each in told if isinstance(each, BlobStep) and each.step is Step.DOWNLOADING) > 0
    assert rig.images.find("big:latest").tags
    assert rig.world.content.unclaimed() == frozenset()


async def test_a_pull_goes_on_after_a_kill(rig: ImageRig) -> None:
    published = Published(rig.registry, "big:latest", BASE, noise(300_000))
    hang = Hanging(rig)
    work = asyncio.create_task(pull(rig, "big:latest"))
    await hang.reached.wait()
    again = await rig.reborn()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert list(again.ledger.images) == []
    kept = {each.digest for each in await again.world.content.remnants()}
    assert digest_of(published.layers[1]) in kept
    again.registry.calls.clear()
    await pull(again, "big:latest")
    assert again.registry.calls.count("blob") <= 2
    assert again.images.find("big:latest").tags
    assert again.world.content.unclaimed() == frozenset()


async def test_what_lies_here_and_is_not_what_it_should_be_is_fetched_anew(rig: ImageRig) -> None:
    published = Published(rig.registry, "big:latest", BASE, noise(300_000))
    digest = digest_of(published.layers[1])
    rig.world.content.partials[digest] = bytearray(100_000)
    await pull(rig, "big:latest")
    assert await rig.world.content.read(digest) == published.layers[1]


async def test_remnants_go_after_a_day_and_at_a_prune(rig: ImageRig) -> None:
    Published(rig.registry, "big:latest", BASE, noise(300_000))
    for way in ("expire", "restart", "prune"):
        rig.registry.fail_next("blob.piece", RegistryFailure("cut", may_pass=True), skip=4)
        with pytest.raises(RegistryFailure):
            await pull(rig, "big:latest")
        assert await rig.garbage.expire() == 0
        assert rig.world.content.partials
        if way == "prune":
            assert (await rig.prune(Filters({}))).reclaimed_bytes > 65536
        else:
            rig.world.clock.advance(KEEP_REMNANTS_NS / 1e9 + 1)
            if way == "expire":
                assert await rig.garbage.expire() > 65536
            else:
                await rig.reborn()
        assert rig.is_empty(), way


async def test_a_prune_leaves_a_pull_alone(rig: ImageRig) -> None:
    Published(rig.registry, "big:latest", BASE, noise(300_000))
    hang = Hanging(rig)
    work = asyncio.create_task(pull(rig, "big:latest"))
    await hang.reached.wait()
    await rig.prune(Filters({}))
    hang.go.set()
    await work
    assert (await rig.images.get("big")).platform.available


async def test_a_disk_that_is_full_leaves_nothing(rig: ImageRig) -> None:
    from wharfd.model.errors import Internal

    Published(rig.registry, "big:latest", BASE, noise(300_000))
    rig.world.content.fail_next("partial.write", Internal("no space left on device"), skip=4)
    with pytest.raises(Internal):
        await pull(rig, "big:latest")
    assert rig.is_empty()


# Several at once.


async def test_two_pulls_share_the_work_and_both_see_it(rig: ImageRig) -> None:
    published = Published(rig.registry, "big:latest", BASE, noise(300_000))
    one, two = await asyncio.gather(pull(rig, "big:latest"), pull(rig, "big:latest"))
    assert rig.registry.calls.count("blob") == 3
    assert rig.world.layers.calls.count("unpack") <= 4
    for told in (one, two):
        assert Step.DOWNLOADING in steps(told, published.layers[1])
        assert steps(told, published.layers[1])[-1] is Step.PULLED
        assert isinstance(told[-1], PullEnded)
    assert rig.leases.held == {}


async def test_the_first_may_leave_and_the_second_has_the_image(rig: ImageRig) -> None:
    Published(rig.registry, "big:latest", BASE, noise(300_000))
    hang = Hanging(rig)
    first = asyncio.create_task(pull(rig, "big:latest"))
    await hang.reached.wait()
    second = asyncio.create_task(pull(rig, "big:latest"))
    for _ in range(20):
        await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    hang.go.set()
    await second
    assert rig.registry.calls.count("blob") == 3
    assert (await rig.images.get("big")).platform.available


async def test_when_the_last_one_leaves_the_work_ends_and_what_came_stays(rig: ImageRig) -> None:
    Published(rig.registry, "big:latest", BASE, noise(300_000))
    hang = Hanging(rig)
    both = [asyncio.create_task(pull(rig, "big:latest")) for _ in range(2)]
    await hang.reached.wait()
    for _ in range(20):
        await asyncio.sleep(0)
    for work in both:
        work.cancel()
    assert all(isinstance(each, asyncio.CancelledError) for each in await asyncio.gather(*both, return_exceptions=True))
    assert hang.left
    assert rig.world.content.in_work == set()
    assert rig.world.content.partials
    assert rig.leases.held == {}
    assert rig.world.layers.coming == {}
    await pull(rig, "big:latest")
    assert rig.images.find("big").tags


async def test_one_who_comes_while_the_last_leaves_gets_the_image(rig: ImageRig) -> None:
    Published(rig.registry, "big:latest", BASE, noise(300_000))
    hang = Hanging(rig)
    first = asyncio.create_task(pull(rig, "big:latest"))
    await hang.reached.wait()
    first.cancel()
    await asyncio.sleep(0)
    hang.go.set()
    await pull(rig, "big:latest")
    await asyncio.gather(first, return_exceptions=True)
    assert (await rig.images.get("big")).platform.available


async def test_a_repository_that_fails_does_not_fail_another_one(rig: ImageRig) -> None:
    """They share a layer; one of them does not give it."""
    bad = Published(rig.registry, "x.example/bad:latest", BASE, noise(300_000))
    bad.lose(bad.layers[1])
    Published(rig.registry, "y.example/good:latest", BASE, noise(300_000))
    failed, _ = await asyncio.gather(
        pull(rig, "x.example/bad:latest"), pull(rig, "y.example/good:latest"), return_exceptions=True
    )
    assert isinstance(failed, NotFound)
    assert (await rig.images.get("y.example/good")).platform.available


async def test_so_many_downloads_run_at_once_as_the_settings_allow(rig: ImageRig) -> None:
    Published(rig.registry, "many:latest", *(layer(entry(f"f{number}", b"x")) for number in range(8)))
    counting = Counting(rig)
    await pull(rig, "many:latest")
    assert counting.most == 3


async def test_a_retry_is_told(rig: ImageRig) -> None:
    published = Published(rig.registry, "alpine:latest")
    plain = rig.registry.blob

    async def retrying(
        ref: Reference,
        descriptor: Descriptor,
        login: AuthConfig | None = None,
        *,
        offset: int = 0,
        on_retry: OnRetry | None = None,
        own_host_only: bool = False,
    ) -> AsyncIterator[bytes]:
        assert on_retry is not None
        on_retry(Retry(attempt=2, delay_s=5, offset=0, reason="cut"))
        async for piece in plain(ref, descriptor, login, offset=offset):
            yield piece

    rig.registry.blob = retrying  # type: ignore[method-assign]
    told = await pull(rig, "alpine:latest")
    assert BlobStep(digest_of(published.layers[0]), Step.RETRYING, 5) in told


def noise(size: int) -> bytes:
    """A layer that does not get smaller when it is compressed."""
    blocks = (hashlib.sha256(number.to_bytes(4, "big")).digest() for number in range(size // 32))
    return layer(entry("noise", b"".join(blocks)))


class Hanging:
    """The registry stops in the middle of a blob, once, until `go`."""

    def __init__(self, rig: ImageRig) -> None:
        self.registry: FakeRegistry = rig.registry
        self.reached, self.go = asyncio.Event(), asyncio.Event()
        self.left = False
        self.plain = self.registry.blob
        self.registry.blob = self.blob  # type: ignore[method-assign]

    async def blob(
        self,
        ref: Reference,
        descriptor: Descriptor,
        login: AuthConfig | None = None,
        *,
        offset: int = 0,
        on_retry: OnRetry | None = None,
        own_host_only: bool = False,
    ) -> AsyncIterator[bytes]:
        count = 0
        async for piece in self.plain(ref, descriptor, login, offset=offset):
            yield piece
            count += 1
            if count == 2 and not self.reached.is_set():
                self.reached.set()
                try:
                    await self.go.wait()
                except asyncio.CancelledError:
                    self.left = True
                    raise


class Counting:
    """How many blobs are read at once."""

    def __init__(self, rig: ImageRig) -> None:
        self.now = self.most = 0
        self.plain = rig.registry.blob
        rig.registry.blob = self.blob  # type: ignore[method-assign]

    async def blob(
        self,
        ref: Reference,
        descriptor: Descriptor,
        login: AuthConfig | None = None,
        *,
        offset: int = 0,
        on_retry: OnRetry | None = None,
        own_host_only: bool = False,
    ) -> AsyncIterator[bytes]:
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(0)
            async for piece in self.plain(ref, descriptor, login, offset=offset):
                yield piece
        finally:
            self.now -= 1
