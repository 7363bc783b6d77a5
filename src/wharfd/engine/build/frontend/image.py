"""An image's config while a stage is built: what its base says, changed by instruction after instruction, and its history."""

from dataclasses import dataclass, replace

import msgspec

from wharfd.model.image import HistoryEntry, RunConfig
from wharfd.wire.dockerfile.config import environment
from wharfd.wire.oci import ConfigDocument, Platform, RootFS, encode_config
from wharfd.wire.timestamps import format_rfc3339_nano

COMMENT = "buildkit.dockerfile.v0"  # as everybody's tools expect it in the history of what a Dockerfile made
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_replace = msgspec.structs.replace


@dataclass(frozen=True, slots=True)
class Image:
    """`document` without its history, which is kept apart, newest first, as every step of a stage has its own image."""

    document: ConfigDocument
    history: "Remembered | None" = None

    @property
    def config(self) -> RunConfig:
        return self.document.config

    @property
    def env(self) -> dict[str, str]:
        return environment(self.config.env)

    def with_document(self, document: ConfigDocument) -> "Image":
        return replace(self, document=document)

    def with_config(self, config: RunConfig) -> "Image":
        return self.with_document(_replace(self.document, config=config))

    def with_author(self, author: str) -> "Image":
        return self.with_document(_replace(self.document, author=author))

    def with_platform(self, platform: Platform) -> "Image":
        is_same = (self.document.os, self.document.architecture) == (platform.os, platform.architecture)
        return self.with_document(
            _replace(
                self.document,
                os=platform.os,
                architecture=platform.architecture,
                variant=platform.variant or (self.document.variant if is_same else ""),
                os_version=platform.os_version or (self.document.os_version if is_same else ""),
            )
        )

    def with_history(self, created_by: str, *, has_layer: bool, epoch_ns: int | None) -> "Image":
        entry = HistoryEntry(
            created="" if epoch_ns is None else format_rfc3339_nano(epoch_ns),
            created_by=created_by,
            comment=COMMENT,
            empty_layer=not has_layer,
        )
        return replace(self, history=Remembered(entry, self.history))

    def with_path(self) -> "Image":
        """PATH is always set."""
        if "PATH" in self.env:
            return self
        return self.with_config(_replace(self.config, env=[*(self.config.env or []), f"PATH={DEFAULT_PATH}"]))

    def as_base(self) -> "Image":
        """What a stage begins with: triggers are not handed down, and it has not been made yet."""
        config = _replace(self.config, on_build=None)
        document = _replace(self.document, created="", comment="", docker_version="", rootfs=RootFS(), config=config)
        return self.with_document(document)

    def encode(self) -> bytes:
        """`rootfs` is empty: the exporter's to fill in."""
        return encode_config(_replace(self.document, history=self.entries()))

    def entries(self) -> list[HistoryEntry]:
        """The history, oldest first."""
        found = []
        link = self.history
        while link is not None:
            found.append(link.entry)
            link = link.before
        return found[::-1]


@dataclass(frozen=True, slots=True)
class Remembered:
    """An entry of a history, and those before it, which other histories may share."""

    entry: HistoryEntry
    before: "Remembered | None"


def image_of(document: ConfigDocument) -> Image:
    history: Remembered | None = None
    for entry in document.history:
        history = Remembered(entry, history)
    return Image(_replace(document, history=[]), history)


def empty_image(platform: Platform) -> Image:
    """`FROM scratch`."""
    return Image(
        ConfigDocument(
            os=platform.os,
            architecture=platform.architecture,
            variant=platform.variant,
            os_version=platform.os_version,
            config=RunConfig(working_dir="/", env=[f"PATH={DEFAULT_PATH}"]),
        )
    )
