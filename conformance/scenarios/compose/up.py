"""docker compose: projects that go up and down."""

import re
import signal
import time

from conformance.checks import eventually, holds, same
from conformance.compose import Compose, scenario
from conformance.projects import SLEEP, TWO, WEB, fetch


@scenario("up", "up -d, ps, down: nothing is left", smoke=True)
def _(compose: Compose) -> None:
    compose.project(WEB)
    compose("up -d")
    same(compose.names(), ["web-1"])
    eventually(lambda: holds(len(fetch("http://127.0.0.1:18180/name")) == 13, "no name"))
    compose("down")
    same(compose.names("-a"), [])
    compose.docker(f"network ls -q --filter name={compose.name}", out="")


@scenario("up", "up in the foreground: prefixed lines, and the end with the last service")
def _(compose: Compose) -> None:
    compose.project(
        "services: {one: {image: IMAGE, command: 'echo first'}, two: {image: IMAGE, command: 'echo second'}}"
    )
    done = compose("up --no-color")
    holds(re.search(r"^one-1 +\| first$", done.out, re.M) is not None, f"output: {done.out!r}")
    holds(re.search(r"^two-1 +\| second$", done.out, re.M) is not None, f"output: {done.out!r}")
    holds("one-1 exited with code 0" in done.out + done.err, f"output: {done.out + done.err!r}")


@scenario("up", "--abort-on-container-exit and --exit-code-from")
def _(compose: Compose) -> None:
    compose.project(
        "services: {test: {image: IMAGE, command: sh -c 'sleep 0.5; exit 7'}, web: {image: IMAGE, command: sleep 1000, init: true}}"
    )
    compose("up --abort-on-container-exit --exit-code-from test", code=7)
    same(compose.names(), [])


@scenario("up", "ctrl-c stops what up has started")
def _(compose: Compose) -> None:
    compose.project(SLEEP)
    client = compose.begin("up")
    eventually(lambda: same(compose.names(), ["web-1"]), 30)
    time.sleep(0.5)
    client.signal(signal.SIGINT)
    client.wait(code=None, within_s=40)
    eventually(lambda: same(compose.names(), []))


@scenario("up", "up again changes nothing that is as it should be")
def _(compose: Compose) -> None:
    compose.project(TWO)
    compose("up -d")
    before = compose("ps -q").out
    compose("up -d")
    same(compose("ps -q").out, before, "ids")


@scenario("up", "a changed service is made anew, the others stay")
def _(compose: Compose) -> None:
    compose.project(TWO)
    compose("up -d")
    web, db = compose("ps -q web").out, compose("ps -q db").out
    compose.project(TWO.replace("  web:\n", "  web:\n    environment: {A: '1'}\n"))
    compose("up -d")
    holds(compose("ps -q web").out != web, "web is the old one")
    same(compose("ps -q db").out, db, "db")
    same(compose.names("-a"), ["db-1", "web-1"])


@scenario("up", "a service that is made anew keeps its anonymous volume")
def _(compose: Compose) -> None:
    text = SLEEP + "    volumes: [/data]\n"
    compose.project(text)
    compose("up -d")
    compose("exec web sh -c 'echo kept > /data/f'")
    compose.project(text + "    environment: {A: '1'}\n")
    compose("up -d")
    compose("exec web cat /data/f", out="kept\n")
    compose("up -d --force-recreate -V")
    compose("exec web cat /data/f", code=1)


@scenario("up", "--no-deps, a single service, --no-start, start")
def _(compose: Compose) -> None:
    compose.project(TWO.replace("  web:\n", "  web:\n    depends_on: [db]\n"))
    compose("up -d --no-deps web")
    same(compose.names(), ["web-1"])
    compose("up --no-start")
    same(compose.names("-a"), ["db-1", "web-1"])
    compose("start")
    same(compose.names(), ["db-1", "web-1"])


@scenario("up", "--remove-orphans")
def _(compose: Compose) -> None:
    compose.project(TWO)
    compose("up -d")
    compose.project(SLEEP)
    holds("orphan" in compose("up -d").err.lower(), "no word of the orphan")
    compose("up -d --remove-orphans")
    same(compose.names("-a"), ["web-1"])


@scenario("up", "--scale, up and down")
def _(compose: Compose) -> None:
    compose.project(SLEEP)
    compose("up -d --scale web=3")
    same(compose.names(), ["web-1", "web-2", "web-3"])
    compose("up -d --scale web=1")
    same(compose.names("-a"), ["web-1"])
    compose("scale web=2")
    same(compose.names(), ["web-1", "web-2"])


@scenario("up", "deploy.replicas")
def _(compose: Compose) -> None:
    compose.project(SLEEP + "    deploy: {replicas: 2}\n")
    compose("up -d")
    same(compose.names(), ["web-1", "web-2"])


@scenario("up", "down -v removes named and anonymous volumes, down leaves named ones")
def _(compose: Compose) -> None:
    compose.project(SLEEP + "    volumes: ['data:/data', /anonymous]\nvolumes: {data: {}}\n")
    compose("up -d")
    compose("down")
    compose.docker(f"volume ls -q --filter name={compose.name}", out=f"{compose.name}_data\n")
    compose("up -d")
    compose("down -v")
    compose.docker(f"volume ls -q --filter name={compose.name}", out="")


@scenario("up", "down --rmi local, -t 0")
def _(compose: Compose) -> None:
    compose.project("services: {web: {image: IMAGE, command: sleep 1000}}")
    compose("up -d")
    began = time.monotonic()
    compose("down -t 0")
    holds(time.monotonic() - began < 9, "it waits")


@scenario("up", "an image that cannot be had fails, nothing runs")
def _(compose: Compose) -> None:
    compose.project("services: {web: {image: '@nothing:1', pull_policy: never}}")
    done = compose("up -d", code=1)
    holds("No such image: " in done.err, f"errors: {done.err!r}")
    same(compose.names(), [])


@scenario("up", "a command that is not there fails with its text")
def _(compose: Compose) -> None:
    compose.project("services: {web: {image: IMAGE, command: nothing-like-it}}")
    done = compose("up -d", code=1)
    holds("executable file not found in $PATH" in done.err, f"errors: {done.err!r}")


@scenario("up", "a port that is taken fails with its text")
def _(compose: Compose) -> None:
    compose.docker("run -d --name @other -p 127.0.0.1:18180:80 IMAGE sleep 1000")
    compose.project(WEB)
    done = compose("up -d", code=1)
    holds("port is already allocated" in done.err, f"errors: {done.err!r}")
