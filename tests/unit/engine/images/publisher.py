"""Puts images into a registry in memory, as their authors would."""

import gzip

import msgspec

from tests.images import image, layer
from tests.tars import entry
from wharfd.model.json import Json
from wharfd.testing.registry import FakeRegistry
from wharfd.wire.oci import Descriptor, Index, Manifest, Platform, digest_of, encode
from wharfd.wire.oci.documents import ATTESTATION, REFERENCE_DIGEST, REFERENCE_TYPE
from wharfd.wire.oci.media_types import OCI_CONFIG, OCI_INDEX, OCI_LAYER_GZIP, OCI_MANIFEST

BASE = layer()
ETC = layer(entry("etc/motd", b"welcome\n"))
BIG = layer(entry("big", bytes(range(256)) * 3000))


def packed(plain: bytes) -> bytes:
    return gzip.compress(plain, 1, mtime=0)


class Published:
    """`layers` as stored; `target` is what the name stands for."""

    def __init__(self, registry: FakeRegistry, name: str, *plain: bytes, **fields: object) -> None:
        self.registry = registry
        self.name = name
        self.plain = plain or (BASE, ETC)
        self.config = image(layers=list(self.plain), **fields).config  # type: ignore[arg-type]
        self.layers = [packed(each) for each in self.plain]
        self.manifest = encode(self.document())
        self.target = registry.put(name, self.manifest, OCI_MANIFEST, self.config, *self.layers)

    def document(self) -> Manifest:
        return Manifest(
            config=Descriptor(media_type=OCI_CONFIG, digest=digest_of(self.config), size=len(self.config)),
            layers=[
                Descriptor(media_type=OCI_LAYER_GZIP, digest=digest_of(each), size=len(each)) for each in self.layers
            ],
        )

    def spoil(self, number: int, data: bytes) -> None:
        """The registry's copy of a layer is something else."""
        self.registry.repositories[self.repository].blobs[digest_of(self.layers[number])] = data

    def lose(self, data: bytes) -> None:
        del self.registry.repositories[self.repository].blobs[digest_of(data)]

    @property
    def repository(self) -> str:
        from wharfd.wire.reference import parse_normalised

        return parse_normalised(self.name).name


def publish_index(
    registry: FakeRegistry, name: str, images: dict[str, Published], *, attested: bool = False
) -> Descriptor:
    """`images`: by `architecture` or `architecture/variant`."""
    entries = []
    for key, published in images.items():
        architecture, _, variant = key.partition("/")
        platform = Platform(os="linux", architecture=architecture, variant=variant)
        entries.append(msgspec.structs.replace(published.target, platform=platform))
    if attested:
        entries += [attestation(registry, name, each) for each in list(entries)]
    return registry.put(name, encode(Index(manifests=entries)), OCI_INDEX)


def attestation(registry: FakeRegistry, name: str, of: Descriptor) -> Descriptor:
    statement: Json = {"_type": "https://in-toto.io/Statement/v0.1", "subject": [{"digest": {"sha256": of.digest[7:]}}]}
    body = msgspec.json.encode(statement)
    config = msgspec.json.encode({"os": "unknown", "rootfs": {"type": "layers", "diff_ids": [digest_of(body)]}})
    manifest = encode(
        Manifest(
            config=Descriptor(media_type=OCI_CONFIG, digest=digest_of(config), size=len(config)),
            layers=[
                Descriptor(
                    media_type="application/vnd.in-toto+json",
                    digest=digest_of(body),
                    size=len(body),
                    annotations={"in-toto.io/predicate-type": "https://slsa.dev/provenance/v0.2"},
                )
            ],
        )
    )
    stored = registry.put(f"{name.partition(':')[0]}@{digest_of(manifest)}", manifest, OCI_MANIFEST, config, body)
    return msgspec.structs.replace(
        stored,
        annotations={REFERENCE_TYPE: ATTESTATION, REFERENCE_DIGEST: of.digest},
        platform=Platform(os="unknown", architecture="unknown"),
    )
