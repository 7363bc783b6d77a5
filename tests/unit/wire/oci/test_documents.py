"""Manifests, indexes, configs and archive lists."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfd.model.errors import InvalidParameter
from wharfd.model.ids import ChainId, Digest
from wharfd.model.image import HistoryEntry, RunConfig
from wharfd.wire.oci import (
    ArchiveImage,
    ConfigDocument,
    Descriptor,
    Index,
    Manifest,
    Platform,
    RootFS,
    chain_ids,
    decode_archive_manifest,
    decode_config,
    decode_index,
    decode_manifest,
    decode_target,
    digest_of,
    encode,
    encode_config,
)
from wharfd.wire.oci import media_types as types
from wharfd.wire.oci.documents import check_layout, encode_layout, image_name

A, B = Digest("sha256:" + "a" * 64), Digest("sha256:" + "b" * 64)
CONFIG = {"mediaType": types.OCI_CONFIG, "digest": A, "size": 7}
LAYER = {"mediaType": types.OCI_LAYER_GZIP, "digest": B, "size": 9}
MANIFEST = {"schemaVersion": 2, "mediaType": types.OCI_MANIFEST, "config": CONFIG, "layers": [LAYER]}
INDEX = {
    "schemaVersion": 2,
    "mediaType": types.OCI_INDEX,
    "manifests": [
        {"mediaType": types.OCI_MANIFEST, "digest": A, "size": 1, "platform": {"architecture": "amd64", "os": "linux"}}
    ],
}


def dumps(document: object) -> bytes:
    return json.dumps(document).encode()


def test_manifest_and_index() -> None:
    manifest = decode_manifest(dumps(MANIFEST))
    assert (manifest.config.digest, manifest.layers[0].size) == (A, 9)
    index = decode_index(dumps(INDEX))
    assert index.manifests[0].platform == Platform(architecture="amd64", os="linux")
    with pytest.raises(InvalidParameter):
        decode_index(dumps(MANIFEST))
    with pytest.raises(InvalidParameter):
        decode_manifest(dumps(INDEX))


def test_kind_follows_from_what_is_there() -> None:
    without_type = {key: value for key, value in MANIFEST.items() if key != "mediaType"}
    assert decode_manifest(dumps(without_type)).media_type == types.OCI_MANIFEST
    assert decode_manifest(dumps(without_type), types.DOCKER_MANIFEST).media_type == types.DOCKER_MANIFEST
    assert isinstance(decode_target(dumps({"manifests": []})), Index)


def test_nulls_and_unknown_fields_are_passed_over() -> None:
    document = {
        **MANIFEST,
        "annotations": None,
        "subject": None,
        "future": {"x": 1},
        "config": {**CONFIG, "urls": None},
    }
    assert decode_manifest(dumps(document)) == decode_manifest(dumps(MANIFEST))


@pytest.mark.parametrize(
    ("document", "media_type"),
    [
        ({**MANIFEST, "manifests": []}, ""),  # both at once (CVE-2021-41190)
        ({**INDEX, "layers": []}, ""),
        ({**MANIFEST, "mediaType": types.OCI_INDEX}, ""),
        (MANIFEST, types.OCI_INDEX),
        (MANIFEST, types.DOCKER_MANIFEST),
        ({**MANIFEST, "mediaType": "text/plain"}, ""),
        ({"schemaVersion": 1, "fsLayers": []}, ""),
        ({**MANIFEST, "mediaType": types.DOCKER_MANIFEST_V1_SIGNED}, ""),
        ({"schemaVersion": 2}, ""),
        ({**MANIFEST, "layers": [{**LAYER, "digest": "sha256:1"}]}, ""),
        ({**MANIFEST, "layers": [{**LAYER, "digest": "../../etc"}]}, ""),
        ({**MANIFEST, "layers": [{**LAYER, "size": -1}]}, ""),
        ({**MANIFEST, "layers": [{**LAYER, "size": "9"}]}, ""),
        ({**MANIFEST, "layers": {}}, ""),
        ({**MANIFEST, "config": {"mediaType": "x"}}, ""),
        ([], ""),
        ("x", ""),
    ],
)
def test_broken_targets(document: object, media_type: str) -> None:
    with pytest.raises(InvalidParameter):
        decode_target(dumps(document), media_type)


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[" * 100_000, b" " * (9 << 20)])
def test_broken_json(data: bytes) -> None:
    for decode in (decode_target, decode_config, decode_archive_manifest, check_layout):
        with pytest.raises(InvalidParameter):
            decode(data)


def test_config() -> None:
    document = {
        "architecture": "amd64",
        "os": "linux",
        "os.version": "1",
        "created": "2024-01-01T00:00:00Z",
        "config": {
            "Env": ["A=b"],
            "Cmd": ["sh"],
            "Labels": None,
            "Volumes": {"/d": {}},
            "Healthcheck": {"Test": ["NONE"]},
        },
        "rootfs": {"type": "layers", "diff_ids": [A, B]},
        "history": [{"created_by": "x", "empty_layer": True}, {}],
        "container_config": {"Cmd": "not read"},
    }
    config = decode_config(dumps(document))
    assert config.config.env == ["A=b"]
    assert config.config.labels is None
    assert config.config.healthcheck is not None
    assert config.rootfs.diff_ids == [A, B]
    assert config.history == [HistoryEntry(created_by="x", empty_layer=True), HistoryEntry()]
    assert config.os_version == "1"
    assert decode_config(dumps({"config": None, "rootfs": {"diff_ids": None}})).rootfs.diff_ids == []
    with pytest.raises(InvalidParameter):
        decode_config(dumps({"rootfs": {"diff_ids": ["x"]}}))
    with pytest.raises(InvalidParameter):
        decode_config(dumps({"config": {"Env": "x"}}))


def test_config_is_written_without_what_is_empty() -> None:
    config = ConfigDocument(
        architecture="amd64",
        config=RunConfig(cmd=["sh"], volumes={"/d": {}}),
        history=[HistoryEntry(comment="imported")],
        rootfs=RootFS(diff_ids=[A]),
    )
    assert json.loads(encode_config(config)) == {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Cmd": ["sh"], "Volumes": {"/d": {}}},
        "history": [{"comment": "imported"}],
        "rootfs": {"type": "layers", "diff_ids": [A]},
    }
    assert json.loads(encode_config(ConfigDocument())) == {
        "architecture": "",
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": []},
    }


def test_archive_list() -> None:
    data = dumps([{"Config": "blobs/sha256/a", "RepoTags": None, "Layers": ["l/layer.tar"], "LayerSources": {}}])
    assert decode_archive_manifest(data) == [ArchiveImage(config="blobs/sha256/a", layers=["l/layer.tar"])]
    assert encode([ArchiveImage(config="c", repo_tags=["a:1"], layers=["l"])]) == (
        b'[{"Config":"c","RepoTags":["a:1"],"Layers":["l"]}]'
    )


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../x", "a/../../x", "a\0"])
def test_archive_paths_stay_inside(path: str) -> None:
    with pytest.raises(InvalidParameter, match=r"invalid manifest\.json"):
        decode_archive_manifest(dumps([{"Config": path}]))
    with pytest.raises(InvalidParameter, match=r"invalid manifest\.json"):
        decode_archive_manifest(dumps([{"Config": "c", "Layers": [path]}]))


def test_layout() -> None:
    check_layout(encode_layout())
    with pytest.raises(InvalidParameter, match="unsupported OCI layout version: 2"):
        check_layout(b'{"imageLayoutVersion":"2"}')


def test_chain_ids_as_the_specification_computes_them() -> None:
    chain = chain_ids([A, B])
    assert chain == [ChainId(A), ChainId(digest_of(f"{A} {B}".encode()))]
    assert chain_ids([A, B, A])[2] == ChainId(digest_of(f"{chain[1]} {A}".encode()))
    assert chain_ids([]) == []


def test_names_in_a_layout() -> None:
    plain = Descriptor(digest=A, size=1)
    assert image_name(plain) == ""
    assert image_name(Descriptor(digest=A, size=1, annotations={"org.opencontainers.image.ref.name": "v1"})) == "v1"
    both = {"io.containerd.image.name": "docker.io/x:1", "org.opencontainers.image.ref.name": "1"}
    assert image_name(Descriptor(digest=A, size=1, annotations=both)) == "docker.io/x:1"
    assert not plain.is_attestation
    assert Descriptor(
        digest=A, size=1, annotations={"vnd.docker.reference.type": "attestation-manifest"}
    ).is_attestation


@pytest.mark.parametrize(
    ("media_type", "compression", "foreign"),
    [
        (types.OCI_LAYER, "", False),
        (types.OCI_LAYER_GZIP, "gzip", False),
        (types.OCI_LAYER_ZSTD, "zstd", False),
        (types.DOCKER_LAYER, "", False),
        (types.DOCKER_LAYER_GZIP, "gzip", False),
        (types.DOCKER_LAYER_FOREIGN_GZIP, "gzip", True),
        (types.OCI_LAYER_NONDISTRIBUTABLE + "+gzip", "gzip", True),
        (types.OCI_LAYER + "+xz", None, False),
        (types.OCI_CONFIG, None, False),
        ("application/vnd.in-toto+json", None, False),
    ],
)
def test_layer_types(media_type: str, compression: str | None, foreign: bool) -> None:
    assert types.layer_compression(media_type) == compression
    assert types.is_layer(media_type) is (compression is not None)
    assert types.is_foreign_layer(media_type) is foreign
    if compression is not None and media_type.startswith(types.OCI_LAYER):
        assert types.layer_type(compression) == media_type


digests = st.binary(min_size=32, max_size=32).map(lambda b: Digest(f"sha256:{b.hex()}"))
descriptors = st.builds(
    Descriptor,
    media_type=st.sampled_from([types.OCI_LAYER_GZIP, types.OCI_CONFIG, ""]),
    digest=digests,
    size=st.integers(0, 1 << 50),
    annotations=st.one_of(st.none(), st.dictionaries(st.text(max_size=5), st.text(max_size=5))),
    platform=st.one_of(
        st.none(),
        st.builds(Platform, architecture=st.text(max_size=5), os=st.just("linux"), variant=st.text(max_size=3)),
    ),
)


@given(
    st.one_of(
        st.builds(Manifest, config=descriptors, layers=st.lists(descriptors)),
        st.builds(Index, manifests=st.lists(descriptors)),
    )
)
def test_targets_round_trip(target: Manifest | Index) -> None:
    assert decode_target(encode(target)) == target
