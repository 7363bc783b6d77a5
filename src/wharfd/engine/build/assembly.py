"""The builder, put together over the ports and use cases that it shares with containers and images."""

from collections.abc import Callable
from dataclasses import dataclass

from wharfd.engine.build.builds import Builds
from wharfd.engine.build.cache import BuildCache
from wharfd.engine.build.classic.build import ClassicBuild
from wharfd.engine.build.classic.context import ContextFiles
from wharfd.engine.build.execution.cachemounts import CacheMounts
from wharfd.engine.build.execution.exits import StepExits
from wharfd.engine.build.execution.process import Processes
from wharfd.engine.build.execution.steps import ExecSteps
from wharfd.engine.build.exporters.all import Exporters
from wharfd.engine.build.exporters.archives import ArchiveExporter, TarExporter
from wharfd.engine.build.exporters.directories import DirectoryExporter
from wharfd.engine.build.exporters.images import ImageExporter, Push
from wharfd.engine.build.exporters.imaging import ImageMaker
from wharfd.engine.build.exporters.layers import LayerArchives
from wharfd.engine.build.filesteps import FileSteps
from wharfd.engine.build.frontend.entry import dockerfile_frontend, gateway_frontend
from wharfd.engine.build.history import History
from wharfd.engine.build.prune import PruneBuildCache
from wharfd.engine.build.remotecache.all import RemoteCaches
from wharfd.engine.build.remotecache.exporting import CacheExports
from wharfd.engine.build.remotecache.importing import Bringing
from wharfd.engine.build.remotecache.opening import CachePlaces
from wharfd.engine.build.solver import Workshop
from wharfd.engine.build.sources.all import AllSources
from wharfd.engine.build.sources.images import ImageSources, Pull
from wharfd.engine.build.sources.layouts import LayoutSources
from wharfd.engine.build.sources.local import LocalSources
from wharfd.engine.build.sources.remote import RemoteSources
from wharfd.engine.build.steps import AllSteps
from wharfd.engine.build.usage import BuildCacheUsage
from wharfd.engine.containers.attachment import Attachment
from wharfd.engine.containers.files import NameFiles
from wharfd.engine.containers.start import Planner
from wharfd.engine.images.assembly import ImageUseCases
from wharfd.engine.images.downloads import Downloads
from wharfd.engine.ledger import Ledger
from wharfd.engine.tasks import Tasks
from wharfd.model.build import CacheKind, CacheRecord
from wharfd.ports.buildfiles import BuildFiles
from wharfd.ports.clock import Clock
from wharfd.ports.content import ResumableContent, SpoolStore
from wharfd.ports.fetch import Fetcher
from wharfd.ports.files import ContainerFiles
from wharfd.ports.host import Host
from wharfd.ports.localtrees import LocalTreeStore
from wharfd.ports.registry import Registry
from wharfd.ports.runfiles import RunFiles
from wharfd.ports.runtime import RuntimeDriver
from wharfd.ports.snapshots import SnapshotStore
from wharfd.ports.storage import LayerStore, RootfsStore
from wharfd.ports.streams import StdioDriver


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildPorts:
    content: ResumableContent
    spools: SpoolStore
    layers: LayerStore
    rootfs: RootfsStore
    snapshots: SnapshotStore
    files: BuildFiles
    trees: LocalTreeStore
    run_files: RunFiles
    fetcher: Fetcher
    runtime: RuntimeDriver
    streams: StdioDriver
    container_files: ContainerFiles
    host: Host
    registry: Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildUseCases:
    """`open` once the drivers are open and before garbage is collected; `exits` sees every exit first."""

    builds: Builds
    cache: BuildCache
    history: History
    classic: ClassicBuild
    usage: BuildCacheUsage
    prune: PruneBuildCache
    exits: StepExits
    local: LocalSources
    ports: BuildPorts

    async def open(self) -> None:
        await self.cache.open()
        await self.history.open()
        await self.local.open()
        kept = [each.directory for each in self.cache.records() if each.kind is CacheKind.MOUNT]
        await self.ports.run_files.open(kept)


