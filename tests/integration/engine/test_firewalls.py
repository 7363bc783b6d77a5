"""Beside the firewalls of others: what they do not forward is let through for containers, what they forbid for containers stays so."""

import contextlib
import shutil
import socket
import threading
from collections.abc import Iterator

import pytest

from tests.engine import Engine
from tests.integration.engine.rig import until
from tests.integration.engine.test_networks import answers, ask, key, make_network, outside, serve, sleep
from wharfd.sys import netns

__all__ = ["outside"]

FIREWALLD = """
table inet firewalld {
    chain filter_FORWARD {
        type filter hook forward priority filter + 10; policy accept;
        ct state established,related accept
        reject with icmpx admin-prohibited
    }
}
"""

needs_iptables = pytest.mark.skipif(shutil.which("iptables-nft-restore") is None, reason="not installed: iptables")


@pytest.fixture(autouse=True)
def no_rule_is_left(engine: Engine, nothing_is_left: None) -> Iterator[None]:
    yield
    if engine.process is not None and engine.process.poll() is not None:
        engine.start()
    engine.remove_all()
    assert engine.post("/networks/prune").status == 200
    engine.inside("nft list tables | grep -v wharfd | while read table; do nft delete $table; done")
    if shutil.which("iptables-legacy"):
        engine.inside("iptables-legacy -P FORWARD ACCEPT; iptables-legacy -F; iptables-legacy -X")


@pytest.fixture
def world(engine: Engine, outside: str) -> Iterator[str]:
    """Outside of the host, where a server is at 8000; and containers `web`, published at 8090, and `asking`."""
    make_network(engine, "one")
    serve(engine, "web", "one", HostConfig={"PortBindings": {"80/tcp": [{"HostPort": "8090"}]}})
    sleep(engine, "asking", "one")
    listener = netns.run_in(outside, lambda: socket.create_server(("192.0.2.9", 8000)))

    def answer() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                with client:
                    client.sendall(b"there\n")

    thread = threading.Thread(target=answer)
    thread.start()
    yield outside
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def works(engine: Engine, world: str) -> None:
    answers(key(engine, "asking"), "192.0.2.9", 8000, "there")
    answers(world, "192.0.2.1", 8090, "web")


@needs_iptables
@pytest.mark.parametrize("tool", ["iptables-nft", "iptables-legacy"])
def test_a_host_that_forwards_nothing(engine: Engine, world: str, tool: str) -> None:
    """As ufw leaves it, before the engine comes up."""
    asking = key(engine, "asking")
    engine.stop()
    engine.inside(f"{tool} -F; {tool} -X; {tool} -P FORWARD DROP; {tool} -A FORWARD -p icmp -j ACCEPT")
    assert ask(asking, "192.0.2.9", 8000, timeout_s=0.5) == ""
    engine.start()
    works(engine, world)
    rules = engine.inside(f"{tool} -S FORWARD").splitlines()
    assert rules == ["-P FORWARD DROP", "-A FORWARD -j WHARF-FORWARD", "-A FORWARD -p icmp -j ACCEPT"]


@needs_iptables
def test_a_firewall_that_comes_later_and_flushes(engine: Engine, world: str) -> None:
    engine.inside("iptables-nft -P FORWARD DROP")
    works(engine, world)
    engine.inside("iptables-nft -F; iptables-nft -X")
    works(engine, world)


@needs_iptables
def test_the_users_own_rules_for_containers(engine: Engine, world: str) -> None:
    """Docker: what the chain DOCKER-USER drops stays dropped."""
    engine.inside("iptables-nft -P FORWARD DROP")
    works(engine, world)
    engine.inside("iptables-nft -N DOCKER-USER; iptables-nft -A DOCKER-USER -p tcp --dport 8000 -j DROP")
    until(lambda: ask(key(engine, "asking"), "192.0.2.9", 8000, timeout_s=0.5) == "", "it is not forbidden")
    answers(world, "192.0.2.1", 8090, "web")


def test_firewalld(engine: Engine, world: str) -> None:
    engine.inside(f"echo '{FIREWALLD}' | nft -f -")
    works(engine, world)
    engine.inside(f"echo 'delete table inet firewalld{FIREWALLD}' | nft -f -")  # as its reload does
    works(engine, world)


def test_other_rules_are_left_alone_and_named(engine: Engine, world: str) -> None:
    engine.stop()
    engine.inside(
        "nft 'add table inet mine; add chain inet mine through { type filter hook forward priority 0; policy drop; }'"
    )
    before = engine.inside("nft list table inet mine")
    engine.start()
    assert engine.inside("nft list table inet mine") == before
    assert "nft chain inet mine through drops what is forwarded" in engine.log.read_text()
    engine.inside(
        "nft add rule inet mine through iifgroup 2375 accept; nft add rule inet mine through oifgroup 2375 accept"
    )
    works(engine, world)


@needs_iptables
def test_nothing_is_made_where_there_is_no_firewall(engine: Engine, world: str) -> None:
    works(engine, world)
    assert engine.inside("nft list tables").splitlines() == [f"table inet wharfd_{engine.tag}"]
