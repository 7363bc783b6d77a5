"""Who reaches a container how, and as whom: a table for this engine and for every other Docker socket that is given.

usage: python -m bench.reachability [--engine NAME=SOCKET --netns NAME=FILE]…

A server listens in a container on a network of its own (IPv4 and IPv6, TCP and UDP), published at all addresses, at loopback and at one
address of the host.  It is asked from the host, from another machine, from a container on the same network, from one on another
network, and from itself.  A cell says whom the server saw: `own` the client's own address, `gateway` the bridge's, `host` another
address of the host; `-` that no answer came.
"""

import argparse
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bench.client import Connection
from bench.measures import IMAGE, Target
from tests.engine import Engine
from wharfd.cli.base_image import base_image_archive
from wharfd.sys import netns

PATIENCE_S = 1.0
AT_ONCE = 12
PREFIX = "reach"
HOST4, HOST6 = "192.0.2.1", "2001:db8::1"
FAR4, FAR6 = "192.0.2.9", "2001:db8::9"
ANY, LOOPBACK, LAN = 18080, 18081, 18082
BINDINGS = [
    {"HostPort": str(ANY)},
    *({"HostIp": address, "HostPort": str(LOOPBACK)} for address in ("127.0.0.1", "::1")),
    *({"HostIp": address, "HostPort": str(LAN)} for address in (HOST4, HOST6)),
]
KINDS = ("tcp4", "tcp6", "udp4", "udp6")
CLIENTS = ("host", "outside", "same network", "other network", "itself")


@dataclass(frozen=True)
class Way:
    """To the server: by an address of each family ("": the container's own), at a port."""

    name: str
    ipv4: str
    ipv6: str
    port: int


WAYS = (
    Way("its own address", "", "", 80),
    Way("any, by loopback", "127.0.0.1", "::1", ANY),
    Way("any, by the host's address", HOST4, HOST6, ANY),
    Way("any, by the gateway", "gateway", "gateway", ANY),
    Way("loopback, by loopback", "127.0.0.1", "::1", LOOPBACK),
    Way("loopback, by the host's address", HOST4, HOST6, LOOPBACK),
    Way("one address, by it", HOST4, HOST6, LAN),
    Way("one address, by loopback", "127.0.0.1", "::1", LAN),
)

Table = dict[tuple[str, str, str], str]
"""Client, way, kind -> cell."""


def namespace_of(c: Connection, name: str) -> str:
    return f"/proc/{c.json('GET', f'/containers/{PREFIX}-{name}/json')['State']['Pid']}/ns/net"


class Server:
    """In a namespace, at port 80; tells each client who it is."""

    def __init__(self, where: str) -> None:
        self.sockets = netns.run_in(where, self.open)
        self.threads = [threading.Thread(target=self.serve, args=(each,), daemon=True) for each in self.sockets]
        for thread in self.threads:
            thread.start()

    def open(self) -> list[socket.socket]:
        found = []
        for kind in KINDS:
            family = socket.AF_INET6 if kind.endswith("6") else socket.AF_INET
            bound = socket.socket(family, socket.SOCK_STREAM if kind.startswith("tcp") else socket.SOCK_DGRAM)
            if family == socket.AF_INET6:
                bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            bound.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", 80))
            if kind.startswith("tcp"):
                bound.listen(64)
            found.append(bound)
        return found

    def serve(self, bound: socket.socket) -> None:
        with suppress(OSError, TypeError):  # the end: a socket that is shut down has no peer
            while True:
                if bound.type == socket.SOCK_STREAM:
                    client, peer = bound.accept()
                    with client:
                        client.sendall(peer[0].encode())
                else:
                    _, peer = bound.recvfrom(100)
                    bound.sendto(peer[0].encode(), peer)

    def close(self) -> None:
        for each in self.sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


def ask(where: str, kind: str, address: str, port: int) -> tuple[str, str]:
    """The client's own address, and the one that the server saw; both empty without an answer."""

    def inside() -> tuple[str, str]:
        family = socket.AF_INET6 if kind.endswith("6") else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM if kind.startswith("tcp") else socket.SOCK_DGRAM) as asking:
            asking.settimeout(PATIENCE_S)
            try:
                asking.connect((address, port))
                if kind.startswith("udp"):
                    asking.send(b"who am I?")
                seen = asking.recv(100).decode()
                return (asking.getsockname()[0], seen) if seen else ("", "")
            except OSError:
                return "", ""

    return netns.run_in(where, inside)


@contextmanager
def outside(host: str) -> Iterator[str]:
    """A namespace that has the host as its neighbour."""
    with tempfile.TemporaryDirectory() as directory:
        far = f"{directory}/netns"
        netns.create(far)
        try:
            run(host, f"ip link add reach0 type veth peer name far0 netns {far} && ip link set reach0 up")
            run(host, f"ip addr add {HOST4}/24 dev reach0; ip addr add {HOST6}/64 dev reach0 nodad")
            run(far, f"ip addr add {FAR4}/24 dev far0; ip addr add {FAR6}/64 dev far0 nodad; ip link set far0 up")
            run(far, f"ip route add default via {HOST4}; ip -6 route add default via {HOST6}")
            yield far
        finally:
            run(host, "ip link del reach0")
            netns.delete(far)


