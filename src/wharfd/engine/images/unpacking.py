"""From blobs to layers that can be mounted."""

import asyncio
from collections.abc import Callable

import msgspec

from wharfd.engine.images.survey import with_layer_sizes
from wharfd.engine.ledger import Ledger
from wharfd.model.errors import EngineError
from wharfd.model.ids import Digest
from wharfd.model.image import ImagePlatform, ImageRecord
from wharfd.ports.content import ContentStore
from wharfd.ports.storage import Growing, LayerInfo, LayerStore, Ready
from wharfd.wire.oci import Manifest, chain_ids, decode_manifest
from wharfd.wire.oci.media_types import layer_compression

OnLayer = Callable[[LayerInfo], None]
Arriving = Callable[[int], tuple[Ready, Growing]]
"""For the number of a layer: what to await before its blob is here, and what gives the file that it comes in."""


class Unpacking:
    def __init__(self, *, ledger: Ledger, content: ContentStore, layers: LayerStore) -> None:
        self.ledger = ledger
        self.content = content
        self.layers = layers

    async def unpack(
        self,
        manifest: Manifest,
        diff_ids: list[Digest],
        on_layer: OnLayer | None = None,
        arriving: Arriving | None = None,
    ) -> None:
        """Unpack what is not there yet, side by side.  `on_layer` hears of each layer that was brought.

        With `arriving` the blobs need not be here yet.

        Raises InvalidParameter for a broken layer, NotFound for one whose blob is not here.
        """
        chain = chain_ids(diff_ids)

        async def one(number: int) -> None:
            layer = manifest.layers[number]
            ready, growing = arriving(number) if arriving is not None else (None, None)
            if arriving is None:
                self.content.size(layer.digest)
            info = await self.layers.unpack(
                chain[number],
                chain[number - 1] if number else None,
                diff_ids[number],
                self.content.path(layer.digest),
                layer_compression(layer.media_type) or "",
                ready,
                growing,
            )
            if on_layer is not None:
                on_layer(info)

        absent = [number for number, chain_id in enumerate(chain) if self.layers.get(chain_id) is None]
        try:
            # Tasks begin in order, so each finds its parent there or on its way.
            async with asyncio.TaskGroup() as group:
                for number in absent:
                    group.create_task(one(number), name=f"unpack:{chain[number]}")
        except BaseExceptionGroup as failures:
            raise told(failures) from failures

    async def make_sure(self, record: ImageRecord, platform: ImagePlatform) -> None:
        """Layers of another platform than the host's are unpacked when they are first wanted; those that were lost, too."""
        if all(self.layers.get(chain_id) is not None for chain_id in chain_ids(platform.diff_ids)):
            return
        manifest = decode_manifest(await self.content.read(platform.manifest), platform.media_type)
        await self.unpack(manifest, [Digest(diff_id) for diff_id in platform.diff_ids])
        current = self.ledger.images.get(record.id)
        if current is not None:
            fresh = [
                with_layer_sizes(each, self.layers) if each.manifest == platform.manifest else each
                for each in current.platforms
            ]
            self.ledger.post(msgspec.structs.replace(current, platforms=fresh))


def told(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one error of a group that says the most: a cancelled or orphaned sibling is only a consequence."""
    leaves: list[BaseException] = []
    pending: list[BaseException] = [failures]
    while pending:
        error = pending.pop(0)
        if isinstance(error, BaseExceptionGroup):
            pending = [*error.exceptions, *pending]
        else:
            leaves.append(error)
    return next((error for error in leaves if isinstance(error, EngineError)), leaves[0])
