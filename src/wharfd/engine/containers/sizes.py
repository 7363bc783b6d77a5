"""How much a container takes on disk."""

from typing import NamedTuple

from wharfd.model.container import ContainerRecord
from wharfd.model.errors import NotFound
from wharfd.model.ids import ChainId
from wharfd.ports.storage import LayerStore, RootfsStore


class Size(NamedTuple):
    """Bytes: `rw` of its own writable layer, `root` of that and all layers below."""

    rw: int
    root: int


async def size_of(record: ContainerRecord, rootfs: RootfsStore, layers: LayerStore) -> Size:
    try:
        own = await rootfs.size_rw(record.id)
    except NotFound:  # it is being removed
        own = 0
    infos = [layers.get(ChainId(chain_id)) for chain_id in (record.rootfs.layers if record.rootfs else ())]
    return Size(own, own + sum(info.size_bytes for info in infos if info is not None))
