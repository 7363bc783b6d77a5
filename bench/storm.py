"""Requests per second over several connections at once, from one process that does nothing else (epoll, prepared bytes)."""

import select
import socket
import time

PING = b"GET /_ping HTTP/1.1\r\nHost: bench\r\n\r\n"


def requests_per_second(path: str, connections: int, seconds: float) -> float:
    """Each connection has one request under way at any time."""
    poll = select.epoll()
    sockets: dict[int, socket.socket] = {}
    for _ in range(connections):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.connect(path)
        sock.setblocking(False)
        sockets[sock.fileno()] = sock
        poll.register(sock, select.EPOLLIN)
    recv = {fd: sock.recv for fd, sock in sockets.items()}
    send = {fd: sock.send for fd, sock in sockets.items()}
    # The first answer tells how long each one is (the engine answers alike every time, but for the date).
    first = next(iter(sockets.values()))
    first.setblocking(True)
    first.sendall(PING)
    data = b""
    while not data.endswith(b"OK"):
        data += first.recv(65536)
    first.setblocking(False)
    length = len(data)
    have = dict.fromkeys(sockets, 0)
    for fd in sockets:
        send[fd](PING)
    done = 0
    start = time.perf_counter()
    end = start + seconds
    while True:
        for fd, _ in poll.poll(1.0):
            got = have[fd] + len(recv[fd](65536))
            if got >= length:
                done += 1
                have[fd] = 0
                send[fd](PING)
            else:
                have[fd] = got
        now = time.perf_counter()
        if now >= end:
            break
    for sock in sockets.values():
        sock.close()
    poll.close()
    return done / (now - start)
