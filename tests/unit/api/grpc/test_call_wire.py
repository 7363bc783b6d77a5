"""A connection inside a call: senders wait for the peer that reads slowly."""

import asyncio

from wharfd.api.grpc.door import CallWire
from wharfd.api.grpc.rpc import WRITE_HIGH, RpcConnection


class SlowCall:
    def __init__(self) -> None:
        self.may_send = asyncio.Semaphore(0)

    async def send(self, _message: bytes) -> None:
        await self.may_send.acquire()


async def test_senders_wait_while_more_is_queued_than_is_good() -> None:
    call, connection = SlowCall(), RpcConnection(is_client=True)
    wire = CallWire(call, connection)  # type: ignore[arg-type]  # a call as far as this needs one
    sending = asyncio.create_task(wire.run())
    wire.write(bytes(WRITE_HIGH))
    assert not connection.is_write_paused
    wire.write(bytes(1))
    assert connection.is_write_paused
    assert wire.get_write_buffer_size() == WRITE_HIGH + 1
    call.may_send.release()
    call.may_send.release()
    while wire.get_write_buffer_size():
        await asyncio.sleep(0)
    assert not connection.is_write_paused
    sending.cancel()
