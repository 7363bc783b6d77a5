"""BuildKit's control service: a build is one call of Solve, told of by Status; workers, cache and history."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from typing import Protocol

from wharfd.api.grpc.gateway import WAIT_S, OpenBuild, OpenBuilds, cache_refs
from wharfd.api.grpc.methods import streaming, unary
from wharfd.api.grpc.progress import encode_updates
from wharfd.api.grpc.rpc import Handler
from wharfd.api.grpc.session_client import SessionClient
from wharfd.api.grpc.sessions import Sessions
from wharfd.api.grpc.workers import Workers
from wharfd.api.streams import close_iterator
from wharfd.engine.build.progress import Update
from wharfd.engine.build.requests import BuildOptions, BuildResult, CacheRef, Export, FrontendRequest
from wharfd.engine.build.service import BuildService
from wharfd.model.errors import InvalidParameter, NotFound, NotImplementedHere
from wharfd.wire.grpc import Metadata
from wharfd.wire.proto import control_pb2 as pb
from wharfd.wire.timestamps import format_rfc3339_nano

log = logging.getLogger(__name__)

SERVICE = "/moby.buildkit.v1.Control/"
NOW = "buildkit-current-timestamp"  # for clients whose clock is not ours
CONFIG_DIGEST = "containerimage.config.digest"
TO_CLIENT = ("local", "tar", "oci", "docker")


class CacheInventory(Protocol):
    """What the builder keeps; in the messages' form."""

    async def usage(self, request: pb.DiskUsageRequest) -> pb.DiskUsageResponse: ...

    def prune(self, request: pb.PruneRequest) -> AsyncIterator[pb.UsageRecord]: ...


class BuildHistory(Protocol):
    """The builds there have been; in the messages' form."""

    def listen(self, request: pb.BuildHistoryRequest) -> AsyncIterator[pb.BuildHistoryEvent]: ...

    async def update(self, request: pb.UpdateBuildHistoryRequest) -> None: ...


class Control:
    def __init__(
        self,
        *,
        builds: BuildService,
        sessions: Sessions,
        open_builds: OpenBuilds,
        workers: Workers,
        cache: CacheInventory,
        history: BuildHistory,
        now_ns: Callable[[], int],
    ) -> None:
        self._builds = builds
        self._sessions = sessions
        self._open = open_builds
        self._workers = workers
        self._cache = cache
        self._history = history
        self._now_ns = now_ns

    def handlers(self) -> Mapping[str, Handler]:
        return {
            SERVICE + "Info": unary(pb.InfoRequest, pb.InfoResponse, self.info),
            SERVICE + "ListWorkers": unary(pb.ListWorkersRequest, pb.ListWorkersResponse, self.list_workers),
            SERVICE + "DiskUsage": unary(pb.DiskUsageRequest, pb.DiskUsageResponse, self.disk_usage),
            SERVICE + "Prune": streaming(pb.PruneRequest, pb.UsageRecord, self.prune),
            SERVICE + "Solve": unary(pb.SolveRequest, pb.SolveResponse, self.solve),
            SERVICE + "Status": streaming(pb.StatusRequest, pb.StatusResponse, self.status, self.stamp),
            SERVICE + "ListenBuildHistory": streaming(
                pb.BuildHistoryRequest, pb.BuildHistoryEvent, self.listen_history, self.stamp
            ),
            SERVICE + "UpdateBuildHistory": unary(
                pb.UpdateBuildHistoryRequest, pb.UpdateBuildHistoryResponse, self.update_history
            ),
        }

    def stamp(self) -> Metadata:
        return {NOW: [format_rfc3339_nano(self._now_ns())]}

    async def info(self, request: pb.InfoRequest, metadata: Metadata) -> pb.InfoResponse:
        return pb.InfoResponse(buildkit_version=self._workers.version())

    async def list_workers(self, request: pb.ListWorkersRequest, metadata: Metadata) -> pb.ListWorkersResponse:
        return pb.ListWorkersResponse(records=await self._workers.records())

    async def disk_usage(self, request: pb.DiskUsageRequest, metadata: Metadata) -> pb.DiskUsageResponse:
        return await self._cache.usage(request)

    async def prune(self, request: pb.PruneRequest, metadata: Metadata) -> AsyncGenerator[pb.UsageRecord, None]:
        async for record in self._cache.prune(request):
            yield record

    async def listen_history(
        self, request: pb.BuildHistoryRequest, metadata: Metadata
    ) -> AsyncGenerator[pb.BuildHistoryEvent, None]:
        async for event in self._history.listen(request):
            yield event

    async def update_history(
        self, request: pb.UpdateBuildHistoryRequest, metadata: Metadata
    ) -> pb.UpdateBuildHistoryResponse:
        await self._history.update(request)
        return pb.UpdateBuildHistoryResponse()

    # --- builds ----------------------------------------------------------------------------------------------------------------

    async def solve(self, request: pb.SolveRequest, metadata: Metadata) -> pb.SolveResponse:
        """Without frontend and definition the client makes the result himself, by LLBBridge, and returns it."""
        if request.source_policy.rules:
            raise NotImplementedHere("source policies are not applied by this engine")
        client = SessionClient(self._sessions, request.session)
        async with self._builds.open(options_of(request), client) as build:
            open_build = OpenBuild(build, request.frontend_inputs)
            self._open.add(request.ref, open_build)
            try:
                result = await self.result_of(request, open_build)
                exports = exports_of(request, client)
                response = response_of(await build.export(result, exports), exports)
            except Exception as e:
                raise open_build.refs.explain(e) from e
            finally:
                self._open.remove(request.ref)
        return pb.SolveResponse(exporter_response=response)

    async def result_of(self, request: pb.SolveRequest, build: OpenBuild) -> BuildResult:
        if request.frontend:
            return await build.run_frontend(
                FrontendRequest(
                    name=request.frontend,
                    attributes=dict(request.frontend_attrs),
                    inputs={name: build.refs.take_in(each) for name, each in request.frontend_inputs.items()},
                    cache_imports=imports_of(request.cache),
                )
            )
        if request.definition.blocks:
            return BuildResult(roots={"": build.refs.take_in(request.definition)})
        return await build.wait_result()

    async def status(self, request: pb.StatusRequest, metadata: Metadata) -> AsyncGenerator[pb.StatusResponse, None]:
        """Of a build that is open, that was, or that is about to begin."""
        batches = await self.updates_of(request.ref)
        try:
            async for batch in batches:
                for response in encode_updates(batch):
                    yield response
        finally:
            await close_iterator(batches)

    async def updates_of(self, ref: str) -> AsyncIterator[Sequence[Update]]:
        if not ref:
            raise InvalidParameter("no build ref")
        build = self._builds.find(ref)
        if build is None:
            try:
                return self._builds.status(ref)
            except NotFound as e:
                try:
                    async with asyncio.timeout(WAIT_S):
                        build = await self._builds.wait_for(ref)
                except TimeoutError:
                    raise NotFound(f"no such job {ref}") from e
        return build.updates()


