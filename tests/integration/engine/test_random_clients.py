"""Several clients do anything to a few containers at once, while the engine is killed, stopped and started again.

No answer may be a failure of the engine's (5xx), no request may hang, no container may be left in a state between two others, and when
all is removed the host is as before.
"""

import http.client
import random
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.engine import BASE_IMAGE, PATIENCE, Answer, Engine
from tests.integration.engine.rig import done, script, until

CLIENTS = 6
REQUESTS = 150  # of each client that are answered
DEATHS = 4
NAMES = ("one", "two", "three", "four")
COMMANDS = (
    ["true"],
    ["sleep", "1000"],
    ["nosuch"],
    script("exit 1"),
    script("trap 'exit 3' TERM; while :; do sleep 0.02; done"),
)
POLICIES = ("no", "no", "always", "on-failure", "unless-stopped")
SETTLED = {"created", "running", "exited", "paused", "restarting"}


class Client:
    def __init__(self, engine: Engine, seed: int) -> None:
        self.engine = engine
        self.random = random.Random(seed)
        self.faults: list[str] = []
        self.answered = 0

    def run(self) -> None:
        while self.answered < REQUESTS and len(self.faults) < 10:
            call = self.random.choice(CALLS)
            name = self.random.choice(NAMES)
            try:
                answer = call(self, name)
            except TimeoutError:
                self.faults.append(f"{call.__name__} {name}: no answer")
            except (OSError, http.client.HTTPException):
                time.sleep(0.05)  # the engine is dead
            else:
                self.answered += 1
                if answer.status >= 500:
                    self.faults.append(f"{call.__name__} {name}: {answer.status} {answer.body!r}")

    def create(self, name: str) -> Answer:
        host: dict[str, Any] = {"NetworkMode": self.random.choice(["bridge", "none", "host"])}
        if self.random.random() < 0.3:
            host["AutoRemove"] = True
        else:
            host["RestartPolicy"] = {"Name": self.random.choice(POLICIES)}
        volumes: dict[str, Any] = {"/data": {}} if self.random.random() < 0.5 else {}
        config = {"Image": BASE_IMAGE, "Cmd": self.random.choice(COMMANDS), "Volumes": volumes, "HostConfig": host}
        return self.engine.post(f"/containers/create?name={name}", config)

    def post(self, name: str) -> Answer:
        words = ("stop?t=0", "stop?t=1", "restart?t=0", "kill", "kill?signal=TERM", "pause", "unpause")
        return self.engine.post(f"/containers/{name}/{self.random.choice(words)}")

    def start(self, name: str) -> Answer:
        return self.engine.post(f"/containers/{name}/start")

    def rename(self, name: str) -> Answer:
        return self.engine.post(f"/containers/{name}/rename?name={self.random.choice(NAMES)}")

    def update(self, name: str) -> Answer:
        return self.engine.post(f"/containers/{name}/update", {"PidsLimit": self.random.choice([20, 30])})

    def remove(self, name: str) -> Answer:
        return self.engine.delete(f"/containers/{name}?{self.random.choice(['', 'v=1', 'force=1', 'force=1&v=1'])}")

    def prune(self, name: str) -> Answer:
        return self.engine.post(f"/{self.random.choice(['containers', 'volumes'])}/prune")

    def look(self, name: str) -> Answer:
        words = ("json?size=1", "top", "logs?stdout=1&tail=3")
        return self.engine.get(f"/containers/{name}/{self.random.choice(words)}")

    def list(self, name: str) -> Answer:
        return self.engine.get("/containers/json?all=1&size=1")


CALLS: tuple[Callable[[Client, str], Answer], ...] = (
    *(Client.create, Client.create, Client.create, Client.start, Client.start, Client.start, Client.post, Client.post),
    *(Client.rename, Client.update, Client.remove, Client.remove, Client.prune, Client.look, Client.look, Client.list),
)


@pytest.mark.timeout(300 * PATIENCE)
def test_anything_at_once(engine: Engine) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    clients = [Client(engine, seed + number) for number in range(CLIENTS)]
    threads = [threading.Thread(target=client.run) for client in clients]
    for thread in threads:
        thread.start()
    dice = random.Random(seed)
    for _ in range(DEATHS):
        time.sleep(dice.uniform(0.2, 1.0))
        engine.restart(kill=dice.random() < 0.7)
    for thread in threads:
        thread.join()
    assert [fault for client in clients for fault in client.faults] == []
    assert {container["State"] for container in engine.get("/containers/json?all=1").json} <= SETTLED
    for name in NAMES:
        until(lambda name=name: engine.delete(f"/containers/{name}?force=1&v=1").status in {204, 404})  # type: ignore[misc]
    done(engine.post("/volumes/prune", query={"filters": {"all": ["true"]}}), 200)
    assert engine.get("/containers/json?all=1").json == []
