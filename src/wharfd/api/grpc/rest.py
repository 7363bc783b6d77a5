"""`POST /build?version=2`: BuildKit over REST.  The client's files come over his session, or as an archive in the body.

    {"id": "moby.buildkit.trace", "aux": base64 of a StatusResponse}   as long as it goes on
    {"id": "moby.image.id", "aux": {"ID": "sha256:…"}}                  at the end

`remote`: `client-session`; `upload-request`, where the archive comes with a second request whose `buildid` is `upload-request:` and that
of the first; an address; empty for an archive in the body.
"""

import asyncio
import base64
from collections.abc import Mapping

import msgspec

from wharfd.api.codec.build import decode_build, decoded
from wharfd.api.grpc.progress import encode_updates
from wharfd.api.grpc.session_client import SessionClient
from wharfd.api.grpc.sessions import Sessions
from wharfd.api.grpc.uploads import Upload, Uploads
from wharfd.api.streams import Progress
from wharfd.api.transport import Request
from wharfd.api.versions.behaviour import Behaviour
from wharfd.engine.build.classic.context import ArchiveClient, ContextFiles
from wharfd.engine.build.classic.request import ClassicRequest
from wharfd.engine.build.client import BuildClient
from wharfd.engine.build.requests import BuildOptions, CacheRef, Export, FrontendRequest
from wharfd.engine.build.roots import LocalDirectory
from wharfd.engine.build.service import Build, BuildService
from wharfd.model.errors import InvalidParameter, NotImplementedHere
from wharfd.ports.localtrees import HeldTree
from wharfd.wire.target import Query
from wharfd.wire.treedigest import TreeIndex

TRACE = "moby.buildkit.trace"
IMAGE_ID = "moby.image.id"
CLIENT_SESSION = "client-session"
UPLOAD_REQUEST = "upload-request"
UPLOAD_PREFIX = f"{UPLOAD_REQUEST}:"


class Output(msgspec.Struct, rename="pascal"):
    type: str = ""
    attrs: dict[str, str] | None = None


class RestBuilds:
    def __init__(self, *, builds: BuildService, sessions: Sessions, contexts: ContextFiles) -> None:
        self._builds = builds
        self._sessions = sessions
        self._contexts = contexts
        self._uploads = Uploads()

    async def __call__(self, request: Request, progress: Progress) -> None:
        """Tells `progress` of the build, to the end.  Raises what it raises."""
        query = request.query
        behaviour = Behaviour.for_version(request.version)
        asked = decode_build(query, request.header("x-registry-config"), "", behaviour)
        if asked.build_id.startswith(UPLOAD_PREFIX):
            await self.upload(asked.build_id.removeprefix(UPLOAD_PREFIX), request)
        elif asked.remote == UPLOAD_REQUEST:
            await self.build_tree(query, asked, await self._uploads.take(asked.build_id), progress)
        elif asked.remote or not request.has_body:
            client = SessionClient(self._sessions, query.get("session", ""))
            await self.build(query, asked, client, progress)
        else:
            await self.build_tree(query, asked, await self._contexts.receive(request.pieces()), progress)

    # archives

    async def upload(self, build_id: str, request: Request) -> None:
        tree = await self._contexts.receive(request.pieces())
        upload = Upload(tree)
        try:
            await self._uploads.bring(build_id, upload)
        finally:
            if not upload.taken.is_set():
                await self._contexts.drop(tree)

    async def build_tree(self, query: Query, asked: ClassicRequest, tree: HeldTree, progress: Progress) -> None:
        """The tree goes when the build is over."""
        try:
            session_id = query.get("session", "")
            directory = LocalDirectory(tree, TreeIndex(tree.index()))
            client: BuildClient
            if session_id:
                client = UploadingClient(self._sessions, session_id, directory)
            else:
                client = ArchiveClient(directory, asked.logins, {})
            await self.build(query, asked, client, progress)
        finally:
            await self._contexts.drop(tree)

    # the build

    async def build(self, query: Query, asked: ClassicRequest, client: BuildClient, progress: Progress) -> None:
        request = FrontendRequest(attributes=attributes_of(asked))
        exports = [export_of(query, asked)]
        options = BuildOptions(
            ref=asked.build_id,
            entitlements=frozenset({"network.host"}) if asked.network_mode == "host" else frozenset(),
            cache_imports=[CacheRef(type="registry", attributes={"ref": ref}) for ref in asked.cache_from],
            cache_exports=cache_exports(request.attributes),
            frontend=request.name,
            frontend_attributes=request.attributes,
            session_id=query.get("session", ""),
        )
        async with asyncio.TaskGroup() as group, self._builds.open(options, client) as opened:
            group.create_task(tell(opened, progress), name=f"build-progress:{opened.ref}")
            response = await opened.export(await opened.run_frontend(request), exports)
        image = response.get("containerimage.digest", "")
        if image:
            await progress.send({"id": IMAGE_ID, "aux": {"ID": image}})