def options_of(request: pb.SolveRequest) -> BuildOptions:
    return BuildOptions(
        ref=request.ref,
        entitlements=frozenset(request.entitlements),
        cache_imports=imports_of(request.cache),
        cache_exports=exports_of_cache(request.cache),
        frontend=request.frontend,
        frontend_attributes=dict(request.frontend_attrs),
        internal=request.internal,
        session_id=request.session,
    )


def imports_of(cache: pb.CacheOptions) -> list[CacheRef]:
    old = [CacheRef(type="registry", attributes={"ref": ref}) for ref in cache.old_import_refs]
    return [*old, *cache_refs(cache.imports)]


def exports_of_cache(cache: pb.CacheOptions) -> list[CacheRef]:
    exports = cache_refs(cache.exports)
    if cache.old_export_ref:
        attributes = {**cache.old_export_attrs, "ref": cache.old_export_ref}
        exports.append(CacheRef(type="registry", attributes=attributes))
    return exports


def response_of(response: Mapping[str, str], exports: Sequence[Export]) -> dict[str, str]:
    """Docker: where there is a config's digest, clients take it for the image's id, which it is not in a store that keeps manifests."""
    hidden = {CONFIG_DIGEST} if any(each.type == "image" for each in exports) else set()
    return {key: value for key, value in response.items() if key not in hidden}


def exports_of(request: pb.SolveRequest, client: SessionClient) -> list[Export]:
    """Docker: `moby` is what clients call the image store's exporter; old clients know only one exporter."""
    exporters = [(each.type, dict(each.attrs)) for each in request.exporters]
    if not exporters and request.old_exporter:
        exporters = [(request.old_exporter, dict(request.old_exporter_attrs))]
    epoch = request.frontend_attrs.get("build-arg:SOURCE_DATE_EPOCH", "")
    if epoch:
        for _, attributes in exporters:
            attributes.setdefault("source-date-epoch", epoch)
    return [
        Export(
            type="image" if kind == "moby" else kind,
            attributes=attributes,
            target=client.target(str(number)) if kind in TO_CLIENT else None,
            id=str(number),
        )
        for number, (kind, attributes) in enumerate(exporters)
    ]
