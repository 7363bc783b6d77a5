"""Many short lives of containers at once, while the engine is killed and started again at random.

usage: ./wharf stress [--count N] [--at-once N] [--kills N] [--seed N] [--network MODE]

Each of `--count` containers is created, started, waited for and removed, `--at-once` at a time; meanwhile the engine gets SIGKILL
`--kills` times.  A client whose connection breaks does not know what has become of its request, and looks the container up by its
name.  At the end every container that was answered 201 must have been there until its client removed it (one in ten is left until
then), none may be stuck, every run must have been told of once, and the host must be as it was: files, mounts, links, rules, cgroups,
processes.  Ends with 1 if anything else was seen.
"""

import argparse
import json
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.client import Connection
from bench.table import machine
from tests.engine import BASE_IMAGE, PATIENCE, Engine, settled

STUCK_S = 120.0 * PATIENCE  # after which a container counts as stuck
ATTEMPT_S = 0.02
KEPT = 10  # one of so many containers is left until the end


class Violation(Exception):
    """The engine did what it must not."""


class Broken(Exception):
    """No answer came; whether the request was carried out is not known."""


@dataclass
class Report:
    count: int
    kills: int = 0
    seconds: float = 0.0
    broken: Counter[str] = field(default_factory=Counter)  # by step: connections that broke before the answer was there
    restarts_s: list[float] = field(default_factory=list)  # from the kill to the first answer
    violations: list[str] = field(default_factory=list)
    is_over: bool = False  # the engine does not come up any more

    def __str__(self) -> str:
        times = sorted(self.restarts_s)
        lines = [
            f"{self.count} containers in {self.seconds:.1f} s ({self.count / self.seconds:.1f} a second)",
            f"{self.kills} kills; from a kill to the first answer: "
            + (f"median {times[len(times) // 2]:.2f} s, longest {times[-1]:.2f} s" if times else "-"),
            "answers that did not come: "
            + (", ".join(f"{step} {n}" for step, n in sorted(self.broken.items())) or "none"),
            f"violations: {len(self.violations)}",
        ]
        return "\n".join(lines + [f"  {words}" for words in self.violations])


