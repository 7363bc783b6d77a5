"""Image documents of any bytes: decoded or InvalidParameter, and what was decoded can be encoded and decoded again."""

from wharfd.model.errors import InvalidParameter
from wharfd.wire.oci import (
    decode_archive_manifest,
    decode_config,
    decode_target,
    encode,
    encode_config,
    parse_platform,
    runnable,
)
from wharfd.wire.oci.platforms import from_machine

_D = b"sha256:" + b"ab" * 32
SEEDS = [
    b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"a","digest":"'
    + _D
    + b'","size":3},"layers":[{"digest":"'
    + _D
    + b'","size":0,"annotations":{"a":"b"}}],"annotations":null}',
    b'{"manifests":[{"mediaType":"m","digest":"'
    + _D
    + b'","size":1,"platform":{"architecture":"arm","os":"linux","os.features":["x"]}}]}',
    b'{"architecture":"amd64","os":"linux","config":{"Env":["A=b"],"Volumes":{"/d":{}},"Healthcheck":{"Test":["CMD"],"Interval":5}},'
    b'"rootfs":{"type":"layers","diff_ids":["' + _D + b'"]},"history":[{"created_by":"x","empty_layer":true}]}',
    b'[{"Config":"a.json","RepoTags":["x:1"],"Layers":["l/layer.tar"]}]',
    b"linux/arm/v7",
]


def fuzz_one(data: bytes) -> None:
    try:
        target = decode_target(data)
        assert decode_target(encode(target)) == target
    except InvalidParameter:
        pass
    try:
        config = decode_config(data)
        assert decode_config(encode_config(config)).rootfs == config.rootfs
    except InvalidParameter:
        pass
    try:
        images = decode_archive_manifest(data)
        assert decode_archive_manifest(encode(images)) == images
    except InvalidParameter:
        pass
    try:
        runnable(parse_platform(data.decode("utf-8", "replace"), from_machine("x86_64")))
    except InvalidParameter:
        pass
