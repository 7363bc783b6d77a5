"""docker compose: names, addresses, ports and modes of services."""

import json
import re

from conformance.checks import eventually, holds, same
from conformance.compose import Compose, scenario
from conformance.projects import SLEEP, TWO


@scenario("networks", "services find each other by name, and by the container's")
def _(compose: Compose) -> None:
    compose.project(TWO)
    compose("up -d")
    for name in ("db", f"{compose.name}-db-1"):
        compose(f"exec web ping -c 1 -W 2 {name}")


@scenario("networks", "aliases, several networks, isolation between them")
def _(compose: Compose) -> None:
    compose.project(
        """
services:
  web: {image: IMAGE, init: true, command: sleep 1000, networks: [front]}
  app:
    image: IMAGE
    init: true
    command: sleep 1000
    networks: {front: {aliases: [api]}, back: {}}
  db: {image: IMAGE, init: true, command: sleep 1000, networks: {back: {aliases: [store]}}}
networks: {front: {}, back: {}}
"""
    )
    compose("up -d")
    compose("exec web ping -c 1 -W 2 api")
    compose("exec app ping -c 1 -W 2 store")
    compose("exec web ping -c 1 -W 2 db", code=1)
    compose("exec app ls /sys/class/net", out="eth0\neth1\nlo\n")


@scenario("networks", "static addresses of both families")
def _(compose: Compose) -> None:
    compose.project(
        """
services:
  web:
    image: IMAGE
    command: ip -o addr show eth0 scope global
    networks: {n: {ipv4_address: 10.124.3.9, ipv6_address: 'fd00:cf:3::9'}}
networks:
  n: {enable_ipv6: true, ipam: {config: [{subnet: 10.124.3.0/24, gateway: 10.124.3.1}, {subnet: 'fd00:cf:3::/64'}]}}
"""
    )
    done = compose("run --rm web", code=None)
    compose("up", code=0)
    text = compose("logs --no-log-prefix web").out
    holds("10.124.3.9/24" in text and "fd00:cf:3::9/64" in text, f"{text!r} {done.out!r}")


@scenario("networks", "a scaled service is found under one name with all its addresses")
def _(compose: Compose) -> None:
    compose.project(TWO)
    compose("up -d --scale db=3")
    done = compose("exec web nslookup -type=a db 127.0.0.11", code=None)
    same(len(re.findall(r"^Address: \d", done.out, re.M)), 3, f"addresses in {done.out!r}")


@scenario("networks", "an external network, and one that is missing")
def _(compose: Compose) -> None:
    compose.project(SLEEP + "    networks: [n]\nnetworks: {n: {external: true, name: '@ext'}}\n")
    done = compose("up -d", code=1)
    holds("declared as external, but could not be found" in done.err, f"errors: {done.err!r}")
    compose.docker("network create @ext")
    compose("up -d")
    compose("down")
    compose.docker("network inspect @ext")


@scenario("networks", "network_mode: none, host, service:")
def _(compose: Compose) -> None:
    compose.project(
        """
services:
  none: {image: IMAGE, command: ls /sys/class/net, network_mode: none}
  web: {image: IMAGE, init: true, command: sleep 1000, hostname: box}
  side: {image: IMAGE, command: hostname, network_mode: 'service:web'}
"""
    )
    compose("up -d")
    eventually(lambda: compose("logs --no-log-prefix none", out="lo\n"))
    eventually(lambda: compose("logs --no-log-prefix side", out="box\n"))


@scenario("networks", "a changed network is made anew with its containers")
def _(compose: Compose) -> None:
    compose.project(SLEEP + "networks: {default: {ipam: {config: [{subnet: 10.124.4.0/24}]}}}\n")
    compose("up -d")
    compose("exec web sh -c 'ip -o -4 addr show eth0'", out=re.compile(r".*10\.124\.4\.\d+/24.*\n"))
    compose.project(SLEEP + "networks: {default: {ipam: {config: [{subnet: 10.124.5.0/24}]}}}\n")
    compose("up -d", timeout=60)
    compose("exec web sh -c 'ip -o -4 addr show eth0'", out=re.compile(r".*10\.124\.5\.\d+/24.*\n"))


@scenario("networks", "extra_hosts, dns, hostname, domainname, links")
def _(compose: Compose) -> None:
    compose.project(
        """
services:
  web:
    image: IMAGE
    command:
      - sh
      - -c
      - hostname; grep -c "10.0.0.9.*store" /etc/hosts; ping -c 1 -W 2 other >/dev/null && echo linked
    hostname: box
    extra_hosts: ["store:10.0.0.9"]
    dns: 10.1.1.1
    links: ["db:other"]
  db: {image: IMAGE, init: true, command: sleep 1000}
"""
    )
    compose("up -d")
    eventually(lambda: compose("logs --no-log-prefix web", out="box\n1\nlinked\n"))


@scenario("networks", "expose, ports in the long form, a range, port")
def _(compose: Compose) -> None:
    compose.project(
        SLEEP
        + """    expose: ["90"]
    ports:
      - {target: 80, published: "18190", host_ip: 127.0.0.1, protocol: tcp}
      - "127.0.0.1:18191-18192:81-82"
"""
    )
    compose("up -d")
    compose("port web 80", out="127.0.0.1:18190\n")
    compose("port web 82", out="127.0.0.1:18192\n")
    rows = json.loads(compose("ps --format json").out)["Publishers"]
    same(sorted(row["TargetPort"] for row in rows if row["PublishedPort"]), [80, 81, 82])