class Client:
    """One connection, made anew whenever it breaks."""

    def __init__(self, engine: Engine, report: Report) -> None:
        self.engine = engine
        self.report = report
        self.connection: Connection | None = None
        self.deadline = 0.0

    def once(self, step: str, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        """Raises Broken if there is no whole answer."""
        try:
            if self.connection is None:
                self.connection = Connection(self.engine.socket, timeout=STUCK_S)
        except OSError as error:
            raise Broken from error
        try:
            return self.connection.request(method, path, body)
        except OSError as error:
            self.close()
            self.report.broken[step] += 1
            raise Broken from error

    def surely(self, step: str, method: str, path: str) -> tuple[int, bytes]:
        """For requests that change nothing: until there is an answer."""
        while True:
            try:
                return self.once(step, method, path)
            except Broken:
                self.pause(f"{step} is not answered")

    def pause(self, otherwise: str) -> None:
        if self.report.is_over or time.monotonic() > self.deadline:
            raise Violation(f"stuck: {otherwise}")
        time.sleep(ATTEMPT_S)

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    # One life

    def live(self, name: str, host_config: dict[str, Any], keep: bool) -> str:
        """Returns the container's id."""
        self.deadline = time.monotonic() + STUCK_S
        identifier = self.create(name, {"Image": BASE_IMAGE, "Cmd": ["true"], "HostConfig": host_config})
        self.start(identifier)
        self.wait(identifier)
        if not keep:
            self.remove(identifier)
        return identifier

    def create(self, name: str, body: dict[str, Any]) -> str:
        while True:
            try:
                status, answer = self.once("create", "POST", f"/containers/create?name={name}", body)
            except Broken:
                found = self.look(name)
                if found is not None:
                    return str(found["Id"])
                continue
            if status == 201:
                return str(json.loads(answer)["Id"])
            raise Violation(f"create: {status} {answer!r}")

    def start(self, identifier: str) -> None:
        while True:
            try:
                status, answer = self.once("start", "POST", f"/containers/{identifier}/start")
            except Broken:
                if self.has_run(identifier):
                    return
                continue
            if status not in (204, 304):
                raise Violation(f"start: {status} {answer!r}")
            if not self.has_run(identifier):
                raise Violation(f"start: answered {status}, then {self.look(identifier)}")
            return

    def wait(self, identifier: str) -> None:
        _, answer = self.surely("wait", "POST", f"/containers/{identifier}/wait")
        if json.loads(answer) != {"StatusCode": 0}:
            raise Violation(f"wait: {answer!r}")
        found = self.look(identifier) or {}
        state = found.get("State", {})
        if (state.get("Status"), state.get("ExitCode"), state.get("Error")) != ("exited", 0, ""):
            raise Violation(f"wait: answered, then {state}")

    def remove(self, identifier: str) -> None:
        while True:
            try:
                status, answer = self.once("remove", "DELETE", f"/containers/{identifier}")
            except Broken:
                if self.look(identifier) is None:
                    return
                continue
            if status != 204:
                raise Violation(f"remove: {status} {answer!r}")
            if self.look(identifier) is not None:
                raise Violation("remove: answered, but it is there")
            return

    def has_run(self, identifier: str) -> bool:
        """Whether it has been started; it must be there."""
        found = self.look(identifier)
        if found is None:
            raise Violation("it is gone")
        state = found["State"]
        if state["Status"] not in {"created", "running", "exited"}:
            raise Violation(f"it is {state['Status']}")
        return not state["StartedAt"].startswith("0001-")

    def look(self, ref: str) -> Any:
        status, answer = self.surely("inspect", "GET", f"/containers/{ref}/json")
        if status not in (200, 404):
            raise Violation(f"inspect: {status} {answer!r}")
        return json.loads(answer) if status == 200 else None


@dataclass
class Stress:
    """`engine` runs and has the base image; what it has on the host now is what it must have at the end."""

    engine: Engine
    count: int = 1000
    at_once: int = 8
    kills: int = 20
    seed: int = 0
    host_config: dict[str, Any] = field(default_factory=dict)

    def run(self, tell: Callable[[str], None] = lambda _: None) -> Report:
        self.tell = tell
        self.random = random.Random(self.seed)
        self.report = report = Report(self.count)
        before = self.quiet()
        self.numbers = iter(range(self.count))
        self.lock = threading.Lock()
        self.done = 0
        self.identifiers: dict[str, str] = {}
        held = self.engine.holdings()
        begin = time.monotonic()
        clients = [threading.Thread(target=self.work, name=f"client-{n}") for n in range(self.at_once)]
        for thread in clients:
            thread.start()
        self.kill_at(sorted(self.random.sample(range(self.count), self.kills)), clients)
        for thread in clients:
            thread.join()
        report.seconds = time.monotonic() - begin
        if report.is_over:
            return report
        self.look_back()
        self.compare(before)
        report.violations += [f"+ {kind}: {number} more" for kind, number in self.grown(held).items()]
        return report

    def grown(self, held: Counter[str]) -> Counter[str]:
        """What the engine holds more of than before it had this work."""
        deadline = time.monotonic() + STUCK_S
        while (more := self.engine.holdings() - held) and time.monotonic() < deadline:
            time.sleep(ATTEMPT_S)
        return more

    def quiet(self) -> dict[str, list[str]]:
        """Traces of the engine at rest, with the directories that are made at their first use."""
        before = self.engine.traces()
        self.engine.run_to_end("true", HostConfig=self.host_config)
        found = settled(self.engine, before)
        return {**found, **{kind: before[kind] for kind in before if kind != "files"}}

    def work(self) -> None:
        client = Client(self.engine, self.report)
        while True:
            with self.lock:
                number = next(self.numbers, -1)
            if number < 0:
                client.close()
                return
            name = f"stress-{number}"
            try:
                identifier = client.live(name, self.host_config, keep=number % KEPT == 0)
                with self.lock:
                    self.identifiers[name] = identifier
            except Exception as error:
                self.report.violations.append(f"{name}: {type(error).__name__} {error}")
                client.close()
            with self.lock:
                self.done += 1

    def kill_at(self, moments: list[int], clients: list[threading.Thread]) -> None:
        """One kill each when so many containers are done, a moment later or earlier."""
        for moment in moments:
            while self.done < moment and any(thread.is_alive() for thread in clients):
                time.sleep(0.002)
            time.sleep(self.random.uniform(0, 0.1))
            begin = time.monotonic()
            self.engine.kill()
            self.report.kills += 1
            try:
                self.engine.start()
            except RuntimeError as error:
                self.report.is_over = True
                self.report.violations.append(str(error))
                return
            self.report.restarts_s.append(time.monotonic() - begin)
            self.tell(f"{self.done} containers, {self.report.kills} kills, {len(self.report.violations)} violations")

    def look_back(self) -> None:
        """Those that were left are there, whole, and no others; every run was told of once."""
        client = Client(self.engine, self.report)
        client.deadline = time.monotonic() + STUCK_S
        kept = {f"/stress-{number}" for number in range(0, self.count, KEPT)}
        listed = json.loads(client.surely("list", "GET", "/containers/json?all=1")[1])
        names = {name for container in listed for name in container["Names"]}
        violations = self.report.violations
        failed = {f"/{words.partition(':')[0]}" for words in violations}
        if names - failed != kept - failed:
            violations.append(f"left over: {sorted(names - kept)}; missing: {sorted(kept - names)}")
        violations += [f"{c['Names'][0]} is {c['Status']}" for c in listed if c["State"] != "exited"]
        for name in sorted(names):
            client.remove(name.removeprefix("/"))
        told: dict[str, Counter[str]] = {identifier: Counter() for identifier in self.identifiers.values()}
        window = f"since=1&until={time.time():.9f}&filters=%7B%22type%22%3A%5B%22container%22%5D%7D"
        for line in client.surely("events", "GET", f"/events?{window}")[1].splitlines():
            event = json.loads(line)
            if event["Actor"]["ID"] in told:
                told[event["Actor"]["ID"]][event["Action"]] += 1
        for name, identifier in self.identifiers.items():
            counts = told[identifier]
            if (
                counts != {"create": 1, "start": counts["start"], "die": counts["start"], "destroy": 1}
                or not counts["start"]
            ):
                violations.append(f"{name}: told {dict(counts)}")
        client.close()

    def compare(self, before: dict[str, list[str]]) -> None:
        after = settled(self.engine, before)
        for kind, had in before.items():
            gone, come = Counter(had) - Counter(after[kind]), Counter(after[kind]) - Counter(had)
            self.report.violations += [f"- {kind}: {each}" for each in gone] + [f"+ {kind}: {each}" for each in come]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="wharf stress", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--at-once", type=int, default=8)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 10**6)
    parser.add_argument("--network", default="bridge", help="NetworkMode of the containers")
    args = parser.parse_args()
    print(machine())
    print(f"seed {args.seed}")
    with (
        tempfile.TemporaryDirectory(prefix="wharf-stress-", dir="/var/tmp") as directory,
        Engine(Path(directory)) as engine,
    ):
        engine.load_base_image()
        stress = Stress(engine, args.count, args.at_once, args.kills, args.seed, {"NetworkMode": args.network})
        report = stress.run(lambda words: print(words, file=sys.stderr, flush=True))
        print(report)
        if report.violations:
            print(engine.log.read_text()[-20_000:], file=sys.stderr)
    return 1 if report.violations else 0


if __name__ == "__main__":
    sys.exit(main())
