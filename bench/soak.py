"""Long runs that look for what grows, is lost or gets out.

usage: ./wharf soak execs [--count N]
       ./wharf soak followers [--count N] [--seconds S]
       ./wharf soak archives [--count N] [--seed N]
       ./wharf soak networks [--count N] [--containers N]
       (python -m bench.health: containers with health checks)

execs: one after another in one container; every one must answer with its output and code.
followers: clients of attach, exec and logs on one container that writes as fast as it can, a stalled one of each kind among them; the
log and every client that reads must have every line once.
archives: broken and hostile tars through PUT archive; none may be answered 500, or touch anything outside of the container.
networks: as many networks, and containers that run on them; tells how long the first and the last took.  All must be gone without trace
afterwards.

Each prints once in a while what the engine holds, and ends with 1 if it has grown, or if anything else was seen that must not be.
"""

import argparse
import random
import selectors
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median

from bench.health import GROWTH_KIB, Holding
from tests.engine import Answer, Engine
from tests.integration.engine.rig import difference
from tests.integration.streams.rig import Hijacked, attach, exec_open, exec_run
from tests.tars import Member, directory, entry, hard_link, symlink, tar_of
from wharfd.drivers.logs.files import MOST_BEHIND
from wharfd.wire.stdcopy import Decoder

REPORTS = 12


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="wharf soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    kinds = parser.add_subparsers(dest="kind", required=True)
    execs = kinds.add_parser("execs")
    execs.add_argument("--count", type=int, default=10_000)
    followers = kinds.add_parser("followers")
    followers.add_argument("--count", type=int, default=100)
    followers.add_argument("--seconds", type=float, default=300)
    archives = kinds.add_parser("archives")
    archives.add_argument("--count", type=int, default=100_000)
    archives.add_argument("--seed", type=int, default=0)
    networks = kinds.add_parser("networks")
    networks.add_argument("--count", type=int, default=1_000)
    networks.add_argument("--containers", type=int, default=300)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="wharf-soak-", dir="/var/tmp") as name:
        place = Path(name)
        with Engine(place / "engine") as engine:
            engine.load_base_image()
            match args.kind:
                case "execs":
                    wrong = soak_execs(engine, args.count)
                case "followers":
                    wrong = soak_followers(engine, args.count, args.seconds)
                case "networks":
                    wrong = soak_networks(engine, args.count, args.containers)
                case _:
                    wrong = soak_archives(engine, args.count, random.Random(args.seed), place / "canary")
    for each in wrong[:20]:
        print(f"WRONG: {each}")
    print("nothing has grown, nothing is wrong" if not wrong else f"{len(wrong)} wrong")
    return int(bool(wrong))


@dataclass
class Growth:
    """What an engine holds, looked at while something goes on; the first third is for warming up."""

    engine: Engine
    whole: float
    settled: Holding | None = None
    last: Holding | None = None
    next_at: float = 0.0

    def look(self, at: float) -> None:
        if at < self.next_at:
            return
        self.next_at = at + self.whole / REPORTS
        self.last = Holding.of(self.engine)
        print(f"{at:10,.0f} of {self.whole:,.0f}  {self.last}", flush=True)
        if at >= self.whole / 3 and self.settled is None:
            self.settled = self.last

    def grown(self, kib: int = GROWTH_KIB, descriptors: int = 8) -> list[str]:
        if self.settled is None or self.last is None:
            return ["too short to tell"]
        found = []
        if self.last.memory_kib - self.settled.memory_kib > kib:
            found.append(f"memory: {self.settled.memory_kib} to {self.last.memory_kib} KiB")
        if self.last.descriptors > self.settled.descriptors + descriptors:
            found.append(f"descriptors: {self.settled.descriptors} to {self.last.descriptors}")
        if self.last.tasks > self.settled.tasks + 4:
            found.append(f"tasks: {self.settled.tasks} to {self.last.tasks}")
        return found


def soak_execs(engine: Engine, count: int) -> list[str]:
    identifier = engine.run("sleep", "1000000")
    growth, wrong = Growth(engine, count), list[str]()
    for number in range(count):
        growth.look(number)
        found = exec_run(engine, identifier, "sh", "-c", f"echo {number}; exit {number % 200}")
        if found != (number % 200, f"{number}\n".encode(), b""):
            wrong.append(f"exec {number}: {found}")
    growth.look(count)
    return wrong + growth.grown()


# Networks