class UploadingClient(SessionClient):
    """A client with a session that has sent its files as an archive.  Satisfies `Uploaded`, too."""

    def __init__(self, sessions: Sessions, session_id: str, directory: LocalDirectory) -> None:
        super().__init__(sessions, session_id)
        self._uploaded = directory

    async def uploaded(self) -> LocalDirectory:
        return self._uploaded


async def tell(opened: Build, progress: Progress) -> None:
    async for batch in opened.updates():
        for response in encode_updates(batch):
            text = base64.b64encode(response.SerializeToString()).decode()
            await progress.send({"id": TRACE, "aux": text})


def attributes_of(asked: ClassicRequest) -> dict[str, str]:
    """The query in the frontend's words.  Raises InvalidParameter."""
    fields = {
        "target": asked.target,
        "filename": asked.dockerfile,
        "context": "" if asked.remote in {CLIENT_SESSION, UPLOAD_REQUEST} else asked.remote,
        "platform": asked.platform,
        "cgroup-parent": asked.limits.cgroup_parent,
        "image-resolve-mode": "pull" if asked.pull else "",
        "cache-from": ",".join(asked.cache_from),
        "force-network-mode": network_mode(asked.network_mode),
        "add-hosts": ",".join(each if "=" in each else each.replace(":", "=", 1) for each in asked.extra_hosts),
        "shm-size": str(asked.shm_size) if asked.shm_size > 0 else "",
        "ulimit": ",".join(f"{each.name}={each.soft}:{each.hard}" for each in asked.ulimits),
    }
    attributes = {key: value for key, value in fields.items() if value}
    if asked.no_cache:
        attributes["no-cache"] = ""
    # Docker: null is an argument that is not set.
    attributes |= {f"build-arg:{key}": value for key, value in asked.build_args.items() if value is not None}
    attributes |= {f"label:{key}": value for key, value in asked.labels.items()}
    return attributes


def network_mode(mode: str) -> str:
    """Docker: only these; a network of one's own is for the classic builder."""
    if mode in {"", "default"}:
        return ""
    if mode not in {"none", "host"}:
        raise InvalidParameter(f'network mode "{mode}" not supported by buildkit')
    return mode


def cache_exports(attributes: Mapping[str, str]) -> list[CacheRef]:
    """Docker: this build argument asks for the cache within the image."""
    inline = attributes.get("build-arg:BUILDKIT_INLINE_CACHE", "")
    return [CacheRef(type="inline")] if inline.lower() in {"1", "t", "true"} else []


def export_of(query: Query, asked: ClassicRequest) -> Export:
    """Raises InvalidParameter, NotImplementedHere for what would need the client's side."""
    outputs = decoded(query, "outputs", "invalid outputs specified", list[Output]) or []
    if len(outputs) > 1:
        raise InvalidParameter("multiple outputs not supported")
    output = outputs[0] if outputs else Output()
    if output.type not in {"", "moby", "image", "cacheonly"}:
        raise NotImplementedHere(f"output of type {output.type} over REST")
    attributes = dict(output.attrs or {})
    if asked.names:
        attributes["name"] = ",".join(str(name) for name in asked.names)
    return Export(type="cacheonly" if output.type == "cacheonly" else "image", attributes=attributes)
