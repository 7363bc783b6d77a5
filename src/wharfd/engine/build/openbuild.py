"""One build that is open: satisfies `service.Build`."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace

from wharfd.engine.build.exporters.all import TITLES, Exporters
from wharfd.engine.build.exporters.imaging import INLINE, truth
from wharfd.engine.build.filesteps import FileSteps
from wharfd.engine.build.graph import Output, Vertex, content_digest
from wharfd.engine.build.keys import spine
from wharfd.engine.build.ops import ResolveMode
from wharfd.engine.build.progress import Update, VertexUpdate, Warned
from wharfd.engine.build.progresslog import ProgressLog
from wharfd.engine.build.remotecache.all import RemoteCaches
from wharfd.engine.build.remotecache.exporting import TITLES as CACHE_TITLES
from wharfd.engine.build.remotecache.exporting import inline_cache
from wharfd.engine.build.reports import Activity, VertexReport
from wharfd.engine.build.requests import BuildResult, Export, FrontendRequest, ResolvedImageSource
from wharfd.engine.build.rootfiles import LayerFiles, LocalFiles, RootFiles
from wharfd.engine.build.roots import Root
from wharfd.engine.build.scene import Scene
from wharfd.engine.build.service import Frontend
from wharfd.engine.build.solver import Solver
from wharfd.engine.build.sources.images import ImageSources
from wharfd.model.build import CacheRecord
from wharfd.model.errors import EngineError, InvalidParameter, NotImplementedHere
from wharfd.model.ids import ChainId
from wharfd.model.tree import TreeEntry
from wharfd.ports.buildfiles import BuildFiles
from wharfd.ports.clock import Clock
from wharfd.wire.globs import matches
from wharfd.wire.oci import Platform
from wharfd.wire.reference import parse_normalised

MAX_READ = 16 << 20  # bytes of a file that a frontend may have at once


class OpenBuild:
    def __init__(
        self,
        *,
        ref: str,
        scene: Scene,
        solver: Solver,
        log: ProgressLog,
        clock: Clock,
        frontends: Mapping[str, Frontend],
        images: ImageSources,
        steps: FileSteps,
        files: BuildFiles,
        exporters: Exporters,
        caches: RemoteCaches,
    ) -> None:
        self.ref = ref
        self.scene = scene
        self.solver = solver
        self.log = log
        self.clock = clock
        self.frontends = frontends
        self.images = images
        self.steps = steps
        self.files = files
        self.exporters = exporters
        self.caches = caches
        self.imports = caches.imports(scene.options.cache_imports, scene.client, self.activity)
        solver.offers = self.imports
        self.response: dict[str, str] = {}
        self.exports: list[Export] = []
        self.warnings = 0
        self.attributes: dict[str, str] = {}
        self.resolving: dict[str, asyncio.Lock] = {}
        self.resolved: dict[tuple[str, str, ResolveMode], ResolvedImageSource] = {}

    @property
    def platform(self) -> Platform:
        return self.images.platform()

    # for frontends

    async def solve(self, output: Output | None) -> None:
        await self.solver.roots([output])

    async def read_file(self, output: Output | None, path: str, offset: int = 0, length: int | None = None) -> bytes:
        root = await self.root(output)
        wanted = MAX_READ + 1 if length is None else min(length, MAX_READ)
        data = await self.files_of(root).read(path, offset, wanted)
        if len(data) > MAX_READ:
            raise InvalidParameter(f"{path} is larger than {MAX_READ} bytes")
        return data

    async def read_directory(self, output: Output | None, path: str, pattern: str = "") -> Sequence[TreeEntry]:
        entries = await self.files_of(await self.root(output)).list(path)
        return [entry for entry in entries if not pattern or matches(pattern, entry.path)]

    async def stat_file(self, output: Output | None, path: str) -> TreeEntry:
        return await self.files_of(await self.root(output)).stat(path)

    def files_of(self, root: Root) -> RootFiles:
        return LocalFiles(root.local) if root.local is not None else LayerFiles(self.files, self.steps.view(root))

    async def root(self, output: Output | None) -> Root:
        (root,) = await self.solver.roots([output])
        return root

    async def resolve_image(
        self, ref: str, platform: Platform | None = None, mode: ResolveMode = ResolveMode.DEFAULT, log_name: str = ""
    ) -> ResolvedImageSource:
        name = str(parse_normalised(ref).with_default_tag())
        key = (name, str(platform), mode)
        async with self.resolving.setdefault(name, asyncio.Lock()):
            if key not in self.resolved:
                self.resolved[key] = await self.look_up(name, platform, mode, log_name)
        return self.resolved[key]

    async def look_up(
        self, name: str, platform: Platform | None, mode: ResolveMode, log_name: str
    ) -> ResolvedImageSource:
        report = self.activity(log_name or f"resolve image config for {name}")
        try:
            found = await self.images.resolve(name, platform, mode, self.scene, report)
        except EngineError as error:
            report.complete(error=str(error))
            raise
        report.complete()
        return found

    def warn(self, warning: Warned) -> None:
        self.warnings += 1
        self.log(warning)

    def activity(self, name: str) -> VertexReport:
        """Begun."""
        activity = Activity(content_digest(["activity", self.ref, name, len(self.log.updates)]), name)
        report = VertexReport(activity, self.log, self.clock.now_ns, self.log.room)
        report.announce()
        report.start()
        return report

    # for doors

    async def run_frontend(self, request: FrontendRequest) -> BuildResult:
        self.attributes |= request.attributes
        self.imports.add(request.cache_imports)
        frontend = self.frontends.get(request.name)
        if frontend is None:
            raise NotImplementedHere(f"frontend {request.name} is not supported by this engine")
        return await frontend(request, self)

    async def export(self, result: BuildResult, exports: Sequence[Export]) -> Mapping[str, str]:
        self.exports = list(exports)
        self.expect(result, exports)
        platforms = list(result.roots)
        found = await self.solver.roots([result.roots[platform] for platform in platforms])
        roots = dict(zip(platforms, found, strict=True))
        response: dict[str, str] = {}
        if not roots:
            return response
        result = await self.with_inline_cache(result, roots)
        for export in exports:
            if export.type == "cacheonly":
                continue
            report = self.activity(TITLES.get(export.type, f"exporting to {export.type}"))
            try:
                response |= await self.exporters(export, result, roots, report, self.scene.client)
            except EngineError as error:
                report.complete(error=str(error))
                raise
            report.complete()
        response |= await self.export_caches(result)
        self.response = response
        return response

    async def with_inline_cache(self, result: BuildResult, roots: Mapping[str, Root]) -> BuildResult:
        if all(ref.type != "inline" for ref in self.scene.options.cache_exports):
            return result
        solved = await self.solver.solved(list(result.roots.values()))
        caches = {
            platform: inline_cache(solved, root.layers, self.solver.shop.cache) for platform, root in roots.items()
        }
        notes = {f"{INLINE}/{platform}": cache for platform, cache in caches.items() if cache is not None}
        return replace(result, metadata={**result.metadata, **notes})

    async def export_caches(self, result: BuildResult) -> Mapping[str, str]:
        """Raises what goes wrong, unless the client wants it to be passed over."""
        response: dict[str, str] = {}
        refs = [ref for ref in self.scene.options.cache_exports if ref.type != "inline"]
        solved = await self.solver.solved(list(result.roots.values())) if refs else ()
        for ref in refs:
            report = self.activity(CACHE_TITLES.get(ref.type, f"exporting cache to {ref.type}"))
            lease = self.caches.leases.open()
            try:
                base = spine(result.roots.values())
                response |= await self.caches.exports(ref, solved, base, report, self.scene.client, lease)
            except EngineError as error:
                report.complete(error=str(error))
                if not truth(ref.attributes, "ignore-error", False):
                    raise
            finally:
                lease.release()
            report.complete()
        return response

    def expect(self, result: BuildResult, exports: Sequence[Export]) -> None:
        """Layers are packed beside the steps that come after them."""
        take = self.exporters.expect(exports, result)
        if take is None:
            return
        wanted = spine(result.roots.values())

        def on_result(vertex: Vertex, record: CacheRecord) -> None:
            if vertex.digest in wanted:
                for layer in record.made:
                    take(ChainId(layer))

        self.solver.on_result.append(on_result)

    def updates(self) -> AsyncIterator[Sequence[Update]]:
        return self.log.follow()

    def counts(self) -> tuple[int, int, int]:
        """Steps: all, cached, completed."""
        last: dict[str, VertexUpdate] = {
            update.digest: update for update in self.log.updates if isinstance(update, VertexUpdate)
        }
        done = [update for update in last.values() if update.completed_ns and not update.error]
        return len(last), sum(update.cached for update in done), len(done)
