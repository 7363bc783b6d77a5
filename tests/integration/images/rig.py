"""The image routes on real drivers behind a real socket; records are the fake's, so that a restart is a new rig on the same ones, and so
is the registry."""

import asyncio
import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.integration.transport.rig import Answer, Client
from wharfd.api.errors import error_response
from wharfd.api.handlers.images import ImageHandlers
from wharfd.api.handlers.registry import RegistryHandlers
from wharfd.api.router import Router, RouteTable
from wharfd.api.transport import Server
from wharfd.drivers.content.blobs import BlobStore
from wharfd.drivers.fetch.web import LocalWebStreams
from wharfd.drivers.storage.overlay.layers import OverlayLayers
from wharfd.drivers.storage.overlay.layout import Layout
from wharfd.drivers.storage.overlay.rootfs import OverlayRootfs
from wharfd.drivers.workers.pool import WorkerPool
from wharfd.engine.events import EventBus
from wharfd.engine.images.assembly import assemble
from wharfd.engine.images.exchange import assemble_exchange
from wharfd.engine.images.web_import import ImportFromWeb
from wharfd.engine.ledger import Ledger
from wharfd.engine.locks import KeyedLocks
from wharfd.sys.blocking import Pool
from wharfd.testing.clock import FakeClock
from wharfd.testing.host import FakeHost
from wharfd.testing.records import FakeRecords
from wharfd.testing.registry import FakeRegistry


@dataclass
class Reply:
    status: int
    content_type: str
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def message(self) -> str:
        text: str = self.json["message"]
        return text

    @property
    def lines(self) -> list[Any]:
        assert self.body == b"" or self.body.endswith(b"\r\n")
        return [json.loads(line) for line in self.body.split(b"\r\n") if line]


class ApiRig:
    def __init__(self, folder: Path, records: FakeRecords) -> None:
        self.folder = folder
        self.socket = str(folder / "s")
        self.pool, self.workers = Pool("storage", 4), WorkerPool()
        self.layout = Layout(str(folder / "overlay2"))
        self.content = BlobStore(str(folder / "content"), self.pool)
        self.layers = OverlayLayers(self.layout, self.pool, self.workers)
        self.rootfs = OverlayRootfs(self.layout, self.layers, self.pool)
        self.records = records
        self.ledger = Ledger(records, EventBus())
        self.cases = assemble(
            ledger=self.ledger,
            locks=KeyedLocks(),
            clock=FakeClock(tick_ns=1000),
            host=FakeHost(),
            content=self.content,
            spools=self.content,
            layers=self.layers,
            ingester=self.workers,
        )
        self.use(FakeRegistry())

    def use(self, registry: FakeRegistry) -> None:
        """Before `open`: the registry that the engine speaks to, whatever the host is."""
        self.registry = registry
        exchange = assemble_exchange(
            self.cases,
            ledger=self.ledger,
            clock=FakeClock(tick_ns=1000),
            host=FakeHost(),
            content=self.content,
            layers=self.layers,
            registry=registry,
            max_downloads=3,
            max_uploads=5,
        )
        registries = RegistryHandlers(exchange, machine="x86_64")
        images = ImageHandlers(
            self.cases,
            driver="overlayfs",
            machine="x86_64",
            pull=registries.pull,
            import_from_web=ImportFromWeb(LocalWebStreams(self.workers), self.cases.import_image),
        )
        routes = [*images.routes(), *registries.routes()]
        self.server = Server(Router(RouteTable(routes)), error_response=error_response, default_headers=lambda: [])

    async def open(self) -> "ApiRig":
        await self.content.open()
        await self.rootfs.open()
        await self.ledger.open()
        await self.cases.garbage.open()
        await self.server.serve_unix(self.socket)
        return self

    async def close(self) -> None:
        await self.server.shutdown(5)
        await self.workers.close()
        self.pool.close()
        self.records.die()

    async def connect(self) -> Client:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, self.socket)
        return Client(sock)

    async def ask(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        **more: str | list[str],
    ) -> Reply:
        target = f"/v1.51{path}" if not path.startswith("/v1.") else path
        if query or more:
            target += "?" + urlencode({**(query or {}), **more}, doseq=True)
        client = await self.connect()
        try:
            lines = [f"Content-Length: {len(body)}"] if method == "POST" else []
            lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
            await client.request(f"{method} {target}", "Host: x", *lines, body=body)
            answer: Answer = await client.answer()
        finally:
            client.close()
        return Reply(answer.status, answer.header("Content-Type") or "", answer.body)

    def stored(self) -> list[str]:
        """Everything on disk that belongs to some image, or is on its way."""
        places = [f"{self.content.root}/blobs/sha256", self.content.ingest, self.layout.layers]
        places += [self.layout.unpacking, self.layout.trash]
        return [f"{os.path.basename(place)}/{name}" for place in places for name in sorted(os.listdir(place))]
