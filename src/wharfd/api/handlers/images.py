"""Images: what is here, from where it comes (an archive, a root file system's tar) and how it goes."""

from collections.abc import Awaitable, Callable, Sequence

from wharfd.api.codec.images import (
    decode_platform,
    encode_details,
    encode_history,
    encode_progress,
    encode_pruned,
    encode_steps,
    encode_summary,
)
from wharfd.api.params import flag, form
from wharfd.api.router import Route
from wharfd.api.streams import Progress, error_line, send_progress
from wharfd.api.transport import Request, Response, StreamResponse, json_response
from wharfd.api.versions.behaviour import Behaviour
from wharfd.api.versions.changes import downgrade
from wharfd.engine.images.assembly import ImageUseCases
from wharfd.engine.images.importing import Import
from wharfd.engine.images.progress import ImageLoaded, LayerLoaded
from wharfd.engine.images.tag import new_name
from wharfd.engine.images.web_import import Downloading, ImportFromWeb, Importing
from wharfd.model.errors import EngineError, InvalidParameter, NotImplementedHere
from wharfd.wire.filters import parse_filters
from wharfd.wire.oci import Platform, from_machine, parse_platform
from wharfd.wire.target import Query

Pull = Callable[[Request, Query], Awaitable[None]]


class ImageHandlers:
    """`driver`: the storage driver's name, as inspect shows it; `machine`: this host's, as `uname -m` has it; `pull` takes its part of
    `/images/create`."""

    def __init__(
        self, cases: ImageUseCases, *, driver: str, machine: str, pull: Pull, import_from_web: ImportFromWeb
    ) -> None:
        self.cases = cases
        self.import_from_web = import_from_web
        self.pull = pull
        self.driver = driver
        self.machine = machine

    def routes(self) -> Sequence[Route]:
        get, post = "GET", "POST"
        return [
            Route(method=get, pattern="/images/json", handler=self.list, name="images.list"),
            Route(method=get, pattern="/images/get", handler=self.save_several, name="images.save_several"),
            Route(method=get, pattern="/images/{name:.*}/json", handler=self.inspect, name="images.inspect"),
            Route(method=get, pattern="/images/{name:.*}/history", handler=self.history, name="images.history"),
            Route(method=get, pattern="/images/{name:.*}/get", handler=self.save, name="images.save"),
            Route(
                method=post,
                pattern="/images/create",
                handler=self.create,
                name="images.create",
                cancel_on_disconnect=True,
            ),
            Route(
                method=post, pattern="/images/load", handler=self.load, name="images.load", cancel_on_disconnect=True
            ),
            Route(method=post, pattern="/images/prune", handler=self.prune, name="images.prune", since="1.25"),
            Route(method=post, pattern="/images/{name:.*}/tag", handler=self.tag, name="images.tag"),
            Route(method="DELETE", pattern="/images/{name:.*}", handler=self.delete, name="images.delete"),
        ]

    async def list(self, request: Request) -> Response:
        query, behaviour = request.query, Behaviour.for_version(request.version)
        filters = parse_filters(query.get("filters", ""))
        if behaviour.reference_filter_from_query and query.get("filter", ""):
            filters = filters.with_value("reference", query.get("filter", ""))
        manifests = behaviour.list_takes_manifests and flag(query, "manifests")
        if behaviour.list_takes_identity and flag(query, "identity") and not manifests:
            raise InvalidParameter("identity requires manifests to be requested")
        found = await self.cases.views.summaries(
            filters, shared_size=behaviour.list_takes_shared_size and flag(query, "shared-size"), manifests=manifests
        )
        return json_response([downgrade("image.list", request.version, encode_summary(each)) for each in found])

    async def inspect(self, request: Request) -> Response:
        query, behaviour = request.query, Behaviour.for_version(request.version)
        platform = query.get("platform", "") if behaviour.inspect_takes_platform else ""
        manifests = behaviour.inspect_takes_manifests and flag(query, "manifests")
        if platform and manifests:
            raise InvalidParameter("conflicting options: manifests and platform options cannot both be set")
        details = await self.cases.views.inspect(
            request.params["name"], decode_platform(platform) if platform else None, manifests=manifests
        )
        doc = encode_details(details)
        if behaviour.inspect_has_graph_driver:
            doc["GraphDriver"] = {"Data": None, "Name": self.driver}
        return json_response(downgrade("image.inspect", request.version, doc))

    async def history(self, request: Request) -> Response:
        rows = await self.cases.views.history(request.params["name"], self.asked_platform(request))
        return json_response(encode_history(rows))

    def asked_platform(self, request: Request) -> Platform | None:
        """One platform, as history and save take it from 1.48 on."""
        text = request.query.get("platform", "")
        takes = Behaviour.for_version(request.version).history_takes_platform
        return decode_platform(text) if takes and text else None

    def asked_platforms(self, request: Request) -> Sequence[Platform]:
        behaviour = Behaviour.for_version(request.version)
        if not behaviour.history_takes_platform:
            return []
        texts = [text for text in request.query.all("platform") if text]
        if len(texts) > 1 and not behaviour.several_platforms:
            raise InvalidParameter("multiple platform parameters not supported")
        return [decode_platform(text) for text in texts]

    async def tag(self, request: Request) -> Response:
        query = await form(request)
        await self.cases.tag(request.params["name"], query.get("repo", ""), query.get("tag", ""))
        return Response(201)

    async def delete(self, request: Request) -> Response:
        query = request.query
        name = request.params["name"]
        if not name.strip():
            raise InvalidParameter("image name cannot be blank")
        if Behaviour.for_version(request.version).delete_takes_platforms and query.get("platforms", ""):
            raise NotImplementedHere("deleting one platform of an image is not implemented by this engine")
        outcome = await self.cases.delete(name, force=flag(query, "force"), prune_parents=not flag(query, "noprune"))
        return json_response(encode_steps(outcome.steps))

    async def prune(self, request: Request) -> Response:
        query = await form(request)
        pruned = await self.cases.prune(parse_filters(query.get("filters", "")))
        return json_response(encode_pruned(pruned))

    async def load(self, request: Request) -> None:
        """Docker: whatever goes wrong is a line of the stream, never a status, once the query was understood."""
        platforms = self.asked_platforms(request)
        quiet = flag(request.query, "quiet")

        async def work(progress: Progress) -> None:
            def tell(told: LayerLoaded | ImageLoaded) -> None:
                if not quiet or isinstance(told, ImageLoaded):
                    progress.put(encode_progress(told), terminal=True)

            try:
                await self.cases.load(request.pieces(), tell, platforms)
            except EngineError as e:
                progress.put(error_line(e), terminal=True)

        await send_progress(request, work)

    async def create(self, request: Request) -> None:
        """Pull (`fromImage`) or import (`fromSrc`)."""
        query = await form(request)
        if query.get("fromImage", ""):
            await self.pull(request, query)
            return
        source = query.get("fromSrc", "")
        if not source:
            raise InvalidParameter("fromImage or fromSrc must be given")
        asked = self.import_of(request, query)

        async def work(progress: Progress) -> None:
            if source == "-":
                image_id = await self.cases.import_image(asked, request.pieces())
            else:
                image_id = await self.import_from_web(asked, source, lambda told: tell_web_import(progress, told))
            progress.put({"status": image_id}, terminal=True)

        await send_progress(request, work)

    def import_of(self, request: Request, query: Query) -> Import:
        repository, platform = query.get("repo", ""), query.get("platform", "")
        takes_platform = Behaviour.for_version(request.version).pull_takes_platform
        return Import(
            name=new_name(repository, query.get("tag", "")) if repository else None,
            message=query.get("message", "") or ("Imported from -" if query.get("fromSrc", "") == "-" else ""),
            changes=query.all("changes"),
            platform=parse_platform(platform, from_machine(self.machine)) if platform and takes_platform else None,
        )

    async def save(self, request: Request) -> StreamResponse:
        return await self.saved(request, [request.params["name"]])

    async def save_several(self, request: Request) -> StreamResponse:
        return await self.saved(request, [name for name in request.query.all("names") if name])

    async def saved(self, request: Request, names: Sequence[str]) -> StreamResponse:
        body = await self.cases.save(names, self.asked_platform(request))
        return StreamResponse(body=body, headers=[("Content-Type", "application/x-tar")])


def tell_web_import(progress: Progress, told: Downloading | Importing) -> None:
    match told:
        case Downloading(url):
            progress.put({"status": f"Downloading from {url}"}, terminal=True)
        case Importing(current, total):
            # Its line has no id by which a newer one could take its place: a client that is behind misses some.
            if not progress.has_lines or current == total:
                progress.put({"status": "Importing", "progressDetail": {"current": current, "total": total}})
