"""A head that the client has taken, told from one that still lies in its socket."""

import asyncio

from tests.integration.transport.rig import Rig
from tests.waiting import until
from wharfd.api.transport import Request


async def test_it_returns_when_the_client_has_read(rig: Rig) -> None:
    told: list[str] = []

    @rig.on("/x")
    async def handler(request: Request) -> None:
        stream = await request.hijack()
        await stream.wait_read(20)
        told.append("read")
        await stream.write(b"behind")

    client = await rig.connect()
    await client.request("POST /x")
    await asyncio.sleep(0.05)
    assert told == []
    await client.head()
    await until(lambda: told)
    assert await client.take_all() == b"behind"


async def test_it_does_not_wait_for_ever(rig: Rig) -> None:
    @rig.on("/x")
    async def handler(request: Request) -> None:
        stream = await request.hijack()
        await stream.wait_read(0.01)
        await stream.write(b"behind")

    client = await rig.connect()
    await client.request("POST /x")
    await until(lambda: not rig.server.tasks)
    await client.head()
    assert await client.take_all() == b"behind"


async def test_a_client_that_is_gone_is_not_waited_for(rig: Rig) -> None:
    ended: list[bool] = []

    @rig.on("/x")
    async def handler(request: Request) -> None:
        stream = await request.hijack()
        await stream.wait_read(60)
        ended.append(True)

    client = await rig.connect()
    await client.request("POST /x")
    client.close()
    await until(lambda: ended)


async def test_breaking_off(rig: Rig) -> None:
    """What is queued is thrown away."""
    aborted = asyncio.Event()

    @rig.on("/x")
    async def handler(request: Request) -> None:
        stream = await request.hijack()
        async with asyncio.timeout(20):
            writing = asyncio.get_running_loop().create_task(stream.write(bytes(8 << 20)))
            await asyncio.sleep(0.05)
            stream.abort()
            aborted.set()
            await asyncio.gather(writing, return_exceptions=True)

    client = await rig.connect()
    await client.request("POST /x")
    await aborted.wait()  # nothing is read before
    await client.head()
    assert len(await client.take_all()) < 8 << 20