def soak_networks(engine: Engine, count: int, containers: int) -> list[str]:
    """A container on every so many of the networks; one more joins the first of them and the last, and asks for their names."""
    exec_run(engine, engine.run("sleep", "100000"), "true")  # what comes with the first of its kind, and stays
    engine.remove_all()
    before = engine.traces()
    made, started, gone = list[float](), list[float](), list[float]()
    networks = list[str]()
    for number in range(count):
        networks.append(timed(made, partial(engine.post, "/networks/create", {"Name": f"n{number}"})).json["Id"])
    running = list[str]()
    step = max(count // containers, 1)
    for number in range(containers):
        wanted = {"NetworkMode": f"n{number * step % count}"}
        running.append(engine.create("sleep", "100000", name=f"c{number}", HostConfig=wanted))
        timed(started, partial(engine.post, f"/containers/{running[-1]}/start"))
    wrong = []
    for number in {0, containers - 1}:
        asking = engine.run("sleep", "100000", HostConfig={"NetworkMode": f"n{number * step % count}"})
        code, _, _ = exec_run(engine, asking, "nslookup", f"c{number}")
        if code != 0:
            wrong.append(f"c{number} is not found by its name")
    engine.remove_all()
    for network in networks:
        timed(gone, partial(engine.delete, f"/networks/{network}"))
    for name, times in (("network created", made), ("container started", started), ("network removed", gone)):
        tenth = max(len(times) // 10, 1)
        first, last = (f"{median(part) * 1e3:.1f}" for part in (times[:tenth], times[-tenth:]))
        print(f"{name}: {median(times) * 1e3:.1f} ms median of {len(times)}, the first tenth {first}, the last {last}")
    deadline = time.monotonic() + 30 + count / 5  # bridges go behind the answers, one at a time
    while (left := difference(before, engine.traces())) and time.monotonic() < deadline:
        time.sleep(0.5)
    return wrong + left


def timed(times: list[float], call: Callable[[], Answer]) -> Answer:
    begin = time.perf_counter()
    answer = call()
    times.append(time.perf_counter() - begin)
    if answer.status >= 300:
        raise RuntimeError(f"{answer.status}: {answer.message}")
    return answer


# Followers


@dataclass
class Lines:
    """Reads frames of stdout; each line must be the number after the last one's.  The first may be the end of one."""

    name: str
    is_begun: bool = False
    decoder: Decoder = field(default_factory=Decoder)
    rest: bytes = b""
    last: int = 0
    wrong: str = ""

    def feed(self, data: bytes) -> None:
        for _, payload in self.decoder.feed(data):
            lines = (self.rest + payload).split(b"\n")
            self.rest = lines.pop()
            if not self.is_begun and lines:
                lines.pop(0)
                self.is_begun = True
            for line in lines:
                number = int(line)
                if self.last and number != self.last + 1 and not self.wrong:
                    self.wrong = f"{self.name}: {number} after {self.last}"
                self.last = number


def soak_followers(engine: Engine, count: int, seconds: float) -> list[str]:
    """Every tenth reader looks at each line; the others count bytes, since this client has to keep up, too."""
    numbers = ["seq", "1", "1000000000"]
    identifier = engine.run(*numbers, HostConfig={"NetworkMode": "none"})
    log_path = f"/containers/{identifier}/logs?stdout=1&follow=1&tail=0"
    openers: list[tuple[str, Callable[[], Hijacked]]] = [
        ("attach", lambda: attach(engine, identifier)),
        ("logs", lambda: Hijacked.open(engine, "GET", log_path, headers="Connection: close\r\n")),
        ("exec", lambda: exec_open(engine, identifier, *numbers, AttachStdout=True)[1]),
    ]
    stalled = [(name, make()) for name, make in openers]
    clients = [(f"{openers[n % 3][0]} {n}", openers[n % 3][1]()) for n in range(max(count - len(stalled), 3))]
    checked: dict[str, Lines] = {name: Lines(name) for name, _ in clients[::10] if not name.startswith("logs")}
    received: Counter[str] = Counter()
    selector = selectors.DefaultSelector()
    for name, client in clients:
        client.sock.setblocking(False)
        selector.register(client.sock, selectors.EVENT_READ, name)
        received[name] = len(client.buffer)
        if name in checked:
            checked[name].feed(client.buffer)
    growth, wrong = Growth(engine, seconds), list[str]()
    began = time.monotonic()
    while (passed := time.monotonic() - began) < seconds:
        growth.look(passed)
        for key, _ in selector.select(1.0):
            data = key.fileobj.recv(1 << 18)  # type: ignore[union-attr]
            name = str(key.data)
            received[name] += len(data)
            if name in checked and data:
                checked[name].feed(data)
            if not data:
                selector.unregister(key.fileobj)
                wrong.append(f"{name}: its stream has ended")
    growth.look(seconds)
    # A reader of the log that is behind holds the files that it has not read yet, up to so many.
    readers = sum(name.startswith("logs") for name, _ in [*clients, *stalled])
    wrong += growth.grown(descriptors=readers * MOST_BEHIND)
    print(
        f"received: {sum(received.values()) / seconds / 1e6:.0f} MB/s in all, least {min(received.values()) / 1e6:.1f} MB"
    )
    wrong += [f"{name}: received nothing" for name, _ in clients if received[name] == 0]
    wrong += [lines.wrong for lines in checked.values() if lines.wrong]
    for _, client in [*clients, *stalled]:
        client.close()
    answer = engine.post(f"/containers/{identifier}/kill")
    if answer.status != 204:
        wrong.append(f"kill: {answer.status}")
    engine.wait(identifier)
    return wrong + check_log(engine, identifier)


def check_log(engine: Engine, identifier: str) -> list[str]:
    """Of the newest lines that the log keeps: each is there once."""
    lines = Lines("log")
    lines.feed(engine.get(f"/containers/{identifier}/logs?stdout=1&tail=1000000").body)
    print(f"log: {lines.last:,} lines")
    return [lines.wrong] if lines.wrong else []


# Archives


def hostile(random_: random.Random, canary: Path) -> list[Member]:
    """Members that try to get out, and harmless ones between them."""
    out, up = str(canary / "x"), "../" * random_.randrange(1, 12)
    choices: list[Callable[[], list[Member]]] = [
        lambda: [entry(f"{up}{out.lstrip('/')}", b"out")],
        lambda: [entry(out, b"out")],
        lambda: [symlink("l", str(canary)), entry("l/x", b"out")],
        lambda: [symlink("l", f"{up}{str(canary).lstrip('/')}"), directory("l/d"), entry("l/d/x", b"out")],
        lambda: [hard_link("h", out), entry("h", b"out")],
        lambda: [hard_link("h", f"{up}{out.lstrip('/')}")],
        lambda: [symlink("a", "b"), symlink("b", "a"), entry("a/x", b"")],
        lambda: [symlink("s", "/proc/1/root"), entry(f"s{out}", b"out")],
        lambda: [entry("n" * random_.randrange(1, 5000), b"x" * random_.randrange(0, 3000))],
        lambda: [directory("d", random_.randrange(0o10000)), entry("d/f", b"x", mode=random_.randrange(0o10000))],
        lambda: [entry("p", b"", pax={"path": out}), entry("q", b"", pax={"linkpath": out, "GNU.sparse.map": "1,2,3"})],
        lambda: [entry("z", b"", pax={"size": str(random_.randrange(1 << 62)), "mtime": "nan"})],
        lambda: [entry("t", b"", type=bytes([random_.randrange(32, 127)]), linkname=out)],
        lambda: [entry("dev", b"", type=b"4", devmajor=random_.randrange(300), devminor=random_.randrange(300))],
        lambda: [entry("u", b"x", uid=random_.randrange(1 << 31), gid=random_.randrange(1 << 31), mtime=2**33)],
    ]
    return [member for choice in random_.choices(choices, k=random_.randrange(1, 5)) for member in choice()]


def mutated(random_: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(random_.randrange(0, 6)):
        at = random_.randrange(len(changed))
        match random_.randrange(4):
            case 0:
                changed[at] = random_.randrange(256)
            case 1:
                changed[at : at + random_.randrange(1, 600)] = random_.randbytes(random_.randrange(0, 600))
            case 2:
                del changed[at : at + random_.randrange(1, 2000)]
            case _:
                changed[at:at] = changed[: random_.randrange(1, 1200)]
        if not changed:
            return b"\0"
    return bytes(changed)


def soak_archives(engine: Engine, count: int, random_: random.Random, canary: Path) -> list[str]:
    canary.mkdir()
    (canary / "x").write_text("untouched")
    identifier = engine.run("sleep", "1000000", Volumes={"/volume": {}})
    growth, wrong, statuses = Growth(engine, count), list[str](), Counter[int]()
    for number in range(count):
        growth.look(number)
        if number % 500 == 499:  # what they unpack must not fill the disk
            engine.delete(f"/containers/{identifier}?force=1&v=1")
            identifier = engine.run("sleep", "1000000", Volumes={"/volume": {}})
        # GNU and PAX; the oldest format has no room for such numbers.
        body = mutated(random_, tar_of(*hostile(random_, canary), kind=random_.choice((1, 2))))
        path = random_.choice(("/", "/tmp", "/volume", "/etc"))
        answer = engine.request("PUT", f"/containers/{identifier}/archive", body, query={"path": path})
        statuses[answer.status] += 1
        if answer.status >= 500:
            wrong.append(f"archive {number}: {answer.status} {answer.body[:300]!r}")
    growth.look(count)
    print("statuses:", dict(sorted(statuses.items())))
    if sorted(each.name for each in canary.iterdir()) != ["x"] or (canary / "x").read_text() != "untouched":
        wrong.append("something outside of the container was touched")
    if (canary / "x").stat().st_nlink != 1:
        wrong.append("there is a hard link from inside to outside")
    return wrong + growth.grown()


if __name__ == "__main__":
    sys.exit(main())
