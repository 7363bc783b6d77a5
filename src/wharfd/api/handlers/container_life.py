"""A container's life: start, stop, restart, kill, pause, unpause, wait."""

from collections.abc import Sequence

import msgspec

from wharfd.api.codec.containers.reports import encode_wait
from wharfd.api.params import form, integer
from wharfd.api.router import Route
from wharfd.api.transport import Request, Response, StreamResponse
from wharfd.api.versions.behaviour import Behaviour
from wharfd.engine.containers.kill import Kill
from wharfd.engine.containers.pause import Pause, Unpause
from wharfd.engine.containers.restart import Restart
from wharfd.engine.containers.start import Start
from wharfd.engine.containers.stop import Stop
from wharfd.engine.containers.wait import Wait
from wharfd.engine.containers.waiters import WaitCondition, Waiting
from wharfd.model.errors import InvalidParameter

NO_CONTENT = Response(204)
JSON_TYPE = [("Content-Type", "application/json")]
LONGEST_EMPTY_BODY = 7  # bytes.  Docker: a non-empty JSON object is longer


class ContainerLifeHandlers:
    def __init__(
        self,
        *,
        start: Start,
        stop: Stop,
        restart: Restart,
        kill: Kill,
        pause: Pause,
        unpause: Unpause,
        wait: Wait,
    ) -> None:
        self.use_start = start
        self.use_stop = stop
        self.use_restart = restart
        self.use_kill = kill
        self.use_pause = pause
        self.use_unpause = unpause
        self.use_wait = wait

    def routes(self) -> Sequence[Route]:
        calls = {
            "start": self.start,
            "stop": self.stop,
            "restart": self.restart,
            "kill": self.kill,
            "pause": self.pause,
            "unpause": self.unpause,
        }
        return [
            *(
                Route(method="POST", pattern=f"/containers/{{id}}/{word}", handler=handler, name=f"containers.{word}")
                for word, handler in calls.items()
            ),
            Route(
                method="POST",
                pattern="/containers/{id}/wait",
                handler=self.wait,
                name="containers.wait",
                cancel_on_disconnect=True,
            ),
        ]

    async def start(self, request: Request) -> Response:
        if request.head.is_chunked or request.head.content_length > LONGEST_EMPTY_BODY:
            raise InvalidParameter(
                "starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24"
            )
        if request.query.get("checkpoint"):
            raise InvalidParameter("checkpoint is only supported in experimental mode")
        await self.use_start(request.params["id"])
        return NO_CONTENT

    async def stop(self, request: Request) -> Response:
        signal, timeout_s = await stop_options(request)
        await self.use_stop(request.params["id"], signal=signal, timeout_s=timeout_s)
        return NO_CONTENT

    async def restart(self, request: Request) -> Response:
        signal, timeout_s = await stop_options(request)
        await self.use_restart(request.params["id"], signal=signal, timeout_s=timeout_s)
        return NO_CONTENT

    async def kill(self, request: Request) -> Response:
        query = await form(request)
        await self.use_kill(request.params["id"], query.get("signal", ""))
        return NO_CONTENT

    async def pause(self, request: Request) -> Response:
        await self.use_pause(request.params["id"])
        return NO_CONTENT

    async def unpause(self, request: Request) -> Response:
        await self.use_unpause(request.params["id"])
        return NO_CONTENT

    async def wait(self, request: Request) -> Response | StreamResponse:
        """Docker: the head is sent at once, so that a client can register before it starts the container."""
        behaviour = Behaviour.for_version(request.version)
        query = await form(request)
        condition = query.get("condition", "") if behaviour.wait_takes_condition else ""
        waiting = self.use_wait.register(request.params["id"], condition)
        hides_failure = behaviour.wait_removed_ignores_failure and condition == WaitCondition.REMOVED
        body = WaitBody(waiting, hides_failure)
        if behaviour.wait_flushes_headers:
            return StreamResponse(body=body, headers=JSON_TYPE, flush_head=True, endless=True)
        return Response(200, JSON_TYPE, b"".join([piece async for piece in body]))


async def stop_options(request: Request) -> tuple[str, int | None]:
    """Signal and timeout in seconds."""
    query = await form(request)
    signal = query.get("signal", "") if Behaviour.for_version(request.version).takes_stop_signal else ""
    return signal, integer(query, "t")


class WaitBody:
    """The one document, when it is over.  Closing it, begun or not, ends the registration."""

    def __init__(self, waiting: Waiting, hides_failure: bool) -> None:
        self.waiting = waiting
        self.hides_failure = hides_failure
        self.is_over = False

    def __aiter__(self) -> "WaitBody":
        return self

    async def __anext__(self) -> bytes:
        if self.is_over:
            raise StopAsyncIteration
        try:
            result = await self.waiting.result()
        finally:
            await self.aclose()
        # Docker: old clients know no error here; nothing at all is one to them.
        if self.hides_failure and result.error:
            raise StopAsyncIteration
        return msgspec.json.encode(encode_wait(result)) + b"\n"

    async def aclose(self) -> None:
        self.is_over = True
        self.waiting.close()
