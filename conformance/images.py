"""Images that scenarios need, made on this machine; each says in its labels how.  None is passed off as a publisher's image."""

import json
import os

from wharfd.cli.base_image import BUSYBOX, applets, config_of, root_file_system
from wharfd.wire.oci.archives import PackedImage, oci_archive


def base_image(name: str, labels: dict[str, str]) -> bytes:
    """An archive for `/images/load`: Debian's static busybox with labels of ours."""
    with open(BUSYBOX, "rb") as file:
        program = file.read()
        mtime_s = int(os.fstat(file.fileno()).st_mtime)
    layer = b"".join(root_file_system(program, applets(BUSYBOX), mtime_s))
    config = json.loads(config_of(program, layer, mtime_s))
    config["config"]["Labels"] = labels
    return b"".join(oci_archive([PackedImage(config=json.dumps(config).encode(), layers=[layer], names=[name])]))
