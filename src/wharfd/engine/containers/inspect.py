"""All that is known of one container.  Reads records, without locks; only `size` touches the disk."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import msgspec

from wharfd.engine.containers.endpoints import network_name
from wharfd.engine.containers.images import ImageNames
from wharfd.engine.containers.linked import shown_links
from wharfd.engine.containers.sizes import Size, size_of
from wharfd.engine.containers.status import Ports, shown_ports
from wharfd.engine.ledger import Ledger
from wharfd.engine.lifecycle import docker_status
from wharfd.model.container import ContainerRecord, State
from wharfd.model.ids import ContainerId
from wharfd.model.image import ImagePlatform
from wharfd.ports.files import ContainerFiles
from wharfd.ports.storage import LayerStore, RootfsStore


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerView:
    """`directory` is where the container's files lie on the host; `mac` the address that was asked for on its main network."""

    record: ContainerRecord
    status: str
    directory: str
    ports: Ports
    mac: str
    manifest: ImagePlatform | None
    size: Size | None
    exec_ids: Sequence[str] = ()
    is_between: bool = False  # two runs, since a client restarts it

    @property
    def is_restarting(self) -> bool:
        return self.is_between or self.record.is_restarting


class InspectContainer:
    """`exec_ids` gives the execs of a container's present run; `by_hand` holds those that a client is restarting."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        files: ContainerFiles,
        rootfs: RootfsStore,
        layers: LayerStore,
        exec_ids: Callable[[ContainerRecord], Sequence[str]] = lambda _: (),
        by_hand: Collection[ContainerId] = (),
    ) -> None:
        self.ledger = ledger
        self.files = files
        self.rootfs = rootfs
        self.layers = layers
        self.exec_ids = exec_ids
        self.by_hand = by_hand

    async def __call__(self, ref: str, *, size: bool = False) -> ContainerView:
        """Raises ContainerNotFound, InvalidParameter (ambiguous)."""
        record = self.ledger.container(ref)
        # Docker: inspect waits for a restart by hand and says Running.  compose follows the logs of a container that has died only if it
        # hears that it comes again; nobody waits here, so it is told as a restart by policy is.
        is_between = record.id in self.by_hand and record.state in {State.EXITED, State.STARTING}
        shown = msgspec.structs.replace(record.host_config, links=shown_links(self.ledger, record))
        return ContainerView(
            record=msgspec.structs.replace(record, host_config=shown) if record.host_config.links else record,
            status="restarting" if is_between else docker_status(record),
            directory=self.files.directory(record.id),
            ports=shown_ports(record),
            mac=asked_mac(record),
            manifest=ImageNames(self.ledger).manifest(record),
            size=await size_of(record, self.rootfs, self.layers) if size else None,
            exec_ids=self.exec_ids(record),
            is_between=is_between,
        )


def asked_mac(record: ContainerRecord) -> str:
    """While it runs, its endpoint shows what was given, asked for or not."""
    name = network_name(record.host_config.network_mode)
    if record.state in {State.STARTING, State.RUNNING, State.PAUSED}:
        return record.asked_macs.get(name, "")
    endpoint = record.networks.get(name)
    return endpoint.mac_address if endpoint else ""
