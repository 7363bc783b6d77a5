"""A container's files: `docker cp` both ways, export, diff, and commit, which makes an image of them."""

from collections.abc import Sequence

from wharfd.api.codec.containers.files import decode_commit, encode_changes, encode_committed
from wharfd.api.jsonbody import read_json
from wharfd.api.params import flag
from wharfd.api.router import Route
from wharfd.api.transport import Request, Response, StreamResponse, json_response
from wharfd.engine.containers.archive.changes import ListChanges
from wharfd.engine.containers.archive.copy_in import CopyIn
from wharfd.engine.containers.archive.copy_out import CopyOut
from wharfd.engine.containers.archive.export import Export
from wharfd.engine.containers.archive.stat_path import StatPath
from wharfd.engine.containers.commit import CommitContainer, CommitRequest
from wharfd.engine.images.tag import new_name
from wharfd.model.errors import InvalidParameter
from wharfd.model.files import PathStat
from wharfd.wire.accept import choose_encoding
from wharfd.wire.containerpath import parse_container_path
from wharfd.wire.pathstat import HEADER, encode_path_stat

ENCODINGS = ("gzip", "deflate")


class ContainerFileHandlers:
    def __init__(
        self,
        *,
        stat_path: StatPath,
        copy_out: CopyOut,
        copy_in: CopyIn,
        export: Export,
        changes: ListChanges,
        commit: CommitContainer,
    ) -> None:
        self.use_stat_path = stat_path
        self.use_copy_out = copy_out
        self.use_copy_in = copy_in
        self.use_export = export
        self.use_changes = changes
        self.use_commit = commit

    def routes(self) -> Sequence[Route]:
        archive = "/containers/{id}/archive"
        return [
            Route(method="HEAD", pattern=archive, handler=self.info, name="containers.archive_info"),
            Route(
                method="GET",
                pattern=archive,
                handler=self.get,
                name="containers.archive_get",
                cancel_on_disconnect=True,
            ),
            Route(method="PUT", pattern=archive, handler=self.put, name="containers.archive_put"),
            Route(
                method="GET",
                pattern="/containers/{id}/export",
                handler=self.export,
                name="containers.export",
                cancel_on_disconnect=True,
            ),
            Route(method="GET", pattern="/containers/{id}/changes", handler=self.changes, name="containers.changes"),
            Route(method="POST", pattern="/commit", handler=self.commit, name="images.commit"),
        ]

    async def info(self, request: Request) -> Response:
        return Response(200, stat_header(await self.use_stat_path(request.params["id"], asked_path(request))))

    async def get(self, request: Request) -> StreamResponse:
        encoding = choose_encoding(request.header_all("accept-encoding"), ENCODINGS)
        status, archive = await self.use_copy_out(request.params["id"], asked_path(request), encoding)
        headers = [("Content-Type", "application/x-tar"), *stat_header(status)]
        if encoding:
            headers.append(("Content-Encoding", encoding))
        return StreamResponse(body=archive, headers=headers)

    async def put(self, request: Request) -> Response:
        query = request.query
        await self.use_copy_in(
            request.params["id"],
            asked_path(request),
            request.pieces(),
            keep_kinds=flag(query, "noOverwriteDirNonDir"),
            as_user=flag(query, "copyUIDGID"),
        )
        return Response(200)

    async def export(self, request: Request) -> StreamResponse:
        archive = await self.use_export(request.params["id"])
        return StreamResponse(body=archive, headers=[("Content-Type", "application/octet-stream")])

    async def changes(self, request: Request) -> Response:
        return json_response(encode_changes(await self.use_changes(request.params["id"])))

    async def commit(self, request: Request) -> Response:
        query = request.query
        config = decode_commit(await read_json(request), request.version)
        repository = query.get("repo", "")
        ref = query.get("container", "")
        name = new_name(repository, query.get("tag", "")) if repository else None
        if not ref:
            raise InvalidParameter('invalid name or ID supplied: ""')
        image_id = await self.use_commit(
            CommitRequest(
                ref=ref,
                name=name,
                author=query.get("author", ""),
                comment=query.get("comment", ""),
                pause=flag(query, "pause", default=True) or not query.get("pause", ""),
                changes=query.all("changes"),
                config=config,
            )
        )
        return json_response(encode_committed(image_id), 201)


def asked_path(request: Request) -> str:
    """As the client wrote it.  Raises InvalidParameter for one that cannot be meant."""
    path = request.query.get("path", "")
    parse_container_path(path)
    return path


def stat_header(status: PathStat) -> list[tuple[str, str]]:
    return [(HEADER, encode_path_stat(status))]
