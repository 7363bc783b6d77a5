"""BuildKit's doors: connections that HTTP/1.1 gives away to gRPC.

The services behind them are imported when the first client comes: an engine without builds need not have them in memory.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from wharfd.api.router import Route
from wharfd.api.streams import send_progress
from wharfd.api.transport import Request
from wharfd.model.errors import Internal, InvalidParameter

if TYPE_CHECKING:
    from wharfd.api.grpc.door import Door

PROTOCOL = "h2c"


class BuildkitHandlers:
    """`make_door` is called once."""

    def __init__(self, make_door: Callable[[], "Door"]) -> None:
        self._make_door = make_door
        self._door: Door | None = None

    @property
    def door(self) -> "Door":
        if self._door is None:
            self._door = self._make_door()
        return self._door

    def routes(self) -> Sequence[Route]:
        return [
            Route(method="POST", pattern="/session", handler=self.session, name="build.session", since="1.31"),
            Route(method="POST", pattern="/grpc", handler=self.grpc, name="build.grpc", undocumented=True),
        ]

    async def build(self, request: Request) -> None:
        """`POST /build?version=2`."""
        door = self.door
        await send_progress(request, lambda progress: door.build(request, progress))

    async def grpc(self, request: Request) -> None:
        """Docker: a request for another protocol is the server's fault here, and the client's at `/session`."""
        fault = wrong_protocol(request)
        if fault:
            raise Internal(fault)
        door = self.door
        transport, rest = await request.take_transport(protocol=PROTOCOL)
        request.endless = True
        await door.serve_grpc(transport, rest)

    async def session(self, request: Request) -> None:
        fault = wrong_protocol(request)
        if fault:
            raise InvalidParameter(fault)
        door = self.door
        headers = grouped(request.headers)
        transport, rest = await request.take_transport(protocol=PROTOCOL)
        request.endless = True
        await door.serve_session(transport, rest, headers)


def wrong_protocol(request: Request) -> str:
    """dockerd's text, empty if it is right."""
    protocol = request.header("upgrade")
    if not protocol:
        return "no upgrade proto in request"
    return "" if protocol.lower() == PROTOCOL else f"protocol {protocol} not supported"


def grouped(headers: Sequence[tuple[str, str]]) -> Mapping[str, list[str]]:
    values: dict[str, list[str]] = {}
    for name, value in headers:
        values.setdefault(name, []).append(value)
    return values
