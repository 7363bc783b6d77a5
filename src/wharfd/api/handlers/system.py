"""`/_ping`, `/version`, `/info`: who is there."""

from collections.abc import Sequence

from wharfd.api.codec.system import encode_info, encode_version
from wharfd.api.router import Route
from wharfd.api.transport import Request, Response, json_response
from wharfd.api.versions.changes import downgrade
from wharfd.api.versions.version import MAX, Version
from wharfd.engine.system import System

PING_HEADERS = (
    ("Builder-Version", "2"),  # Docker: clients prefer BuildKit's doors
    ("Swarm", "inactive"),
    ("Cache-Control", "no-cache, no-store, must-revalidate"),
    ("Pragma", "no-cache"),
    ("Content-Type", "text/plain; charset=utf-8"),
)


class SystemHandlers:
    def __init__(self, system: System, min_version: Version) -> None:
        self.system = system
        self.min_version = min_version
        self.pong = Response(200, PING_HEADERS, b"OK")
        self.silent_pong = Response(200, PING_HEADERS, b"")

    def routes(self) -> Sequence[Route]:
        return [
            Route(method="GET", pattern="/_ping", handler=self.ping, name="system.ping"),
            Route(method="HEAD", pattern="/_ping", handler=self.ping_head, name="system.ping_head"),
            Route(method="GET", pattern="/version", handler=self.version, name="system.version"),
            Route(method="GET", pattern="/info", handler=self.info, name="system.info"),
        ]

    def ping(self, request: Request) -> Response:
        return self.pong

    def ping_head(self, request: Request) -> Response:
        """Docker: Content-Length 0, unlike GET."""
        return self.silent_pong

    async def version(self, request: Request) -> Response:
        doc = encode_version(await self.system.facts(), str(MAX), str(self.min_version))
        return json_response(downgrade("system.version", request.version, doc))

    async def info(self, request: Request) -> Response:
        return json_response(downgrade("system.info", request.version, encode_info(await self.system.facts())))
