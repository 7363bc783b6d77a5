"""docker compose: what a service waits for before it starts, and what `up --wait` waits for."""

from conformance.checks import eventually, holds, same
from conformance.compose import Compose, scenario
from conformance.projects import SLEEP, TWO


@scenario("conditions", "--wait returns when all are healthy")
def _(compose: Compose) -> None:
    check = "{test: ['CMD', 'test', '-e', '/ok'], interval: 300ms, retries: 50}"
    compose.project(
        f"services: {{web: {{image: IMAGE, init: true, command: sh -c 'sleep 1; touch /ok; sleep 1000', healthcheck: {check}}}}}"
    )
    compose("up -d --wait", timeout=60)
    compose("ps --format '{{.Health}}'", out="healthy\n")


@scenario("conditions", "--wait fails when one becomes unhealthy")
def _(compose: Compose) -> None:
    compose.project(SLEEP + "    healthcheck: {test: 'exit 1', interval: 200ms, retries: 2}\n")
    done = compose("up -d --wait", code=1, timeout=60)
    holds("is unhealthy" in done.err, f"errors: {done.err!r}")


@scenario("conditions", "--wait fails when one exits")
def _(compose: Compose) -> None:
    compose.project("services: {web: {image: IMAGE, command: sh -c 'exit 3'}}")
    done = compose("up -d --wait", code=1, timeout=60)
    holds("exited (3)" in done.err, f"errors: {done.err!r}")


@scenario("conditions", "depends_on service_healthy: the order of starts")
def _(compose: Compose) -> None:
    compose.project(
        """
services:
  web: {image: IMAGE, init: true, command: sleep 1000, depends_on: {db: {condition: service_healthy}}}
  db:
    image: IMAGE
    init: true
    command: sh -c 'sleep 1; touch /ok; sleep 1000'
    healthcheck: {test: "test -e /ok", interval: 300ms, retries: 50}
"""
    )
    compose("up -d", timeout=60)
    db, web = (compose.docker.inspect(f"{compose.name}-{name}-1")["State"] for name in ("db", "web"))
    same(db["Health"]["Status"], "healthy")
    after_s = (float(web["StartedAt"][17:-1]) - float(db["StartedAt"][17:-1])) % 60
    holds(after_s >= 1, f"web is started {after_s:.1f} s after db")


@scenario("conditions", "depends_on service_completed_successfully")
def _(compose: Compose) -> None:
    text = """
services:
  web: {image: IMAGE, command: ls /data, volumes: ['data:/data'], depends_on: {seed: {condition: service_completed_successfully}}}
  seed: {image: IMAGE, command: sh -c 'sleep 0.5; touch /data/seeded; exit 0', volumes: ['data:/data']}
volumes: {data: {}}
"""
    compose.project(text)
    compose("up -d", timeout=60)
    eventually(lambda: compose("logs --no-log-prefix web", out="seeded\n"))
    compose("down -v")
    compose.project(text.replace("exit 0", "exit 5"))
    done = compose("up -d", code=1, timeout=60)
    holds('service "seed" didn\'t complete successfully: exit 5' in done.err, f"errors: {done.err!r}")


@scenario("conditions", "depends_on restart: a dependent is restarted with it")
def _(compose: Compose) -> None:
    compose.project(
        TWO.replace("  web:\n", "  web:\n    depends_on: {db: {condition: service_started, restart: true}}\n")
    )
    compose("up -d")
    before = compose.docker.inspect(f"{compose.name}-web-1")["State"]["StartedAt"]
    compose("restart db", timeout=60)
    holds(compose.docker.inspect(f"{compose.name}-web-1")["State"]["StartedAt"] > before, "web is not restarted")
