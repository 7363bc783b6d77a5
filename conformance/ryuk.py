"""A stand-in for Ryuk, the reaper of testcontainers, whose image cannot be had everywhere: what it does, it does as Ryuk does, through the
engine's socket that is mounted into its container.  It takes filters from its clients, a line each, and once the last client has gone
for RYUK_RECONNECTION_TIMEOUT it removes the containers, networks, volumes and images that any of them fits.
"""

import http.client
import json
import os
import select
import socket
import time
from typing import Any
from urllib.parse import parse_qsl, urlencode

SOCKET = "/var/run/docker.sock"


class Engine(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(SOCKET)


def ask(method: str, path: str, **query: str) -> Any:
    engine = Engine("docker", timeout=60)
    engine.request(method, path + ("?" + urlencode(query) if query else ""))
    answer = engine.getresponse()
    data = answer.read()
    engine.close()
    return json.loads(data) if data and answer.status < 300 else None


def seconds(text: str) -> float:
    units = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
    unit = next(unit for unit in units if text.endswith(unit))
    return float(text[: -len(unit)]) * units[unit]


def prune(filters: list[list[str]]) -> None:
    for given in filters:
        fits = json.dumps({"label": given})
        for each in ask("GET", "/containers/json", all="1", filters=fits) or ():
            if not each["Id"].startswith(socket.gethostname()):  # itself
                ask("DELETE", "/containers/" + each["Id"], force="1", v="1")
        for each in ask("GET", "/networks", filters=fits) or ():
            ask("DELETE", "/networks/" + each["Id"])
        for each in (ask("GET", "/volumes", filters=fits) or {}).get("Volumes") or ():
            ask("DELETE", "/volumes/" + each["Name"], force="1")
        for each in ask("GET", "/images/json", filters=fits) or ():
            ask("DELETE", "/images/" + each["Id"], force="1")


def main() -> None:
    assert ask("GET", "/version")["ApiVersion"]
    listener = socket.create_server(("", 8080))
    print(time.strftime("%Y/%m/%d %H:%M:%S") + " Started!", flush=True)
    filters: list[list[str]] = []
    clients: dict[socket.socket, bytes] = {}
    deadline = time.monotonic() + seconds(os.environ.get("RYUK_CONNECTION_TIMEOUT", "60s"))
    while clients or time.monotonic() < deadline:
        ready, _, _ = select.select([listener, *clients], [], [], 0.2)
        for one in ready:
            if one is listener:
                clients[listener.accept()[0]] = b""
                continue
            try:
                data = one.recv(4096)
            except ConnectionError:  # it died with our answer unread
                data = b""
            if not data:
                del clients[one]
                one.close()
                deadline = time.monotonic() + seconds(os.environ.get("RYUK_RECONNECTION_TIMEOUT", "10s"))
                continue
            *lines, clients[one] = (clients[one] + data).split(b"\n")
            for line in lines:
                labels = [value for key, value in parse_qsl(line.decode().strip()) if key == "label"]
                filters += [labels] if labels else []
                one.sendall(b"ACK\n")
    prune(filters)
    print("done", flush=True)


main()
