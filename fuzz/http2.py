"""HTTP/2 connections fed with any bytes, whole and in pieces: the same events or `Http2Error`, and no more kept than the windows allow."""

from wharfd.wire import http2
from wharfd.wire.http2 import Connection, Data, Event, Http2Error


def opening() -> Connection:
    client = Connection(is_client=True)
    client.start()
    return client


def talk() -> bytes:
    client = opening()
    for number in range(3):
        stream = client.open([(":method", "POST"), (":path", f"/pkg.Service/Method{number}"), ("k", "v" * number * 9)])
        client.send_data(stream, memoryview(b"\0\0\0\0\x05hello"), end=number != 1)
    client.reset(3, http2.Code.CANCEL)
    return b"".join(client.take_output())


SEEDS = [
    talk(),
    b"".join(opening().take_output()),
    b"".join(opening().take_output()) + b"\0\0\x08\x06\0\0\0\0\0pingpong" + b"\0\0\x04\x08\0\0\0\0\0\0\0\xff\xff",
    b"".join(opening().take_output()) + b"\0\0\x01\x01\0\0\0\0\x01\x88" + b"\0\0\x01\x09\x04\0\0\0\x01\x82",
    b"".join(opening().take_output()) + b"\0\0\x03\x01\x0d\0\0\0\x01\x01\x88\0\0\0\x08\x07\0\0\0\0\0\0\0\0\1\0\0\0\2",
]


def events_of(pieces: list[bytes]) -> tuple[list[Event], str]:
    connection = Connection(is_client=False)
    connection.start()
    seen: list[Event] = []
    try:
        for piece in pieces:
            for event in connection.feed(piece):
                seen.append(event)
                if isinstance(event, Data):
                    connection.acknowledge(event.stream, event.size)
    except Http2Error as error:
        return seen, str(error)
    assert len(connection.streams) <= http2.MAX_STREAMS
    return seen, ""


def fuzz_one(data: bytes) -> None:
    whole, error = events_of([data])
    step = 1 + len(data) % 61
    pieces, same_error = events_of([data[at : at + step] for at in range(0, len(data), step)])
    assert error == same_error
    if not error:
        assert whole == pieces
    client = Connection(is_client=True)
    client.start()
    client.open([(":method", "POST")])
    try:
        client.feed(data[len(http2.PREFACE) :])
    except Http2Error:
        pass
