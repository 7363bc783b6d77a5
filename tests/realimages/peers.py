"""An engine behind a socket, as far as images are concerned: load, pull, run, export, remove."""

import io
import json
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any, cast
from urllib.parse import quote

from tests.engine import PATIENCE, UnixConnection
from tests.realimages.listing import Listing, listing

TIMEOUT_S = 600 * PATIENCE


class Refused(Exception):
    """What an engine answered instead of doing what it was asked."""


@dataclass(frozen=True)
class Peer:
    name: str
    socket: str

    def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> bytes:
        """The answer.  Raises Refused."""
        with self.answer(method, path, body, headers) as answer:
            return answer.read()

    @contextmanager
    def answer(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Iterator[IO[bytes]]:
        connection = UnixConnection(self.socket, TIMEOUT_S)
        sent = dict(headers or {})
        if body is not None and not isinstance(body, bytes | io.IOBase):
            body = json.dumps(body).encode()
            sent["Content-Type"] = "application/json"
        elif body is not None:
            sent["Content-Type"] = "application/x-tar"
        try:
            connection.request(method, quote(path, safe="/?&=%:,"), body, sent)
            answer = connection.getresponse()
            if answer.status >= 400:
                raise Refused(f"{self.name}: {method} {path}: {answer.status} {answer.read().decode(errors='replace')}")
            yield cast(IO[bytes], answer)
        finally:
            connection.close()

    def load(self, archive: bytes | IO[bytes]) -> float:
        """Seconds that it took."""
        begun = time.monotonic()
        self.told(self.ask("POST", "/images/load?quiet=1", archive))
        return time.monotonic() - begun

    @property
    def is_podman(self) -> bool:
        """Its own routes are spoken to where its Docker ones cannot be told to speak plain HTTP to a registry."""
        return self.name.startswith("podman")

    def pull(self, ref: str) -> float:
        """Seconds that it took."""
        repository, _, tag = ref.rpartition(":")
        path = f"/images/create?fromImage={repository}&tag={tag}"
        if self.is_podman:
            path = f"/v4.0.0/libpod/images/pull?reference={ref}&tlsVerify=false"
        begun = time.monotonic()
        self.told(self.ask("POST", path))
        return time.monotonic() - begun

    def push(self, ref: str) -> str:
        """The digest."""
        repository, _, tag = ref.rpartition(":")
        path = f"/images/{repository}/push?tag={tag}"
        if self.is_podman:
            path = f"/v4.0.0/libpod/images/{ref}/push?tlsVerify=false&quiet=false"
        told = self.told(self.ask("POST", path, headers={"X-Registry-Auth": "e30="}))
        for each in reversed(told):
            if digest := each.get("manifestdigest") or (each.get("aux") or {}).get("Digest"):
                return str(digest)
        raise Refused(f"{self.name}: {told}")

    def told(self, answer: bytes) -> list[Any]:
        lines = [json.loads(line) for line in answer.splitlines() if line.strip()]
        errors = [line["error"] for line in lines if isinstance(line, dict) and "error" in line]
        if errors:
            raise Refused(f"{self.name}: {errors[0]}")
        return lines

    def tag(self, ref: str, other: str) -> None:
        repository, _, tag = other.rpartition(":")
        self.ask("POST", f"/images/{ref}/tag?repo={repository}&tag={tag}")

    def inspect(self, ref: str) -> Any:
        return json.loads(self.ask("GET", f"/images/{ref}/json"))

    def remove(self, ref: str) -> None:
        self.ask("DELETE", f"/images/{ref}?force=1")

    def create(self, ref: str, command: Iterable[str] = ("true",)) -> str:
        body = {"Image": ref, "Cmd": list(command), "HostConfig": {"NetworkMode": "none"}}
        return str(json.loads(self.ask("POST", "/containers/create", body))["Id"])

    def export(self, ref: str) -> Listing:
        """What a new container of the image shows."""
        container = self.create(ref)
        try:
            with self.answer("GET", f"/containers/{container}/export") as stream:
                return listing(stream)
        finally:
            self.ask("DELETE", f"/containers/{container}?force=1&v=1")

    def run(self, ref: str, *command: str) -> str:
        """Output of a command in it, on both streams; AssertionError if it fails."""
        container = self.create(ref, command)
        try:
            self.ask("POST", f"/containers/{container}/start")
            code = json.loads(self.ask("POST", f"/containers/{container}/wait"))["StatusCode"]
            log, text = self.ask("GET", f"/containers/{container}/logs?stdout=1&stderr=1"), b""
            while log:
                length = int.from_bytes(log[4:8], "big")
                text, log = text + log[8 : 8 + length], log[8 + length :]
            assert code == 0, (code, text)
            return text.decode()
        finally:
            self.ask("DELETE", f"/containers/{container}?force=1&v=1")
