"""What scripts/test-vm.sh asks of the installed engine inside a machine that is rebooted and cut off its power.

python -m tests.vm.life prepare FILE     load the base image, make containers of every restart policy, write down what they are
python -m tests.vm.life check FILE       what was written down is still so, and those run that ought to
python -m tests.vm.life churn            create containers for ever; each line is an id that was answered 201
python -m tests.vm.life answered FILE    every id in the file (as `churn` printed them) is there, and the last one runs
python -m tests.vm.life remove           remove all containers; nothing of them is left on the machine
"""

import json
import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.engine import BASE_IMAGE, PATIENCE, call

SOCKET = "/run/wharfd.sock"
TIMEOUT_S = 60 * PATIENCE
SLEEP = ["sleep", "100000"]
FULL_ID = re.compile(r"[0-9a-f]{64}")
# Of an inspect: what a stop of the machine may change.
FLEETING = ("State", "NetworkSettings", "RestartCount", "ExecIDs")

# name -> command, restart policy, what is done with it, whether it runs after the engine came up on a machine that had gone down
CONTAINERS: dict[str, tuple[list[str], str, tuple[str, ...], bool]] = {
    "created": (SLEEP, "always", (), False),
    "never": (SLEEP, "no", ("start",), False),
    "always": (SLEEP, "always", ("start",), True),
    "unless-stopped": (SLEEP, "unless-stopped", ("start",), True),
    "stopped-always": (SLEEP, "always", ("start", "stop?t=0"), True),
    "stopped-unless-stopped": (SLEEP, "unless-stopped", ("start", "stop?t=0"), False),
    "seven": (["sh", "-c", "exit 7"], "no", ("start", "wait"), False),
}


def demand(status: int, method: str, path: str, body: Any = None) -> Any:
    found, document = call(SOCKET, method, path, body, timeout=TIMEOUT_S)
    if found != status:
        sys.exit(f"{method} {path}: {found} {document}")
    return document


def until(what: str, claim: Callable[[], object]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not claim():
        if time.monotonic() > deadline:
            sys.exit(f"not so: {what}")
        time.sleep(0.2)


def create(name: str, command: list[str], policy: str) -> str:
    body = {
        "Image": BASE_IMAGE,
        "Cmd": command,
        "Labels": {"name": name, "ü": "☃"},
        "Volumes": {"/data": {}},
        "HostConfig": {"RestartPolicy": {"Name": policy}, "Memory": 64 << 20, "PidsLimit": 50},
    }
    identifier: str = demand(201, "POST", f"/containers/create?name={name}", body)["Id"]
    return identifier


def lasting(name: str) -> dict[str, Any]:
    """The part of an inspect that no stop of the machine changes."""
    document = demand(200, "GET", f"/containers/{name}/json")
    return {key: value for key, value in document.items() if key not in FLEETING}


def state(name: str) -> dict[str, Any]:
    found: dict[str, Any] = demand(200, "GET", f"/containers/{name}/json")["State"]
    return found


def prepare(file: str) -> None:
    from wharfd.cli.base_image import base_image_archive

    remove()
    demand(200, "POST", "/images/load", base_image_archive())
    for name, (command, policy, actions, _) in CONTAINERS.items():
        create(name, command, policy)
        for action in actions:
            status, document = call(SOCKET, "POST", f"/containers/{name}/{action}", timeout=TIMEOUT_S)
            if status not in (200, 204):
                sys.exit(f"{action} {name}: {status} {document}")
    written = {name: lasting(name) for name in CONTAINERS}
    written["state of seven"] = state("seven")
    Path(file).write_text(json.dumps(written))
    os.sync()
    print(f"{len(CONTAINERS)} containers made")


def check(file: str) -> None:
    written = json.loads(Path(file).read_text())
    for name, (_, _, _, runs) in CONTAINERS.items():
        if lasting(name) != written[name]:
            sys.exit(f"{name} was {written[name]}\n  and is {lasting(name)}")
        if runs:
            until(f"{name} runs", lambda name=name: state(name)["Running"])  # type: ignore[misc]
    for name, (_, _, _, runs) in CONTAINERS.items():
        if state(name)["Running"] is not runs:
            sys.exit(f"{name}: {state(name)}")
    if state("seven") != written["state of seven"]:
        sys.exit(f"seven was {written['sevens state']} and is {state('seven')}")
    seen = {each["Names"][0][1:]: each["State"] for each in demand(200, "GET", "/containers/json?all=1")}
    print("records whole:", ", ".join(f"{name} {seen[name]}" for name in CONTAINERS))


def churn() -> None:
    number = 0
    while True:
        print(create(f"churn{number}", ["true"], "no"), flush=True)
        number += 1


def answered(file: str) -> None:
    # The last line may have been cut, too.
    identifiers = [line for line in Path(file).read_text().split("\n")[:-1] if FULL_ID.fullmatch(line)]
    if not identifiers:
        sys.exit("no container was answered 201 before the cut")
    missing = [
        each for each in identifiers if call(SOCKET, "GET", f"/containers/{each}/json", timeout=TIMEOUT_S)[0] != 200
    ]
    if missing:
        sys.exit(f"{len(missing)} of {len(identifiers)} containers that were answered 201 are gone: {missing}")
    demand(204, "POST", f"/containers/{identifiers[-1]}/start")
    code = demand(200, "POST", f"/containers/{identifiers[-1]}/wait")["StatusCode"]
    if code != 0:
        sys.exit(f"the last one ends with {code}")
    print(f"{len(identifiers)} containers were answered 201 before the power cut, all are there; the last one runs")


def traces() -> list[str]:
    """What containers have on this machine."""
    found = [
        f"mount {line.split()[4]}"
        for line in Path("/proc/self/mountinfo").read_text().splitlines()
        if FULL_ID.search(line) or "/run/wharfd/" in line
    ]
    for top, names, _ in os.walk("/sys/fs/cgroup"):
        found += [f"cgroup {top}/{name}" for name in names if FULL_ID.search(name)]
    found += [f"link {each.name}" for each in Path("/sys/class/net").iterdir() if each.name.startswith("veth")]
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                name = (process / "comm").read_text().strip()
            except OSError:
                continue
            found += [f"process {name} {process.name}"] if name in ("conmon", "crun", "runc") else []
    for place in ("/var/lib/wharfd/containers", "/var/lib/wharfd/volumes", "/run/wharfd"):
        for top, directories, files in os.walk(place):
            found += [f"file {top}/{name}" for name in (*directories, *files) if FULL_ID.search(name)]
    return found


def remove() -> None:
    count = 0
    for each in demand(200, "GET", "/containers/json?all=1"):
        demand(204, "DELETE", f"/containers/{each['Id']}?force=1&v=1")
        count += 1
    deadline = time.monotonic() + TIMEOUT_S
    while found := traces():
        if time.monotonic() > deadline:
            sys.exit("left:\n" + "\n".join(found))
        time.sleep(0.2)
    print(f"{count} containers removed, nothing of them is left")


if __name__ == "__main__":
    verbs: dict[str, Callable[..., None]] = {
        "prepare": prepare,
        "check": check,
        "churn": churn,
        "answered": answered,
        "remove": remove,
    }
    verbs[sys.argv[1]](*sys.argv[2:])
