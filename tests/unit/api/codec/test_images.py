"""Documents of images at the edges of versions, whole in tests/golden/images (`--update-golden` rewrites them)."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.spec.documents import check_answer
from wharfd.api.codec.images import (
    decode_platform,
    encode_details,
    encode_history,
    encode_progress,
    encode_pruned,
    encode_summary,
)
from wharfd.api.versions.behaviour import Behaviour
from wharfd.api.versions.changes import downgrade
from wharfd.api.versions.version import Version
from wharfd.engine.images.delete import Step
from wharfd.engine.images.progress import ImageLoaded, LayerLoaded
from wharfd.engine.images.prune import Pruned
from wharfd.engine.images.views import HistoryRow, ImageDetails, ImageSummary, ManifestView
from wharfd.model.config import HealthConfig
from wharfd.model.errors import InvalidParameter
from wharfd.model.ids import ChainId, Digest, ImageId
from wharfd.model.image import HistoryEntry, ImageConfig, ImagePlatform, ImageRecord, RunConfig
from wharfd.wire.oci import Descriptor, Platform

GOLDEN = Path(__file__).parents[3] / "golden/images"
ID = ImageId("sha256:" + "f7" * 32)
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CREATED = "2024-01-02T03:04:05.678+02:00"


def platform(**over: Any) -> ImagePlatform:
    fields: dict[str, Any] = {
        "manifest": Digest("sha256:" + "ab" * 32),
        "media_type": MANIFEST,
        "manifest_size": 528,
        "config_digest": Digest("sha256:" + "cd" * 32),
        "os": "linux",
        "architecture": "amd64",
        "diff_ids": ["sha256:" + "01" * 32, "sha256:" + "02" * 32],
        "chain_ids": ["sha256:" + "01" * 32, "sha256:" + "03" * 32],
        "layer_sizes": [1000, 20],
        "content_size": 700,
    }
    return ImagePlatform(**{**fields, **over})


def full_record() -> ImageRecord:
    return ImageRecord(
        id=ID,
        media_type=INDEX,
        size=300,
        platforms=[platform(), platform(architecture="arm64", variant="v8", available=False)],
        created_ns=1_704_157_445_678_000_000,
        stored_ns=1_704_200_000_000_000_000,
        tagged_ns=1_704_200_000_000_000_123,
        tags=["docker.io/library/alpine:3", "example.org/me/app:dev"],
        digests=[f"docker.io/library/alpine@{ID}", f"example.org/me/app@{ID}"],
        comment="the end",
        labels={"a": "b"},
        parent="sha256:" + "ee" * 32,
    )


def bare_record() -> ImageRecord:
    return ImageRecord(
        id=ID, media_type=MANIFEST, size=300, platforms=[platform(diff_ids=[], chain_ids=[], layer_sizes=[])]
    )


def target(record: ImageRecord) -> Descriptor:
    return Descriptor(media_type=record.media_type, digest=Digest(record.id), size=record.size)


def rows() -> list[ManifestView]:
    def descriptor(fill: str) -> Descriptor:
        return Descriptor(media_type=MANIFEST, digest=Digest("sha256:" + fill * 32), size=528)

    return [
        ManifestView(
            descriptor=descriptor("ab"),
            kind="image",
            available=True,
            content_size=700,
            unpacked_size=1020,
            platform=Platform(os="linux", architecture="amd64"),
            containers=["c" * 64],
        ),
        ManifestView(descriptor=descriptor("ac"), kind="image", available=False, content_size=0),
        ManifestView(
            descriptor=descriptor("ad"),
            kind="attestation",
            available=True,
            content_size=9,
            describes="sha256:" + "ab" * 32,
        ),
        ManifestView(descriptor=descriptor("ae"), kind="unknown", available=True, content_size=5),
    ]


def summaries() -> dict[str, ImageSummary]:
    full, bare = full_record(), bare_record()
    return {
        "full": ImageSummary(
            record=full,
            target=target(full),
            tags=full.tags,
            digests=full.digests,
            size_bytes=2020,
            shared_bytes=1000,
            containers=2,
            manifests=rows(),
        ),
        "bare": ImageSummary(record=bare, target=target(bare), tags=[], digests=[], size_bytes=700, containers=0),
    }


def details() -> dict[str, ImageDetails]:
    full, bare = full_record(), bare_record()
    run = RunConfig(
        user="1000",
        exposed_ports={"80/tcp": {}},
        env=["A=b"],
        entrypoint=["/init"],
        cmd=["serve"],
        volumes={"/data": {}},
        working_dir="/srv",
        labels={"a": "b"},
        stop_signal="SIGINT",
        healthcheck=HealthConfig(test=["CMD", "true"], interval=10**9),
        on_build=["RUN make"],
        shell=["/bin/bash", "-c"],
        args_escaped=True,
    )
    history = [HistoryEntry(created=CREATED, created_by="ADD /"), HistoryEntry(created_by="CMD", comment="the end")]
    return {
        "full": ImageDetails(
            record=full,
            target=target(full),
            platform=platform(variant="v3", os_version="10"),
            config=ImageConfig(created=CREATED, author="me", config=run, history=history, docker_version="20.10"),
            size_bytes=1000,
            manifests=rows(),
        ),
        "bare": ImageDetails(
            record=bare, target=target(bare), platform=bare.platforms[0], config=ImageConfig(), size_bytes=700
        ),
    }


def compare(name: str, doc: Any, update: bool) -> None:
    path = GOLDEN / f"{name}.json"
    text = json.dumps(doc, indent=1, sort_keys=True) + "\n"
    if update:
        path.write_text(text)
    assert path.read_text() == text


@pytest.mark.parametrize("which", ["full", "bare"])
@pytest.mark.parametrize("minor", [42, 43, 44, 46, 47, 48, 50, 51, 55])
def test_list(which: str, minor: int, update_golden: bool) -> None:
    version = f"1.{minor}"
    doc = downgrade("image.list", Version.parse(version), encode_summary(summaries()[which]))
    check_answer(version, "GET", "/images/json", 200, [doc])
    compare(f"list-{which}-{version}", doc, update_golden)


@pytest.mark.parametrize("which", ["full", "bare"])
@pytest.mark.parametrize("minor", [43, 44, 45, 47, 48, 49, 50, 51, 52, 55])
def test_inspect(which: str, minor: int, update_golden: bool) -> None:
    version = f"1.{minor}"
    doc = encode_details(details()[which])
    if Behaviour.for_version(Version.parse(version)).inspect_has_graph_driver:
        doc["GraphDriver"] = {"Data": None, "Name": "overlayfs"}
    doc = downgrade("image.inspect", Version.parse(version), doc)
    check_answer(version, "GET", "/images/{name}/json", 200, doc)
    compare(f"inspect-{which}-{version}", doc, update_golden)


def test_history() -> None:
    entries = [HistoryEntry(created=CREATED, created_by="CMD", comment="c"), HistoryEntry(created="yesterday")]
    doc = encode_history(
        [
            HistoryRow(entry=entries[0], size_bytes=5, id=ID, tags=["docker.io/library/a:1"]),
            HistoryRow(entry=entries[1], size_bytes=0),
        ]
    )
    assert doc == [
        {"Id": ID, "Created": 1_704_157_445, "CreatedBy": "CMD", "Tags": ["a:1"], "Size": 5, "Comment": "c"},
        {"Id": "<missing>", "Created": 0, "CreatedBy": "", "Tags": None, "Size": 0, "Comment": ""},
    ]
    check_answer("1.55", "GET", "/images/{name}/history", 200, doc)


def test_prune() -> None:
    doc = encode_pruned(Pruned([Step("a:1"), Step(ID, deleted=True)], 7))
    assert doc == {"ImagesDeleted": [{"Untagged": "a:1"}, {"Deleted": ID}], "SpaceReclaimed": 7}
    check_answer("1.55", "POST", "/images/prune", 200, doc)
    assert encode_pruned(Pruned()) == {"ImagesDeleted": None, "SpaceReclaimed": 0}


def test_lines_of_a_load() -> None:
    assert encode_progress(ImageLoaded(ID, "a:1")) == {"stream": "Loaded image: a:1\n"}
    assert encode_progress(ImageLoaded(ID, "")) == {"stream": f"Loaded image ID: {ID}\n"}
    assert encode_progress(LayerLoaded(ChainId("sha256:" + "01" * 32), 9)) == {
        "status": "Loading layer",
        "id": "010101010101",
        "progressDetail": {"current": 9, "total": 9},
    }


def test_a_querys_platform() -> None:
    assert decode_platform('{"os":"linux","architecture":"aarch64"}') == Platform(os="linux", architecture="arm64")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "both OS and Architecture must be provided"),
        ("null", "both OS and Architecture must be provided"),
        ('{"os":"linux"}', "both OS and Architecture must be provided"),
        ('{"variant":"v7"}', "optional platform fields provided, but OS and Architecture are missing"),
        ("linux/amd64", "failed to parse platform: "),
        ('{"os":1}', "failed to parse platform: "),
    ],
)
def test_what_is_no_platform(text: str, message: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        decode_platform(text)
    assert str(caught.value).startswith(message)
