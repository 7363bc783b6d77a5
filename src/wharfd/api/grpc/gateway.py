"""LLBBridge: a client that is his own frontend works on a build of his, step by step, until he returns a result.

Calls name the build in their metadata.  They may come before the build is open.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from wharfd.api.grpc.capabilities import FRONTEND_CAPS, LLB_CAPS
from wharfd.api.grpc.llb.decode import decode_file, decode_platform, decode_ranges
from wharfd.api.grpc.llb.sources import decode_source, encode_source
from wharfd.api.grpc.methods import unary
from wharfd.api.grpc.results import References
from wharfd.api.grpc.rpc import Handler
from wharfd.api.grpc.workers import Workers
from wharfd.engine.build.failures import StepFailed
from wharfd.engine.build.graph import Output
from wharfd.engine.build.ops import ImageSource, ResolveMode
from wharfd.engine.build.progress import Warned
from wharfd.engine.build.requests import BuildResult, CacheRef, FrontendRequest
from wharfd.engine.build.service import Build
from wharfd.model.errors import InvalidParameter, NotFound
from wharfd.model.ids import Digest
from wharfd.wire.fsutil import encode_stat
from wharfd.wire.grpc import Metadata, RpcError, StatusCode
from wharfd.wire.proto import control_pb2, llb_pb2
from wharfd.wire.proto import gateway_pb2 as pb

SERVICE = "/moby.buildkit.v1.frontend.LLBBridge/"
BUILD_ID = "buildkit-controlapi-buildid"
WAIT_S = 10.0  # for a build that is not open yet


class OpenBuild:
    """A build that is open, as its client works on it."""

    def __init__(self, build: Build, inputs: Mapping[str, llb_pb2.Definition]) -> None:
        self.build = build
        self.refs = References()
        self.inputs = inputs
        self._result: asyncio.Future[BuildResult] = asyncio.get_running_loop().create_future()

    async def wait_result(self) -> BuildResult:
        """What the client returns.  Raises what he says has gone wrong."""
        return await self._result

    def finish(self, result: BuildResult | RpcError) -> None:
        if self._result.done():
            raise InvalidParameter("the build has been returned already")
        if isinstance(result, RpcError):
            self._result.set_exception(result)
        else:
            self._result.set_result(result)

    async def run_frontend(self, request: FrontendRequest) -> BuildResult:
        try:
            result = await self.build.run_frontend(request)
        except Exception as e:
            raise self.refs.explain(e, request.name) from e
        self.refs.places.update(result.places)
        return result


class OpenBuilds:
    def __init__(self) -> None:
        self._builds: dict[str, OpenBuild] = {}
        self._came = asyncio.Event()  # another one each time

    def add(self, ref: str, build: OpenBuild) -> None:
        self._builds[ref] = build
        self._came.set()
        self._came = asyncio.Event()

    def remove(self, ref: str) -> None:
        self._builds.pop(ref, None)

    async def of(self, metadata: Metadata) -> OpenBuild:
        """Raises InvalidParameter, NotFound."""
        ref = "".join(metadata.get(BUILD_ID, ())[:1])
        if not ref:
            raise InvalidParameter(f"no {BUILD_ID} in the request")
        try:
            async with asyncio.timeout(WAIT_S):
                while (build := self._builds.get(ref)) is None:
                    await self._came.wait()
                return build
        except TimeoutError as e:
            raise NotFound(f"no such job {ref}") from e


class Gateway:
    def __init__(self, builds: OpenBuilds, workers: Workers) -> None:
        self._builds = builds
        self._workers = workers

    def handlers(self) -> Mapping[str, Handler]:
        return {
            SERVICE + "Ping": unary(pb.PingRequest, pb.PongResponse, self.ping),
            SERVICE + "Solve": unary(pb.SolveRequest, pb.SolveResponse, self.solve),
            SERVICE + "ResolveImageConfig": unary(
                pb.ResolveImageConfigRequest, pb.ResolveImageConfigResponse, self.resolve_image_config
            ),
            SERVICE + "ResolveSourceMeta": unary(
                pb.ResolveSourceMetaRequest, pb.ResolveSourceMetaResponse, self.resolve_source_meta
            ),
            SERVICE + "ReadFile": unary(pb.ReadFileRequest, pb.ReadFileResponse, self.read_file),
            SERVICE + "ReadDir": unary(pb.ReadDirRequest, pb.ReadDirResponse, self.read_dir),
            SERVICE + "StatFile": unary(pb.StatFileRequest, pb.StatFileResponse, self.stat_file),
            SERVICE + "Evaluate": unary(pb.EvaluateRequest, pb.EvaluateResponse, self.evaluate),
            SERVICE + "Inputs": unary(pb.InputsRequest, pb.InputsResponse, self.inputs),
            SERVICE + "Return": unary(pb.ReturnRequest, pb.ReturnResponse, self.give_back),
            SERVICE + "Warn": unary(pb.WarnRequest, pb.WarnResponse, self.warn),
        }

    async def ping(self, request: pb.PingRequest, metadata: Metadata) -> pb.PongResponse:
        await self._builds.of(metadata)
        return pb.PongResponse(
            frontend_caps=[pb.Cap(id=each, enabled=True) for each in FRONTEND_CAPS],
            llb_caps=[pb.Cap(id=each, enabled=True) for each in LLB_CAPS],
            workers=await self._workers.records(),
        )

    async def solve(self, request: pb.SolveRequest, metadata: Metadata) -> pb.SolveResponse:
        """A graph is only carried out if it is to be evaluated; else what needs it does that."""
        build = await self._builds.of(metadata)
        if not request.frontend:
            output = build.refs.take_in(request.definition)
            result = BuildResult(roots={"": output})
        else:
            result = await build.run_frontend(frontend_request(request, build.refs))
        if request.evaluate:
            for root in result.roots.values():
                await solved(build, root)
        return pb.SolveResponse(result=build.refs.encode_result(result))

    async def resolve_image_config(
        self, request: pb.ResolveImageConfigRequest, metadata: Metadata
    ) -> pb.ResolveImageConfigResponse:
        build = await self._builds.of(metadata)
        platform = decode_platform(request.platform) if request.HasField("platform") else None
        image = await build.build.resolve_image(request.ref, platform, mode_of(request.resolve_mode), request.log_name)
        return pb.ResolveImageConfigResponse(digest=image.digest, config=image.config, ref=image.ref)

    async def resolve_source_meta(
        self, request: pb.ResolveSourceMetaRequest, metadata: Metadata
    ) -> pb.ResolveSourceMetaResponse:
        build = await self._builds.of(metadata)
        source = decode_source(request.source.identifier, request.source.attrs)
        response = pb.ResolveSourceMetaResponse(source=request.source)
        if isinstance(source, ImageSource):
            platform = decode_platform(request.platform) if request.HasField("platform") else None
            mode = mode_of(request.resolve_mode) if request.resolve_mode else source.resolve_mode
            image = await build.build.resolve_image(source.ref, platform, mode, request.log_name)
            identifier, _ = encode_source(ImageSource(ref=image.ref))
            response.source.identifier = identifier
            response.image.digest, response.image.config = image.digest, image.config
        return response

    async def read_file(self, request: pb.ReadFileRequest, metadata: Metadata) -> pb.ReadFileResponse:
        build = await self._builds.of(metadata)
        output = build.refs.find(request.ref)
        offset, length = (request.range.offset, request.range.length) if request.HasField("range") else (0, None)
        with explained(build):
            data = await build.build.read_file(output, request.path, offset, length or None)
        return pb.ReadFileResponse(data=data)

    async def read_dir(self, request: pb.ReadDirRequest, metadata: Metadata) -> pb.ReadDirResponse:
        build = await self._builds.of(metadata)
        output = build.refs.find(request.ref)
        with explained(build):
            entries = await build.build.read_directory(output, request.path, request.include_pattern)
        return pb.ReadDirResponse(entries=[encode_stat(each) for each in entries])

    async def stat_file(self, request: pb.StatFileRequest, metadata: Metadata) -> pb.StatFileResponse:
        build = await self._builds.of(metadata)
        output = build.refs.find(request.ref)
        with explained(build):
            entry = await build.build.stat_file(output, request.path)
        return pb.StatFileResponse(stat=encode_stat(entry))

    async def evaluate(self, request: pb.EvaluateRequest, metadata: Metadata) -> pb.EvaluateResponse:
        build = await self._builds.of(metadata)
        await solved(build, build.refs.find(request.ref))
        return pb.EvaluateResponse()

    async def inputs(self, request: pb.InputsRequest, metadata: Metadata) -> pb.InputsResponse:
        build = await self._builds.of(metadata)
        return pb.InputsResponse(definitions=build.inputs)

    async def give_back(self, request: pb.ReturnRequest, metadata: Metadata) -> pb.ReturnResponse:
        build = await self._builds.of(metadata)
        if request.HasField("error"):
            build.finish(returned_error(request))
        else:
            build.finish(build.refs.decode_result(request.result))
        return pb.ReturnResponse()

    async def warn(self, request: pb.WarnRequest, metadata: Metadata) -> pb.WarnResponse:
        build = await self._builds.of(metadata)
        build.build.warn(
            Warned(
                vertex=Digest(request.digest) if request.digest else None,
                level=request.level,
                short=request.short,
                detail=tuple(request.detail),
                url=request.url,
                source=decode_file(request.info) if request.HasField("info") else None,
                ranges=decode_ranges(request.ranges),
            )
        )
        return pb.WarnResponse()


@contextmanager
def explained(build: OpenBuild) -> Iterator[None]:
    """Failures of steps with what clients show beside them."""
    try:
        yield
    except StepFailed as e:
        raise build.refs.explain(e) from e


async def solved(build: OpenBuild, output: Output | None) -> None:
    with explained(build):
        await build.build.solve(output)


def mode_of(text: str) -> ResolveMode:
    """Raises InvalidParameter."""
    if not text:
        return ResolveMode.DEFAULT
    if text not in ResolveMode.__members__.values():
        raise InvalidParameter(f"invalid resolve mode {text!r}")
    return ResolveMode(text)


def frontend_request(request: pb.SolveRequest, refs: References) -> FrontendRequest:
    return FrontendRequest(
        name=request.frontend,
        attributes=dict(request.frontend_opt),
        inputs={name: refs.take_in(definition) for name, definition in request.frontend_inputs.items()},
        cache_imports=cache_refs(request.cache_imports),
    )


def cache_refs(entries: Sequence[control_pb2.CacheEntry]) -> list[CacheRef]:
    return [CacheRef(type=each.type, attributes=dict(each.attrs)) for each in entries]


def returned_error(request: pb.ReturnRequest) -> RpcError:
    status = request.error
    code = StatusCode(status.code) if status.code in StatusCode.__members__.values() else StatusCode.UNKNOWN
    return RpcError(code, status.message, [(each.type_url, each.value) for each in status.details])
