"""`POST /build?version=2`: BuildKit over REST.  The client's files come over his session, the answer tells of the build as Status does.

{"id": "moby.buildkit.trace", "aux": base64 of a StatusResponse}   as long as it goes on
{"id": "moby.image.id", "aux": {"ID": "sha256:…"}}                  at the end
"""

import asyncio
import base64
import json
from collections.abc import Mapping
from typing import TypeVar

import msgspec

from wharfd.api.grpc.progress import encode_updates
from wharfd.api.grpc.session_client import SessionClient
from wharfd.api.params import flag, integer_or_zero
from wharfd.api.streams import Progress
from wharfd.engine.build.requests import BuildOptions, CacheRef, Export, FrontendRequest
from wharfd.engine.build.service import Build, BuildService
from wharfd.model.errors import InvalidParameter, NotImplementedHere
from wharfd.wire.target import Query

TRACE = "moby.buildkit.trace"
IMAGE_ID = "moby.image.id"
CLIENT_SESSION = "client-session"
UPLOAD_REQUEST = "upload-request"

Value = TypeVar("Value")


class Ulimit(msgspec.Struct, rename="pascal"):
    name: str = ""
    soft: int = 0
    hard: int = 0


class Output(msgspec.Struct, rename="pascal"):
    type: str = ""
    attrs: dict[str, str] | None = None


async def build(builds: BuildService, client: SessionClient, query: Query, progress: Progress) -> None:
    """Tells `progress` of it, to the end.  Raises what the build raises."""
    request = frontend_request(query)
    exports = [export_of(query)]
    options = BuildOptions(
        ref=query.get("buildid", ""),
        entitlements=entitlements(query),
        cache_imports=cache_imports(query),
        cache_exports=cache_exports(request.attributes),
        frontend=request.name,
        frontend_attributes=request.attributes,
        session_id=query.get("session", ""),
    )
    response: Mapping[str, str] = {}
    async with asyncio.TaskGroup() as group, builds.open(options, client) as opened:
        group.create_task(tell(opened, progress), name=f"build-progress:{opened.ref}")
        result = await opened.run_frontend(request)
        response = await opened.export(result, exports)
    image = response.get("containerimage.digest", "")
    if image:
        await progress.send({"id": IMAGE_ID, "aux": {"ID": image}})


async def tell(opened: Build, progress: Progress) -> None:
    async for batch in opened.updates():
        for response in encode_updates(batch):
            text = base64.b64encode(response.SerializeToString()).decode()
            await progress.send({"id": TRACE, "aux": text})


def frontend_request(query: Query) -> FrontendRequest:
    """The query in the frontend's words.  Raises InvalidParameter, NotImplementedHere."""
    remote = query.get("remote", "")
    if remote in {"", UPLOAD_REQUEST}:
        raise NotImplementedHere("a context in the request's body, with version=2; version=1 takes it")
    attributes: dict[str, str] = {}

    def put(key: str, value: str) -> None:
        if value:
            attributes[key] = value

    put("target", query.get("target", ""))
    put("filename", query.get("dockerfile", ""))
    put("context", "" if remote == CLIENT_SESSION else remote)
    put("platform", query.get("platform", ""))
    put("cgroup-parent", query.get("cgroupparent", ""))
    if flag(query, "nocache"):
        attributes["no-cache"] = ""
    if flag(query, "pull"):
        attributes["image-resolve-mode"] = "pull"
    for key, value in (decoded(query, "buildargs", dict[str, str | None]) or {}).items():
        if value is not None:  # Docker: null is an argument that is not set
            attributes[f"build-arg:{key}"] = value
    for key, value in (decoded(query, "labels", dict[str, str]) or {}).items():
        attributes[f"label:{key}"] = value
    put("cache-from", ",".join(decoded(query, "cachefrom", list[str]) or ()))
    put("force-network-mode", network_mode(query))
    put("add-hosts", ",".join(query.all("extrahosts")))
    size = integer_or_zero(query, "shmsize")
    put("shm-size", str(size) if size > 0 else "")
    limits = decoded(query, "ulimits", list[Ulimit]) or []
    put("ulimit", ",".join(f"{each.name}={each.soft}:{each.hard}" for each in limits))
    return FrontendRequest(attributes=attributes)


def network_mode(query: Query) -> str:
    """Docker: only these; a network of one's own is for the classic builder."""
    mode = query.get("networkmode", "")
    match mode:
        case "" | "default":
            return ""
        case "none" | "host":
            return mode
        case _:
            raise InvalidParameter(f'network mode "{mode}" not supported by buildkit')


def entitlements(query: Query) -> frozenset[str]:
    return frozenset({"network.host"}) if network_mode(query) == "host" else frozenset()


def cache_imports(query: Query) -> list[CacheRef]:
    refs = decoded(query, "cachefrom", list[str]) or []
    return [CacheRef(type="registry", attributes={"ref": ref}) for ref in refs]


def cache_exports(attributes: Mapping[str, str]) -> list[CacheRef]:
    """Docker: this build argument asks for the cache within the image."""
    inline = attributes.get("build-arg:BUILDKIT_INLINE_CACHE", "")
    return [CacheRef(type="inline")] if inline.lower() in {"1", "t", "true"} else []


def export_of(query: Query) -> Export:
    """Raises InvalidParameter, NotImplementedHere for what would need the client's side."""
    outputs = decoded(query, "outputs", list[Output]) or []
    if len(outputs) > 1:
        raise InvalidParameter("multiple outputs not supported")
    output = outputs[0] if outputs else Output()
    if output.type not in {"", "moby", "image", "cacheonly"}:
        raise NotImplementedHere(f"output of type {output.type} over REST")
    attributes = dict(output.attrs or {})
    names = ",".join(query.all("t"))
    if names:
        attributes["name"] = names
    return Export(type="cacheonly" if output.type == "cacheonly" else "image", attributes=attributes)


def decoded(query: Query, key: str, kind: type[Value]) -> Value | None:
    """JSON in the query.  Raises InvalidParameter."""
    text = query.get(key, "")
    if not text:
        return None
    try:
        return msgspec.convert(json.loads(text), kind | None, strict=False)
    except (ValueError, msgspec.ValidationError, RecursionError) as e:
        raise InvalidParameter(f"error reading {key}: {e}") from e
