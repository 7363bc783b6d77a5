"""Bytes between two streams, both ways."""

import asyncio

from wharfd.engine.build.client import Duplex
from wharfd.model.errors import EngineError
from wharfd.ports.runfiles import Connection


async def relay(one: Connection | Duplex, other: Connection | Duplex) -> None:
    """Until either side ends."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(copy(one, other)), group.create_task(copy(other, one))]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()


async def copy(source: Connection | Duplex, target: Connection | Duplex) -> None:
    try:
        while data := await source.read():
            await target.write(data)
    except EngineError:
        return  # the other side is gone, too, then
