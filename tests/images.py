"""Images to test with."""

from collections.abc import AsyncIterator, Iterable

from tests.tars import Member, directory, entry, tar_of
from wharfd.model.ids import Digest
from wharfd.model.image import HistoryEntry, RunConfig
from wharfd.wire.oci import ConfigDocument, RootFS, digest_of, encode_config
from wharfd.wire.oci.archives import PackedImage, docker_archive, oci_archive

BASE_LAYER = [directory("etc"), entry("etc/passwd", b"root:x:0:0::/:/bin/sh\n"), entry("bin/sh", b"#!", mode=0o755)]


def layer(*members: Member) -> bytes:
    return tar_of(*(members or BASE_LAYER))


def image(
    *names: str,
    layers: list[bytes] | None = None,
    architecture: str = "amd64",
    created: str = "2024-01-02T03:04:05.678Z",
    labels: dict[str, str] | None = None,
    run: RunConfig | None = None,
    diff_ids: list[Digest] | None = None,
    stored: list[bytes] | None = None,
    variant: str = "",
) -> PackedImage:
    """`layers` plain; `stored` the same as they lie in the archive, if they are compressed there."""
    plain = [layer()] if layers is None else layers
    config = ConfigDocument(
        created=created,
        architecture=architecture,
        variant=variant,
        os="linux",
        config=run or RunConfig(env=["PATH=/bin"], cmd=["sh"], labels=labels),
        rootfs=RootFS(diff_ids=diff_ids or [digest_of(each) for each in plain]),
        history=[
            HistoryEntry(created=created, created_by="ADD rootfs.tar /"),
            *(HistoryEntry(created=created, created_by=f"RUN step {number}") for number in range(1, len(plain))),
            HistoryEntry(created=created, created_by='CMD ["sh"]', empty_layer=True, comment="the end"),
        ],
    )
    return PackedImage(config=encode_config(config), layers=stored or plain, names=names)


def archive(*images: PackedImage, oci: bool = False, docker_manifest: bool = True) -> bytes:
    return b"".join(oci_archive(images, docker_manifest=docker_manifest) if oci else docker_archive(images))


async def stream(data: bytes | Iterable[bytes], size: int = 10_000) -> AsyncIterator[bytes]:
    whole = data if isinstance(data, bytes) else b"".join(data)
    for at in range(0, len(whole), size):
        yield whole[at : at + size]
