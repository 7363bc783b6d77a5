"""The record of an image: an index or manifest in the content store, and the names that point to it.

Docker's containerd-store semantics: the image id is the digest of the index or manifest that a name points to, not of the config.
"""

import msgspec

from wharfd.model.config import HealthConfig
from wharfd.model.ids import Digest, ImageId


class ImagePlatform(msgspec.Struct, frozen=True, kw_only=True):
    """One runnable manifest of an image, with what its config blob says; sizes in bytes."""

    manifest: Digest
    media_type: str
    manifest_size: int
    config_digest: Digest
    os: str
    architecture: str
    variant: str = ""
    os_version: str = ""
    diff_ids: list[str]
    chain_ids: list[str]  # lowest first; the last one is the image's root file system
    layer_sizes: list[int]  # unpacked, per layer
    content_size: int  # blobs: manifest, config, layers as stored
    available: bool = True  # all blobs are here and unpacked


class ImageRecord(msgspec.Struct, frozen=True, kw_only=True):
    id: ImageId
    media_type: str  # of the target: index or manifest
    size: int  # of the target document
    platforms: list[ImagePlatform]
    created_ns: int = 0  # from the config; 0 if it says nothing
    stored_ns: int = 0
    tagged_ns: int = 0  # Metadata.LastTagTime
    used_ns: int = 0  # last pulled, loaded, built or (where there is a budget) made a container of
    tags: list[str] = []  # canonical `docker.io/library/alpine:latest`
    digests: list[str] = []  # canonical `docker.io/library/alpine@sha256:…`
    parent: str = ""
    comment: str = ""
    labels: dict[str, str] | None = None


class HistoryEntry(msgspec.Struct, frozen=True, kw_only=True):
    created: str = ""  # RFC 3339, as in the config blob
    created_by: str = ""
    author: str = ""
    comment: str = ""
    empty_layer: bool = False


class RunConfig(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """The `config` object of an OCI image config, with Docker's additions (OCI image spec, "Image Configuration")."""

    user: str = ""
    exposed_ports: dict[str, dict[str, str]] | None = None
    env: list[str] | None = None
    entrypoint: list[str] | None = None
    cmd: list[str] | None = None
    volumes: dict[str, dict[str, str]] | None = None
    working_dir: str = ""
    labels: dict[str, str] | None = None
    stop_signal: str = ""
    args_escaped: bool = False
    healthcheck: HealthConfig | None = None
    on_build: list[str] | None = None
    shell: list[str] | None = None


class ImageConfig(msgspec.Struct, frozen=True, kw_only=True):
    """A decoded config blob."""

    created: str = ""
    author: str = ""
    architecture: str = ""
    variant: str = ""
    os: str = "linux"
    os_version: str = msgspec.field(default="", name="os.version")
    config: RunConfig = RunConfig()
    history: list[HistoryEntry] = []
    comment: str = ""
    docker_version: str = ""
