"""gRPC's health service: it answers, so it serves."""

import asyncio
from collections.abc import AsyncGenerator, Mapping

from wharfd.api.grpc.methods import streaming, unary
from wharfd.api.grpc.rpc import Handler
from wharfd.wire.grpc import Metadata
from wharfd.wire.proto.status_pb2 import HealthRequest, HealthResponse

SERVICE = "/grpc.health.v1.Health/"


async def check(request: HealthRequest, metadata: Metadata) -> HealthResponse:
    return HealthResponse(status=HealthResponse.SERVING)


async def watch(request: HealthRequest, metadata: Metadata) -> AsyncGenerator[HealthResponse, None]:
    yield HealthResponse(status=HealthResponse.SERVING)
    await asyncio.Event().wait()


def health_handlers() -> Mapping[str, Handler]:
    return {
        SERVICE + "Check": unary(HealthRequest, HealthResponse, check),
        SERVICE + "Watch": streaming(HealthRequest, HealthResponse, watch),
    }
