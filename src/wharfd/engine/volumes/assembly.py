"""All use cases of volumes, put together over what they share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from wharfd.engine.ledger import Ledger
from wharfd.engine.locks import KeyedLocks
from wharfd.engine.volumes.create import CreateVolume
from wharfd.engine.volumes.make import VolumeMaker
from wharfd.engine.volumes.prune import PruneVolumes
from wharfd.engine.volumes.remove import RemoveVolume
from wharfd.engine.volumes.shared import SharedListing
from wharfd.ports.clock import Clock
from wharfd.ports.volumes import VolumeDriver


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeUseCases:
    """`maker` is for those that make a volume by the way."""

    maker: VolumeMaker
    shared: SharedListing
    create: CreateVolume
    remove: RemoveVolume
    prune: PruneVolumes


def assemble_volumes(
    drivers: Mapping[str, VolumeDriver],
    *,
    ledger: Ledger,
    locks: KeyedLocks,
    clock: Clock,
    randbytes: Callable[[int], bytes],
) -> VolumeUseCases:
    maker = VolumeMaker(ledger=ledger, clock=clock, drivers=drivers, randbytes=randbytes)
    remove = RemoveVolume(ledger=ledger, locks=locks, clock=clock, drivers=drivers)
    return VolumeUseCases(
        maker=maker,
        shared=SharedListing(ledger=ledger, clock=clock, drivers=drivers),
        create=CreateVolume(ledger=ledger, locks=locks, maker=maker),
        remove=remove,
        prune=PruneVolumes(ledger=ledger, clock=clock, drivers=drivers, remove=remove),
    )
