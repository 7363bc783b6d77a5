"""The measurements, each a function of one engine that returns figures by name.

Names say the unit: `_ms` milliseconds (less is better), `_per_s` and `_mb_per_s` (more is better), `_mib` memory (less is better).
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

from bench.client import Connection
from bench.memory import pss_bytes
from bench.storm import requests_per_second

IMAGE = "wharfd/busybox:local"
PREFIX = "bench"


@dataclass
class Target:
    """An engine to measure."""

    name: str
    socket: str
    netns: str = ""

    def connect(self) -> Connection:
        return Connection(self.socket)


Figures = dict[str, float]


def now() -> float:
    return time.perf_counter()


def create(c: Connection, *command: str, network: str = "bridge", **more: object) -> str:
    body = {"Image": IMAGE, "Cmd": list(command), "HostConfig": {"NetworkMode": network}, **more}
    identifier: str = c.json("POST", "/containers/create", body)["Id"]
    return identifier


def remove(c: Connection, identifier: str) -> None:
    """Killed first: podman gives a forced removal ten seconds to end by itself."""
    c.request("POST", f"/containers/{identifier}/kill")
    c.request("DELETE", f"/containers/{identifier}?force=1&v=1")


def lifecycle(c: Connection, network: str) -> tuple[float, float, float, float]:
    """Seconds for create, start, wait, remove of `true`."""
    t0 = now()
    identifier = create(c, "true", network=network)
    t1 = now()
    c.json("POST", f"/containers/{identifier}/start")
    t2 = now()
    c.json("POST", f"/containers/{identifier}/wait")
    t3 = now()
    c.json("DELETE", f"/containers/{identifier}")
    t4 = now()
    return t1 - t0, t2 - t1, t3 - t2, t4 - t3


def ping(target: Target, quick: bool) -> Figures:
    with target.connect() as c:
        times = []
        for _ in range(300 if quick else 2000):
            t0 = now()
            c.request("GET", "/_ping")
            times.append(now() - t0)
    seconds = 0.5 if quick else 2.0
    return {
        "ping_ms": median(times) * 1e3,
        "ping_1_connection_per_s": requests_per_second(target.socket, 1, seconds),
        "ping_16_connections_per_s": requests_per_second(target.socket, 16, seconds),
    }


def latency(network: str) -> Callable[[Target, bool], Figures]:
    def measure(target: Target, quick: bool) -> Figures:
        with target.connect() as c:
            lifecycle(c, network)  # warm
            rows = [lifecycle(c, network) for _ in range(5 if quick else 20)]
        steps = [median(row[i] for row in rows) * 1e3 for i in range(4)]
        return {
            f"{network}_create_ms": steps[0],
            f"{network}_start_ms": steps[1],
            f"{network}_wait_ms": steps[2],
            f"{network}_remove_ms": steps[3],
            f"{network}_lifecycle_ms": median(sum(row) for row in rows) * 1e3,
        }

    return measure


def throughput(target: Target, quick: bool) -> Figures:
    figures = {}
    for at_once in (1, 4, 8):
        each = 3 if quick else max(3, 24 // at_once)

        def work(each: int = each) -> None:
            with target.connect() as c:
                for _ in range(each):
                    lifecycle(c, "bridge")

        t0 = now()
        with ThreadPoolExecutor(at_once) as pool:
            for job in [pool.submit(work) for _ in range(at_once)]:
                job.result()
        figures[f"lifecycles_{at_once}_at_once_per_s"] = at_once * each / (now() - t0)
    return figures


def listing(target: Target, quick: bool) -> Figures:
    figures = {}
    ids: list[str] = []
    with target.connect() as c:
        try:
            body = b"[]"
            for count in (100,) if quick else (100, 1000):
                fill(target, ids, count)
                times = []
                for _ in range(20):
                    t0 = now()
                    status, body = c.request("GET", "/containers/json?all=1")
                    times.append(now() - t0)
                    assert status == 200
                assert len(json.loads(body)) >= count
                figures[f"list_{count}_ms"] = median(times) * 1e3
            times = []
            for identifier in ids[:50]:
                t0 = now()
                c.request("GET", f"/containers/{identifier}/json")
                times.append(now() - t0)
            figures["inspect_ms"] = median(times) * 1e3
        finally:
            empty(target, ids)
    return figures


def fill(target: Target, ids: list[str], count: int) -> None:
    lock = threading.Lock()

    def work(n: int) -> None:
        with target.connect() as c:
            made = [create(c, "true") for _ in range(n)]
        with lock:
            ids.extend(made)

    missing = count - len(ids)
    with ThreadPoolExecutor(4) as pool:
        for job in [pool.submit(work, missing // 4 + (1 if i < missing % 4 else 0)) for i in range(4)]:
            job.result()


def empty(target: Target, ids: list[str]) -> None:
    def work(part: list[str]) -> None:
        with target.connect() as c:
            for identifier in part:
                remove(c, identifier)

    with ThreadPoolExecutor(4) as pool:
        for job in [pool.submit(work, ids[i::4]) for i in range(4)]:
            job.result()


def logs(target: Target, quick: bool) -> Figures:
    figures = {}
    for length in (1024, 100):
        megabytes = 8 if quick else (64 if length == 1024 else 24)
        lines = megabytes * (1 << 20) // length
        line = "x" * (length - 1)
        with target.connect() as c:
            identifier = create(c, "sh", "-c", f"yes {line} | head -n {lines}", network="none")
            try:
                c.json("POST", f"/containers/{identifier}/start")
                c.json("POST", f"/containers/{identifier}/wait")
                times = []
                for _ in range(2 if quick else 3):
                    with target.connect() as reader:
                        t0 = now()
                        got = reader.drain(f"/containers/{identifier}/logs?stdout=1")
                        times.append(now() - t0)
                        assert got >= lines * length, (got, lines * length)
                figures[f"logs_{length}_byte_lines_mb_per_s"] = lines * length / min(times) / 1e6
            finally:
                remove(c, identifier)
    return figures


@contextmanager
def running(target: Target, count: int) -> Iterator[None]:
    ids: list[str] = []
    with target.connect() as c:
        try:
            for _ in range(count):
                ids.append(create(c, "sleep", "3600"))
                c.json("POST", f"/containers/{ids[-1]}/start")
            yield
        finally:
            empty(target, ids)


def memory(target: Target, quick: bool) -> Figures:
    if not target.netns:
        return {}
    figures = {"memory_idle_mib": pss_bytes(target.netns) / (1 << 20)}
    for count in (10,) if quick else (10, 100):
        with running(target, count):
            time.sleep(1)
            figures[f"memory_{count}_running_mib"] = pss_bytes(target.netns) / (1 << 20)
    most = 10 if quick else 100
    figures["memory_per_container_mib"] = (figures[f"memory_{most}_running_mib"] - figures["memory_idle_mib"]) / most
    return figures


MEASURES: dict[str, Callable[[Target, bool], Figures]] = {
    "memory": memory,
    "ping": ping,
    "latency-none": latency("none"),
    "latency-bridge": latency("bridge"),
    "throughput": throughput,
    "list": listing,
    "logs": logs,
}