def assemble_build(
    ports: BuildPorts,
    *,
    ledger: Ledger,
    clock: Clock,
    tasks: Tasks,
    images: ImageUseCases,
    pull: Pull,
    push: Push,
    downloads: Downloads,
    planner: Planner,
    name_files: NameFiles,
    attachment: Attachment,
    new_id: Callable[[], str],
    shm_size: int,
) -> BuildUseCases:
    """`new_id` makes 64 hex digits."""

    def short_id() -> str:
        return new_id()[:25]

    cache = BuildCache(ledger=ledger, clock=clock, layers=ports.layers, garbage=images.garbage)

    async def drop_mount(record: CacheRecord) -> None:
        await ports.run_files.remove(record.directory)

    async def drop_tree(record: CacheRecord) -> None:
        await ports.trees.drop(record.directory)

    cache.removers |= {CacheKind.MOUNT: drop_mount, CacheKind.LOCAL: drop_tree}
    exits = StepExits()
    file_steps = FileSteps(snapshots=ports.snapshots, files=ports.files)
    execs = ExecSteps(
        ledger=ledger,
        clock=clock,
        rootfs=ports.rootfs,
        snapshots=ports.snapshots,
        files=ports.files,
        file_steps=file_steps,
        run_files=ports.run_files,
        cache_mounts=CacheMounts(ledger=ledger, clock=clock, cache=cache, files=ports.run_files, new_id=short_id),
        processes=Processes(
            tasks=tasks,
            runtime=ports.runtime,
            streams=ports.streams,
            planner=planner,
            name_files=name_files,
            container_files=ports.container_files,
            attachment=attachment,
            exits=exits,
        ),
        new_id=new_id,
        shm_size=shm_size,
    )
    image_sources = ImageSources(images=images.images, content=ports.content, cache=cache, host=ports.host, pull=pull)
    local = LocalSources(ledger=ledger, clock=clock, cache=cache, trees=ports.trees, new_id=short_id)
    shop = Workshop(
        tasks=tasks,
        clock=clock,
        cache=cache,
        snapshots=ports.snapshots,
        files=ports.files,
        sources=AllSources(
            images=image_sources,
            local=local,
            layouts=LayoutSources(
                content=ports.content, unpacking=images.unpacking, images=image_sources, host=ports.host
            ),
            remote=RemoteSources(
                clock=clock,
                cache=cache,
                fetcher=ports.fetcher,
                files=ports.files,
                snapshots=ports.snapshots,
                run_files=ports.run_files,
                new_id=new_id,
            ),
        ),
        steps=AllSteps(files=file_steps, execs=execs),
        new_id=short_id,
    )
    archives = LayerArchives(
        tasks=tasks,
        cache=cache,
        content=ports.content,
        spools=ports.spools,
        layers=ports.layers,
        snapshots=ports.snapshots,
        files=ports.files,
    )
    history = History(ledger=ledger, clock=clock, content=ports.content, garbage=images.garbage, leases=images.leases)
    usage = BuildCacheUsage(ledger=ledger, cache=cache, snapshots=ports.snapshots)
    prune = PruneBuildCache(clock=clock, tasks=tasks, cache=cache, usage=usage, snapshots=ports.snapshots)
    builds = Builds(
        tasks=tasks,
        shop=shop,
        leases=images.leases,
        snapshots=ports.snapshots,
        images=image_sources,
        local=local,
        steps=file_steps,
        exporters=exporters(ports, clock, images, archives, file_steps, push),
        frontends={"dockerfile.v0": dockerfile_frontend, "gateway.v0": gateway_frontend},
        history=history,
        caches=remote_caches(ports, cache, tasks, images, archives, downloads),
        after_build=prune.soon,
    )
    return BuildUseCases(
        classic=ClassicBuild(
            builds=builds,
            contexts=ContextFiles(trees=ports.trees, files=ports.files),
            images=images.images,
            tag=images.tag,
            host=ports.host,
            new_id=new_id,
        ),
        builds=builds,
        cache=cache,
        history=history,
        usage=usage,
        prune=prune,
        exits=exits,
        local=local,
        ports=ports,
    )


def remote_caches(
    ports: BuildPorts,
    cache: BuildCache,
    tasks: Tasks,
    images: ImageUseCases,
    archives: LayerArchives,
    downloads: Downloads,
) -> RemoteCaches:
    places = CachePlaces(content=ports.content, registry=ports.registry, downloads=downloads, images=images.images)
    return RemoteCaches(
        tasks=tasks,
        leases=images.leases,
        places=places,
        bringing=Bringing(content=ports.content, layers=ports.layers, unpacking=images.unpacking, cache=cache),
        exports=CacheExports(places=places, archives=archives, cache=cache, content=ports.content),
    )


def exporters(
    ports: BuildPorts, clock: Clock, images: ImageUseCases, archives: LayerArchives, steps: FileSteps, push: Push
) -> Exporters:
    maker = ImageMaker(content=ports.content, clock=clock, host=ports.host, archives=archives)
    into_store = ImageExporter(
        content=ports.content,
        maker=maker,
        publisher=images.publisher,
        garbage=images.garbage,
        leases=images.leases,
        push=push,
    )
    return Exporters(
        layers=archives,
        images=into_store,
        archives=ArchiveExporter(
            content=ports.content, maker=maker, garbage=images.garbage, leases=images.leases, images=into_store
        ),
        tars=TarExporter(files=ports.files, steps=steps),
        directories=DirectoryExporter(files=ports.files, steps=steps),
    )
