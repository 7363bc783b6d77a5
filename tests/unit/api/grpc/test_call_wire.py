"""A connection inside a call: senders wait for the peer that reads slowly."""

import asyncio

from wharfd.api.grpc.door import CallWire
from wharfd.api.grpc.rpc import WRITE_HIGH, RpcConnection


class SlowCall:
    def __init__(self) -> None:
        self.may_send = asyncio.Semaphore(0)

    async def send(self, _message: bytes) -> None:
        await self.may_send.acquire()


class Watched(RpcConnection):
    def __init__(self) -> None:
        super().__init__(is_client=True)
        self.resumed = asyncio.Event()

    def resume_writing(self) -> None:
        super().resume_writing()
        self.resumed.set()


async def test_senders_wait_while_more_is_queued_than_is_good() -> None:
    call, connection = SlowCall(), Watched()
    wire = CallWire(call, connection)  # type: ignore[arg-type]  # a call as far as this needs one
    sending = asyncio.create_task(wire.run())
    paused = []
    for size in (WRITE_HIGH, 1):
        wire.write(bytes(size))
        paused.append(connection.is_write_paused)
    assert paused == [False, True]
    assert wire.get_write_buffer_size() == WRITE_HIGH + 1
    call.may_send.release()
    await connection.resumed.wait()
    assert wire.get_write_buffer_size() == 1
    sending.cancel()
