"""The builder: opens builds, knows those that are open, writes down those that were.  Satisfies `service.BuildService`."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

from wharfd.engine.build.client import BuildClient
from wharfd.engine.build.exporters.all import Exporters
from wharfd.engine.build.filesteps import FileSteps
from wharfd.engine.build.history import History
from wharfd.engine.build.openbuild import OpenBuild
from wharfd.engine.build.progress import Update
from wharfd.engine.build.progresslog import Observer, ProgressLog
from wharfd.engine.build.remotecache.all import RemoteCaches
from wharfd.engine.build.requests import BuildOptions
from wharfd.engine.build.scene import Scene
from wharfd.engine.build.service import Frontend
from wharfd.engine.build.solver import Solver, Workshop
from wharfd.engine.build.sources.images import ImageSources
from wharfd.engine.build.sources.local import LocalSources
from wharfd.engine.images.leases import Leases
from wharfd.engine.tasks import Tasks
from wharfd.model.errors import Conflict
from wharfd.ports.snapshots import SnapshotStore


class Builds:
    def __init__(
        self,
        *,
        tasks: Tasks,
        shop: Workshop,
        leases: Leases,
        snapshots: SnapshotStore,
        images: ImageSources,
        local: LocalSources,
        steps: FileSteps,
        exporters: Exporters,
        frontends: Mapping[str, Frontend],
        history: History,
        caches: RemoteCaches,
        after_build: Callable[[], None],
    ) -> None:
        self.tasks = tasks
        self.shop = shop
        self.leases = leases
        self.snapshots = snapshots
        self.images = images
        self.local = local
        self.steps = steps
        self.exporters = exporters
        self.frontends = frontends
        self.history = history
        self.caches = caches
        self.after_build = after_build
        self.builds: dict[str, OpenBuild] = {}
        self.owners: dict[str, asyncio.Task[object]] = {}
        self.cancelled: set[str] = set()
        self.awaited: dict[str, list[asyncio.Future[OpenBuild]]] = {}

    @asynccontextmanager
    async def open(
        self, options: BuildOptions, client: BuildClient, observer: Observer | None = None
    ) -> AsyncIterator[OpenBuild]:
        """Raises Conflict if a build of that ref is open."""
        ref = options.ref or self.shop.new_id()
        if ref in self.builds:
            raise Conflict(f"job {ref} already exists")
        build = self.make(ref, options, client, observer)
        self.builds[ref] = build
        owner = asyncio.current_task()
        assert owner is not None
        self.owners[ref] = owner
        for future in self.awaited.pop(ref, ()):
            if not future.done():
                future.set_result(build)
        error: BaseException | None = None
        try:
            self.history.begin(build, options)
            yield build
        except BaseException as e:
            error = e
            raise
        finally:
            await self.end(build, options, error)

    def make(self, ref: str, options: BuildOptions, client: BuildClient, observer: Observer | None) -> OpenBuild:
        log = ProgressLog(is_kept=not options.internal, observer=observer)
        scene = Scene(options, client, self.leases.open())
        return OpenBuild(
            ref=ref,
            scene=scene,
            solver=Solver(self.shop, scene, log, log.room),
            log=log,
            clock=self.shop.clock,
            frontends=self.frontends,
            images=self.images,
            steps=self.steps,
            files=self.shop.files,
            exporters=self.exporters,
            caches=self.caches,
        )

    async def end(self, build: OpenBuild, options: BuildOptions, error: BaseException | None) -> None:
        """Also if whoever opened it is being cancelled: the work is the engine's then."""
        work = self.tasks.spawn(self.settle(build, options, error), f"build-end:{build.ref[:12]}")
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            await asyncio.wait([work])
            raise

    async def settle(self, build: OpenBuild, options: BuildOptions, error: BaseException | None) -> None:
        try:
            await build.solver.close()
            await build.imports.close()
            build.log.close()
            try:
                await self.local.give_back(build.scene)
            finally:
                await self.history.end(build, options, error)
        finally:
            build.scene.lease.release()
            self.builds.pop(build.ref, None)
            self.owners.pop(build.ref, None)
            self.cancelled.discard(build.ref)
            self.tasks.spawn(self.snapshots.settle(), "build-layers-settle")
            self.after_build()

    def find(self, ref: str) -> OpenBuild | None:
        return self.builds.get(ref)

    async def wait_for(self, ref: str) -> OpenBuild:
        build = self.builds.get(ref)
        if build is not None:
            return build
        future: asyncio.Future[OpenBuild] = asyncio.get_running_loop().create_future()
        self.awaited.setdefault(ref, []).append(future)
        try:
            return await future
        finally:
            waiting = self.awaited.get(ref)
            if waiting is not None and future in waiting:
                waiting.remove(future)
                if not waiting:
                    del self.awaited[ref]

    def status(self, ref: str) -> AsyncIterator[Sequence[Update]]:
        build = self.builds.get(ref)
        return build.updates() if build is not None else self.history.updates(ref)

    def cancel(self, ref: str) -> bool:
        owner = self.owners.get(ref)
        if owner is None:
            return False
        self.cancelled.add(ref)
        owner.cancel()
        return True
