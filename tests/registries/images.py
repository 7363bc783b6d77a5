"""Small images for registries, and blobs of any size."""

import random
from collections.abc import AsyncIterator, Callable

from wharfd.ports.registry import Registry
from wharfd.wire.authconfig import AuthConfig
from wharfd.wire.oci import Descriptor, Index, Manifest, Platform, digest_of, encode
from wharfd.wire.oci.media_types import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST
from wharfd.wire.reference import Reference


def noise(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def described(data: bytes, media_type: str = OCI_LAYER) -> Descriptor:
    return Descriptor(media_type=media_type, digest=digest_of(data), size=len(data))


def source(data: bytes, piece: int = 64 << 10) -> Callable[[int], AsyncIterator[bytes]]:
    async def pieces(offset: int) -> AsyncIterator[bytes]:
        for at in range(offset, len(data), piece):
            yield data[at : at + piece]

    return pieces


def manifest_of(config: bytes, *layers: bytes) -> bytes:
    return encode(
        Manifest(
            media_type=OCI_MANIFEST,
            config=described(config, OCI_CONFIG),
            layers=[described(layer) for layer in layers],
        )
    )


def index_of(*manifests: bytes) -> bytes:
    platforms = [Platform(architecture=name, os="linux") for name in ("amd64", "arm64", "riscv64")]
    return encode(
        Index(
            media_type=OCI_INDEX,
            manifests=[
                Descriptor(media_type=OCI_MANIFEST, digest=digest_of(m), size=len(m), platform=platform)
                for m, platform in zip(manifests, platforms, strict=False)
            ],
        )
    )


async def push(
    registry: Registry, ref: Reference, login: AuthConfig | None, config: bytes, *layers: bytes
) -> tuple[Descriptor, bytes]:
    """An image of one platform."""
    for blob in (config, *layers):
        await registry.upload_blob(ref, described(blob), source(blob), login)
    document = manifest_of(config, *layers)
    digest = await registry.put_document(ref, document, OCI_MANIFEST, login)
    return Descriptor(media_type=OCI_MANIFEST, digest=digest, size=len(document)), document


async def fetched(registry: Registry, ref: Reference, descriptor: Descriptor, login: AuthConfig | None = None) -> bytes:
    return b"".join([piece async for piece in registry.blob(ref, descriptor, login)])
