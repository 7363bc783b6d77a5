"""Image archives through the whole of `load`, with real workers and stores: refused or taken, nothing escapes, nothing is left.

The first byte of an input says what the rest is: a layer (plain, compressed, or one that is cut), a config, a manifest, an index, or the
whole archive.  What is around it is right, so that it is looked at.  Needs root.
"""

import asyncio
import atexit
import functools
import gzip
import os
import shutil
import tempfile
from pathlib import Path

import msgspec

from fuzz.unpack import SEEDS as LAYERS
from fuzz.unpack import with_sums
from tests.images import archive, image, stream
from tests.integration.images.rig import ApiRig
from tests.tars import directory, entry, hard_link, symlink, tar_of
from wharfd.model.errors import EngineError, Internal
from wharfd.testing.records import FakeRecords
from wharfd.wire.oci import digest_of
from wharfd.wire.oci.archives import PackedImage, docker_archive, oci_archive

LAYER, ZIPPED, CUT, CONFIG, MANIFEST, INDEX, NAMES, WHOLE = range(8)

LOWER = tar_of(
    directory("d", 0o700, uid=77),
    directory("e/f", 0o711, uid=78),
    entry("d/file", b"1" * 700, mode=0o4755),
    entry("victim", b"a file of the image"),
    symlink("l", "d"),
)
UPPER = [
    *LAYERS,
    tar_of(hard_link("x", "victim"), hard_link("d/y", "d/file"), hard_link("z", "x"), entry(".wh.victim")),
    tar_of(hard_link("d/x", "victim"), symlink("d", "../../../victims"), entry("e/f/g", b""), symlink("e", "/victims")),
    tar_of(entry("d/.wh..wh..opq"), entry("d/f", b""), entry("e/.wh.f"), hard_link("e/f", "d/file")),
]
GOOD = image("fuzz:1", layers=[LOWER, UPPER[-1]])
IMAGE_DOCUMENTS = {CONFIG: GOOD.config, MANIFEST: GOOD.manifest()}
SEEDS = [
    *(bytes([kind]) + data for kind in (LAYER, ZIPPED, CUT) for data in UPPER),
    *(bytes([kind]) + data for kind, data in IMAGE_DOCUMENTS.items()),
    bytes([INDEX]) + b'{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"'
    + digest_of(GOOD.manifest()).encode() + b'","size":' + str(len(GOOD.manifest())).encode()
    + b',"annotations":{"io.containerd.image.name":"docker.io/library/fuzz:1"},"platform":{"os":"linux","architecture":"amd64"}}]}',
    bytes([NAMES]) + b'[{"Config":"config.json","RepoTags":["fuzz:1"],"Layers":["0.tar","1.tar"]}]',
    bytes([WHOLE]) + archive(GOOD),
    bytes([WHOLE]) + archive(GOOD, oci=True),
]  # fmt: skip


def archive_of(data: bytes) -> bytes:
    kind, rest = data[0] % 8, data[1:]
    if kind == WHOLE:
        return with_sums(rest)
    if kind in (LAYER, ZIPPED, CUT):
        layer = with_sums(rest)
        stored = gzip.compress(layer, 1, mtime=0) if kind != LAYER else layer
        if kind == CUT:
            stored = stored[: len(stored) * 3 // 4]
        packed = image("fuzz:1", layers=[LOWER, layer], stored=[LOWER, stored])
        return b"".join(docker_archive([packed]) if len(rest) % 2 else oci_archive([packed]))
    if kind == NAMES:
        files = {"config.json": GOOD.config, "0.tar": GOOD.layers[0], "1.tar": GOOD.layers[1], "manifest.json": rest}
        return tar_of(*(entry(name, content) for name, content in files.items()))
    if kind == CONFIG:
        return b"".join(oci_archive([PackedImage(config=rest, layers=GOOD.layers, names=GOOD.names)]))
    manifest = rest if kind == MANIFEST else GOOD.manifest()
    index = rest if kind == INDEX else index_of(manifest)
    blobs = [*GOOD.layers, GOOD.config, manifest]
    return tar_of(
        *(entry(f"blobs/sha256/{digest_of(blob)[7:]}", blob) for blob in blobs),
        entry("index.json", index),
        entry("oci-layout", b'{"imageLayoutVersion":"1.0.0"}'),
    )


def index_of(manifest: bytes) -> bytes:
    descriptor = {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": digest_of(manifest),
        "size": len(manifest),
    }
    return msgspec.json.encode({"schemaVersion": 2, "manifests": [descriptor]})


class Loader:
    """An engine's image part in a directory in memory; `victims` is what nobody may touch."""

    def __init__(self) -> None:
        self.top = Path(tempfile.mkdtemp(dir="/dev/shm"))
        self.victims = self.top / "victims"
        self.victims.mkdir(mode=0o755)
        (self.victims / "file").write_bytes(b"untouched")
        self.runner = asyncio.Runner()
        self.rig = self.runner.run(self.open())
        self.before = self.seen()

    async def open(self) -> ApiRig:
        return await ApiRig(self.top, FakeRecords()).open()

    def seen(self) -> list[tuple[str, int, int, int]]:
        """Of everything outside of the store."""
        places = [self.top, self.victims, self.victims / "file", *self.victims.iterdir(), *self.top.iterdir()]
        found = [(str(each), each.lstat().st_mode, each.lstat().st_uid, each.lstat().st_nlink) for each in places]
        return sorted(found)

    async def load(self, data: bytes) -> None:
        try:
            await self.rig.cases.load(stream(data), lambda _: None)
        except Internal:
            raise
        except EngineError:
            pass
        for record in list(self.rig.ledger.images.values()):
            await self.rig.cases.delete(record.id, force=True)
        await self.rig.layers.trash.settle()
        assert self.rig.stored() == [], self.rig.stored()

    def __call__(self, data: bytes) -> None:
        self.runner.run(self.load(data))
        assert self.seen() == self.before
        assert (self.victims / "file").read_bytes() == b"untouched"

    def close(self) -> None:
        self.runner.run(self.rig.close())
        self.runner.close()
        shutil.rmtree(self.top)


@functools.cache
def loader() -> Loader:
    made = Loader()
    atexit.register(made.close)
    return made


def fuzz_one(data: bytes) -> None:
    assert os.geteuid() == 0
    if data:
        loader()(archive_of(data))
