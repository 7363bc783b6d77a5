"""Images that scenarios need, made on this machine; each says in its labels how.  None is passed off as a publisher's image."""

import json
import os
from collections.abc import Mapping, Sequence

from wharfd.cli.base_image import BUSYBOX, applets, config_of, root_file_system
from wharfd.wire.oci import digest_of
from wharfd.wire.oci.archives import PackedImage, oci_archive

__all__ = ["BUSYBOX", "base_image", "packed"]


def base_image(name: str, labels: dict[str, str]) -> bytes:
    """An archive for `/images/load`: Debian's static busybox with labels of ours."""
    with open(BUSYBOX, "rb") as file:
        program = file.read()
        mtime_s = int(os.fstat(file.fileno()).st_mtime)
    layer = b"".join(root_file_system(program, applets(BUSYBOX), mtime_s))
    config = json.loads(config_of(program, layer, mtime_s))
    config["config"]["Labels"] = labels
    return b"".join(oci_archive([PackedImage(config=json.dumps(config).encode(), layers=[layer], names=[name])]))


def packed(name: str, layers: Sequence[bytes], config: Mapping[str, object]) -> bytes:
    """An archive for `/images/load` of these layers, for this machine's architecture."""
    document = {
        "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine),
        "os": "linux",
        "config": dict(config),
        "rootfs": {"type": "layers", "diff_ids": [digest_of(layer) for layer in layers]},
        "history": [{"created_by": "wharf conformance"} for _ in layers],
    }
    image = PackedImage(config=json.dumps(document).encode(), layers=layers, names=[name])
    return b"".join(oci_archive([image]))
