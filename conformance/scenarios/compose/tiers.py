"""docker compose: a program, Redis and PostgreSQL from real packages, behind a web server."""

import re

from conformance.checks import eventually, same
from conformance.compose import Compose, scenario
from conformance.projects import THREE_TIERS, fetch


@scenario("three tiers", "httpd, a program, Redis and PostgreSQL: counted in both", smoke=False)
def _(compose: Compose) -> None:
    compose.file("init/1.sql", "CREATE TABLE visits (n int);\n")
    compose.project(THREE_TIERS)
    compose("up -d --wait", timeout=180)
    for number in (1, 2, 3):
        same(fetch("http://127.0.0.1:18181/cgi-bin/count").strip(), f"{number}|{number}", "answer")
    compose("down", timeout=120)
    compose("up -d --wait", timeout=180)
    same(fetch("http://127.0.0.1:18181/cgi-bin/count").strip(), "4|4", "answer after down and up")
    compose("down -v", timeout=120)


@scenario("three tiers", "a tier that dies is healed by its restart policy and found again by name")
def _(compose: Compose) -> None:
    compose.project(
        "services: {cache: {image: REDIS, restart: always}, web: {image: IMAGE, init: true, command: sleep 1000}}"
    )
    compose("up -d")
    ask = "exec web sh -c \"printf 'PING\\r\\n' | nc -w 2 cache 6379\""
    eventually(lambda: compose(ask, out=re.compile(r"\+PONG\r?\n")))
    compose("exec cache redis-cli DEBUG SEGFAULT", code=None)
    compose("exec cache sh -c 'kill -9 1'", code=None)
    compose.docker(f"exec {compose.name}-cache-1 redis-cli SHUTDOWN NOSAVE", code=None, err=None)
    eventually(lambda: compose(ask, out=re.compile(r"\+PONG\r?\n")), 30)


@scenario("three tiers", "PostgreSQL: data survive down and up, psql over the network")
def _(compose: Compose) -> None:
    compose.project(
        """
services:
  db:
    image: POSTGRES
    environment: {POSTGRES_PASSWORD: secret, POSTGRES_DB: shop}
    volumes: ['db:/var/lib/postgresql/data']
    healthcheck: {test: pg_isready -h 127.0.0.1 -U postgres, interval: 1s, retries: 90}
  client: {image: POSTGRES, entrypoint: sleep 1000, init: true, environment: {PGPASSWORD: secret}}
volumes: {db: {}}
"""
    )
    compose("up -d --wait", timeout=180)
    sql = "exec client psql -qtA -h db -U postgres -d shop -c"
    compose(f"{sql} 'CREATE TABLE t AS SELECT generate_series(1, 1000) n'")
    compose(f"{sql} 'SELECT sum(n) FROM t'", out="500500\n")
    compose("down", timeout=60)
    compose("up -d --wait", timeout=180)
    compose(f"{sql} 'SELECT sum(n) FROM t'", out="500500\n")
