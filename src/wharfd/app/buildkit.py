"""BuildKit's doors, put together when the first client comes."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import wharfd
from wharfd.api.handlers.buildkit import BuildkitHandlers
from wharfd.engine.build.assembly import BuildUseCases
from wharfd.engine.build.classic.context import ContextFiles
from wharfd.engine.containers.files import NameFiles
from wharfd.engine.system import System
from wharfd.model.errors import InvalidParameter
from wharfd.ports.clock import Clock
from wharfd.wire.oci import from_machine

if TYPE_CHECKING:
    from wharfd.api.grpc.door import Door


def buildkit_handlers(build: BuildUseCases, *, system: System, name_files: NameFiles, clock: Clock) -> BuildkitHandlers:
    ports = build.ports

    def make_door() -> "Door":
        # Imported here: protobuf and the messages take some 10 MiB, which an engine that builds nothing need not have.
        from wharfd.api.grpc.cache import CacheService
        from wharfd.api.grpc.door import Door
        from wharfd.api.grpc.history import HistoryService
        from wharfd.api.grpc.workers import HOST_GATEWAY, SNAPSHOTTER, Workers

        def labels() -> Mapping[str, str]:
            found = {SNAPSHOTTER: ports.rootfs.facts().driver}
            try:
                found[HOST_GATEWAY] = name_files.gateway_addresses()[0]
            except InvalidParameter:
                pass  # there is no default bridge
            return found

        return Door(
            builds=build.builds,
            workers=Workers(
                worker_id=lambda: system.engine_id,
                version=wharfd.__version__,
                platform=lambda: from_machine(ports.host.facts().architecture),
                labels=labels,
            ),
            contexts=ContextFiles(trees=ports.trees, files=ports.files),
            blobs=ports.content,
            cache=CacheService(build.usage, build.prune, clock.now_ns),
            history=HistoryService(build.history, ports.content.size, clock.now_ns),
            now_ns=clock.now_ns,
        )

    return BuildkitHandlers(make_door)
