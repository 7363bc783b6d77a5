"""An HTTP proxy that leads every name where the test wants it: `CONNECT registry-1.docker.io:443` ends at a port of this machine."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class Tunnel:
    """`routes`: `host:port` -> port on 127.0.0.1.  `login`: `user:password` that clients must show; empty: none."""

    routes: dict[str, int]
    login: str = ""
    url: str = ""
    asked: list[str] = field(default_factory=list)  # first lines of requests

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            line, *fields = head.decode().split("\r\n")
            self.asked.append(line)
            shown = [f.partition(": ")[2] for f in fields if f.lower().startswith("proxy-authorization")]
            method, target, version = line.split(" ")
            host = target if method == "CONNECT" else urlsplit(target).netloc
            port = self.routes.get(host)
            if self.login and shown != [f"Basic {base64.b64encode(self.login.encode()).decode()}"]:
                writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            elif port is None:
                writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            else:
                far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
                if method == "CONNECT":
                    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                else:
                    parts = urlsplit(target)
                    path = parts._replace(scheme="", netloc="").geturl()
                    kept = [f for f in fields if f and not f.lower().startswith(("proxy-", "connection"))]
                    lines = [f"{method} {path} {version}", *kept, "Connection: close", "", ""]
                    far_writer.write("\r\n".join(lines).encode())
                await asyncio.gather(copy(reader, far_writer), copy(far_reader, writer))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(64 << 10):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


@asynccontextmanager
async def tunnel(routes: dict[str, int], login: str = "") -> AsyncIterator[Tunnel]:
    proxy = Tunnel(routes, login)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
