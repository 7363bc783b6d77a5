"""Networks, published ports and names: what they cost, measured from inside the engine's network namespace and its containers'."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from statistics import median

from bench.client import Connection
from bench.measures import IMAGE, Figures, Target, now, remove
from wharfd.sys import netns
from wharfd.wire import dns

NETWORK = "bench-net"
PORT, CONTAINER_PORT = 18090, 8090
BLOCK = 1 << 18
WINDOW = 16  # questions on their way at once


def networks(target: Target, quick: bool) -> Figures:
    count = 20 if quick else 100
    made, gone = [], []
    with target.connect() as c:
        for number in range(count):
            t0 = now()
            identifier = c.json("POST", "/networks/create", {"Name": f"{NETWORK}-{number}"})["Id"]
            t1 = now()
            c.request("DELETE", f"/networks/{identifier}")
            made.append(t1 - t0)
            gone.append(now() - t1)
    return {"network_create_ms": median(made) * 1e3, "network_remove_ms": median(gone) * 1e3}


def ports(target: Target, quick: bool) -> Figures:
    if not target.netns:
        return {}
    figures: Figures = {}
    with ExitStack() as held:
        c = held.enter_context(target.connect())
        held.enter_context(network(c))
        times = []
        for _ in range(3 if quick else 10):
            t0 = now()
            identifier = started(c, {f"{CONTAINER_PORT}/tcp": [{"HostPort": str(PORT)}]})
            times.append(now() - t0)
            remove(c, identifier)
        figures["create_and_start_with_a_port_ms"] = median(times) * 1e3
        identifier = started(c, {f"{CONTAINER_PORT}/tcp": [{"HostPort": str(PORT)}]})
        held.callback(remove, c, identifier)
        shown = c.json("GET", f"/containers/{identifier}/json")
        settings = shown["NetworkSettings"]["Networks"][NETWORK]
        held.enter_context(sink(f"/proc/{shown['State']['Pid']}/ns/net"))
        ways = {
            "loopback": ("127.0.0.1", PORT),
            "host_address": (settings["Gateway"], PORT),
            "direct": (settings["IPAddress"], CONTAINER_PORT),
        }
        for name, address in ways.items():
            connect = partial(connect_ms, address, 50 if quick else 300)
            figures[f"port_by_{name}_connect_ms"] = netns.run_in(target.netns, connect)
            send = partial(mb_per_s, address, 0.5 if quick else 2.0)
            figures[f"port_by_{name}_mb_per_s"] = netns.run_in(target.netns, send)
    return figures


def names(target: Target, quick: bool) -> Figures:
    if not target.netns:
        return {}
    with ExitStack() as held:
        c = held.enter_context(target.connect())
        held.enter_context(network(c))
        identifier = started(c, {})
        held.callback(remove, c, identifier)
        process = f"/proc/{c.json('GET', f'/containers/{identifier}/json')['State']['Pid']}"
        seconds = 0.5 if quick else 3.0
        resolver = resolver_of(process)
        return {
            f"dns_{at_once}_at_once_per_s": netns.run_in(
                f"{process}/ns/net", partial(questions_per_s, resolver, identifier, seconds, at_once)
            )
            for at_once in (1, WINDOW)
        }


def resolver_of(process: str) -> str:
    with open(f"{process}/root/etc/resolv.conf") as file:
        return next(line.split()[1] for line in file if line.startswith("nameserver"))


@contextmanager
def network(c: Connection) -> Iterator[None]:
    c.request("DELETE", f"/networks/{NETWORK}")
    c.json("POST", "/networks/create", {"Name": NETWORK})
    try:
        yield
    finally:
        c.request("DELETE", f"/networks/{NETWORK}")


def started(c: Connection, bindings: dict[str, list[dict[str, str]]]) -> str:
    body = {
        "Image": IMAGE,
        "Cmd": ["sleep", "1000"],
        "StopSignal": "SIGKILL",
        "ExposedPorts": {key: {} for key in bindings},
        "HostConfig": {"NetworkMode": NETWORK, "PortBindings": bindings},
    }
    identifier: str = c.json("POST", "/containers/create", body)["Id"]
    c.json("POST", f"/containers/{identifier}/start")
    return identifier


@contextmanager
def sink(where: str) -> Iterator[None]:
    """A server that says a word to each client and takes all it sends."""
    listener = netns.run_in(where, lambda: socket.create_server(("0.0.0.0", CONTAINER_PORT), backlog=128))

    def take(client: socket.socket) -> None:
        buffer = bytearray(BLOCK)
        with suppress(OSError), client:
            client.sendall(b"w")
            while client.recv_into(buffer):
                pass

    def serve() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=take, args=(listener.accept()[0],), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def connect_ms(address: tuple[str, int], count: int) -> float:
    """Of a connection and its first byte."""
    times = []
    for _ in range(count):
        t0 = now()
        with socket.create_connection(address, timeout=10) as connection:
            connection.recv(1)
        times.append(now() - t0)
    return median(times) * 1e3


def mb_per_s(address: tuple[str, int], seconds: float) -> float:
    block = bytes(BLOCK)
    sent = 0
    with socket.create_connection(address, timeout=10) as connection:
        connection.recv(1)
        begin = now()
        while now() < begin + seconds:
            connection.sendall(block)
            sent += BLOCK
    return sent / (now() - begin) / 1e6


def questions_per_s(resolver: str, container_id: str, seconds: float, at_once: int) -> float:
    """Of a container's own name, by which it is known on its network."""
    question = dns.encode_query(1, container_id[:12], dns.A)
    answered = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(5)
        asking.connect((resolver, 53))
        begin = now()
        for _ in range(at_once):
            asking.send(question)
        while now() < begin + seconds:
            asking.recv(600)
            answered += 1
            asking.send(question)
    return answered / (now() - begin)


NETWORK_MEASURES: dict[str, Callable[[Target, bool], Figures]] = {
    "networks": networks,
    "ports": ports,
    "names": names,
}
