"""Files of the web, passed on by a worker process: the `WebStreams` port."""

import os
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Protocol, TypeVar

from wharfd.drivers.fetch.fetcher import proxies
from wharfd.model.errors import EngineError, Forbidden, Internal, InvalidParameter, NotFound, Unauthorized
from wharfd.wire.masking import masked
from wharfd.workers.protocol import Job, StreamUrl, WebAnswer

T = TypeVar("T")

BAD = 400  # the first status that is no success
ERRORS: dict[int, type[EngineError]] = {
    HTTPStatus.BAD_REQUEST: InvalidParameter,
    HTTPStatus.UNAUTHORIZED: Unauthorized,
    HTTPStatus.FORBIDDEN: Forbidden,
    HTTPStatus.NOT_FOUND: NotFound,
}


class Flow(Protocol):
    def __aiter__(self) -> AsyncIterator[bytes]: ...

    async def aclose(self) -> None: ...


class Workers(Protocol):
    """What this driver needs of worker processes."""

    async def produce(self, job: Job, head: type[T]) -> tuple[T, Flow]: ...


class OpenedUrl:
    """A `WebStream`."""

    def __init__(self, length: int, flow: Flow) -> None:
        self.length = length
        self.flow = flow

    def __aiter__(self) -> AsyncIterator[bytes]:
        return aiter(self.flow)

    async def aclose(self) -> None:
        await self.flow.aclose()


class LocalWebStreams:
    def __init__(self, workers: Workers) -> None:
        self.workers = workers

    async def stream(self, url: str) -> OpenedUrl:
        answer, flow = await self.workers.produce(StreamUrl(url, proxies(os.environ)), WebAnswer)
        if answer.status < BAD:
            return OpenedUrl(answer.length, flow)
        await flow.aclose()
        said = answer.body.decode("utf-8", "replace").strip()
        kind = ERRORS.get(answer.status, Internal)
        raise kind(f"failed to GET {masked(url)} with status {answer.status} {answer.reason}: {said}")
