"""A registry of uploads alone, which does what the OCI distribution spec says of broken and chunked ones, unlike docker-registry."""

import hashlib
from dataclasses import dataclass, field

from aiohttp import web


@dataclass
class UploadServer:
    """`cut_at`: after so many bytes of an upload in all, the connection is cut, once each."""

    least_chunk: int = 0
    cut_at: list[int] = field(default_factory=list)
    blobs: dict[str, bytes] = field(default_factory=dict)
    uploads: dict[str, bytearray] = field(default_factory=dict)
    seen: list[tuple[str, str]] = field(default_factory=list)  # method, Content-Range or nothing

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.seen.append((request.method, request.headers.get("Content-Range", "")))
        if "/uploads/" not in request.path:
            return web.Response(status=200 if request.path.rpartition("/")[2] in self.blobs else 404)
        name = request.path.rpartition("/")[2]
        if request.method == "POST":
            name = f"u{len(self.seen)}"
            self.uploads[name] = bytearray()
            headers = {"Location": f"/v2/app/blobs/uploads/{name}?state=x%2Fy"}
            if self.least_chunk:
                headers["OCI-Chunk-Min-Length"] = str(self.least_chunk)
            return web.Response(status=202, headers=headers)
        upload = self.uploads.get(name)
        if upload is None or request.query.get("state") != "x/y":
            return web.json_response({"errors": [{"code": "BLOB_UPLOAD_UNKNOWN"}]}, status=404)
        headers = {"Location": f"/v2/app/blobs/uploads/{name}?state=x%2Fy", "Range": f"0-{max(len(upload), 1) - 1}"}
        if request.method == "GET":
            return web.Response(status=204, headers=headers)
        if request.method == "DELETE":
            del self.uploads[name]
            return web.Response(status=204)
        begin = request.headers.get("Content-Range", "").partition("-")[0]
        if begin and int(begin) != len(upload):
            return web.Response(status=416, headers=headers)
        async for piece in request.content.iter_chunked(64 << 10):
            upload += piece
            if self.cut_at and len(upload) >= self.cut_at[0]:
                del self.cut_at[0]
                if request.transport is not None:
                    request.transport.abort()
                return web.Response()
        headers["Range"] = f"0-{max(len(upload), 1) - 1}"
        if request.method == "PATCH":
            return web.Response(status=202, headers=headers)
        digest = "sha256:" + hashlib.sha256(upload).hexdigest()
        del self.uploads[name]
        if digest != request.query["digest"]:
            return web.json_response({"errors": [{"code": "DIGEST_INVALID"}]}, status=400)
        self.blobs[digest] = bytes(upload)
        return web.Response(status=201)
