"""Published ports that obey the host's own rules for what comes in (`--published-ports=input`)."""

import contextlib
import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.engine import Engine
from tests.integration.engine.rig import until
from tests.integration.engine.test_networks import answers, ask, key, outside, serve, sleep
from wharfd.sys import netns

__all__ = ["outside"]

DENY = "nft 'add table inet host; add chain inet host i { type filter hook input priority 0; policy accept; }'"


@pytest.fixture(autouse=True)
def nothing_is_left() -> None:
    """The engine here is gone at the end of its test."""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(tmp_path / "engine", ["--published-ports=input"]) as engine:
        engine.load_base_image()
        yield engine


def test_a_port_that_the_host_denies(engine: Engine, outside: str) -> None:
    ports = {"80/tcp": [{"HostPort": "8091"}], "80/udp": [{"HostPort": "8091"}]}
    serve(engine, "web", HostConfig={"PortBindings": ports})
    sleep(engine, "other", "bridge")
    for target in ("192.0.2.1", "2001:db8::1"):
        answers(outside, target, 8091, "web")
    engine.inside(f"{DENY}; nft add rule inet host i iifname up0 tcp dport 8091 drop")
    for target in ("192.0.2.1", "2001:db8::1"):
        assert ask(outside, target, 8091, timeout_s=0.5) == ""
    answers(engine.netns, "127.0.0.1", 8091, "web")
    answers(key(engine, "other"), "192.0.2.1", 8091, "web")
    engine.restart(kill=True)
    assert ask(outside, "192.0.2.1", 8091, timeout_s=0.5) == ""
    engine.inside("nft delete table inet host")
    answers(outside, "192.0.2.1", 8091, "web")


def test_datagrams(engine: Engine, outside: str) -> None:
    sleep(engine, "web", "bridge", HostConfig={"PortBindings": {"80/udp": [{"HostPort": "8092"}]}})

    def server() -> socket.socket:
        bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        bound.settimeout(5)
        bound.bind(("0.0.0.0", 80))
        return bound

    def client(target: str) -> socket.socket:
        asking = socket.socket(socket.AF_INET6 if ":" in target else socket.AF_INET, socket.SOCK_DGRAM)
        asking.settimeout(0.5)
        asking.connect((target, 8092))
        return asking

    def is_answered(asking: socket.socket, there: socket.socket) -> bool:
        with contextlib.suppress(TimeoutError, ConnectionRefusedError):
            asking.send(b"question")
            data, sender = there.recvfrom(100)
            there.sendto(data + b" answered", sender)
            return asking.recv(100) == b"question answered"
        return False

    with netns.run_in(key(engine, "web"), server) as there:
        for target in ("192.0.2.1", "2001:db8::1"):
            with netns.run_in(outside, partial(client, target)) as asking:
                until(partial(is_answered, asking, there), f"{target} does not answer")
        there.settimeout(0.5)
        engine.inside(f"{DENY}; nft add rule inet host i iifname up0 udp dport 8092 drop")
        with netns.run_in(outside, partial(client, "192.0.2.1")) as asking:
            assert not is_answered(asking, there)
