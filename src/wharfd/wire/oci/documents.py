"""Manifests, indexes and image configs: decoded for reading, encoded for new images.

A decoded document leaves out what it does not know.  Where the digest matters, the bytes are kept elsewhere and never re-encoded.
As in Go's JSON, `null` means "not given" everywhere.  Decoding raises `InvalidParameter` and nothing else.
"""

import hashlib
from collections.abc import Iterable
from typing import TypeVar

import msgspec

from wharfd.model.errors import InvalidParameter
from wharfd.model.ids import ChainId, Digest
from wharfd.model.image import ImageConfig
from wharfd.model.json import Json
from wharfd.wire.oci.media_types import INDEXES, MANIFESTS, OCI_INDEX, OCI_MANIFEST, SCHEMA_1
from wharfd.wire.reference import parse_digest

MAX_DOCUMENT = 8 << 20  # bytes of a manifest, index or config

REF_NAME = "org.opencontainers.image.ref.name"
CONTAINERD_NAME = "io.containerd.image.name"
REFERENCE_TYPE = "vnd.docker.reference.type"
REFERENCE_DIGEST = "vnd.docker.reference.digest"
ATTESTATION = "attestation-manifest"

_T = TypeVar("_T")


class Platform(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where an image runs.  Field order is that of the OCI documents."""

    architecture: str = ""
    os: str = ""
    os_version: str = msgspec.field(default="", name="os.version")
    os_features: list[str] = msgspec.field(default_factory=list, name="os.features")
    variant: str = ""


class Descriptor(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Points to a blob: what it is, its digest, its size in bytes."""

    media_type: str = ""
    digest: Digest
    size: int
    urls: list[str] | None = None
    annotations: dict[str, str] | None = None
    data: str | None = None  # base64
    platform: Platform | None = None
    artifact_type: str = ""

    @property
    def is_attestation(self) -> bool:
        """Does it describe another entry of its index (provenance, SBOM) instead of being one to run?"""
        return (self.annotations or {}).get(REFERENCE_TYPE) == ATTESTATION


class Manifest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    schema_version: int = 2
    media_type: str = OCI_MANIFEST
    artifact_type: str | None = None
    config: Descriptor
    layers: list[Descriptor]
    subject: Descriptor | None = None
    annotations: dict[str, str] | None = None


class Index(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    schema_version: int = 2
    media_type: str = OCI_INDEX
    artifact_type: str | None = None
    manifests: list[Descriptor]
    subject: Descriptor | None = None
    annotations: dict[str, str] | None = None


class RootFS(msgspec.Struct, frozen=True, kw_only=True):
    type: str = "layers"
    diff_ids: list[Digest] = []


class ConfigDocument(ImageConfig, frozen=True, kw_only=True):
    """An image config with its layers' diff ids."""

    rootfs: RootFS = RootFS()


class ArchiveImage(msgspec.Struct, frozen=True, kw_only=True, rename="pascal", omit_defaults=False):
    """One entry of `manifest.json` in a docker-archive; paths are those of the archive's members."""

    config: str
    repo_tags: list[str] | None = None
    layers: list[str] | None = None


def decode_target(data: bytes, media_type: str = "") -> Manifest | Index:
    """Decode a manifest or an index, whichever the bytes are.

    `media_type` is what the descriptor or the registry said.  A document that could be read as both, or that says of itself that it
    is another kind than it was announced as, is refused: two readers must not see two images (CVE-2021-41190).
    """
    document = _loads(data, "manifest")
    if not isinstance(document, dict):
        raise InvalidParameter("invalid manifest: not an object")
    said = document.get("mediaType") or ""
    kind = said or media_type
    if kind in SCHEMA_1 or document.get("schemaVersion") == 1:
        raise InvalidParameter("Docker Image Format v1 and Docker Image manifest version 2, schema 1 are not supported")
    if said and media_type and said != media_type:
        raise InvalidParameter(f"invalid manifest: media type {said} does not match {media_type}")
    is_index, is_manifest = "manifests" in document, "layers" in document or "config" in document
    if is_index == is_manifest or (kind in MANIFESTS and is_index) or (kind in INDEXES and is_manifest):
        raise InvalidParameter("invalid manifest: neither a manifest nor an index")
    if kind and kind not in MANIFESTS and kind not in INDEXES:
        raise InvalidParameter(f"invalid manifest: unknown media type {kind}")
    if not kind:
        document = {**document, "mediaType": OCI_INDEX if is_index else OCI_MANIFEST}
    elif not said:
        document = {**document, "mediaType": kind}
    target: Manifest | Index
    if is_index:
        target = _convert(document, Index, "index")
        _check(target.manifests)
    else:
        target = _convert(document, Manifest, "manifest")
        _check([target.config, *target.layers])
    return target


def decode_manifest(data: bytes, media_type: str = "") -> Manifest:
    target = decode_target(data, media_type)
    if not isinstance(target, Manifest):
        raise InvalidParameter("invalid manifest: it is an index")
    return target


def decode_index(data: bytes, media_type: str = "") -> Index:
    target = decode_target(data, media_type)
    if not isinstance(target, Index):
        raise InvalidParameter("invalid index: it is a manifest")
    return target


def decode_config(data: bytes) -> ConfigDocument:
    document = _convert(_loads(data, "image config"), ConfigDocument, "image config")
    for diff_id in document.rootfs.diff_ids:
        parse_digest(diff_id)
    return document


def decode_archive_manifest(data: bytes) -> list[ArchiveImage]:
    """`manifest.json` of a docker-archive.  Member paths must stay inside the archive."""
    images = _convert(_loads(data, "manifest.json"), list[ArchiveImage], "manifest.json")
    for image in images:
        for path in (image.config, *(image.layers or ())):
            if not path or path.startswith("/") or ".." in path.split("/") or "\0" in path:
                raise InvalidParameter(f"invalid manifest.json: path {path!r}")
    return images


def check_layout(data: bytes) -> None:
    """The file `oci-layout`."""
    document = _loads(data, "oci-layout")
    version = document.get("imageLayoutVersion") if isinstance(document, dict) else None
    if version != "1.0.0":
        raise InvalidParameter(f"unsupported OCI layout version: {version}")


def encode(document: Manifest | Index | Descriptor | list[ArchiveImage]) -> bytes:
    """JSON without blanks, keys in the documents' usual order, absent fields left out."""
    plain = msgspec.to_builtins(document)
    return msgspec.json.encode(plain if isinstance(document, list) else _without_nulls(plain))


def encode_config(document: ConfigDocument) -> bytes:
    """The config blob of a new image; what is empty is left out, save what the specification wants."""
    plain = msgspec.to_builtins(document)
    plain["config"] = run_config = _without_empty(plain["config"])
    if "Healthcheck" in run_config:
        run_config["Healthcheck"] = _without_empty(run_config["Healthcheck"])
    plain["history"] = [_without_empty(entry) for entry in plain["history"]]
    wanted = {key: plain[key] for key in ("architecture", "os", "config", "rootfs")}
    return msgspec.json.encode({**_without_empty(plain), **wanted})


def encode_layout() -> bytes:
    return b'{"imageLayoutVersion":"1.0.0"}'


def digest_of(data: bytes | bytearray | memoryview) -> Digest:
    return Digest(f"sha256:{hashlib.sha256(data).hexdigest()}")


def chain_ids(diff_ids: Iterable[str]) -> list[ChainId]:
    """For each layer the id of the stack up to it (OCI image spec, "Layer ChainID")."""
    chain: list[ChainId] = []
    for diff_id in diff_ids:
        chain.append(ChainId(digest_of(f"{chain[-1]} {diff_id}".encode()) if chain else diff_id))
    return chain


def image_name(descriptor: Descriptor) -> str:
    """The name that an entry of an OCI layout's index carries; empty if none."""
    notes = descriptor.annotations or {}
    return notes.get(CONTAINERD_NAME) or notes.get(REF_NAME) or ""


def _check(descriptors: Iterable[Descriptor]) -> None:
    for descriptor in descriptors:
        parse_digest(descriptor.digest)
        if descriptor.size < 0:
            raise InvalidParameter(f"invalid manifest: negative size of {descriptor.digest}")


def _loads(data: bytes, what: str) -> Json:
    if len(data) > MAX_DOCUMENT:
        raise InvalidParameter(f"invalid {what}: larger than {MAX_DOCUMENT} bytes")
    try:
        return _without_nulls(msgspec.json.decode(data))
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as e:
        raise InvalidParameter(f"invalid {what}: {e}") from e


def _convert(document: Json, kind: type[_T], what: str) -> _T:
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as e:
        raise InvalidParameter(f"invalid {what}: {e}") from e


def _without_nulls(value: Json) -> Json:
    if isinstance(value, dict):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_without_nulls(inner) for inner in value]
    return value


def _without_empty(fields: Json) -> Json:
    return {key: value for key, value in fields.items() if value not in (None, "", [], {}, False)}