def run(where: str, script: str) -> None:
    subprocess.run(["nsenter", f"--net={where}", "sh", "-ec", script], check=True, capture_output=True)


@contextmanager
def scene(c: Connection) -> Iterator[None]:
    clear(c)
    networks = {"one": True, "two": True}
    try:
        for name, ipv6 in networks.items():
            c.json("POST", "/networks/create", {"Name": f"{PREFIX}-{name}", "EnableIPv6": ipv6})
        ports = {f"80/{protocol}": BINDINGS for protocol in ("tcp", "udp")}
        start(c, "web", "one", ports)
        start(c, "same", "one")
        start(c, "other", "two")
        yield
    finally:
        clear(c)


def start(c: Connection, name: str, network: str, ports: dict[str, list[dict[str, str]]] | None = None) -> None:
    body = {
        "Image": IMAGE,
        "Cmd": ["sleep", "1000"],
        "StopSignal": "SIGKILL",
        "ExposedPorts": {key: {} for key in ports or {}},
        "HostConfig": {"NetworkMode": f"{PREFIX}-{network}", "PortBindings": ports or {}},
    }
    identifier = c.json("POST", f"/containers/create?name={PREFIX}-{name}", body)["Id"]
    c.json("POST", f"/containers/{identifier}/start")


def clear(c: Connection) -> None:
    for name in ("web", "same", "other"):
        c.request("POST", f"/containers/{PREFIX}-{name}/kill")
        c.request("DELETE", f"/containers/{PREFIX}-{name}?force=1")
    for name in ("one", "two"):
        c.request("DELETE", f"/networks/{PREFIX}-{name}")


def table_of(target: Target) -> Table:
    with ExitStack() as held:
        c = held.enter_context(target.connect())
        far = held.enter_context(outside(target.netns))
        held.enter_context(scene(c))
        settings = c.json("GET", f"/containers/{PREFIX}-web/json")["NetworkSettings"]["Networks"][f"{PREFIX}-one"]
        places = {
            "host": target.netns,
            "outside": far,
            "same network": namespace_of(c, "same"),
            "other network": namespace_of(c, "other"),
            "itself": namespace_of(c, "web"),
        }
        server = Server(places["itself"])
        held.callback(server.close)
        own = {"4": settings["IPAddress"], "6": settings["GlobalIPv6Address"]}
        gateways = {"4": settings["Gateway"], "6": settings["IPv6Gateway"]}

        def probe(client: str, way: Way, kind: str) -> str:
            address = way.ipv4 if kind.endswith("4") else way.ipv6
            address = {"": own[kind[-1]], "gateway": gateways[kind[-1]]}.get(address, address)
            mine, seen = ask(places[client], kind, address, way.port)
            if not seen:
                return "-"
            if client == "outside":
                mine = FAR4 if kind.endswith("4") else FAR6
            return "own" if seen == mine else "gateway" if seen == gateways[kind[-1]] else "host"

        with ThreadPoolExecutor(AT_ONCE) as pool:
            asked = {
                (client, way.name, kind): pool.submit(probe, client, way, kind)
                for client in CLIENTS
                for way in WAYS
                for kind in KINDS
            }
            return {key: each.result() for key, each in asked.items()}


def render(name: str, table: Table) -> str:
    rows = [f"## {name}\n", "| published at, asked by | from | " + " | ".join(KINDS) + " |", "|---" * 6 + "|"]
    for way in WAYS:
        for client in CLIENTS:
            cells = [table[client, way.name, kind] for kind in KINDS]
            rows.append(f"| {way.name} | {client} | " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"


def differences(ours: Table, name: str, theirs: Table) -> str:
    rows = [
        f"## where {name} differs\n",
        f"| published at, asked by | from | kind | wharfd | {name} |",
        "|---" * 5 + "|",
    ]
    for (client, way, kind), cell in ours.items():
        if theirs[client, way, kind] != cell:
            rows.append(f"| {way} | {client} | {kind} | {cell} | {theirs[client, way, kind]} |")
    return "\n".join(rows) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", action="append", default=[], metavar="NAME=SOCKET")
    parser.add_argument("--netns", action="append", default=[], metavar="NAME=FILE")
    args = parser.parse_args()
    namespaces = dict(word.split("=", 1) for word in args.netns)
    with tempfile.TemporaryDirectory(prefix="wharf-reach-", dir="/var/tmp") as directory:
        with Engine(Path(directory)) as engine:
            engine.load_base_image()
            ours = table_of(Target("wharfd", engine.socket, engine.netns))
        print(render("wharfd", ours))
        for word in args.engine:
            name, path = word.split("=", 1)
            target = Target(name, path, namespaces[name])
            with target.connect() as c:
                c.request("POST", "/images/load", base_image_archive())
            theirs = table_of(target)
            print(render(name, theirs))
            print(differences(ours, name, theirs))
    return 0


if __name__ == "__main__":
    sys.exit(main())
